/* SPDX-License-Identifier: MIT */
/*
 * What the CPU has written into video memory and nothing has flushed yet: the MMU need not see it.
 * The model's memory is coherent at once; this is to tell a driver that relies on it.
 */
#pragma once

#include "tests/model/gpu.h"

enum { POSTED_RANGES = 64 };
struct posted_range {
    uint64_t lo, hi;
    bool in_flush; /* a register flush that covers it is under way */
};
struct posted_list {
    struct posted_range range[POSTED_RANGES];
    uint32_t count;
};
struct posted_state {
    struct posted_list written;
    struct posted_list missed; /* the last invalidate came too early for these */
};
void model_posted_write(struct gpu_model *m, uint64_t addr, uint64_t len);
/* A read through the same way: all has arrived. */
void model_posted_flushed(struct gpu_model *m);
/* A flush by register. */
void model_posted_flush_begins(struct gpu_model *m);
void model_posted_flush_ends(struct gpu_model *m);
/* A driver invalidates now. */
void model_posted_invalidate(struct gpu_model *m);
/* The MMU reads an entry. */
void model_posted_check(struct gpu_model *m, uint64_t addr, uint64_t len, const char *level);
