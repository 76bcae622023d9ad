# SPDX-License-Identifier: MIT
# mm/: page frames, DMA memory.
COMMON_SRCS += mm/bitset.c mm/runs.c mm/runs_find.c mm/buddy.c mm/buddy_blocks.c \
    mm/buddy_find.c mm/buddy_parts.c mm/buddy_check.c mm/zones.c mm/zones_plan.c mm/ram.c mm/dma.c
BENCH_SRCS += tests/bench/bench_buddy.c
UNIT_TESTS += tests/unit/test_bitset.c tests/unit/test_runs.c tests/unit/test_buddy.c tests/unit/test_buddy_random.c \
    tests/unit/test_buddy_check.c tests/unit/test_buddy_parts.c \
    tests/unit/test_zones_random.c tests/unit/test_zones.c tests/unit/test_dma.c
