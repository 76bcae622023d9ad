# SPDX-License-Identifier: MIT
FUZZ_TARGETS += tests/fuzz/fuzz_vfio_user.c tests/fuzz/fuzz_config.c
