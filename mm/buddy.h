/* SPDX-License-Identifier: MIT */
/*
 * A buddy allocator over page frames that it never touches: RAM and a GPU's own memory alike. All
 * it knows lies in memory that the caller supplies, about 1.7 bytes per page. It allocates nothing,
 * does not recurse, and every call costs a few dozen word operations: orders x levels of a bitset,
 * and a few nodes per level of the tree of runs (mm/runs.h), whatever the fragmentation.
 *
 * Blocks are 2^order pages, aligned to their size in the address space. A request takes the
 * smallest block that fits, the highest address first, so that scarce low memory is left for
 * devices that need it; a request that is not a power of two gives its tail back at once. Buddies
 * merge as soon as both are free: the state after "free everything" is the state at the start.
 *
 * Bound on fragmentation: let M be the largest number of pages ever allocated at a time and n the
 * largest request, both after rounding requests up to powers of two. Then a request can only fail
 * for lack of memory, not for fragmentation, as long as the pool has
 *     N >= M * (1 + log2(n) / 2) - n + 1
 * pages (J. M. Robson, "Bounds for Some Functions Concerning Dynamic Storage Allocation", JACM 21
 * (3), July 1974, for buddy systems that take the first fit; it does not speak of address limits or
 * tails given back). peak_rounded_pages and largest_request in the statistics are M and n.
 *
 * The caller serialises; nothing here yields.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "mm/bitset.h"
#include "mm/runs.h"

#define BUDDY_ORDERS 32u /* orders 0 .. 31 */

struct buddy_stats {
    uint64_t total_pages; /* added since the start */
    uint64_t free_pages;
    uint64_t clear_pages;        /* of these, known to be zero */
    uint64_t peak_pages;         /* most allocated at a time */
    uint64_t rounded_pages;      /* allocated now, requests rounded up to powers of two */
    uint64_t peak_rounded_pages; /* M above */
    uint64_t largest_request;    /* n above, pages */
    uint64_t allocs, frees, failures;
    uint64_t free_blocks[BUDDY_ORDERS];  /* by order */
    uint64_t clear_blocks[BUDDY_ORDERS]; /* of these */
};

struct buddy {
    const char *name;      /* static */
    uint64_t base;         /* address of page 0 of the tables; aligned to the largest block */
    uint64_t first, pages; /* pages [first, first + pages) may exist */
    uint32_t page_shift;
    uint32_t max_order;
    bool part_of_many; /* the owner tries several pools for one request and has the fail point */
    uint32_t free_orders,
        clear_orders;     /* bit o: some block of order o is free, or free and clear */
    uint32_t apart_order; /* see buddy_track_clear(); BUDDY_ORDERS: nothing is known to be clear */
    uint8_t *heads;       /* per page: what begins there, see buddy.c; in the caller's memory */
    struct bitset free[BUDDY_ORDERS];  /* by order: free blocks, by number page >> order */
    struct bitset clear[BUDDY_ORDERS]; /* those that are known to be zero; in no set of `free` */
    struct runs runs;                  /* the same pages, for what no single block can serve */
    struct buddy_stats stats;
};

/* Bytes of memory that buddy_init needs, 0 when base or size do not suit: multiples of the page,
 * size > 0, no wrap, page_shift 12 .. 30, at most 2^31 pages. */
uint64_t buddy_meta_bytes(uint64_t base, uint64_t size, unsigned page_shift);

/* An empty pool that can manage [base, base + size). meta: 8-byte aligned, meta_bytes as told by
 * buddy_meta_bytes; borrowed as long as the pool is used. FL_EINVAL. name: static. */
FL_MUST_CHECK enum fl_err buddy_init(struct buddy *b, const char *name, uint64_t base,
                                     uint64_t size, unsigned page_shift, void *meta,
                                     uint64_t meta_bytes);

/* Gives [addr, addr + size) to the pool as free memory, once, at the start or when memory that was
 * in use elsewhere becomes available. FL_EINVAL when it is misaligned, outside, or in part known to
 * the pool already (then nothing has changed). */
FL_MUST_CHECK enum fl_err buddy_add(struct buddy *b, uint64_t addr, uint64_t size);

