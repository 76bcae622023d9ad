/* SPDX-License-Identifier: MIT */
/* What the files of the buddy allocator share. Nobody else includes this. */
#pragma once

#include "mm/buddy.h"

/*
 * heads[page]: 0 where no allocated block begins. The order is kept as what it lacks to the largest
 * one: a block in the middle of its allocation is smaller than the pool, so its head is not 0.
 */
#define HEAD_ORDER_MASK 0x1fu
#define HEAD_CLEAR      0x20u /* known to be zero when it was handed out */
#define HEAD_FIRST      0x40u /* of the allocation's blocks */
#define HEAD_LAST       0x80u

static inline uint32_t head_order(uint8_t head)
{
    return BUDDY_ORDERS - 1 - (head & HEAD_ORDER_MASK);
}
static inline uint8_t head_of(uint32_t order, uint32_t flags)
{
    return (uint8_t)((BUDDY_ORDERS - 1 - order) | flags);
}

static inline uint32_t floor_log2(uint64_t v) { return 63u - (uint32_t)__builtin_clzll(v); }
static inline uint32_t ceil_log2(uint64_t v) { return v <= 1 ? 0 : floor_log2(v - 1) + 1; }
static inline uint64_t order_pages(uint32_t order) { return UINT64_C(1) << order; }
static inline uint64_t end_page(const struct buddy *b) { return b->first + b->pages; }

/* The order of the largest aligned block that begins a run of pages. */
static inline uint32_t leading_order(const struct buddy *b, uint64_t page, uint64_t pages)
{
    uint32_t order = floor_log2(pages);

    if (page != 0 && (uint32_t)__builtin_ctzll(page) < order) {
        order = (uint32_t)__builtin_ctzll(page);
    }
    return order < b->max_order ? order : b->max_order;
}

/* Bytes of the bitsets of one kind, for pages 0 .. numbered - 1. */
static inline uint64_t buddy_set_bytes(uint64_t numbered, uint32_t max_order)
{
    uint64_t words = 0;

    for (uint32_t o = 0; o <= max_order; o++) {
        words += bitset_words(div_up_u64(numbered, order_pages(o)));
    }
    return words * sizeof(uint64_t);
}
/* Empties them; returns where their memory ends. */
static inline uint64_t *buddy_init_sets(const struct buddy *b, struct bitset *sets, uint64_t *words)
{
    for (uint32_t o = 0; o <= b->max_order; o++) {
        uint64_t blocks = div_up_u64(end_page(b), order_pages(o));
        bitset_init(&sets[o], blocks, words);
        words += bitset_words(blocks);
    }
    return words;
}

/* A free block. */
struct buddy_block {
    uint64_t start; /* page */
    uint32_t order;
    bool clear;
};

static inline bool buddy_has(const struct buddy *b, uint32_t order, bool clear, uint64_t page)
{
    return bitset_has(clear ? &b->clear[order] : &b->free[order], page >> order);
}

/* Its neighbours cannot merge with it. */
static inline void buddy_block_insert(struct buddy *b, struct buddy_block block)
{
    const uint32_t o = block.order;

    b->stats.free_blocks[o]++;
    if (block.clear) {
        bitset_add(&b->clear[o], block.start >> o);
        b->stats.clear_blocks[o]++;
        b->stats.clear_pages += order_pages(o);
        b->clear_orders |= UINT32_C(1) << o;
    } else {
        bitset_add(&b->free[o], block.start >> o);
        b->free_orders |= UINT32_C(1) << o;
    }
}

static inline void buddy_block_remove(struct buddy *b, struct buddy_block block)
{
    const uint32_t o = block.order;

    b->stats.free_blocks[o]--;
    if (block.clear) {
        bitset_remove(&b->clear[o], block.start >> o);
        b->stats.clear_blocks[o]--;
        b->stats.clear_pages -= order_pages(o);
        b->clear_orders &= ~((uint32_t)bitset_empty(&b->clear[o]) << o);
    } else {
        bitset_remove(&b->free[o], block.start >> o);
        b->free_orders &= ~((uint32_t)bitset_empty(&b->free[o]) << o);
    }
}

