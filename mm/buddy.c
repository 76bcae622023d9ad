/* SPDX-License-Identifier: MIT */
/* The buddy allocator: see buddy.h for what it promises, buddy_blocks.c for how. */
#include "mm/buddy_priv.h"

#include <string.h>

#define PAGE_SHIFT_MIN 12u
#define PAGE_SHIFT_MAX 30u
#define PAGES_MAX      (UINT64_C(1) << 31)

/* ---- set-up ---- */

/* Where things lie for a given pool: shared by buddy_meta_bytes and buddy_init. */
struct plan {
    uint64_t base; /* of page 0 */
    uint64_t first, pages;
    uint32_t max_order;
    uint64_t bytes;     /* of metadata; 0: the arguments do not suit */
    uint64_t set_bytes; /* of these, of the bitsets */
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
    p.set_bytes = buddy_set_bytes(numbered, p.max_order);
    p.bytes = p.set_bytes + runs_bytes(numbered) + align_up_u64(numbered, sizeof(uint64_t));
    return p;
}

uint64_t buddy_meta_bytes(uint64_t base, uint64_t size, unsigned page_shift)
{
    return make_plan(base, size, page_shift).bytes;
}

uint64_t buddy_clear_bytes(uint64_t base, uint64_t size, unsigned page_shift)
{
    return make_plan(base, size, page_shift).set_bytes;
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
    uint64_t numbered = end_page(b);
    uint64_t *words = buddy_init_sets(b, b->free, meta);
    b->apart_order = BUDDY_ORDERS; /* nothing is known to be clear */
    runs_init(&b->runs, numbered, words);
    b->heads = (uint8_t *)words + runs_bytes(numbered);
    memset(b->heads, 0, numbered);
    return FL_OK;
}

/* ---- the calls ---- */

/* A word at a time: there is a byte for each page of the machine. */
static bool all_zero(const uint8_t *p, uint64_t n)
{
    for (uint64_t word; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        if (word != 0) {
            return false;
        }
    }
    while (n > 0 && *p == 0) {
        n--;
        p++;
    }
    return n == 0;
}

/* True when no page of the run is free or allocated. */
static bool run_is_unknown(struct buddy *b, uint64_t page, uint64_t pages)
{
    struct runs_query one = {.pages = 1, .min = page, .max = page + pages, .lowest = true};
    uint64_t place;

    if (runs_find(&b->runs, &one, &place)) {
        return false;
    }
    for (uint32_t o = 0; o <= b->max_order; o++) {
        uint8_t head = b->heads[page >> o << o]; /* of a block that reaches into the run? */
        if (head != 0 && head_order(head) >= o) {
            return false;
        }
    }
    return all_zero(b->heads + page, pages);
}

enum fl_err buddy_add(struct buddy *b, uint64_t addr, uint64_t size)
{
    uint64_t page;
    uint64_t pages;

    if (!buddy_to_run(b, addr, size, &page, &pages) || !run_is_unknown(b, page, pages)) {
        return FL_EINVAL;
    }
    b->stats.total_pages += pages;
    b->stats.free_pages += pages;
    buddy_run_free(b, page, pages, 0, false);
    return FL_OK;
}

enum fl_err buddy_reserve(struct buddy *b, uint64_t addr, uint64_t size)
{
    uint64_t page;
    uint64_t pages;

    if (!buddy_to_run(b, addr, size, &page, &pages)) {
        return FL_EINVAL;
    }
    if (!buddy_run_is_free(b, page, pages)) {
        return FL_EBUSY;
    }
    buddy_run_take(b, page, pages);
    return FL_OK;
}

uint64_t buddy_pages_at(const struct buddy *b, uint64_t addr)
{
    uint64_t page;

    return buddy_to_page(b, addr, &page) ? buddy_used_pages(b, page) : 0;
}

enum fl_err buddy_free_as(struct buddy *b, uint64_t addr, uint64_t pages,
                          enum buddy_contents contents)
{
    uint64_t page;

    if (!buddy_to_page(b, addr, &page)) {
        return FL_EINVAL;
    }
    /* Places in memory that are far apart: looked up at a time. The order is a guess so far. */
    const uint32_t order = leading_order(b, page, pages | 1);
    const uint32_t merged = order < b->max_order ? order + 1 : order;
    runs_prefetch(&b->runs, page);
    bitset_prefetch(&b->free[order], page >> order);
    bitset_prefetch(&b->free[merged], page >> merged);
    const uint8_t first = b->heads[page];
    if ((first & (HEAD_FIRST | HEAD_LAST)) == (HEAD_FIRST | HEAD_LAST)
            ? order_pages(head_order(first)) != pages
            : pages == 0 || buddy_used_pages(b, page) != pages) {
        return FL_EINVAL;
    }
    buddy_count_free(b, pages);
    while (pages > 0) {
        uint8_t head = b->heads[page];
        uint32_t o = head_order(head);
        b->heads[page] = 0;
        buddy_block_merge(b,
                          (struct buddy_block){.start = page,
                                               .order = o,
                                               .clear = buddy_clear_now(b, head, contents)},
                          o);
        page += order_pages(o);
        pages -= order_pages(o);
    }
    return FL_OK;
}

enum fl_err buddy_free(struct buddy *b, uint64_t addr, uint64_t pages)
{
    return buddy_free_as(b, addr, pages, BUDDY_DIRTY);
}

bool buddy_contains(const struct buddy *b, uint64_t addr)
{
    return addr >= b->base && (addr - b->base) >> b->page_shift >= b->first &&
           (addr - b->base) >> b->page_shift < end_page(b);
}

void buddy_get_stats(const struct buddy *b, struct buddy_stats *out) { *out = b->stats; }

uint64_t buddy_largest_free(const struct buddy *b)
{
    uint32_t orders = b->free_orders | b->clear_orders;

    return orders == 0 ? 0 : order_pages(floor_log2(orders));
}

uint64_t buddy_longest_run(struct buddy *b) { return runs_longest(&b->runs); }
