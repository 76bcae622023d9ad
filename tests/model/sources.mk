# SPDX-License-Identifier: MIT
# The GPU model, sub-room by sub-room (README.md).
M := tests/model/
MODEL_SRCS += $(addprefix $(M),blocks.c chips.c create.c run.c boards/boards.c)
MODEL_SRCS += $(addprefix $(M)bus/,work.c dispatch.c access.c dma.c config.c cfg_layouts.c function.c \
    intr.c bar.c bar_bind.c)
MODEL_SRCS += $(addprefix $(M)blocks/,pmc.c pbus.c ptimer.c uflush.c pfb.c flush_page.c pextdev.c \
    pgc6.c fuse.c measures.c therm.c pdisp.c pce.c prom.c vga.c)
MODEL_SRCS += $(addprefix $(M)memory/,vram.c posted.c pramin.c phys.c mmu.c mmu_entry.c mmu_check.c tlb.c invalidate.c copy.c)
MODEL_SRCS += $(addprefix $(M)falcon/,falcon.c falcon_regs.c falcon_pio.c engines.c)
MODEL_SRCS += $(addprefix $(M)boot/,rom.c rom_file.c fwfiles.c fw_version.c fwsec.c \
    fwsec_loader.c booter.c booter_meta.c booter_image.c fsp.c fsp_fmc.c fsp_boot.c)
MODEL_SRCS += $(addprefix $(M)gsp/,gsp.c gsp_args.c gsp_rx.c gsp_version.c gsp_region.c gsp_queue.c \
    gsp_status.c gsp_rm.c gsp_info.c rm_objects.c gsp_static.c gsp_ctrl.c gsp_engine.c gsp_display.c \
    gsp_seq.c gsp_log.c gsp_faults.c gsp_sensors.c rusd.c sleep.c)
MODEL_SRCS += $(addprefix $(M)host/,engines.c channel.c ring.c methods.c semaphore.c ce.c)
MODEL_SRCS += $(addprefix $(M)books/,strict.c readonly.c coverage.c text.c names.c trace.c trace_data.c \
    report.c report_json.c fault.c fault_parse.c fault_help.c)
# The servers are library parts so that tests reach them; the program is main.c.
MODEL_SRCS += $(addprefix $(M)wire/,serve.c guarded.c vfio_user.c vfio_region.c vfio_dma.c vfio_irq.c vfio_prom.c \
    vfio_socket.c remote_pci.c remote_bars.c remote_memory.c remote_socket.c)
MODEL_MAIN_SRCS += $(addprefix $(M),main.c options.c)
# Names of every field of the structures that the layout tables describe.
MODEL_SRCS += build/gen/gsp_layout_names.c

TEST_SUPPORT_SRCS += $(addprefix tests/unit/,mini_driver.c mini_booter.c mini_queue.c \
    mini_sequencer.c mini_turing.c mini_fsp.c mini_channel.c wrong_gsp.c remote_client.c \
    remote_fixture.c)
UNIT_TESTS += $(addprefix tests/unit/,test_model.c test_model_bus.c test_model_books.c \
    test_model_blocks.c test_model_boards.c test_model_rules.c test_model_fsp.c \
    test_model_fsp_events.c test_model_turing.c test_model_host.c test_model_display.c \
    test_model_tlb.c test_model_mmu.c test_model_waits.c test_model_bars.c test_model_mmu_rules.c test_model_invalidate.c test_model_flush.c \
    test_model_races.c test_model_copy.c test_model_limits.c test_model_program.c \
    test_model_legal.c test_model_fault.c test_fault_sweep.c test_fault_names.c test_remote_pci.c \
    test_remote_clients.c test_remote_boot.c test_trace_tool.c)
FUZZ_TARGETS += tests/fuzz/fuzz_model.c tests/fuzz/fuzz_remote_pci.c
