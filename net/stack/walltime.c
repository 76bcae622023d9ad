/* SPDX-License-Identifier: MIT */
/* The time of day by SNTP (walltime.h). */
#include "net/stack/walltime.h"

#include <string.h>

#include "lwip/apps/sntp.h"

#include "arch/clock.h"
#include "arch/log.h"
#include "arch/wallclock.h"

/* RFC 4330, 3 and 4: an NTP era begins on 2036-02-07, of which lwIP counts; fields of a message. */
#define UNIX_TO_2036_S  2085978496ll
#define NTP_BYTES       48u
#define NTP_TRANSMIT    40u
#define NTP_LI_SHIFT    6
#define NTP_LI_UNKNOWN  3u /* the server's clock is not synchronised */
#define NTP_STRATUM     1u
#define NTP_STRATUM_MAX 15u    /* 0 is a "kiss of death", 16 and more are reserved */
#define FRACTION_RANDOM 0xfffu /* less than a microsecond: the stamp cannot be guessed */

/* Times that cannot be: before this was written, and after it will be used. */
#define EARLIEST_UNIX_S 1767225600ll /* 2026-01-01 */
#define LATEST_UNIX_S   4102444800ll /* 2100-01-01 */

static struct {
    const struct net_config *cfg;
    struct net_time_status status;
    struct log_limit log;
} state;

void net_ntp_now(int32_t *sec, uint32_t *frac)
{
    const uint64_t us = wallclock_now_us();
    *sec = (int32_t)((int64_t)(us / US_PER_S) - UNIX_TO_2036_S);
    *frac = (uint32_t)(((us % US_PER_S) << 32) / US_PER_S) | (net_rand32() & FRACTION_RANDOM);
}

static void take(int64_t unix_s, uint32_t us)
{
    const uint64_t to_us = (uint64_t)unix_s * US_PER_S + us;
    const uint64_t was_us = wallclock_now_us();
    char text[WALLCLOCK_TEXT];
    wallclock_set_us(to_us);
    state.status.offset_us = was_us != 0 ? (int64_t)(to_us - was_us) : 0;
    state.status.synced_us = clock_now_us();
    if (state.status.syncs++ == 0) {
        wallclock_text(to_us, text);
        log_info("net", "time %s by SNTP, %lld ms from the machine's clock", text,
                 (long long)(state.status.offset_us / (int64_t)US_PER_MS));
    }
}

void net_ntp_set(int32_t sec, uint32_t frac)
{
    const int64_t unix_s = (int64_t)sec + UNIX_TO_2036_S;
    if (unix_s < EARLIEST_UNIX_S || unix_s >= LATEST_UNIX_S) {
        state.status.refused++;
        log_limited(&state.log, LOG_WARN, "net",
                    "the time server says %lld s since 1970, which cannot be: not used",
                    (long long)unix_s);
        return;
    }
    take(unix_s, (uint32_t)((uint64_t)frac * US_PER_S >> 32));
}

bool walltime_may_pass(const uint8_t *ntp, size_t len)
{
    static const uint8_t none[8];
    const bool good = len >= NTP_BYTES && ntp[0] >> NTP_LI_SHIFT != NTP_LI_UNKNOWN &&
                      ntp[NTP_STRATUM] != 0 && ntp[NTP_STRATUM] <= NTP_STRATUM_MAX &&
                      memcmp(ntp + NTP_TRANSMIT, none, sizeof(none)) != 0;
    state.status.refused += !good;
    return good;
}

void walltime_init(const struct net_config *cfg)
{
    state.cfg = cfg;
    sntp_setoperatingmode(SNTP_OPMODE_POLL);
    sntp_servermode_dhcp(cfg->ntp == NET_NTP_DHCP);
    if (cfg->ntp == NET_NTP_SERVER) {
        ip_addr_t ip = IPADDR4_INIT(lwip_htonl(cfg->ntp_server));
        sntp_setserver(0, &ip);
    }
}

void walltime_start(void)
{
    if (state.cfg != NULL && state.cfg->ntp != NET_NTP_NO && !sntp_enabled() &&
        !ip_addr_isany(sntp_getserver(0))) {
        sntp_init();
    }
}

void walltime_status(struct net_time_status *out)
{
    *out = state.status;
    out->server = sntp_enabled() ? lwip_ntohl(ip4_addr_get_u32(ip_2_ip4(sntp_getserver(0)))) : 0;
}
