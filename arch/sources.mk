# SPDX-License-Identifier: MIT
# arch/: the portable half and the host process; arch/x86_64/sources.mk lists the machine's files.
COMMON_SRCS += $(addprefix arch/,fail.c log.c fiber.c fiber_spawn.c sync.c wait.c lockorder.c fence.c context.c \
    random.c text.c text_fixed.c pixels.c screen.c screen_fixed.c wallclock.c)
HOST_SRCS += arch/host/clock.c arch/host/host.c arch/host/mmio.c arch/host/irq.c
BENCH_SRCS += tests/bench/bench_fiber.c
UNIT_TESTS += $(addprefix tests/unit/,test_fiber.c test_sync.c test_wait.c test_lockorder.c \
    test_lockorder_fence.c test_fence.c test_log.c test_fail.c test_screen.c test_host.c test_random.c \
    test_text.c test_range.c)
-include arch/x86_64/sources.mk
