/* SPDX-License-Identifier: MIT */
/* Which blocks own a page of BAR0: an index made from the list of blocks when the model is made. */
#pragma once

#include "arch/base.h"

struct gpu_model;
struct block;

enum {
    BAR0_PAGE_SHIFT = 12,
    BAR0_PAGES = MIB(16) >> BAR0_PAGE_SHIFT, /* there are no registers beyond */
    PAGE_BLOCKS = 3,                         /* that share one, at most */
};
struct dispatch {
    uint8_t page[BAR0_PAGES][PAGE_BLOCKS]; /* index in m->blocks, plus 1; 0: no more */
};

/* The n-th block of the page that off lies in; NULL: no more. */
const struct block *model_block_at(const struct gpu_model *m, uint64_t off, unsigned n);
/* A register. False: no block has it. */
bool model_block_read(struct gpu_model *m, uint32_t off, uint32_t *value);
bool model_block_write(struct gpu_model *m, uint32_t off, uint32_t value);
