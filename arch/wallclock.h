/* SPDX-License-Identifier: MIT */
/*
 * The time of day: what the machine's own clock said at the start (clock_boot_unix_s()), until
 * somebody who knows better sets it. The monotonic clock (arch/clock.h) is not touched by that:
 * deadlines and the log's stamps go on as they were. Fibers only.
 */
#pragma once

#include "arch/base.h"

/* Microseconds since 1970 UTC now, 0 when unknown. */
uint64_t wallclock_now_us(void);
/* The same for a point of the monotonic clock, in us. */
uint64_t wallclock_at_us(uint64_t clock_us);
/* It is that now. */
void wallclock_set_us(uint64_t unix_us);

/* "2026-11-30T12:00:00.123456Z" (RFC 3339) of microseconds since 1970, up to the year 9999. */
#define WALLCLOCK_TEXT 28
void wallclock_text(uint64_t unix_us, char out[WALLCLOCK_TEXT]);
