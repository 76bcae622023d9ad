# SPDX-License-Identifier: MIT
# arch/: the portable half and the host process; arch/x86_64/sources.mk lists the machine's files.
COMMON_SRCS += arch/fail.c arch/log.c arch/fiber.c arch/fiber_spawn.c arch/sync.c arch/wait.c arch/lockorder.c \
    arch/context.c \
    arch/blake2s.c arch/random.c
HOST_SRCS += arch/host/clock.c arch/host/host.c arch/host/mmio.c arch/host/irq.c
BENCH_SRCS += tests/bench/bench_fiber.c
UNIT_TESTS += tests/unit/test_fiber.c tests/unit/test_sync.c tests/unit/test_wait.c tests/unit/test_lockorder.c tests/unit/test_log.c \
    tests/unit/test_fail.c tests/unit/test_host.c tests/unit/test_random.c
-include arch/x86_64/sources.mk
