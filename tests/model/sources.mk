# SPDX-License-Identifier: MIT
MODEL_SRCS += $(addprefix tests/model/,model.c chips.c config.c regfile.c pmc_pfb.c prom.c vram.c \
    falcon.c falcon_regs.c fwsec.c booter.c booter_meta.c booter_image.c fwfiles.c intr.c gsp.c gsp_queue.c gsp_rm.c gsp_static.c gsp_ctrl.c \
    gsp_seq.c gsp_log.c strict.c trace.c report.c fault.c)
MODEL_MAIN_SRCS += tests/model/main.c
# The vfio-user server is a library part so that tests reach it; the program is main.c.
MODEL_SRCS += tests/model/vfio_user.c tests/model/vfio_dma.c
TEST_SUPPORT_SRCS += tests/unit/mini_driver.c
UNIT_TESTS += tests/unit/test_model.c tests/unit/test_model_rules.c
FUZZ_TARGETS += tests/fuzz/fuzz_model.c
