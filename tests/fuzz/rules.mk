# SPDX-License-Identifier: MIT
# fuzz_net is several files: the grammar, the lab with the stack under test, the peers, their frames.
FUZZ_NET_OBJS := $(addprefix build/fuzz/tests/fuzz/fuzz_net_,lab.o peer.o wire.o)
build/fuzz/tests/fuzz/fuzz_net: $(FUZZ_NET_OBJS)
ALL_OBJS += $(FUZZ_NET_OBJS)
# What the harness does says nothing about the code under test, and costs half of the speed. The lab
# tells AddressSanitizer which bytes are nobody's (arch/asan.h), so it keeps that one.
$(FUZZ_NET_OBJS): EXTRA_CFLAGS := -fno-sanitize=fuzzer-no-link,undefined
# Allocations fail when an input says so.
build/fuzz/tests/fuzz/fuzz_net: private fuzz_INSTR += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
