/* SPDX-License-Identifier: MIT */
/* Where a request fits: in one free block, or in a run of neighbours. */
#include "mm/buddy_priv.h"

bool buddy_to_search(const struct buddy *b, const struct buddy_request *want,
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
    s->pages = want->pages;
    s->align = align >> b->page_shift;
    s->max = max > b->base ? (max - b->base) >> b->page_shift : 0;
    s->min = min < max ? div_up_u64(min - b->base, page_bytes) : s->max;
    return true;
}

/* Free blocks of one order have the same size, so if the highest one that begins early enough ends
 * too early for min, all others of its order do. */
bool buddy_find_block(const struct buddy *b, const struct buddy_search *s, uint32_t order,
                      uint64_t *start, uint32_t *block_order, uint64_t *place)
{
    if (order > b->max_order || s->max < order_pages(order)) {
        return false;
    }
    uint64_t pages = order_pages(order);
    uint64_t last = align_down_u64(s->max - pages, pages); /* last place that ends before max */
    uint32_t orders = b->free_orders & UINT32_MAX << order;
    while (orders != 0) {
        uint32_t o = (uint32_t)__builtin_ctz(orders);
        orders &= orders - 1;
        uint64_t i = bitset_last_to(&b->free[o], last >> o);
        if (i == BITSET_NONE) {
            continue;
        }
        uint64_t at = min_u64((i << o) + order_pages(o) - pages, last);
        if (at >= s->min) {
            *start = i << o;
            *block_order = o;
            *place = at;
            return true;
        }
    }
    return false;
}

/* Page numbers are aligned as addresses are only up to the largest block: of larger alignments a
 * pool has three places at most. */
static bool find_run_far_aligned(struct buddy *b, const struct buddy_search *s, uint64_t *place)
{
    const uint64_t base = b->base >> b->page_shift;

    for (uint64_t at = align_up_u64(base + s->min, s->align) - base;
         at < s->max && range_ok(at, s->pages, s->max); at += s->align) {
        struct runs_query exactly = {.pages = s->pages, .min = at, .max = at + s->pages};
        if (runs_find(&b->runs, &exactly, place)) {
            return true;
        }
    }
    return false;
}

bool buddy_find_run(struct buddy *b, const struct buddy_search *s, uint64_t *place)
{
    struct runs_query q = {
        .pages = s->pages, .align_order = floor_log2(s->align), .min = s->min, .max = s->max};

    return q.align_order > b->max_order ? find_run_far_aligned(b, s, place)
                                        : runs_find(&b->runs, &q, place);
}
