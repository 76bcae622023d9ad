# SPDX-License-Identifier: MIT
# VBIOS images of real boards' shapes, and from files.
UNIT_TESTS += tests/unit/test_vbios_shapes.c tests/unit/test_rom_file.c

UNIT_TESTS += $(addprefix tests/unit/,test_chksum.c test_snapshot.c test_rm.c test_netmain_cards.c test_model_report.c test_model_conditions.c \
    test_model_files.c test_model_rm.c)

UNIT_TESTS += tests/unit/test_vfio_user.c tests/unit/test_vfio_socket.c tests/unit/test_vfio_sessions.c tests/unit/test_vfio_hostile.c tests/unit/test_vfio_prom.c tests/unit/test_config.c

# A chip that nobody knows: the tables of driver and model with one row more each (test_new_chip.c).
UNIT_TESTS += tests/unit/test_new_chip.c

# Nothing that was never written leaves the model: without rig.h, which brings the driver.
MSAN_TESTS += $(addprefix tests/unit/test_,model.c model_bus.c model_books.c model_blocks.c \
    model_rules.c model_fsp.c model_fsp_events.c model_turing.c model_host.c model_copy.c \
    model_display.c model_tlb.c model_mmu.c model_waits.c model_bars.c model_mmu_rules.c model_invalidate.c model_flush.c model_races.c model_limits.c vfio_user.c vfio_socket.c \
    vfio_sessions.c vfio_hostile.c remote_pci.c remote_clients.c)
