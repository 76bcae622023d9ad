# SPDX-License-Identifier: MIT
UNIT_TESTS += tests/unit/test_vfio_user.c tests/unit/test_vfio_sessions.c tests/unit/test_config.c

# A chip that nobody knows: the tables of driver and model with one row more each (test_new_chip.c).
UNIT_TESTS += tests/unit/test_new_chip.c
