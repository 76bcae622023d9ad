/* SPDX-License-Identifier: MIT */
/*
 * Monotonic time since the start of the program (host) or the hand-off by the firmware (machine).
 * On the host time is virtual unless host_clock_use_real() was called (arch/host/host.h).
 */
#pragma once

#include "arch/base.h"

uint64_t clock_now_ns(void);
static inline uint64_t clock_now_us(void) { return clock_now_ns() / NS_PER_US; }

/* Seconds since 1970 UTC at clock 0, 0 when unknown. */
uint64_t clock_boot_unix_s(void);

/* A point in time after which a wait ends. Remembers its start, so that an error can say how long.
 */
struct deadline {
    uint64_t start_us;
    uint64_t at_us;
};
#define DEADLINE_NEVER UINT64_MAX

static inline struct deadline deadline_in_us(uint64_t us)
{
    uint64_t now = clock_now_us();
    return (struct deadline){.start_us = now,
                             .at_us = us > UINT64_MAX - now ? UINT64_MAX : now + us};
}
static inline struct deadline deadline_never(void)
{
    return (struct deadline){.start_us = clock_now_us(), .at_us = DEADLINE_NEVER};
}
static inline bool deadline_passed(struct deadline d) { return clock_now_us() >= d.at_us; }
static inline uint64_t deadline_waited_us(struct deadline d) { return clock_now_us() - d.start_us; }

/* Busy-waits without yielding; for pulses of a few microseconds only (max 100). */
void clock_spin_us(uint32_t us);
