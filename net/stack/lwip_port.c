/* SPDX-License-Identifier: MIT */
/*
 * What lwIP asks of its platform: time, randomness, checksums, and initial sequence numbers (RFC
 * 6528, with SipHash-2-4 of Aumasson and Bernstein, 2012, as the keyed hash).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "lwip/opt.h"
#include "lwip/sys.h"

#include "hooks.h"

#define ISN_TICK_US 4 /* RFC 6528: the clock of sequence numbers */

static struct {
    bool keyed;
    uint64_t key[2];
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

uint32_t net_rand32(void)
{
    uint32_t v;
    random_bytes(&v, sizeof(v));
    return v;
}

/* --- initial sequence numbers ----------------------------------------------------------------- */

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t v, unsigned n) { return v << n | v >> (64 - n); }

static void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

/* SipHash-2-4 of whole 64-bit words. */
static uint64_t siphash(const uint64_t key[2], const uint64_t *words, size_t count)
{
    struct sip s = {key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull,
                    key[0] ^ 0x6c7967656e657261ull, key[1] ^ 0x7465646279746573ull};
    for (size_t i = 0; i <= count; i++) {
        uint64_t m = i < count ? words[i] : (uint64_t)count * 8 << 56;
        s.v3 ^= m;
        sip_round(&s);
        sip_round(&s);
        s.v0 ^= m;
    }
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(&s);
    }
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

u32_t net_tcp_isn(const ip_addr_t *local_ip, u16_t local_port, const ip_addr_t *remote_ip,
                  u16_t remote_port)
{
    if (!state.keyed) {
        random_bytes(state.key, sizeof(state.key));
        state.keyed = true;
    }
    const uint64_t words[2] = {
        (uint64_t)ip_addr_get_ip4_u32(local_ip) << 32 | ip_addr_get_ip4_u32(remote_ip),
        (uint64_t)local_port << 16 | remote_port,
    };
    return (u32_t)(clock_now_us() / ISN_TICK_US) + (u32_t)siphash(state.key, words, 2);
}

/* --- checksum --------------------------------------------------------------------------------- */

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* Adds with end-around carry: the ones' complement sum of RFC 1071 in 64 bits. */
static uint64_t add_carry(uint64_t a, uint64_t b)
{
    uint64_t sum = a + b;
    return sum + (sum < a);
}

uint16_t net_chksum(const void *data, int len)
{
    const uint8_t *p = data;
    size_t n = len > 0 ? (size_t)len : 0;
    uint64_t a = 0;
    uint64_t b = 0;

    for (; n >= 32; n -= 32, p += 32) { /* two sums: the carries do not wait for each other */
        a = add_carry(a, load64(p));
        b = add_carry(b, load64(p + 8));
        a = add_carry(a, load64(p + 16));
        b = add_carry(b, load64(p + 24));
    }
    for (; n >= 8; n -= 8, p += 8) {
        a = add_carry(a, load64(p));
    }
    uint64_t tail = 0;
    memcpy(&tail, p, n);
    a = add_carry(add_carry(a, b), tail);
    a = (a >> 32) + (a & 0xffffffffu);
    a = (a >> 32) + (a & 0xffffffffu);
    a = (a >> 16) + (a & 0xffffu);
    a = (a >> 16) + (a & 0xffffu);
    return (uint16_t)a;
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
