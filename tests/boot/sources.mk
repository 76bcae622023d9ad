# SPDX-License-Identifier: MIT
# tests/boot/: the boot tests, and the kernel that tests/boot/test_machine.py boots.
TEST_KERNELS += machine-test
machine-test_SRCS := $(addprefix tests/boot/machine/,kmain_test.c scheduler.c memory.c paging.c \
    devices.c fatal.c libc.c)
