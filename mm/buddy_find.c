/* SPDX-License-Identifier: MIT */
/* Where a request fits, in one free block or in a run of neighbours; and taking it. */
#include "mm/buddy_priv.h"

#include "arch/fail_point.h"

static inline bool to_search(const struct buddy *b, const struct buddy_request *want,
                             struct buddy_search *s)
{
    uint64_t page_bytes = UINT64_C(1) << b->page_shift;
    uint64_t align = max_u64(want->align, page_bytes);
    uint64_t min = max_u64(want->min, b->base + (b->first << b->page_shift));
    uint64_t max = b->base + (end_page(b) << b->page_shift);

    if (want->pages == 0 || (align & (align - 1)) != 0) {
        return false;
    }
    if (want->max != 0) {
        max = min_u64(max, want->max);
    }
    s->lowest = want->lowest;
    s->clear = want->clear;
    s->pages = want->pages;
    s->align = align >> b->page_shift;
    s->max = max > b->base ? (max - b->base) >> b->page_shift : 0;
    s->min = min < max ? (min - b->base + page_bytes - 1) >> b->page_shift : s->max;
    return true;
}

bool buddy_to_search(const struct buddy *b, const struct buddy_request *want,
                     struct buddy_search *s)
{
    return to_search(b, want, s);
}

/* In a set of free blocks of order o: the highest place for 2^order pages. Free blocks of one order
 * have the same size, so if the highest one that begins early enough ends too early for min, all
 * others of its order do. */
static inline bool highest_in(const struct bitset *set, const struct buddy_search *s, uint32_t o,
                              uint32_t order, uint64_t *block, uint64_t *place)
{
    const uint64_t pages = order_pages(order);
    const uint64_t last = align_down_u64(s->max - pages, pages); /* that ends before max */

    *block = bitset_last_to(set, last >> o);
    if (*block == BITSET_NONE) {
        return false;
    }
    *place = min_u64((*block << o) + order_pages(o) - pages, last);
    return *place >= s->min;
}

/* The lowest: in the block that holds min, or in the first behind it. */
static inline bool lowest_in(const struct bitset *set, const struct buddy_search *s, uint32_t o,
                             uint32_t order, uint64_t *block, uint64_t *place)
{
    const uint64_t pages = order_pages(order);
    const uint64_t first = align_up_u64(s->min, pages);

    *block = bitset_first_from(set, first >> o);
    if (*block == BITSET_NONE) {
        return false;
    }
    *place = max_u64(*block << o, first);
    return range_ok(*place, pages, s->max);
}

static inline bool find_block_of_kind(const struct buddy *b, const struct buddy_search *s,
                                      uint32_t order, bool clear, struct buddy_block *out,
                                      uint64_t *place)
{
    uint32_t orders = (clear ? b->clear_orders : b->free_orders) & UINT32_MAX << order;

    while (orders != 0) {
        uint32_t o = (uint32_t)__builtin_ctz(orders);
        const struct bitset *set = clear ? &b->clear[o] : &b->free[o];
        uint64_t block;
        orders &= orders - 1;
        if (s->lowest ? lowest_in(set, s, o, order, &block, place)
                      : highest_in(set, s, o, order, &block, place)) {
            *out = (struct buddy_block){.start = block << o, .order = o, .clear = clear};
            return true;
        }
    }
    return false;
}

/* The smallest free block with room for an aligned block of 2^order pages in [min, max), of the
 * kind that is preferred or else of the other, and the place in it. */
static inline bool find_block(const struct buddy *b, const struct buddy_search *s, uint32_t order,
                              struct buddy_block *out, uint64_t *place)
{
    if (order > b->max_order || s->max < order_pages(order)) {
        return false;
    }
    return find_block_of_kind(b, s, order, s->clear, out, place) ||
           find_block_of_kind(b, s, order, !s->clear, out, place);
}

/* Page numbers are aligned as addresses are only up to the largest block. A pool is smaller than
 * any larger alignment, so it has one such place at most. */
static bool find_run_far_aligned(struct buddy *b, const struct buddy_search *s, uint64_t *place)
{
    const uint64_t base = b->base >> b->page_shift;
    const uint64_t at = align_up_u64(base + s->min, s->align) - base;
    struct runs_query exactly = {.pages = s->pages, .min = at, .max = at + s->pages};

    return at < s->max && range_ok(at, s->pages, s->max) && runs_find(&b->runs, &exactly, place);
}

/* A run that fits although no single block does. */
static bool find_run(struct buddy *b, const struct buddy_search *s, uint64_t *place)
{
    struct runs_query q = {.pages = s->pages,
                           .align_order = floor_log2(s->align),
                           .min = s->min,
                           .max = s->max,
                           .lowest = s->lowest};

    return q.align_order > b->max_order ? find_run_far_aligned(b, s, place)
                                        : runs_find(&b->runs, &q, place);
}

static inline bool take(struct buddy *b, const struct buddy_search *s, bool runs, uint64_t *place)
{
    const uint32_t order = ceil_log2(max_u64(s->pages, s->align));
    struct buddy_block block;

    if (find_block(b, s, order, &block, place)) {
        buddy_block_take(b, block, *place, *place + s->pages, HEAD_FIRST | HEAD_LAST);
        buddy_count_alloc(b, s->pages);
        return true;
    }
    if (runs && b->stats.free_pages >= s->pages && order > 0 && find_run(b, s, place)) {
        buddy_run_take(b, *place, s->pages);
        return true;
    }
    return false;
}

bool buddy_take(struct buddy *b, const struct buddy_search *s, bool runs, uint64_t *place)
{
    return take(b, s, runs, place);
}

enum fl_err buddy_alloc(struct buddy *b, const struct buddy_request *want, uint64_t *addr)
{
    struct buddy_search s;
    uint64_t place = 0;

    if (!to_search(b, want, &s)) {
        return FL_EINVAL;
    }
    if ((!b->part_of_many && fail_point_alloc()) || !take(b, &s, true, &place)) {
        b->stats.failures++;
        return FL_ENOMEM;
    }
    *addr = b->base + (place << b->page_shift);
    return FL_OK;
}
