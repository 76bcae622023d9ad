/* SPDX-License-Identifier: MIT */
/* What the files of the buddy allocator share. Nobody else includes this. */
#pragma once

#include "mm/buddy.h"

static inline uint32_t floor_log2(uint64_t v) { return 63u - (uint32_t)__builtin_clzll(v); }
static inline uint32_t ceil_log2(uint64_t v) { return v <= 1 ? 0 : floor_log2(v - 1) + 1; }
static inline uint64_t order_pages(uint32_t order) { return UINT64_C(1) << order; }
static inline uint64_t end_page(const struct buddy *b) { return b->first + b->pages; }

/* The free block that page belongs to. */
static inline bool find_free_block(const struct buddy *b, uint64_t page, uint64_t *start,
                                   uint32_t *order)
{
    uint32_t orders = b->free_orders;

    while (orders != 0) {
        uint32_t o = (uint32_t)__builtin_ctz(orders);
        orders &= orders - 1;
        if (bitset_has(&b->free[o], page >> o)) {
            *start = page >> o << o;
            *order = o;
            return true;
        }
    }
    return false;
}

/* A request in pages: a run of pages at a multiple of align in [min, max). */
struct buddy_search {
    uint64_t pages, align, min, max;
};

/* The request in pages, within the pool; its min and max are addresses anywhere. False: it makes no
 * sense. */
bool buddy_to_search(const struct buddy *b, const struct buddy_request *want,
                     struct buddy_search *s);

/* The smallest free block with room for an aligned block of 2^order pages in [min, max), and the
 * highest place in it. */
bool buddy_find_block(const struct buddy *b, const struct buddy_search *s, uint32_t order,
                      uint64_t *start, uint32_t *block_order, uint64_t *place);

/* A run that fits although no single block does. */
bool buddy_find_run(struct buddy *b, const struct buddy_search *s, uint64_t *place);
