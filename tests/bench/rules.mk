# SPDX-License-Identifier: MIT
# Runs in a guest: linked statically against the build machine's C library.
build/linux/read_cost: tests/bench/read_cost.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(CC_WERROR) \
	    -static -o $@ $<

bench: build/linux/read_cost

.PHONY: bench-nginx
bench-nginx: all benches ## work: Firstlight beside Debian's Linux with nginx on the same machine; 130 MB once
	$(Q)python3 tests/bench/beside_nginx.py $(BENCH_ARGS)
