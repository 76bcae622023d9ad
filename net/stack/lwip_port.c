/* SPDX-License-Identifier: MIT */
/*
 * What lwIP asks of its platform: time, randomness, checksums, and initial sequence numbers (RFC
 * 6528, with SHA-256 of a secret and the connection as its F()).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/sha256.h>

#include "arch/clock.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "lwip/opt.h"
#include "lwip/sys.h"

#include "hooks.h"

#define ISN_TICK_US 4 /* RFC 6528: the clock of sequence numbers */

static struct {
    bool keyed;
    uint8_t secret[32];
    bool no_random; /* said once */
    uint64_t weak;  /* state of the substitute generator */
} state;

/* lwIP's prototype is in lwip/sys.h. Wraps after 49 days, which lwIP expects. */
u32_t sys_now(void) { return (u32_t)(clock_now_us() / US_PER_MS); }

void sys_init(void) {}

/* splitmix64 (Vigna): spreads the clock's bits; only where the machine has no random source. */
static uint64_t weak_random(void)
{
    state.weak += 0x9e3779b97f4a7c15ull ^ clock_now_ns();
    uint64_t z = state.weak;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static void random_bytes(void *buf, size_t n)
{
    if (machine_random(buf, n) == FL_OK) {
        return;
    }
    if (!state.no_random) {
        state.no_random = true;
        log_warn("net", "the CPU has no random source: TCP sequence numbers can be guessed");
    }
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)buf)[i] = (uint8_t)(weak_random() >> 24);
    }
}

/* A draw costs the same for a word and for a block of them; each is forgotten when it is given. */
uint32_t net_rand32(void)
{
    static uint32_t drawn[16];
    static size_t left;
    if (left == 0) {
        random_bytes(drawn, sizeof(drawn));
        left = ARRAY_SIZE(drawn);
    }
    const uint32_t v = drawn[--left];
    drawn[left] = 0;
    return v;
}

/* --- initial sequence numbers ----------------------------------------------------------------- */

#define ADDRESS_MAX 16 /* bytes, of IPv6 */

static uint8_t *put_address(uint8_t *at, const ip_addr_t *ip)
{
    const size_t n = IP_IS_V6(ip) ? ADDRESS_MAX : sizeof(ip4_addr_t);
    memcpy(at, IP_IS_V6(ip) ? (const void *)ip_2_ip6(ip)->addr : &ip_2_ip4(ip)->addr, n);
    return at + n;
}

u32_t net_tcp_isn(const ip_addr_t *local_ip, u16_t local_port, const ip_addr_t *remote_ip,
                  u16_t remote_port)
{
    if (!state.keyed) {
        random_bytes(state.secret, sizeof(state.secret));
        state.keyed = true;
    }
    /* Of one length for each family, at most two blocks of SHA-256, of which 32 bits are shown. */
    uint8_t in[sizeof(state.secret) + 2 * ADDRESS_MAX + 4], hash[32];
    uint8_t *at = in + sizeof(state.secret);
    memcpy(in, state.secret, sizeof(state.secret));
    at = put_address(put_address(at, local_ip), remote_ip);
    put_le16(at, local_port);
    put_le16(at + 2, remote_port);
    (void)mbedtls_sha256(in, (size_t)(at + 4 - in), hash, 0); /* it fails for no input */
    return (u32_t)(clock_now_us() / ISN_TICK_US) + get_le32(hash);
}

/* --- checksum --------------------------------------------------------------------------------- */

/* Eight bytes at an offset, which go to the same one of "to" as well when they are copied. */
static inline __attribute__((always_inline)) uint64_t take64(const uint8_t *p, uint8_t *to,
                                                             size_t at, bool copied)
{
    uint64_t v;
    memcpy(&v, p + at, sizeof(v));
    if (copied) {
        memcpy(to + at, &v, sizeof(v));
    }
    return v;
}

/* Adds with end-around carry: the ones' complement sum of RFC 1071 in 64 bits. */
static inline __attribute__((always_inline)) uint64_t add_carry(uint64_t a, uint64_t b)
{
    uint64_t sum;
    const bool carry = __builtin_add_overflow(a, b, &sum);
    return sum + carry;
}

/* The sum of n bytes, which go to "to" as well when they are copied: two functions for speed. */
static inline __attribute__((always_inline)) uint16_t sum_of(const uint8_t *p, uint8_t *to,
                                                             size_t n, bool copied)
{
    size_t at = 0;
    uint64_t a = 0;
    uint64_t b = 0;

    for (; n - at >= 32; at += 32) { /* two sums: the carries do not wait for each other */
        a = add_carry(a, take64(p, to, at, copied));
        b = add_carry(b, take64(p, to, at + 8, copied));
        a = add_carry(a, take64(p, to, at + 16, copied));
        b = add_carry(b, take64(p, to, at + 24, copied));
    }
    for (; n - at >= 8; at += 8) {
        a = add_carry(a, take64(p, to, at, copied));
    }
    uint64_t tail = 0;
    memcpy(&tail, p + at, n - at);
    if (copied) {
        memcpy(to + at, p + at, n - at);
    }
    a = add_carry(add_carry(a, b), tail);
    a = (a >> 32) + (a & 0xffffffffu);
    a = (a >> 32) + (a & 0xffffffffu);
    a = (a >> 16) + (a & 0xffffu);
    a = (a >> 16) + (a & 0xffffu);
    return (uint16_t)a;
}

uint16_t net_chksum(const void *data, int len)
{
    return sum_of(data, NULL, len > 0 ? (size_t)len : 0, false);
}

uint16_t net_chksum_copy(void *to, const void *data, uint16_t len)
{
    return sum_of(data, to, len, true);
}

/* --- words ------------------------------------------------------------------------------------ */

void net_lwip_diag(const char *fmt, ...)
{
    char text[LOG_LINE_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    log_debug("lwip", "%s", text);
}
