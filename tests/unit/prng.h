/* SPDX-License-Identifier: MIT */
/* Numbers that look random and are the same in every run (a linear congruential generator with
 * Knuth's MMIX constants). */
#pragma once

#include <stdint.h>

static uint64_t prng_state;

static inline void prng_seed(uint64_t seed) { prng_state = seed; }

static inline uint32_t prng_below(uint32_t bound)
{
    prng_state = prng_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((prng_state >> 33) % bound);
}
