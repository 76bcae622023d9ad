/* SPDX-License-Identifier: MIT */
/*
 * A set of small integers with "the largest member up to n" and "the smallest member from n" in a
 * few word operations: a bitmap, with a bitmap over its words that are not empty, and so on
 * (a 64-ary tree without pointers). 2^30 members need five levels. Memory comes from the caller.
 *
 * The largest member is kept apart, in no bitmap: a set of one member, or one that is emptied from
 * the top, touches no memory but this struct.
 */
#pragma once

#include "arch/base.h"

#define BITSET_LEVELS 6u
#define BITSET_NONE   UINT64_MAX

struct bitset {
    uint64_t end;                   /* the largest member + 1; 0: the set is empty */
    uint64_t *level[BITSET_LEVELS]; /* borrowed; [0] has one bit per member but the largest */
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
/* Takes the largest member out. */
void bitset_remove_last(struct bitset *s);
/* The searches, in the bitmaps alone. */
uint64_t bitset_find_down(const struct bitset *s, uint64_t i);
uint64_t bitset_find_up(const struct bitset *s, uint64_t i);

static inline bool bitset_empty(const struct bitset *s) { return s->end == 0; }
static inline bool bitset_has(const struct bitset *s, uint64_t i) /* false outside of the range */
{
    return i < s->end && (i + 1 == s->end || (s->level[0][i / 64] >> i % 64 & 1) != 0);
}
static inline void bitset_add(struct bitset *s, uint64_t i)
{
    if (i + 1 >= s->end) {
        const uint64_t before = s->end;
        s->end = i + 1;
        if (before == 0 || before == i + 1) {
            return;
        }
        i = before - 1; /* the largest up to now */
    }
    uint64_t *word = &s->level[0][i / 64];
    const uint64_t before = *word;
    *word = before | UINT64_C(1) << i % 64;
    if (before == 0) {
        bitset_add_word(s, i / 64);
    }
}
static inline void bitset_remove_bit(struct bitset *s, uint64_t i) /* not of the largest */
{
    uint64_t *word = &s->level[0][i / 64];

    *word &= ~(UINT64_C(1) << i % 64);
    if (*word == 0) {
        bitset_remove_word(s, i / 64);
    }
}
static inline void bitset_remove(struct bitset *s, uint64_t i)
{
    if (i + 1 == s->end) {
        bitset_remove_last(s);
    } else {
        bitset_remove_bit(s, i);
    }
}
/* The largest member <= i, the smallest >= i; BITSET_NONE when there is none. i may lie outside. */
static inline uint64_t bitset_last_to(const struct bitset *s, uint64_t i)
{
    const uint64_t last = s->end - 1; /* BITSET_NONE if the set is empty */

    return i >= last || s->end == 0 ? last : bitset_find_down(s, i);
}
static inline uint64_t bitset_first_from(const struct bitset *s, uint64_t i)
{
    return i >= s->end ? BITSET_NONE : bitset_find_up(s, i);
}