struct buddy_request {
    uint64_t pages;    /* contiguous */
    uint64_t align;    /* bytes, a power of two; 0 or less than a page: a page */
    uint64_t min, max; /* all bytes in [min, max); max 0 = no limit */
    bool lowest;       /* in the smallest block that fits, the lowest address, not the highest */
    bool clear;        /* memory known to be zero is preferred; else it is spared */
};
/* FL_OK and *addr; FL_EINVAL for a senseless request; FL_ENOMEM when there is no such run, with
 * nothing changed. When no single block fits, a run of neighbouring free blocks is looked for: not
 * one request fails that could be served, if its alignment is a page, 16 or 512 pages (64 KiB and
 * 2 MiB of pages of 4 KiB), or its own size. With another alignment A one may fail, but only if no
 * free run has room for its pages and A - 1 more. */
FL_MUST_CHECK enum fl_err buddy_alloc(struct buddy *b, const struct buddy_request *want,
                                      uint64_t *addr);

/* One piece of a scattered allocation: an allocation of its own, to be freed by itself. */
struct buddy_extent {
    uint64_t addr, pages;
    bool clear; /* known to be zero */
};
/* want->pages in all, in blocks of 2^n pages, each of block_pages (a power of two, which divides
 * want->pages) at least and at a multiple of its own size and of want->align: the largest that
 * there are first. out: room for `room` extents, the caller's; *count of them are filled.
 * FL_EINVAL; FL_ENOMEM when the memory does not suffice, FL_ENOSPC when the room does not: nothing
 * has changed then. Costs as much as that many single requests, and undoing them. */
FL_MUST_CHECK enum fl_err buddy_alloc_scattered(struct buddy *b, const struct buddy_request *want,
                                                uint64_t block_pages, struct buddy_extent *out,
                                                uint32_t room, uint32_t *count);

/* Allocates exactly [addr, addr + size). FL_EBUSY when some of it is not free (nothing changed). */
FL_MUST_CHECK enum fl_err buddy_reserve(struct buddy *b, uint64_t addr, uint64_t size);

/* What memory holds that is given back. */
enum buddy_contents {
    BUDDY_DIRTY,
    BUDDY_CLEAR,     /* all zero */
    BUDDY_UNTOUCHED, /* what it held when it was allocated */
};
/* Frees one allocation: addr and pages exactly as allocated. FL_EINVAL for an address or a length
 * that no live allocation has (double free, foreign pointer); nothing changed then. The caller has
 * broken an invariant and should panic. */
FL_MUST_CHECK enum fl_err buddy_free(struct buddy *b, uint64_t addr, uint64_t pages); /* as dirty */
FL_MUST_CHECK enum fl_err buddy_free_as(struct buddy *b, uint64_t addr, uint64_t pages,
                                        enum buddy_contents contents);
/* Of the live allocation [addr, addr + pages pages) keeps [keep_addr, keep_addr + keep_pages
 * pages), at least a page, and frees what lies before and behind it. FL_EINVAL as buddy_free, and
 * when the part to keep is misaligned or not inside; nothing changed then. */
FL_MUST_CHECK enum fl_err buddy_trim(struct buddy *b, uint64_t addr, uint64_t pages,
                                     uint64_t keep_addr, uint64_t keep_pages,
                                     enum buddy_contents contents);

/* From now on memory that is freed as BUDDY_CLEAR is known to be zero until it is handed out. Free
 * buddies of which one is clear: below 2^apart_order pages they merge and are not clear any more,
 * from that size on they stay two. A request that needs both is still found, as a run. It is then
 * taken block by block: one step more per 2^apart_order pages of it. memory: buddy_clear_bytes()
 * of what was said to buddy_init, 8-byte aligned, borrowed. Once. FL_EINVAL. */
uint64_t buddy_clear_bytes(uint64_t base, uint64_t size, unsigned page_shift);
FL_MUST_CHECK enum fl_err buddy_track_clear(struct buddy *b, uint32_t apart_order, void *memory,
                                            uint64_t bytes);
/* The live allocation that begins at addr was known to be zero when it was handed out. */
bool buddy_was_clear(const struct buddy *b, uint64_t addr);
/* Nothing is known to be zero any more (a reset of the GPU). One step per free clear block. */
void buddy_forget_clear(struct buddy *b);

/* Pages of the live allocation that begins at addr, 0 when there is none. */
uint64_t buddy_pages_at(const struct buddy *b, uint64_t addr);
bool buddy_contains(const struct buddy *b, uint64_t addr); /* within [base, base + size) */
void buddy_get_stats(const struct buddy *b, struct buddy_stats *out);
uint64_t buddy_largest_free(const struct buddy *b); /* pages of the largest free block */
uint64_t buddy_longest_run(struct buddy *b);        /* pages of the longest run of free blocks */

/* Goes over everything and says whether the tables agree with each other and the counters; for
 * tests. Slow. */
bool buddy_check(struct buddy *b);
