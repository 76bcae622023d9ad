/* SPDX-License-Identifier: MIT */
/* Where a walk takes its entries from; for walk*.c. */
#pragma once

#include "mm/gpu/tables_priv.h"
#include "mm/gpu/walk.h"

/* Part of a table as it was read, so that a dump does not read each entry by itself. */
#define WALK_CACHE_WORDS 32u
struct walk_cache {
    bool filled;
    uint64_t addr; /* of word[0] */
    uint64_t word[WALK_CACHE_WORDS];
};

struct walk_source {
    const struct gpu_mmu_format *f;
    const struct gpu_mem *mem;
    const struct gpu_table *root; /* the shadow; NULL: memory */
    uint64_t root_addr;
    struct walk_cache *cache; /* by level, GPU_WALK_LEVELS; NULL: none */
};

FL_MUST_CHECK enum fl_err gpu_walk_from(const struct walk_source *s, uint64_t va,
                                        struct gpu_walk *out, struct fl_fail *fail);
