/* SPDX-License-Identifier: MIT */
/*
 * Where a run of free pages lies that no single block of a buddy allocator can serve, in bounded
 * time whatever the fragmentation: a binary tree over words of 64 pages. A node knows how many free
 * pages it begins and ends with, its longest run, its longest runs from a multiple of 16 and of 512
 * pages (64 KiB and 2 MiB: the GPU's page sizes), and its largest aligned block. So one way down
 * from the root finds a run, or the root says that there is none.
 *
 * It follows the allocator, which tells it of whole aligned blocks: what lies below a node that one
 * block covers is not kept up to date, and is written anew when that block is cut. Nodes above the
 * place of the last change are recomputed when a change falls elsewhere, up to where the two places
 * part, and only as long as something differs: neighbouring changes share that work.
 *
 * Worst case: a change recomputes one node per level (27 levels for 2^33 pages), a few ns each. A
 * search looks at three nodes per level and at the pages of three words. 0.42 bytes per page, from
 * the caller; nothing is allocated, nothing recurses.
 */
#pragma once

#include "arch/base.h"

#define RUNS_LEAF_ORDER  6u                  /* 64 pages in a word */
#define RUNS_PAGES_MAX   (UINT64_C(1) << 33) /* numbered; of them 2^31 may be free */
#define RUNS_LEVELS      28u
#define RUNS_CLASSES     3u
#define RUNS_GROUP_ORDER 9u /* 512 pages: levels 0 .. 3 lie together in memory */
#define RUNS_GROUP_WORDS (1u << (RUNS_GROUP_ORDER - RUNS_LEAF_ORDER))

/* 512 pages in three cache lines, of which a change touches two: that of the word, and the inner
 * nodes. Nodes are packed, see runs_priv.h. */
struct runs_group {
    struct {
        uint64_t free; /* bit p: page p is free */
        uint64_t sums;
    } leaf[RUNS_GROUP_WORDS];
    uint64_t inner[RUNS_GROUP_WORDS]; /* [1] of all, [2] and [3] of its halves, [4] to [7] */
};

struct runs_node {
    uint32_t prefix, suffix;     /* free pages from the first one on, and up to the last one */
    uint32_t best[RUNS_CLASSES]; /* the longest run from a multiple of 1, 16, 512 pages */
    uint32_t largest;            /* order + 1 of the largest aligned free block; 0: none */
};

/* The same in memory, from level 4 on: pairs of 32 bits, read and written as one. */
struct runs_above {
    uint64_t ends; /* prefix, suffix */
    uint64_t best; /* best[0], best[1] */
    uint64_t more; /* best[2], largest */
};

struct runs {
    struct runs_group *group;             /* borrowed; levels 0 .. 3 */
    struct runs_above *node[RUNS_LEVELS]; /* borrowed; from level 4 on */
    uint64_t pages;
    uint32_t levels;
    uint64_t last;  /* the page of the last change */
    uint64_t stale; /* bit l: the node of level l that has that page is to be recomputed */
    uint64_t steps; /* nodes recomputed or looked at since the start */
};

/* Bytes of memory for pages 0 .. pages - 1, a multiple of 8; pages 1 .. RUNS_PAGES_MAX. */
uint64_t runs_bytes(uint64_t pages);
/* No page is free. memory: runs_bytes(pages), 8-byte aligned. */
void runs_init(struct runs *r, uint64_t pages, void *memory);

/* The block of 2^order pages at page, a multiple of that, is free now, or is not any more. within:
 * the order of the block that it was told of as a part of, or its own order. */
void runs_set_anywhere(struct runs *r, uint64_t page, uint32_t order, uint32_t within,
                       bool is_free);
static inline void runs_set_in_word(struct runs *r, uint64_t page, uint32_t order, bool is_free)
{
    uint64_t *word = &r->group[page >> RUNS_GROUP_ORDER]
                          .leaf[page >> RUNS_LEAF_ORDER & (RUNS_GROUP_WORDS - 1)]
                          .free;
    const uint64_t pages = ((UINT64_C(1) << (1u << order)) - 1) << (page & 63);

    *word = is_free ? *word | pages : *word & ~pages;
    r->last = page;
    r->stale |= 1;
}
static inline void runs_set(struct runs *r, uint64_t page, uint32_t order, uint32_t within,
                            bool is_free)
{
    if (order < RUNS_LEAF_ORDER && within <= RUNS_LEAF_ORDER &&
        (r->last ^ page) >> RUNS_LEAF_ORDER == 0) { /* in the word of the last change */
        runs_set_in_word(r, page, order, is_free);
    } else {
        runs_set_anywhere(r, page, order, within, is_free);
    }
}

/* Says that runs_set() is about to come for this page: hides the latency of memory. */
static inline void runs_prefetch(const struct runs *r, uint64_t page)
{
    const struct runs_group *group = &r->group[page >> RUNS_GROUP_ORDER];

    __builtin_prefetch(&group->leaf[page >> RUNS_LEAF_ORDER & (RUNS_GROUP_WORDS - 1)], 1);
    __builtin_prefetch(&group->inner, 1);
}

struct runs_query {
    uint64_t pages;       /* at least 1 */
    uint32_t align_order; /* at a multiple of 2^align_order pages, 0 .. 33 */
    uint64_t min, max;    /* within pages [min, max), inside of the tree */
    bool lowest;          /* the lowest place, else the highest */
};
/* Complete, that is, false only if there is no such run, for multiples of 1, 16 and 512 pages, and
 * for pages == 2^align_order. For other alignments it finds one wherever a run has 2^align_order -
 * 1 pages more, or an aligned block of the next power of two is free; it may miss one that has
 * less. */
bool runs_find(struct runs *r, const struct runs_query *q, uint64_t *place);
uint64_t runs_longest(struct runs *r); /* pages */

/* For tests: the tree agrees with itself; it says of this page that it is free. Slow. */
bool runs_check(struct runs *r);
bool runs_has(const struct runs *r, uint64_t page);
