/* SPDX-License-Identifier: MIT */
/*
 * Log lines that a client can cause: so many per second and source, the rest is counted. The ring
 * of the log keeps the last lines only, and nobody outside may choose them.
 */
#pragma once

#include "arch/base.h"

#define NET_LOG_PER_S 20u

/* One per source; all zero to begin with. */
struct net_log_limit {
    uint64_t second; /* of the clock, that lines belongs to */
    uint32_t lines;
    uint64_t left_out;
};

/* True when a line may be written now: then *left_out is how many could not be since the last. */
bool net_log_allow(struct net_log_limit *l, uint64_t *left_out);
