# SPDX-License-Identifier: MIT
# How our code is compiled. Third-party code (lwIP, the HTTP parser, mbedTLS, jansson, zstd, xz) gets none of the warnings.

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wstrict-prototypes \
            -Wmissing-prototypes -Wundef -Wswitch-enum

# Warnings are errors with the compilers that the tree is kept free of warnings with, those of Debian
# 12 and 13, and wherever CI=true. A newer compiler finds something new, which must not keep anybody
# from building.
PINNED_COMPILERS := gcc-12 gcc-14 clang-14 clang-19
# $(call compiler-id,command): "gcc-12", "clang-14": what its macros say, for names and texts vary.
compiler-id = $(shell printf '__clang_major__ __GNUC__\n' | $(1) -E -P -x c - 2>/dev/null | \
    awk '$$1 + 0 { print "clang-" $$1; next } $$2 + 0 { print "gcc-" $$2 }')
ifeq ($(filter 0 1 auto,$(WERROR)),)
$(error WERROR=$(WERROR): expected 1, 0 or auto)
endif
CC_ID := $(call compiler-id,$(CC))
CLANG_ID := $(call compiler-id,$(CLANG))
# $(call werror,id): -Werror or nothing.
werror-auto = $(if $(filter true 1,$(CI))$(filter $(PINNED_COMPILERS),$(1)),-Werror)
werror = $(if $(filter auto,$(WERROR)),$(werror-auto),$(if $(filter 1,$(WERROR)),-Werror))
CC_WERROR := $(call werror,$(CC_ID))
CLANG_WERROR := $(call werror,$(CLANG_ID))

# Variables that a function forgets to set are zero, so that no answer holds a piece of the stack. The
# sanitizers get a pattern instead: no test may live on the zeros. clang before 16 wants to be begged.
zero-init = -ftrivial-auto-var-init=zero $(if $(filter clang-14 clang-15,$(1)), \
    -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang)
PATTERN_INIT := -ftrivial-auto-var-init=pattern

# Where a stack ends at a guard page of 4 KiB (kernel) or nobody watches (stub), no frame may leap over
# it: none is larger, and what is made at run time is probed page by page. Host programs have 8 MiB; the
# sanitizers' red zones multiply a frame.
FRAME_MAX := -Wframe-larger-than=4096

# -ffile-prefix-map keeps the path of the checkout out of the output: the same sources give the
# same bytes wherever they lie.
COMMON_CFLAGS := -std=c17 $(WARNINGS) -fno-strict-aliasing -fno-common \
                 -ffile-prefix-map=$(CURDIR)=. -DFL_VERSION='"$(VERSION)"'

# Headers of the libraries count as system headers, so our warnings do not judge them. net/stack/lwip
# holds our configuration of lwIP (lwipopts.h, arch/cc.h).
LIB_CPPFLAGS := -Inet/stack/lwip -Inet/http/jansson $(if $(LWIP_DIR),-isystem $(LWIP_DIR)/src/include) \
                $(if $(HTTP_PARSER_DIR),-isystem $(HTTP_PARSER_DIR)/include) \
                $(if $(MBEDTLS_DIR),-isystem $(MBEDTLS_DIR)/include) \
                $(if $(JANSSON_DIR),-isystem $(JANSSON_DIR)) \
                $(if $(ZSTD_DIR),-isystem $(ZSTD_DIR)) \
                $(if $(XZ_DIR),-isystem $(XZ_DIR)/liblzma/api) \
                -DHAVE_STDINT_H=1 -DMBEDTLS_CONFIG_FILE='"arch/mbedtls_config.h"'
LIB_PREFIX_MAP := $(if $(LWIP_DIR),-ffile-prefix-map=$(LWIP_DIR)=lwip) \
                  $(if $(HTTP_PARSER_DIR),-ffile-prefix-map=$(HTTP_PARSER_DIR)=http-parser) \
                  $(if $(MBEDTLS_DIR),-ffile-prefix-map=$(MBEDTLS_DIR)=mbedtls) \
                  $(if $(JANSSON_DIR),-ffile-prefix-map=$(JANSSON_DIR)=jansson) \
                  $(if $(ZSTD_DIR),-ffile-prefix-map=$(ZSTD_DIR)=zstd) \
                  $(if $(XZ_DIR),-ffile-prefix-map=$(XZ_DIR)=xz)

