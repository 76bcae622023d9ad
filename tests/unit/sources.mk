# SPDX-License-Identifier: MIT
UNIT_TESTS += tests/unit/test_vfio_user.c tests/unit/test_config.c
