/* SPDX-License-Identifier: MIT */
/* Bitmaps over bitmaps: see bitset.h. */
#include "mm/bitset.h"

#include <string.h>

#define WORD_BITS  64u
#define WORD_SHIFT 6u
#define WORD_MASK  (WORD_BITS - 1)

static uint64_t words_for(uint64_t bits) { return div_up_u64(bits, WORD_BITS); }

uint64_t bitset_words(uint64_t bits)
{
    uint64_t total = 0;
    uint64_t words = bits;

    do {
        words = words_for(words);
        total += words;
    } while (words > 1);
    return total;
}

void bitset_init(struct bitset *s, uint64_t bits, uint64_t *words)
{
    uint64_t n = bits;

    memset(words, 0, bitset_words(bits) * sizeof(*words));
    s->end = 0;
    s->bits = bits;
    s->levels = 0;
    do {
        n = words_for(n);
        s->level[s->levels++] = words;
        words += n;
    } while (n > 1 && s->levels < BITSET_LEVELS);
}

void bitset_add_word(struct bitset *s, uint64_t i)
{
    for (uint32_t k = 1; k < s->levels; k++) {
        uint64_t *word = &s->level[k][i >> WORD_SHIFT];
        uint64_t before = *word;
        *word = before | UINT64_C(1) << (i & WORD_MASK);
        if (before != 0) {
            return; /* the levels above know this word already */
        }
        i >>= WORD_SHIFT;
    }
}

void bitset_remove_word(struct bitset *s, uint64_t i)
{
    for (uint32_t k = 1; k < s->levels; k++) {
        uint64_t *word = &s->level[k][i >> WORD_SHIFT];
        *word &= ~(UINT64_C(1) << (i & WORD_MASK));
        if (*word != 0) {
            return;
        }
        i >>= WORD_SHIFT;
    }
}

void bitset_remove_last(struct bitset *s)
{
    uint64_t i = 0;

    if (s->level[s->levels - 1][0] == 0) {
        s->end = 0;
        return;
    }
    for (uint32_t k = s->levels; k-- > 0;) {
        i = i << WORD_SHIFT | (WORD_MASK - (uint64_t)__builtin_clzll(s->level[k][i]));
    }
    bitset_remove_bit(s, i);
    s->end = i + 1;
}

uint64_t bitset_find_down(const struct bitset *s, uint64_t i)
{
    uint32_t k = 0;

    /* Up, until a word has a bit at or below where we are ... */
    for (;;) {
        uint64_t word = s->level[k][i >> WORD_SHIFT] & UINT64_MAX >> (WORD_MASK - (i & WORD_MASK));
        if (word != 0) {
            i = (i & ~(uint64_t)WORD_MASK) | (WORD_MASK - (uint64_t)__builtin_clzll(word));
            break;
        }
        i >>= WORD_SHIFT;
        if (++k == s->levels || i == 0) {
            return BITSET_NONE;
        }
        i--;
    }
    /* ... and down again along the highest bits. */
    while (k > 0) {
        k--;
        i = i << WORD_SHIFT | (WORD_MASK - (uint64_t)__builtin_clzll(s->level[k][i]));
    }
    return i;
}

uint64_t bitset_find_up(const struct bitset *s, uint64_t i)
{
    uint64_t bits = s->bits;
    uint32_t k = 0;

    while (i < bits) {
        uint64_t word = s->level[k][i >> WORD_SHIFT] & UINT64_MAX << (i & WORD_MASK);
        if (word != 0) {
            i = (i & ~(uint64_t)WORD_MASK) | (uint64_t)__builtin_ctzll(word);
            while (k > 0) {
                k--;
                i = i << WORD_SHIFT | (uint64_t)__builtin_ctzll(s->level[k][i]);
            }
            return i;
        }
        if (++k == s->levels) {
            break;
        }
        i = (i >> WORD_SHIFT) + 1;
        bits = words_for(bits);
    }
    return s->end - 1; /* that one is in no bitmap */
}
