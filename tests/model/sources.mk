# SPDX-License-Identifier: MIT
MODEL_SRCS += $(addprefix tests/model/,model.c chips.c boards.c config.c cfg_layouts.c regfile.c pmc_pfb.c prom.c rom.c rom_file.c vram.c sleep.c \
    falcon.c falcon_regs.c falcon_pio.c fwsec.c fwsec_loader.c fsp.c fsp_fmc.c sha384.c booter.c booter_meta.c booter_image.c fwfiles.c intr.c gsp.c gsp_queue.c gsp_rm.c gsp_static.c gsp_ctrl.c \
    gsp_seq.c gsp_log.c strict.c text.c names.c trace.c trace_data.c report.c fault.c fault_parse.c fault_events.c)
MODEL_MAIN_SRCS += tests/model/main.c
# The servers are library parts so that tests reach them; the program is main.c.
MODEL_SRCS += $(addprefix tests/model/,serve.c vfio_user.c vfio_dma.c vfio_irq.c vfio_socket.c guarded.c)
# The same model over TCP.
MODEL_SRCS += $(addprefix tests/model/remote_,pci.c bars.c memory.c)
TEST_SUPPORT_SRCS += tests/unit/mini_driver.c tests/unit/mini_turing.c tests/unit/mini_fsp.c tests/unit/mini_channel.c
UNIT_TESTS += tests/unit/test_model.c tests/unit/test_model_rules.c tests/unit/test_model_fsp.c \
    tests/unit/test_model_turing.c tests/unit/test_model_host.c tests/unit/test_model_display.c tests/unit/test_model_tlb.c tests/unit/test_model_races.c tests/unit/test_model_copy.c tests/unit/test_model_limits.c \
    tests/unit/test_model_program.c
FUZZ_TARGETS += tests/fuzz/fuzz_model.c
# Names of every field of the structures that the layout tables describe.
MODEL_SRCS += build/gen/gsp_layout_names.c
# The host and the MMU: what works once the GSP is up.
MODEL_SRCS += $(addprefix tests/model/,mmu.c tlb.c bar.c engines.c channel.c methods.c ce.c gsp_engine.c gsp_display.c \
    vga.c)
TEST_SUPPORT_SRCS += tests/unit/remote_client.c
UNIT_TESTS += tests/unit/test_remote_pci.c tests/unit/test_remote_boot.c \
    tests/unit/test_trace_tool.c
FUZZ_TARGETS += tests/fuzz/fuzz_remote_pci.c
# Things that go wrong on purpose.
UNIT_TESTS += tests/unit/test_model_legal.c tests/unit/test_fault_sweep.c tests/unit/test_fault_names.c tests/unit/test_model_fault.c
# What a driver may not write; which firmware it starts.
MODEL_SRCS += tests/model/readonly.c tests/model/fw_version.c tests/model/report_json.c
