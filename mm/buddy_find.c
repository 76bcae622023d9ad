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

/* The first free block of at least an order that begins at or after page. */
static bool next_free_block(const struct buddy *b, uint64_t page, uint32_t least, uint64_t *start,
                            uint32_t *order)
{
    uint32_t orders = b->free_orders & UINT32_MAX << least;

    *start = UINT64_MAX;
    while (orders != 0) {
        uint32_t o = (uint32_t)__builtin_ctz(orders);
        orders &= orders - 1;
        uint64_t i = bitset_first_from(&b->free[o], div_up_u64(page, order_pages(o)));
        if (i != BITSET_NONE && i << o < *start) {
            *start = i << o;
            *order = o;
        }
    }
    return *start != UINT64_MAX;
}

/* Widens [*run, *end), a free block, by its free neighbours on both sides, as far as the search
 * reaches. */
static void widen_run(const struct buddy *b, const struct buddy_search *s, uint64_t *run,
                      uint64_t *end)
{
    uint64_t start;
    uint32_t order;

    while (*run > s->min && find_free_block(b, *run - 1, &start, &order)) {
        *run = start;
    }
    while (*end < s->max && find_free_block(b, *end, &start, &order)) {
        *end = start + order_pages(order);
    }
}

/* Neighbouring blocks that are not buddies. Any 2^(k+1) - 1 pages in a row hold an aligned block of
 * 2^k, and where all of them are free, it is part of a free block: so only larger blocks are looked
 * at, and the crumbs beside them. */
bool buddy_find_run(const struct buddy *b, const struct buddy_search *s, uint64_t *place)
{
    const uint64_t base = b->base >> b->page_shift;
    const uint32_t least = floor_log2((s->pages + 1) / 2);
    uint64_t start;
    uint32_t order;

    /* The block that reaches across min begins before it. */
    uint64_t from = find_free_block(b, s->min, &start, &order) ? start : s->min;
    while (next_free_block(b, from, least, &start, &order) && start < s->max) {
        uint64_t run = start;
        uint64_t end = start + order_pages(order);
        widen_run(b, s, &run, &end);
        /* Page numbers are aligned as addresses are only up to the largest block. */
        uint64_t at = align_up_u64(base + max_u64(run, s->min), s->align) - base;
        if (at <= s->max && range_ok(at, s->pages, min_u64(end, s->max))) {
            *place = at;
            return true;
        }
        from = end;
    }
    return false;
}
