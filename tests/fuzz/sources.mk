# SPDX-License-Identifier: MIT
FUZZ_TARGETS += tests/fuzz/fuzz_vfio_user.c tests/fuzz/fuzz_config.c tests/fuzz/fuzz_net.c \
    tests/fuzz/fuzz_channel.c
