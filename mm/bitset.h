/* SPDX-License-Identifier: MIT */
/*
 * A set of small integers with "the largest member up to n" and "the smallest member from n" in a
 * few word operations: a bitmap, with a bitmap over its words that are not empty, and so on
 * (a 64-ary tree without pointers). 2^30 members need five levels. Memory comes from the caller.
 */
#pragma once

#include "arch/base.h"

#define BITSET_LEVELS 6u
#define BITSET_NONE   UINT64_MAX

struct bitset {
    uint64_t *level[BITSET_LEVELS]; /* borrowed; [0] has one bit per member */
    uint64_t bits;                  /* members are 0 .. bits - 1 */
    uint32_t levels;
};

/* Words of memory for a set over 0 .. bits - 1, bits <= 2^36. */
uint64_t bitset_words(uint64_t bits);
/* Empties the set; words has room for bitset_words(bits). */
void bitset_init(struct bitset *s, uint64_t bits, uint64_t *words);

/* Says that i is about to be looked up or changed. */
static inline void bitset_prefetch(const struct bitset *s, uint64_t i)
{
    __builtin_prefetch(&s->level[0][i / 64], 1);
}

/* The levels above, when a word becomes not empty or empty. */
void bitset_add_word(struct bitset *s, uint64_t word);
void bitset_remove_word(struct bitset *s, uint64_t word);

static inline bool bitset_has(const struct bitset *s, uint64_t i) /* false outside of the range */
{
    return i < s->bits && (s->level[0][i / 64] >> i % 64 & 1) != 0;
}
static inline void bitset_add(struct bitset *s, uint64_t i)
{
    uint64_t before = s->level[0][i / 64];

    s->level[0][i / 64] = before | UINT64_C(1) << i % 64;
    if (before == 0) {
        bitset_add_word(s, i / 64);
    }
}
static inline void bitset_remove(struct bitset *s, uint64_t i)
{
    s->level[0][i / 64] &= ~(UINT64_C(1) << i % 64);
    if (s->level[0][i / 64] == 0) {
        bitset_remove_word(s, i / 64);
    }
}
/* The largest member <= i, the smallest >= i; BITSET_NONE when there is none. i may lie outside. */
uint64_t bitset_last_to(const struct bitset *s, uint64_t i);
uint64_t bitset_first_from(const struct bitset *s, uint64_t i);
