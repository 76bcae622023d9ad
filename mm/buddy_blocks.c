/* SPDX-License-Identifier: MIT */
/*
 * Free blocks, and what is taken out of them and given back.
 *
 * Pages are numbered from b->base, which is aligned to the largest block, so that a page number has
 * as many trailing zeros as its address allows. A free block is one bit in the bitset of its order,
 * of those that are clear or of the others. An allocation is a sequence of aligned blocks; each
 * block's first page has a byte in heads[], which is how a double or foreign free is found out.
 */
#include "mm/buddy_priv.h"

bool buddy_block_at(const struct buddy *b, uint64_t page, struct buddy_block *out)
{
    uint32_t orders = b->free_orders | b->clear_orders;

    while (orders != 0) {
        uint32_t o = (uint32_t)__builtin_ctz(orders);
        orders &= orders - 1;
        bool clear = buddy_has(b, o, true, page);
        if (clear || buddy_has(b, o, false, page)) {
            *out = (struct buddy_block){.start = page >> o << o, .order = o, .clear = clear};
            return true;
        }
    }
    return false;
}

/* Inserts a run whose neighbours cannot merge with it: what is left of a block that was cut. */
static void run_insert(struct buddy *b, uint64_t page, uint64_t pages, bool clear)
{
    while (pages > 0) {
        uint32_t order = leading_order(b, page, pages);
        buddy_block_insert(b, (struct buddy_block){.start = page, .order = order, .clear = clear});
        page += order_pages(order);
        pages -= order_pages(order);
    }
}

void buddy_block_merge(struct buddy *b, struct buddy_block block, uint32_t within)
{
    while (block.order < b->max_order) {
        uint64_t other = block.start ^ order_pages(block.order);
        bool clear = block.clear;
        if (!buddy_has(b, block.order, clear, other)) {
            if (block.order >= b->apart_order || !buddy_has(b, block.order, !clear, other)) {
                break;
            }
            clear = !clear; /* a pair of both kinds is not clear */
            block.clear = false;
        }
        buddy_block_remove(
            b, (struct buddy_block){.start = other, .order = block.order, .clear = clear});
        block.start &= ~order_pages(block.order);
        block.order++;
    }
    buddy_block_insert(b, block);
    runs_set(&b->runs, block.start, block.order, within > block.order ? within : block.order, true);
}

void buddy_block_take_part(struct buddy *b, struct buddy_block block, uint64_t from, uint64_t to,
                           uint32_t flags)
{
    flags |= block.clear ? HEAD_CLEAR : 0;
    buddy_block_remove(b, block);
    run_insert(b, block.start, from - block.start, block.clear);
    run_insert(b, to, block.start + order_pages(block.order) - to, block.clear);
    while (from < to) {
        uint32_t order = leading_order(b, from, to - from);
        bool last = order_pages(order) == to - from;
        b->heads[from] = head_of(order, last ? flags : flags & ~HEAD_LAST);
        runs_set(&b->runs, from, order, block.order, false);
        flags &= ~HEAD_FIRST;
        from += order_pages(order);
    }
}

void buddy_run_take(struct buddy *b, uint64_t page, uint64_t pages)
{
    uint64_t end = page + pages;
    uint64_t at = page;

    while (at < end) {
        struct buddy_block block = {0};
        (void)buddy_block_at(b, at, &block); /* free, says the caller */
        uint64_t to = min_u64(block.start + order_pages(block.order), end);
        buddy_block_take(b, block, at, to,
                         (at == page ? HEAD_FIRST : 0) | (to == end ? HEAD_LAST : 0));
        at = to;
    }
    buddy_count_alloc(b, pages);
}

void buddy_run_free(struct buddy *b, uint64_t page, uint64_t pages, uint32_t within, bool clear)
{
    while (pages > 0) {
        uint32_t order = leading_order(b, page, pages);
        buddy_block_merge(b, (struct buddy_block){.start = page, .order = order, .clear = clear},
                          within);
        page += order_pages(order);
        pages -= order_pages(order);
    }
}

bool buddy_run_is_free(const struct buddy *b, uint64_t page, uint64_t pages)
{
    struct buddy_block block;

    for (uint64_t at = page; at < page + pages; at = block.start + order_pages(block.order)) {
        if (!buddy_block_at(b, at, &block)) {
            return false;
        }
    }
    return true;
}

uint64_t buddy_used_pages(const struct buddy *b, uint64_t page)
{
    uint64_t at = page;
    uint8_t head = b->heads[at];

    if ((head & HEAD_FIRST) == 0) {
        return 0;
    }
    for (;;) {
        at += order_pages(head_order(head));
        if ((head & HEAD_LAST) != 0) {
            return at - page;
        }
        head = b->heads[at];
    }
}

bool buddy_to_run(const struct buddy *b, uint64_t addr, uint64_t size, uint64_t *page,
                  uint64_t *pages)
{
    *pages = size >> b->page_shift;
    return size != 0 && *pages << b->page_shift == size && buddy_to_page(b, addr, page) &&
           range_ok(*page - b->first, *pages, b->pages);
}
