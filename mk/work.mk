# SPDX-License-Identifier: MIT
# What helps while working on it: one test, the editor's index, a debugger, a panic's lines.

.PHONY: t compdb gdb backtrace

# One unit test as make test runs it, its own output on the terminal.
T_ALL := $(UNIT_PROGRAMS:build/asan/tests/unit/test_%=%)
T_PROGRAM := $(filter build/asan/tests/unit/test_$(T:test_%=%),$(UNIT_PROGRAMS))
T_LIKE := $(if $(T),$(strip $(foreach t,$(T_ALL),$(if $(findstring $(T),$(t)),$(t)))))
t: $(T_PROGRAM) ## build and run one unit test: make t T=queue
	$(if $(T_PROGRAM),,$(error T=$(T) is no unit test; there is: $(or $(T_LIKE),$(T_ALL))))
	$(Q)set -a; . build/deps.env; set +a; \
	    ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 $<

compdb: gen ## build/compile_commands.json, for clangd
	$(Q)python3 mk/compdb.py

# The symbols of the kernel are where it runs: arch/x86_64/kernel.lds.
GDB_SOCKET := build/run/gdb.sock
gdb: kernel ## attach gdb to what make run GDB=1 has started
	@test -S $(GDB_SOCKET) || { echo 'nothing to attach to: start make run GDB=1 in another terminal'; exit 1; }
	$(Q)gdb -q -ex 'target remote $(GDB_SOCKET)' $(GDB_ARGS) build/kernel/kernel.elf

backtrace: kernel ## functions and lines of a panic: LOG=build/run/serial.log, or on standard input
	$(Q)python3 mk/backtrace.py $(LOG) $(BACKTRACE_ARGS)
