/* SPDX-License-Identifier: MIT */
/*
 * Who has which addresses of a GPU address space: ranges allocated by size and alignment, or
 * reserved where the caller says. The nodes lie in the caller's structs: nothing is allocated here,
 * and freeing cannot fail.
 *
 * A balanced tree of the taken ranges, by address; each node knows the gap before it, and for its
 * subtree the largest room in any gap from a multiple of 4K, 64K, 2M and 512M on. Gaps are
 * what lies between neighbours, so they are joined by themselves.
 *
 * Not one request fails that could be served: the subtree figures are necessary conditions, and a
 * gap that meets them is tried with the exact rule. For an alignment of 4K, 64K, 2M or 512M
 * without a guard they are sufficient as well: O(log n), whatever the tree holds. For other
 * alignments, and with a guard, gaps that are large enough but lie badly are looked at one by one:
 * at worst all of them.
 *
 * The same requests in the same order give the same addresses. The caller serialises; nothing
 * yields.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/range.h"
#include "mm/tree.h"

#define GPU_VA_GRAIN     KIB(4) /* everything is a multiple of it */
#define GPU_VA_ALIGN_MAX MIB(512)
#define GPU_VA_CLASSES   4u /* 4K, 64K, 2M, 512M */

struct gpu_va_space;

/* One taken range; zeroed before the first use, its owner's afterwards. */
struct gpu_va_node {
    struct tree_node node;
    struct gpu_va_space *space; /* that it is in; NULL: free */
    uint64_t va, len;           /* what was asked for */
    uint64_t guard;             /* bytes on either side that are nobody's */
    uint64_t gap;               /* free bytes before it (before the guard) */
    uint64_t best[GPU_VA_CLASSES];
};

struct gpu_va_space {
    struct tree tree;
    struct range all;
    struct gpu_va_node tail; /* of no length, at the end: has the last gap */
    uint64_t free_bytes;
};

struct gpu_va_request {
    uint64_t len;
    uint64_t align;  /* a power of two up to GPU_VA_ALIGN_MAX; 0: GPU_VA_GRAIN */
    uint64_t prefer; /* alignment to try first where len is at least that (large pages); 0: none */
    uint64_t guard;  /* unmapped bytes wanted on both sides */
    uint64_t min, max; /* the range itself within [min, max); max 0: no limit */
    bool top_down;     /* the highest address that fits; else the lowest */
};

/* All of [all.base, all.base + all.size) is free. FL_EINVAL: not in grains, empty, or beyond 2^63.
 */
FL_MUST_CHECK enum fl_err gpu_va_init(struct gpu_va_space *s, struct range all);

/* Takes a range for n. FL_EINVAL: senseless; FL_EBUSY: n is in use; FL_ENOSPC: nothing fits.
 * Nothing has changed then. */
FL_MUST_CHECK enum fl_err gpu_va_alloc(struct gpu_va_space *s, const struct gpu_va_request *want,
                                       struct gpu_va_node *n);
/* Takes exactly [va, va + len). FL_EINVAL; FL_EBUSY: some of it is taken or a guard, or n is in
 * use; nothing has changed then. O(log n). */
FL_MUST_CHECK enum fl_err gpu_va_reserve(struct gpu_va_space *s, uint64_t va, uint64_t len,
                                         struct gpu_va_node *n);
/* FL_EINVAL: n is not in s. O(log n). */
FL_MUST_CHECK enum fl_err gpu_va_free(struct gpu_va_space *s, struct gpu_va_node *n);

/* The taken range that has va in it (guards do not count); NULL. O(log n). */
struct gpu_va_node *gpu_va_find(const struct gpu_va_space *s, uint64_t va);
/* The first taken range, and the one after n, by address; NULL at the end. */
struct gpu_va_node *gpu_va_first(const struct gpu_va_space *s);
struct gpu_va_node *gpu_va_next(const struct gpu_va_node *n);

uint64_t gpu_va_largest_gap(const struct gpu_va_space *s);
static inline uint64_t gpu_va_count(const struct gpu_va_space *s) { return s->tree.count - 1; }

/* Everything agrees with everything; for tests. O(n). */
bool gpu_va_check(const struct gpu_va_space *s);
