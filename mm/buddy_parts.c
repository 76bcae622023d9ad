/* SPDX-License-Identifier: MIT */
/* Requests in several pieces, parts given back, and what is known of the contents. */
#include "mm/buddy_priv.h"

#include "arch/fail_point.h"
#include "arch/machine.h"

/* ---- scattered ---- */

/* True when blocks of at least this order cannot add up to the pages, wherever they may lie. */
static bool too_few(const struct buddy *b, uint64_t pages, uint32_t order)
{
    uint64_t sum = 0;

    if (b->stats.free_pages < pages) {
        return true;
    }
    if (b->stats.clear_pages != 0) { /* neighbours of two kinds may make one block */
        return false;
    }
    for (uint32_t o = order; o < BUDDY_ORDERS; o++) {
        sum += b->stats.free_blocks[o] << o;
    }
    return sum < pages;
}

static bool is_clear(const struct buddy *b, uint64_t page, uint64_t pages)
{
    bool clear = true;

    for (uint64_t at = page; at < page + pages;) {
        clear = clear && (b->heads[at] & HEAD_CLEAR) != 0;
        at += order_pages(head_order(b->heads[at]));
    }
    return clear;
}

bool buddy_was_clear(const struct buddy *b, uint64_t addr)
{
    uint64_t pages = buddy_pages_at(b, addr);

    return pages != 0 && is_clear(b, (addr - b->base) >> b->page_shift, pages);
}

enum fl_err buddy_alloc_scattered(struct buddy *b, const struct buddy_request *want,
                                  uint64_t block_pages, struct buddy_extent *out, uint32_t room,
                                  uint32_t *count)
{
    const struct buddy_stats before = b->stats;
    struct buddy_search s;
    enum fl_err err = FL_OK;
    uint32_t n = 0;

    if (!buddy_to_search(b, want, &s) || block_pages == 0 ||
        (block_pages & (block_pages - 1)) != 0 || s.pages % block_pages != 0) {
        return FL_EINVAL;
    }
    const uint64_t align = s.align;
    const uint32_t least = floor_log2(block_pages);
    uint64_t left = s.pages;
    uint32_t order = b->max_order;
    if (too_few(b, left, least) || (!b->part_of_many && fail_point_alloc())) {
        b->stats.failures++;
        return FL_ENOMEM;
    }
    while (left > 0 && err == FL_OK) {
        uint64_t place = 0;
        order = order < floor_log2(left) ? order : floor_log2(left);
        s.pages = order_pages(order);
        s.align = max_u64(align, s.pages);
        if (n == room) {
            err = FL_ENOSPC;
        } else if (buddy_take(b, &s, order == least, &place)) {
            out[n++] = (struct buddy_extent){.addr = b->base + (place << b->page_shift),
                                             .pages = s.pages,
                                             .clear = is_clear(b, place, s.pages)};
            left -= s.pages;
        } else if (order == least) {
            err = FL_ENOMEM;
        } else {
            order--;
        }
    }
    if (err != FL_OK) {
        while (n > 0) {
            n--;
            FL_ASSERT(buddy_free_as(b, out[n].addr, out[n].pages, BUDDY_UNTOUCHED) == FL_OK);
        }
        b->stats = before;
        b->stats.failures++;
    }
    *count = n;
    return err;
}

/* ---- trim ---- */

/* Pages [page, page + pages) of an allocated block become blocks of their own, in the middle of an
 * allocation; returns the last one's first page. */
static uint64_t heads_write(struct buddy *b, uint64_t page, uint64_t pages, bool clear)
{
    for (;;) {
        uint32_t order = leading_order(b, page, pages);
        b->heads[page] = head_of(order, clear ? HEAD_CLEAR : 0);
        pages -= order_pages(order);
        if (pages == 0) {
            return page;
        }
        page += order_pages(order);
    }
}

enum fl_err buddy_trim(struct buddy *b, uint64_t addr, uint64_t pages, uint64_t keep_addr,
                       uint64_t keep_pages, enum buddy_contents contents)
{
    const uint64_t shift = b->page_shift;
    uint64_t page;
    uint64_t keep;
    uint64_t count;
    uint64_t last = 0; /* the last block that stays */

    if (pages == 0 || keep_pages == 0 || buddy_pages_at(b, addr) != pages || keep_addr < addr ||
        !is_aligned_u64(keep_addr, UINT64_C(1) << shift) ||
        !range_ok((keep_addr - addr) >> shift, keep_pages, pages)) {
        return FL_EINVAL;
    }
    page = (addr - b->base) >> shift;
    keep = (keep_addr - b->base) >> shift;
    const uint64_t keep_end = keep + keep_pages;
    b->stats.free_pages += pages - keep_pages;
    b->stats.rounded_pages -= order_pages(ceil_log2(pages)) - order_pages(ceil_log2(keep_pages));
    for (; pages > 0; pages -= count, page += count) {
        const uint8_t head = b->heads[page];
        const uint32_t order = head_order(head);
        count = order_pages(order);
        uint64_t from = max_u64(page, keep);
        uint64_t to = min_u64(page + count, keep_end);
        bool clear = buddy_clear_now(b, head, contents);
        b->heads[page] = 0;
        if (from >= to) {
            buddy_run_free(b, page, count, order, clear);
            continue;
        }
        last = heads_write(b, from, to - from, (head & HEAD_CLEAR) != 0);
        buddy_run_free(b, page, from - page, order, clear);
        buddy_run_free(b, to, page + count - to, order, clear);
    }
    b->heads[keep] |= HEAD_FIRST;
    b->heads[last] |= HEAD_LAST;
    return FL_OK;
}

/* ---- clear memory ---- */

enum fl_err buddy_track_clear(struct buddy *b, uint32_t apart_order, void *memory, uint64_t bytes)
{
    if (apart_order >= BUDDY_ORDERS || bytes < buddy_set_bytes(end_page(b), b->max_order) ||
        b->apart_order < BUDDY_ORDERS) {
        return FL_EINVAL;
    }
    (void)buddy_init_sets(b, b->clear, memory);
    b->apart_order = apart_order;
    return FL_OK;
}

void buddy_forget_clear(struct buddy *b)
{
    while (b->clear_orders != 0) {
        uint32_t o = (uint32_t)__builtin_ctz(b->clear_orders);
        struct buddy_block block = {
            .start = bitset_first_from(&b->clear[o], 0) << o, .order = o, .clear = true};
        buddy_block_remove(b, block);
        block.clear = false;
        buddy_block_merge(b, block, o);
    }
}
