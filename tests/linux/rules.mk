# SPDX-License-Identifier: MIT
# What runs in the guest is linked statically against the build machine's C library.
build/linux/job build/linux/maps: build/linux/%: tests/linux/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(CC_WERROR) \
	    -static -o $@ $<

.PHONY: linux-tools
linux-tools: build/linux/job build/linux/maps

.PHONY: test-linux test-linux-all test-linux-cycles
test-linux: gpu-model linux-tools ## driver: boot the GSP with unmodified Linux drivers on the GPU model, under QEMU
	$(Q)python3 tests/linux/test_nouveau.py $(LINUX_ARGS)
	$(Q)python3 tests/linux/test_nova.py --build $(LINUX_ARGS)

test-linux-all: gpu-model linux-tools ## driver: the same with every chip and every firmware version: a quarter of an hour
	$(Q)python3 tests/linux/test_nouveau.py --all $(LINUX_ARGS)
	$(Q)python3 tests/linux/test_nova.py --build --all $(LINUX_ARGS)

test-linux-cycles: gpu-model linux-tools ## driver: a hundred times nouveau loaded and unloaded in one machine
	$(Q)python3 tests/linux/test_cycles.py --cycles 100 $(LINUX_ARGS)

.PHONY: map-cost
map-cost: gpu-model linux-tools build/host/tests/bench/bench_vram ## driver: accesses for one more mapping, nouveau's and ours, on the same model
	$(Q)python3 tests/linux/map_cost.py $(LINUX_ARGS)

.PHONY: nova-core test-nova
nova-core: ## driver: build Debian's nova-core, unmodified, for Debian's kernel: 450 MB, some minutes, once
	$(Q)python3 tests/linux/nova.py

test-nova: gpu-model nova-core ## driver: boot the GSP with unmodified nova-core on the GPU model
	$(Q)python3 tests/linux/test_nova.py $(LINUX_ARGS)
