/* SPDX-License-Identifier: MIT */
/* How long something takes, counted into the buckets that Prometheus' histograms want. Pure. */
#pragma once

#include "arch/base.h"

/* Upper bounds, in microseconds; one more bucket is for what is slower than all of them. */
#define LATENCY_BOUNDS 10
static const uint32_t latency_bound_us[LATENCY_BOUNDS] = {500,   1000,  2500,   5000,   10000,
                                                          25000, 50000, 100000, 250000, 1000000};

struct latency {
    uint64_t bucket[LATENCY_BOUNDS + 1]; /* each alone, not cumulative */
    uint64_t sum_us;
};

static inline void latency_add(struct latency *l, uint64_t us)
{
    size_t i = 0;
    while (i < LATENCY_BOUNDS && us > latency_bound_us[i]) {
        i++;
    }
    l->bucket[i]++;
    l->sum_us += us;
}
