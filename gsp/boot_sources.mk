# SPDX-License-Identifier: MIT
# The boot story and the run time of a GPU.
COMMON_SRCS += $(addprefix gsp/,boot.c booter.c events.c falcon.c falcon_port.c family.c \
    family_fsp.c family_ga100.c family_ga10x.c family_shared.c family_tu.c fb_layout.c fmc.c fsp.c \
    fwsec.c gen_bootloader.c gpu.c gpu_views.c init_rpc.c intr.c io.c logs.c queue.c \
    recorder.c reset.c rm.c rpc.c rpc_match.c sequencer.c serve.c \
    static_info.c status.c suspend.c unload.c version.c wpr.c)
UNIT_TESTS += $(addprefix tests/unit/,test_fb_layout.c test_sequencer.c test_queue.c test_read_once.c test_recorder.c \
    test_io.c test_wpr.c test_static_info.c test_rpc.c test_rpc_match.c test_rpc_flood.c test_hostile_gsp.c test_destroy.c test_bringup.c test_bringup_faults.c \
    test_fsp.c test_falcon_port.c test_families.c test_families_faults.c test_create.c test_several.c test_leftover.c test_suspend.c)
FUZZ_TARGETS += tests/fuzz/fuzz_queue.c tests/fuzz/fuzz_sequencer.c
BENCH_SRCS += tests/bench/bench_bringup.c
# The bench with one GPU in it, which other tests use too.
TEST_SUPPORT_SRCS += tests/unit/rig.c
