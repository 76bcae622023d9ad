/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator: see buddy.h for what it promises.
 *
 * Pages are numbered from b->base, which is aligned to the largest block, so that a page number has
 * as many trailing zeros as its address allows. A free block is one bit in the bitset of its order.
 * An allocation of n pages is the shortest sequence of aligned blocks that covers it; each block's
 * first page has a byte in heads[], which is how a double or foreign free is found out.
 */
#include "mm/buddy_priv.h"

#include <string.h>

#include "arch/fail_point.h"

#define PAGE_SHIFT_MIN 12u
#define PAGE_SHIFT_MAX 30u
#define PAGES_MAX      (UINT64_C(1) << 31)

/* heads[page]: 0 where no allocated block begins. */
#define HEAD_ORDER_MASK 0x1fu
#define HEAD_USED       0x80u
#define HEAD_CONTINUES  0x40u /* a further block of the allocation before it */

/* ---- set-up ---- */

/* Where things lie for a given pool: shared by buddy_meta_bytes and buddy_init. */
struct plan {
    uint64_t base; /* of page 0 */
    uint64_t first, pages;
    uint32_t max_order;
    uint64_t bytes; /* of metadata; 0: the arguments do not suit */
};

static struct plan make_plan(uint64_t base, uint64_t size, unsigned page_shift)
{
    struct plan p = {0};

    if (page_shift < PAGE_SHIFT_MIN || page_shift > PAGE_SHIFT_MAX || size == 0 ||
        base > UINT64_MAX - size || !is_aligned_u64(base | size, UINT64_C(1) << page_shift) ||
        size >> page_shift > PAGES_MAX) {
        return p;
    }
    p.pages = size >> page_shift;
    p.max_order = floor_log2(p.pages);
    if (p.max_order >= BUDDY_ORDERS) {
        p.max_order = BUDDY_ORDERS - 1;
    }
    p.base = align_down_u64(base, order_pages(p.max_order) << page_shift);
    p.first = (base - p.base) >> page_shift;
    uint64_t numbered = p.first + p.pages;
    for (uint32_t o = 0; o <= p.max_order; o++) {
        p.bytes += bitset_words(div_up_u64(numbered, order_pages(o))) * sizeof(uint64_t);
    }
    p.bytes += runs_bytes(numbered) + align_up_u64(numbered, sizeof(uint64_t));
    return p;
}

uint64_t buddy_meta_bytes(uint64_t base, uint64_t size, unsigned page_shift)
{
    return make_plan(base, size, page_shift).bytes;
}

enum fl_err buddy_init(struct buddy *b, const char *name, uint64_t base, uint64_t size,
                       unsigned page_shift, void *meta, uint64_t meta_bytes)
{
    struct plan p = make_plan(base, size, page_shift);

    if (p.bytes == 0 || meta_bytes < p.bytes) {
        return FL_EINVAL;
    }
    memset(b, 0, sizeof(*b));
    b->name = name;
    b->base = p.base;
    b->first = p.first;
    b->pages = p.pages;
    b->page_shift = page_shift;
    b->max_order = p.max_order;
    uint64_t *words = meta;
    uint64_t numbered = end_page(b);
    for (uint32_t o = 0; o <= b->max_order; o++) {
        uint64_t blocks = div_up_u64(numbered, order_pages(o));
        bitset_init(&b->free[o], blocks, words);
        words += bitset_words(blocks);
    }
    runs_init(&b->runs, numbered, words);
    b->heads = (uint8_t *)words + runs_bytes(numbered);
    memset(b->heads, 0, numbered);
    return FL_OK;
}

/* ---- blocks and runs ---- */

static void block_insert(struct buddy *b, uint64_t page, uint32_t order)
{
    bitset_add(&b->free[order], page >> order);
    b->stats.free_blocks[order]++;
    b->free_orders |= UINT32_C(1) << order;
}

static void block_remove(struct buddy *b, uint64_t page, uint32_t order)
{
    bitset_remove(&b->free[order], page >> order);
    if (--b->stats.free_blocks[order] == 0) {
        b->free_orders &= ~(UINT32_C(1) << order);
    }
}

/* The order of the largest aligned block that begins a run of pages. */
static uint32_t leading_order(const struct buddy *b, uint64_t page, uint64_t pages)
{
    uint32_t order = floor_log2(pages);

    if (page != 0 && (uint32_t)__builtin_ctzll(page) < order) {
        order = (uint32_t)__builtin_ctzll(page);
    }
    return order < b->max_order ? order : b->max_order;
}

/* Inserts a run whose neighbours cannot merge with it: what is left of a block that was cut. */
static void run_insert(struct buddy *b, uint64_t page, uint64_t pages)
{
    while (pages > 0) {
        uint32_t order = leading_order(b, page, pages);
        block_insert(b, page, order);
        page += order_pages(order);
        pages -= order_pages(order);
    }
}

