/* SPDX-License-Identifier: MIT */
/* The time of day (wallclock.h). The calendar: proleptic Gregorian, in eras of 400 years from March
 * on, so that leap days end a year. */
#include "arch/wallclock.h"

#include "arch/clock.h"
#include "arch/text.h"

#define DAY_S         86400u
#define DAYS_TO_1970  719468u /* from 0000-03-01 */
#define ERA_DAYS      146097u
#define TEXT_MAX_DAYS 2932896u /* 9999-12-31 */

static struct {
    bool set;
    uint64_t at_zero_us; /* the time of day when the monotonic clock was 0 */
} state;

uint64_t wallclock_at_us(uint64_t clock_us)
{
    const uint64_t zero_us = state.set ? state.at_zero_us : clock_boot_unix_s() * US_PER_S;
    return zero_us != 0 ? zero_us + clock_us : 0;
}

uint64_t wallclock_now_us(void) { return wallclock_at_us(clock_now_us()); }

void wallclock_set_us(uint64_t unix_us)
{
    const uint64_t now_us = clock_now_us();
    state.set = unix_us > now_us;
    state.at_zero_us = unix_us - now_us;
}

void wallclock_text(uint64_t unix_us, char out[WALLCLOCK_TEXT])
{
    uint64_t days = unix_us / US_PER_S / DAY_S;
    if (days > TEXT_MAX_DAYS) {
        days = TEXT_MAX_DAYS;
    }
    const unsigned second = (unsigned)(unix_us / US_PER_S % DAY_S);
    const unsigned day = (unsigned)days + DAYS_TO_1970;
    const unsigned of_era = day % ERA_DAYS;
    const unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    const unsigned month = (5 * of_year + 2) / 153; /* from March */
    struct text t = text_on(out, WALLCLOCK_TEXT);
    text_fmt(&t, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", day / ERA_DAYS * 400 + year + (month >= 10),
             month < 10 ? month + 3 : month - 9, of_year - (153 * month + 2) / 5 + 1, second / 3600,
             second / 60 % 60, second % 60, (unsigned)(unix_us % US_PER_S));
}