/* Counts an allocation, and one that is gone. */
static inline void buddy_count_alloc(struct buddy *b, uint64_t pages)
{
    struct buddy_stats *s = &b->stats;

    s->allocs++;
    s->free_pages -= pages;
    s->peak_pages = max_u64(s->peak_pages, s->total_pages - s->free_pages);
    s->rounded_pages += order_pages(ceil_log2(pages));
    s->peak_rounded_pages = max_u64(s->peak_rounded_pages, s->rounded_pages);
    s->largest_request = max_u64(s->largest_request, order_pages(ceil_log2(pages)));
}

static inline void buddy_count_free(struct buddy *b, uint64_t pages)
{
    b->stats.frees++;
    b->stats.free_pages += pages;
    b->stats.rounded_pages -= order_pages(ceil_log2(pages));
}

/* Whether a block is free as clear memory, given its head and what the caller says of it. */
static inline bool buddy_clear_now(const struct buddy *b, uint8_t head,
                                   enum buddy_contents contents)
{
    bool clear = contents == BUDDY_CLEAR || (contents == BUDDY_UNTOUCHED && head & HEAD_CLEAR);

    return clear && b->apart_order < BUDDY_ORDERS;
}

/* ---- buddy_blocks.c: blocks, heads and the tree of runs ---- */

/* The free block that page belongs to. */
bool buddy_block_at(const struct buddy *b, uint64_t page, struct buddy_block *out);
/* Inserts a block and merges it with its buddy as long as that one is free and of its kind (see
 * buddy_track_clear). within: see runs_set(). */
void buddy_block_merge(struct buddy *b, struct buddy_block block, uint32_t within);
/* Takes pages [from, to) out of a free block; flags: whether an allocation begins, and ends. */
void buddy_block_take_part(struct buddy *b, struct buddy_block block, uint64_t from, uint64_t to,
                           uint32_t flags);
static inline void buddy_block_take(struct buddy *b, struct buddy_block block, uint64_t from,
                                    uint64_t to, uint32_t flags)
{
    const uint64_t pages = to - from;

    if (((pages - 1) & (pages | from)) != 0) { /* not a block itself */
        buddy_block_take_part(b, block, from, to, flags);
        return;
    }
    const uint32_t order = floor_log2(pages);
    buddy_block_remove(b, block);
    for (uint32_t o = order; o < block.order; o++) { /* the buddies on its way stay */
        buddy_block_insert(b, (struct buddy_block){
                                  .start = (from >> o ^ 1) << o, .order = o, .clear = block.clear});
    }
    b->heads[from] = head_of(order, flags | (block.clear ? HEAD_CLEAR : 0));
    runs_set(&b->runs, from, order, block.order, false);
}
/* Takes a run of free pages out of all the blocks that it touches, as one allocation. */
void buddy_run_take(struct buddy *b, uint64_t page, uint64_t pages);
/* Pages that were part of an allocated block of order `within` become free memory. */
void buddy_run_free(struct buddy *b, uint64_t page, uint64_t pages, uint32_t within, bool clear);
/* True when all pages of the run are free. */
bool buddy_run_is_free(const struct buddy *b, uint64_t page, uint64_t pages);
/* Pages of the allocation that begins at page, 0 when none does. */
uint64_t buddy_used_pages(const struct buddy *b, uint64_t page);
/* Converts a range of addresses to pages; false when it is misaligned, empty or outside. */
bool buddy_to_run(const struct buddy *b, uint64_t addr, uint64_t size, uint64_t *page,
                  uint64_t *pages);
/* The same for one page. */
static inline bool buddy_to_page(const struct buddy *b, uint64_t addr, uint64_t *page)
{
    const uint64_t bytes = addr - b->base;

    *page = bytes >> b->page_shift;
    return *page << b->page_shift == bytes && *page - b->first < b->pages;
}

/* ---- buddy_find.c ---- */

/* A request in pages: a run of pages at a multiple of align in [min, max). */
struct buddy_search {
    uint64_t pages, align, min, max;
    bool lowest, clear; /* the lowest address; clear memory first */
};

/* The request in pages, within the pool; its min and max are addresses anywhere. False: it makes no
 * sense. */
bool buddy_to_search(const struct buddy *b, const struct buddy_request *want,
                     struct buddy_search *s);
/* Finds and takes; in a block only, or in a run of them too. */
bool buddy_take(struct buddy *b, const struct buddy_search *s, bool runs, uint64_t *place);