/* Inserts a block and merges it with its buddy as long as that one is free. */
static void block_merge(struct buddy *b, uint64_t page, uint32_t order)
{
    while (order < b->max_order && bitset_has(&b->free[order], (page >> order) ^ 1)) {
        block_remove(b, page ^ order_pages(order), order);
        page &= ~order_pages(order);
        order++;
    }
    block_insert(b, page, order);
    runs_set(&b->runs, page, order, order, true);
}

/* True when all pages of the run are free. */
static bool run_is_free(const struct buddy *b, uint64_t page, uint64_t pages)
{
    uint64_t end = page + pages;

    while (page < end) {
        uint64_t start;
        uint32_t order;
        if (!find_free_block(b, page, &start, &order)) {
            return false;
        }
        page = start + order_pages(order);
    }
    return true;
}

/* Counts a run as one allocation. */
static void count_alloc(struct buddy *b, uint64_t pages)
{
    struct buddy_stats *s = &b->stats;

    s->allocs++;
    s->free_pages -= pages;
    s->peak_pages = max_u64(s->peak_pages, s->total_pages - s->free_pages);
    s->rounded_pages += order_pages(ceil_log2(pages));
    s->peak_rounded_pages = max_u64(s->peak_rounded_pages, s->rounded_pages);
    s->largest_request = max_u64(s->largest_request, order_pages(ceil_log2(pages)));
}

/* Takes pages [from, to) out of a free block; flags: of the first head. */
static void block_take(struct buddy *b, uint64_t start, uint32_t block_order, uint64_t from,
                       uint64_t to, uint8_t flags)
{
    block_remove(b, start, block_order);
    run_insert(b, start, from - start);
    run_insert(b, to, start + order_pages(block_order) - to);
    while (from < to) {
        uint32_t order = leading_order(b, from, to - from);
        b->heads[from] = (uint8_t)(flags | order);
        runs_set(&b->runs, from, order, block_order, false);
        flags = HEAD_USED | HEAD_CONTINUES;
        from += order_pages(order);
    }
}

/* Takes a run of free pages out of all the blocks that it touches. */
static void run_take(struct buddy *b, uint64_t page, uint64_t pages)
{
    uint64_t end = page + pages;
    uint64_t at = page;
    uint8_t flags = HEAD_USED;

    while (at < end) {
        uint64_t start = 0;
        uint32_t order = 0;
        (void)find_free_block(b, at, &start, &order); /* free, says the caller */
        uint64_t to = min_u64(start + order_pages(order), end);
        block_take(b, start, order, at, to, flags);
        flags = HEAD_USED | HEAD_CONTINUES;
        at = to;
    }
    count_alloc(b, pages);
}

/* ---- the calls ---- */

/* Converts a range of addresses to pages; false when it is misaligned, empty or outside. */
static bool to_run(const struct buddy *b, uint64_t addr, uint64_t size, uint64_t *page,
                   uint64_t *pages)
{
    if (size == 0 || addr < b->base || !is_aligned_u64(addr | size, UINT64_C(1) << b->page_shift)) {
        return false;
    }
    *page = (addr - b->base) >> b->page_shift;
    *pages = size >> b->page_shift;
    return *page >= b->first && range_ok(*page - b->first, *pages, b->pages);
}

/* True when no page of the run is free or allocated. */
static bool run_is_unknown(const struct buddy *b, uint64_t page, uint64_t pages)
{
    uint64_t start;
    uint32_t order;

    if (find_free_block(b, page, &start, &order)) {
        return false;
    }
    for (uint32_t o = 0; o <= b->max_order; o++) {
        uint64_t next = bitset_first_from(&b->free[o], div_up_u64(page, order_pages(o)));
        if (next != BITSET_NONE && next << o < page + pages) {
            return false;
        }
        uint8_t head = b->heads[page >> o << o]; /* of a block that reaches into the run? */
        if ((head & HEAD_USED) != 0 && (head & HEAD_ORDER_MASK) >= o) {
            return false;
        }
    }
    for (uint64_t i = page; i < page + pages; i++) {
        if (b->heads[i] != 0) {
            return false;
        }
    }
    return true;
}

enum fl_err buddy_add(struct buddy *b, uint64_t addr, uint64_t size)
{
    uint64_t page;
    uint64_t pages;

    if (!to_run(b, addr, size, &page, &pages) || !run_is_unknown(b, page, pages)) {
        return FL_EINVAL;
    }
    b->stats.total_pages += pages;
    b->stats.free_pages += pages;
    while (pages > 0) {
        uint32_t order = leading_order(b, page, pages);
        block_merge(b, page, order);
        page += order_pages(order);
        pages -= order_pages(order);
    }
    return FL_OK;
}

enum fl_err buddy_alloc(struct buddy *b, const struct buddy_request *want, uint64_t *addr)
{
    struct buddy_search s;
    uint64_t start = 0;
    uint64_t place = 0;
    uint32_t order = 0;

