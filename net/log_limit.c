/* SPDX-License-Identifier: MIT */
/* Counts lines by whole seconds of the clock. */
#include "net/log_limit.h"

#include "arch/clock.h"

bool net_log_allow(struct net_log_limit *l, uint64_t *left_out)
{
    uint64_t second = clock_now_us() / US_PER_S;

    if (second != l->second) {
        l->second = second;
        l->lines = 0;
    }
    if (l->lines == NET_LOG_PER_S) {
        l->left_out++;
        return false;
    }
    l->lines++;
    *left_out = l->left_out;
    l->left_out = 0;
    return true;
}
