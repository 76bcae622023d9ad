# SPDX-License-Identifier: MIT
# This one tests the C library, not what the compiler knows of it.
$(KERNEL_DIR)/tests/boot/machine/libc.o: EXTRA_CFLAGS := -fno-builtin
