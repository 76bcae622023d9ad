/* SPDX-License-Identifier: MIT */
/*
 * The random pool: a key of 256 bits into which everything unpredictable is hashed, and from which
 * bytes are drawn. No source has to be trusted alone: the output can be guessed only by somebody
 * who knows all of them.
 *
 *   add:   key = HMAC-SHA-256(key, tag | data)
 *   draw:  block i = HMAC-SHA-256(key, 'o' | i), then key = HMAC-SHA-256(key, 'n')
 *
 * The step after a draw is what keeps earlier output secret from a reader of the pool (D. J.
 * Bernstein, "Fast-key-erasure random-number generators", 2017). Pure but for its sources.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

#define RANDOM_KEY_BYTES 32u
#define RANDOM_FULL_BITS 256u /* credited before anything is drawn */

struct random_sources {
    /* A word from the CPU; false: none to be had now. */
    bool (*word)(uint64_t *out);
    /* The finest clock there is. Its jitter is mixed in and never credited. */
    uint64_t (*ticks)(void);
};

struct random_pool {
    const struct random_sources *from; /* borrowed */
    uint8_t key[RANDOM_KEY_BYTES];
    unsigned bits; /* credited, at most RANDOM_FULL_BITS */
    uint64_t last; /* word of the CPU */
};

/* An empty pool that has looked at its sources. */
void random_init(struct random_pool *p, const struct random_sources *from);
/* Mixes in a seed that the firmware gave; eight bits are credited for each byte, none when all
 * bytes are the same. Any n. */
void random_add_seed(struct random_pool *p, const void *seed, size_t n);
/* n random bytes. FL_ENOTSUP, and out all zeros, while less than RANDOM_FULL_BITS were credited. */
FL_MUST_CHECK enum fl_err random_draw(struct random_pool *p, void *out, size_t n);
