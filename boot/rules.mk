# SPDX-License-Identifier: MIT
# The parts of the boot stub that talk to the firmware, natively for tests/unit/test_stub_exit.c: with
# GNU-EFI's headers, its calling convention and its 16-bit characters. The program brings its own
# serial port and halt.
STUB_NATIVE := $(addprefix build/asan/boot/stub/,exit.o seed.o text.o)
build/asan/tests/unit/test_stub_exit: $(STUB_NATIVE)
$(STUB_NATIVE) build/asan/tests/unit/test_stub_exit.o: EXTRA_CFLAGS := -isystem $(GNUEFI_INC) \
    -isystem $(GNUEFI_INC)/x86_64 -DHAVE_USE_MS_ABI -DGNU_EFI_USE_MS_ABI -fshort-wchar
-include $(STUB_NATIVE:.o=.d)
