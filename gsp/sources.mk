# SPDX-License-Identifier: MIT
# The gsp room, lowest floor first. The boot room gives hw/chips.c to the stub too.
COMMON_SRCS += gsp/hw/regs/regs.c $(addprefix gsp/hw/,chips.c io.c lost.c window.c tlb.c recorder.c falcon.c falcon_port.c \
    fsp.c intr.c family.c family_fsp.c family_ga100.c family_ga10x.c family_shared.c family_tu.c \
    fb_layout.c card.c feed_ring.c)
COMMON_SRCS += $(addprefix gsp/files/,digest.c vbios.c vbios_fwsec.c fwbin.c fwelf.c radix3.c fwset.c \
    unpack.c unpack_name.c unpack_xz.c unpack_zstd.c)
COMMON_SRCS += build/gen/gsp_layout.c $(addprefix gsp/rpc/,version.c status.c queue.c functions.c history.c intake.c rpc.c \
    rpc_match.c events.c xid.c sequencer.c logs.c)
COMMON_SRCS += $(addprefix gsp/rm/,rm.c board.c session.c static_info.c messages.c script.c host.c fields.c sensor_list.c sensors.c \
    sensors_ask.c sensors_page.c) build/gen/rm_tables.c
COMMON_SRCS += $(addprefix gsp/boot/,boot.c booter.c causes.c cc.c fmc.c fwsec.c gen_bootloader.c init_rpc.c reach.c reset.c \
    suspend.c unload.c wpr.c)
COMMON_SRCS += $(addprefix gsp/vram/,core.c pool.c evict.c bar1.c contents.c objects.c spaces.c mapping.c \
    places.c queue.c fences.c by_va.c vaspace.c)
COMMON_SRCS += $(addprefix gsp/,gpu.c life.c snapshot.c serve.c attempts.c orders.c watch.c registers.c gpu_feed.c)

UNIT_TESTS += tests/unit/test_vram.c tests/unit/test_vram_life.c tests/unit/test_vram_ways.c
UNIT_TESTS += $(addprefix tests/unit/,test_regs.c test_chips.c test_io.c test_recorder.c \
    test_falcon_port.c test_intr.c test_engine_order.c test_fsp.c test_fb_layout.c)
UNIT_TESTS += $(addprefix tests/unit/,test_vbios.c test_vbios_refused.c test_fwbin.c test_fwelf.c test_radix3.c test_fwset.c \
    test_synth.c test_real_firmware.c test_unpack.c)
UNIT_TESTS += $(addprefix tests/unit/,test_queue.c test_read_once.c test_rpc.c test_rpc_match.c \
    test_rpc_flood.c test_rpc_history.c test_rpc_whole.c test_hostile_gsp.c test_sequencer.c \
    test_static_info.c test_rm_tables.c test_fields.c)
UNIT_TESTS += $(addprefix tests/unit/,test_wpr.c test_init_rpc.c test_bringup.c test_serving.c test_bringup_faults.c test_families.c \
    test_families_faults.c test_leftover.c test_suspend.c test_create.c test_destroy.c test_several.c \
    test_attempts.c test_orders.c test_watch.c test_lost.c test_causes.c test_feed.c test_rm_session.c test_registers.c \
    test_sensors.c \
    test_sensors_page.c test_sensors_ask.c test_refusals.c test_cc.c test_mig.c)
FUZZ_TARGETS += $(addprefix tests/fuzz/,fuzz_vbios.c fuzz_containers.c fuzz_unpack.c fuzz_fwset.c fuzz_queue.c \
    fuzz_sequencer.c fuzz_fields.c fuzz_sensors.c)
BENCH_SRCS += tests/bench/bench_bringup.c tests/bench/bench_vram.c
# The bench with one GPU in it, which other tests use too.
TEST_SUPPORT_SRCS += tests/unit/rig.c tests/unit/rig_bus.c
