/* SPDX-License-Identifier: MIT */
/* Whether a buddy allocator agrees with itself: for tests. */
#include "mm/buddy_priv.h"

static bool should_be_merged(const struct buddy *b, struct buddy_block block)
{
    uint64_t other = block.start ^ order_pages(block.order);

    return block.order < b->max_order &&
           (buddy_has(b, block.order, block.clear, other) ||
            (block.order < b->apart_order && buddy_has(b, block.order, !block.clear, other)));
}

bool buddy_check(struct buddy *b)
{
    uint64_t free_pages = 0;
    uint64_t used = 0;
    uint64_t clear_pages = 0;
    uint64_t blocks[BUDDY_ORDERS] = {0};
    uint64_t clear[BUDDY_ORDERS] = {0};
    uint64_t page = 0;

    if (!runs_check(&b->runs)) {
        return false;
    }
    for (uint64_t i = 0; i < end_page(b); i++) {
        struct buddy_block block;
        if (runs_has(&b->runs, i) != buddy_block_at(b, i, &block)) {
            return false;
        }
    }
    while (page < end_page(b)) {
        struct buddy_block block = {0};
        bool is_free = buddy_block_at(b, page, &block);
        uint32_t order = block.order;
        uint8_t head = b->heads[page];
        if (is_free) {
            if (block.start != page || page < b->first || page + order_pages(order) > end_page(b) ||
                should_be_merged(b, block)) {
                return false; /* overlaps another, sticks out, or was not merged */
            }
            for (uint64_t i = 0; i < order_pages(order); i++) {
                struct buddy_block inner;
                if (b->heads[page + i] != 0 || !buddy_block_at(b, page + i, &inner) ||
                    inner.start != page) {
                    return false;
                }
            }
            clear[order] += block.clear;
            clear_pages += block.clear ? order_pages(order) : 0;
            blocks[order]++;
            free_pages += order_pages(order);
            page += order_pages(order);
        } else if (head != 0) {
            order = head_order(head);
            if (!is_aligned_u64(page, order_pages(order))) {
                return false;
            }
            used += order_pages(order);
            page += order_pages(order);
        } else {
            page++; /* never given to the pool */
        }
    }
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++) {
        if (blocks[o] != b->stats.free_blocks[o] || clear[o] != b->stats.clear_blocks[o] ||
            ((b->clear_orders >> o & 1) != 0) != (clear[o] != 0) ||
            ((b->free_orders >> o & 1) != 0) != (blocks[o] != clear[o])) {
            return false;
        }
    }
    return free_pages == b->stats.free_pages && clear_pages == b->stats.clear_pages &&
           used + free_pages == b->stats.total_pages;
}
