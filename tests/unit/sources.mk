# SPDX-License-Identifier: MIT
# VBIOS images of real boards' shapes, and from files.
UNIT_TESTS += tests/unit/test_vbios_shapes.c tests/unit/test_rom_file.c

UNIT_TESTS += tests/unit/test_vfio_user.c tests/unit/test_vfio_sessions.c tests/unit/test_vfio_hostile.c tests/unit/test_config.c

# A chip that nobody knows: the tables of driver and model with one row more each (test_new_chip.c).
UNIT_TESTS += tests/unit/test_new_chip.c
