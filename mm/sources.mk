# SPDX-License-Identifier: MIT
# mm/: page frames, DMA memory.
COMMON_SRCS += mm/bitset.c mm/runs.c mm/runs_find.c mm/buddy.c mm/buddy_blocks.c \
    mm/buddy_find.c mm/buddy_parts.c mm/buddy_check.c mm/zones.c mm/zones_plan.c mm/ram.c mm/dma.c
BENCH_SRCS += $(addprefix tests/bench/,bench_buddy.c bench_bind.c bench_tables.c)
UNIT_TESTS += tests/unit/test_bitset.c tests/unit/test_runs.c tests/unit/test_buddy.c tests/unit/test_buddy_random.c \
    tests/unit/test_buddy_check.c tests/unit/test_buddy_parts.c \
    tests/unit/test_zones_random.c tests/unit/test_zones.c tests/unit/test_dma.c
# VA space, bind jobs: mm/gpu/README.md.
COMMON_SRCS += mm/heap.c mm/tree.c $(addprefix mm/gpu/,va.c object.c maps.c steps.c jobs.c jobs_submit.c \
    jobs_run.c jobs_evict.c jobs_look.c)
UNIT_TESTS += $(addprefix tests/unit/,test_tree.c test_va.c test_object.c test_steps.c test_bind.c \
    test_bind_queue.c test_bind_states.c test_bind_faults.c test_bind_random.c test_bind_evict.c)
COMMON_SRCS += $(addprefix mm/gpu/,format.c tables.c tables_adopt.c tables_change.c tables_list.c \
    tables_need.c tables_sync.c walk.c walk_range.c)
UNIT_TESTS += tests/unit/test_gpu_format.c tests/unit/test_gpu_tables.c tests/unit/test_gpu_tables_adopt.c tests/unit/test_gpu_tables_model.c tests/unit/test_gpu_tables_need.c tests/unit/test_gpu_tables_order.c tests/unit/test_gpu_tables_random.c tests/unit/test_gpu_walk.c
FUZZ_TARGETS += tests/fuzz/fuzz_walk.c
