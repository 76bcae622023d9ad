/* SPDX-License-Identifier: MIT */
/*
 * A stretch of addresses, offsets or page numbers: [base, base + size). Base and size, not first
 * and last, because that is what allocators, DMA and firmware's tables carry, and because an empty
 * range is nothing special then. A range may reach to 2^64: nothing here but range_end() counts to
 * there, so compare with these functions, not with sums. Where base and size are input,
 * range_valid() comes first: the others mean nothing for a range that wraps.
 */
#pragma once

#include "arch/base.h"

struct range {
    uint64_t base, size;
};

static inline bool range_valid(struct range r)
{
    return r.size == 0 || r.size - 1 <= UINT64_MAX - r.base;
}

/* One behind the last; 0 for a range that reaches to 2^64. */
static inline uint64_t range_end(struct range r) { return r.base + r.size; }

/* The last one; the range is not empty. */
static inline uint64_t range_last(struct range r) { return r.base + (r.size - 1); }

static inline bool range_contains(struct range r, uint64_t at) { return at - r.base < r.size; }

/* How much of it lies from `at` on; 0 when `at` is outside. */
static inline uint64_t range_left(struct range r, uint64_t at)
{
    return range_contains(r, at) ? r.size - (at - r.base) : 0;
}

/* They share something: not so when one of them is empty. */
static inline bool range_overlaps(struct range a, struct range b)
{
    return a.size != 0 && b.size != 0 && (range_contains(a, b.base) || range_contains(b, a.base));
}

/* Every part of `inner` lies in `outer`. An empty one lies in it from its base to its end. */
static inline bool range_covers(struct range outer, struct range inner)
{
    return range_ok(inner.base - outer.base, inner.size, outer.size);
}