    if (!buddy_to_search(b, want, &s)) {
        return FL_EINVAL;
    }
    uint32_t wanted = ceil_log2(max_u64(s.pages, s.align));
    if (!b->part_of_many && fail_point_alloc()) {
        b->stats.failures++;
        return FL_ENOMEM;
    }
    if (buddy_find_block(b, &s, wanted, &start, &order, &place)) {
        block_take(b, start, order, place, place + s.pages, HEAD_USED);
        count_alloc(b, s.pages);
    } else if (b->stats.free_pages >= s.pages && wanted > 0 && buddy_find_run(b, &s, &place)) {
        run_take(b, place, s.pages);
    } else {
        b->stats.failures++;
        return FL_ENOMEM;
    }
    *addr = b->base + (place << b->page_shift);
    return FL_OK;
}

enum fl_err buddy_reserve(struct buddy *b, uint64_t addr, uint64_t size)
{
    uint64_t page;
    uint64_t pages;

    if (!to_run(b, addr, size, &page, &pages)) {
        return FL_EINVAL;
    }
    if (!run_is_free(b, page, pages)) {
        return FL_EBUSY;
    }
    run_take(b, page, pages);
    return FL_OK;
}

/* Pages of the allocation that begins at page, 0 when none does. */
static uint64_t used_pages(const struct buddy *b, uint64_t page)
{
    uint64_t at = page;

    if ((b->heads[at] & (HEAD_USED | HEAD_CONTINUES)) != HEAD_USED) {
        return 0;
    }
    do {
        at += order_pages(b->heads[at] & HEAD_ORDER_MASK);
    } while (at < end_page(b) && (b->heads[at] & HEAD_CONTINUES) != 0);
    return at - page;
}

uint64_t buddy_pages_at(const struct buddy *b, uint64_t addr)
{
    uint64_t page;
    uint64_t pages;

    if (!to_run(b, addr, UINT64_C(1) << b->page_shift, &page, &pages)) {
        return 0;
    }
    return used_pages(b, page);
}

enum fl_err buddy_free(struct buddy *b, uint64_t addr, uint64_t pages)
{
    if (buddy_contains(b, addr)) {
        uint64_t at = (addr - b->base) >> b->page_shift;
        runs_prefetch(&b->runs, at);
        __builtin_prefetch(&b->free[0].level[0][at >> 6], 1);
    }
    if (pages == 0 || buddy_pages_at(b, addr) != pages) {
        return FL_EINVAL;
    }
    b->stats.frees++;
    b->stats.free_pages += pages;
    b->stats.rounded_pages -= order_pages(ceil_log2(pages));
    uint64_t page = (addr - b->base) >> b->page_shift;
    while (pages > 0) {
        uint32_t order = b->heads[page] & HEAD_ORDER_MASK;
        b->heads[page] = 0;
        block_merge(b, page, order);
        page += order_pages(order);
        pages -= order_pages(order);
    }
    return FL_OK;
}

bool buddy_contains(const struct buddy *b, uint64_t addr)
{
    return addr >= b->base && (addr - b->base) >> b->page_shift >= b->first &&
           (addr - b->base) >> b->page_shift < end_page(b);
}

void buddy_get_stats(const struct buddy *b, struct buddy_stats *out) { *out = b->stats; }

uint64_t buddy_largest_free(const struct buddy *b)
{
    return b->free_orders == 0 ? 0 : order_pages(floor_log2(b->free_orders));
}

/* ---- for tests ---- */

bool buddy_check(struct buddy *b)
{
    uint64_t free_pages = 0;
    uint64_t used = 0;
    uint64_t blocks[BUDDY_ORDERS] = {0};
    uint64_t page = 0;

    if (!runs_check(&b->runs)) {
        return false;
    }
    for (uint64_t i = 0; i < end_page(b); i++) {
        uint64_t start;
        uint32_t order;
        if (runs_has(&b->runs, i) != find_free_block(b, i, &start, &order)) {
            return false;
        }
    }
    while (page < end_page(b)) {
        uint64_t start;
        uint32_t order;
        bool is_free = find_free_block(b, page, &start, &order);
        uint8_t head = b->heads[page];
        if (is_free) {
            if (start != page || page < b->first || page + order_pages(order) > end_page(b) ||
                (order < b->max_order && bitset_has(&b->free[order], (page >> order) ^ 1))) {
                return false; /* overlaps another, sticks out, or was not merged */
            }
            for (uint64_t i = 0; i < order_pages(order); i++) {
                uint64_t inner;
                uint32_t inner_order;
                if (b->heads[page + i] != 0 ||
                    !find_free_block(b, page + i, &inner, &inner_order) || inner != page) {
                    return false;
                }
            }
            blocks[order]++;
            free_pages += order_pages(order);
            page += order_pages(order);
        } else if (head != 0) {
            order = head & HEAD_ORDER_MASK;
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
        if (blocks[o] != b->stats.free_blocks[o] ||
            ((b->free_orders >> o & 1) != 0) != (blocks[o] != 0)) {
            return false;
        }
    }
    return free_pages == b->stats.free_pages && used + free_pages == b->stats.total_pages;
}
