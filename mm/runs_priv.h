/* SPDX-License-Identifier: MIT */
/* What the two files of the tree of runs share. Nobody else includes this. */
#pragma once

#include "mm/runs.h"

#define RUNS_LEAF_PAGES (1u << RUNS_LEAF_ORDER)

/* A level's nodes have 2^height pages. */
static inline uint32_t runs_height(uint32_t level) { return RUNS_LEAF_ORDER + level; }
static inline uint64_t runs_size(uint32_t level) { return UINT64_C(1) << runs_height(level); }

/* Orders of alignment for which the longest run is known. */
#define RUNS_ORDER_16  4u
#define RUNS_ORDER_512 RUNS_GROUP_ORDER
static const uint32_t runs_class_order[RUNS_CLASSES] = {0, RUNS_ORDER_16, RUNS_ORDER_512};

/* A node of up to 512 pages in one word: fields of 12 bits, from the lowest; the third class is its
 * prefix, or nothing. */
#define RUNS_FIELD_BITS  12u
#define RUNS_FIELD_MASK  ((1u << RUNS_FIELD_BITS) - 1)
#define RUNS_GROUP_LEVEL (RUNS_GROUP_ORDER - RUNS_LEAF_ORDER)
enum { RUNS_PREFIX, RUNS_SUFFIX, RUNS_BEST, RUNS_BEST_16, RUNS_LARGEST };

static inline uint32_t runs_field(uint64_t sums, uint32_t i)
{
    return (uint32_t)(sums >> i * RUNS_FIELD_BITS) & RUNS_FIELD_MASK;
}

static inline uint64_t *runs_word(const struct runs *r, uint64_t i)
{
    return &r->group[i / RUNS_GROUP_WORDS].leaf[i % RUNS_GROUP_WORDS].free;
}

/* The packed node i of a level up to RUNS_GROUP_LEVEL. */
static inline uint64_t *runs_packed(const struct runs *r, uint32_t level, uint64_t i)
{
    const uint32_t shift = RUNS_GROUP_LEVEL - level;
    const uint64_t in_group = UINT64_C(1) << shift;

    return level == 0 ? &r->group[i >> shift].leaf[i & (in_group - 1)].sums
                      : &r->group[i >> shift].inner[in_group + (i & (in_group - 1))];
}

static inline struct runs_node runs_unpack(uint64_t sums, uint32_t level)
{
    uint32_t prefix = runs_field(sums, RUNS_PREFIX);

    return (struct runs_node){.prefix = prefix,
                              .suffix = runs_field(sums, RUNS_SUFFIX),
                              .best = {runs_field(sums, RUNS_BEST), runs_field(sums, RUNS_BEST_16),
                                       level == RUNS_GROUP_LEVEL ? prefix : 0},
                              .largest = runs_field(sums, RUNS_LARGEST)};
}

static inline uint64_t runs_pair(uint64_t low, uint64_t high) { return low | high << 32; }

static inline struct runs_node runs_unpack_above(const struct runs_above *n)
{
    return (struct runs_node){
        .prefix = (uint32_t)n->ends,
        .suffix = (uint32_t)(n->ends >> 32),
        .best = {(uint32_t)n->best, (uint32_t)(n->best >> 32), (uint32_t)n->more},
        .largest = (uint32_t)(n->more >> 32)};
}

static inline struct runs_node runs_get(const struct runs *r, uint32_t level, uint64_t i)
{
    return level > RUNS_GROUP_LEVEL ? runs_unpack_above(&r->node[level][i])
                                    : runs_unpack(*runs_packed(r, level, i), level);
}

static inline bool runs_full(const struct runs_node *n, uint32_t level)
{
    return n->prefix == runs_size(level);
}
static inline bool runs_empty(const struct runs_node *n) { return n->largest == 0; }

/* Recomputes whatever is stale. */
void runs_bring_up_to_date(struct runs *r);
