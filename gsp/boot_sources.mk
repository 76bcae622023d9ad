# SPDX-License-Identifier: MIT
# The boot story and the run time of a GPU.
COMMON_SRCS += gsp/boot.c gsp/booter.c gsp/events.c gsp/falcon.c gsp/family.c gsp/family_ga10x.c \
    gsp/fb_layout.c gsp/fwsec.c gsp/gpu.c gsp/init_rpc.c gsp/intr.c gsp/io.c gsp/logs.c gsp/queue.c \
    gsp/recorder.c gsp/rm.c gsp/rpc.c gsp/sequencer.c gsp/static_info.c gsp/status.c gsp/unload.c \
    gsp/wpr.c
UNIT_TESTS += tests/unit/test_fb_layout.c tests/unit/test_sequencer.c tests/unit/test_queue.c \
    tests/unit/test_recorder.c tests/unit/test_rpc.c
FUZZ_TARGETS += tests/fuzz/fuzz_queue.c tests/fuzz/fuzz_sequencer.c
