# SPDX-License-Identifier: MIT
# What runs in the guest is linked statically against the build machine's C library.
build/linux/job: tests/linux/job.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
	    -static -o $@ $<

.PHONY: test-linux
test-linux: gpu-model build/linux/job ## boot the GSP with unmodified Linux drivers on the GPU model, under QEMU
	$(Q)python3 tests/linux/test_nouveau.py $(LINUX_ARGS)