# --- host: tests, the model, tools -------------------------------------------------------------
HOST_CPPFLAGS := -I. -Ibuild/gen -Iarch/host/include $(LIB_CPPFLAGS) -DFL_HOST=1 -D_GNU_SOURCE
HOST_CFLAGS := $(COMMON_CFLAGS) $(LIB_PREFIX_MAP) -fno-omit-frame-pointer

# The host variants differ in compiler and instrumentation only. Third-party code is watched
# for bad addresses but not for undefined arithmetic: its findings are not ours to mend.
host_CC = $(CC)
host_INSTR := -O2 -g $(call zero-init,$(CC_ID)) $(CC_WERROR)
host_LIB_INSTR := -O2 -g
asan_CC = $(CC)
asan_INSTR := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
             $(PATTERN_INIT) $(CC_WERROR)
asan_LIB_INSTR := -O1 -g -fsanitize=address
# Finds what was never written; every file of a program must be built with it, so its programs take
# no library but the C library, and tests/msan/cmocka.h in the place of cmocka.
msan_CC = $(CLANG)
msan_INSTR := -O1 -g -Itests/msan -fsanitize=memory -fsanitize-memory-track-origins
msan_LIB_INSTR := $(msan_INSTR)
fuzz_CC = $(CLANG)
fuzz_INSTR := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
             $(PATTERN_INIT) $(CLANG_WERROR)
fuzz_LIB_INSTR := -O1 -g -fsanitize=fuzzer-no-link,address

# --- kernel --------------------------------------------------------------------------------------
# Objects and images of each C library lie apart: both can be there, and a switch mixes nothing.
KERNEL_DIR := build/kernel$(if $(filter newlib,$(LIBC)),-newlib)
BOOT_DIR := build/boot$(if $(filter newlib,$(LIBC)),-newlib)
# Debian's gcc defaults to PIE, a TLS-based stack guard and CET: all switched off or replaced by
# name. SSE stays on (the C library needs it); files that run in interrupts say
#   $(KERNEL_DIR)/<file>.o: EXTRA_CFLAGS := -mgeneral-regs-only
# The compiler may know memcpy and its like (-fbuiltin: the kernel has them all); what it does not
# resolve stays a call, for -Os would write rep stosb: a byte at a time in an emulator.
KERNEL_MACHINE := -ffreestanding -fbuiltin -mstringop-strategy=libcall -march=x86-64 -mno-red-zone \
                  -mcmodel=kernel -fno-pic -fno-pie -fcf-protection=none -fno-omit-frame-pointer -fno-asynchronous-unwind-tables \
                  -ffunction-sections -fdata-sections
KERNEL_CPPFLAGS := -nostdinc $(if $(LIBC_DIR),-isystem $(LIBC_DIR)/include) \
                   -isystem $(shell $(CC) -print-file-name=include 2>/dev/null) \
                   -I. -Ibuild/gen -Iarch/x86_64/include $(LIB_CPPFLAGS) -DFL_KERNEL=1
KERNEL_CFLAGS := $(COMMON_CFLAGS) $(LIB_PREFIX_MAP) \
                 $(if $(LIBC_DIR),-ffile-prefix-map=$(LIBC_DIR)=libc) $(KERNEL_OPT) -g $(KERNEL_MACHINE) \
                 -fstack-protector-strong -mstack-protector-guard=global \
                 -fstack-clash-protection $(call zero-init,$(CC_ID)) $(FRAME_MAX) $(CC_WERROR)

# --- boot stub: a PE application, Microsoft ABI ----------------------------------------------------
STUB_CPPFLAGS := -I. -Ibuild/gen -isystem $(GNUEFI_INC) -isystem $(GNUEFI_INC)/x86_64 \
                 -DHAVE_USE_MS_ABI -DGNU_EFI_USE_MS_ABI -DFL_STUB=1
STUB_TARGET := --target=x86_64-unknown-windows
STUB_CFLAGS := $(STUB_TARGET) $(COMMON_CFLAGS) -ffreestanding -fshort-wchar -mno-red-zone \
               -mno-stack-arg-probe -fno-stack-protector -Os $(call zero-init,$(CLANG_ID)) \
               $(FRAME_MAX) $(CLANG_WERROR)
# -timestamp:0 makes two builds give the same bytes; -driver lets lld accept -align; sections of
# whole pages let firmware map code read-only and data non-executable.
STUB_LDFLAGS := -subsystem:efi_application -entry:efi_main -nodefaultlib -dll -driver \
                -align:4096 -filealign:512 -timestamp:0 -implib:build/stub/unused.lib
