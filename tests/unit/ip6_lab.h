/* SPDX-License-Identifier: MIT */
/*
 * IPv6 on the wire (wire.h): frames and their sums, made byte by byte (RFC 8200, 4443, 4861), and
 * what the stack sends, counted. For one program each.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "lwip/nd6.h"
#include "lwip/netif.h"
#include "lwip/stats.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"
#include "net/nic/nic.h"
#include "net/stack/ipv6.h"
#include "net/stack/stack.h"
#include "tests/unit/wire.h"

enum { ETH = 14, IP6 = 40, L4 = ETH + IP6, TCP = 6, UDP = 17, ICMP6 = 58, HOP_BY_HOP = 0 };
enum {
    ECHO = 128,
    PONG = 129,
    MLD_QUERY = 130,
    MLD_REPORT = 131,
    RS = 133,
    RA = 134,
    NS = 135,
    NA = 136
};
enum { HOPS = 255, MLD_HOPS = 1 };

typedef uint8_t addr[16];

/* Ours: fe80:: and the MAC address of the wire's card, 52:54:00:12:34:56 (EUI-64). */
static const addr ours = {0xfe, 0x80, [8] = 0x50, 0x54, 0, 0xff, 0xfe, 0x12, 0x34, 0x56};
static const addr ours_solicited = {0xff, 2, [11] = 1, 0xff, 0x12, 0x34, 0x56};
static const addr router = {0xfe, 0x80, [15] = 1};
static const addr neighbour = {0xfe, 0x80, [14] = 1, 2};
static const addr all_nodes = {0xff, 2, [15] = 1};
static const addr nobody;
static const uint8_t router_mac[6] = {0x52, 0x55, 0, 0, 0, 1};
static const uint8_t mac[6] = {0x52, 0x55, 0, 0, 1, 2};
static const uint8_t solicited_flag = 0x40;

/* What the stack sent since reset(). */
static struct {
    unsigned pongs, ns, na, rs, reports, syn_acks, udp;
    uint8_t last[NIC_FRAME_MAX];
    size_t len;
    uint8_t udp_to[6]; /* MAC address that the last UDP went to */
    bool answer;       /* solicitations are answered by mac */
} seen;

static inline void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline uint32_t add(uint32_t s, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    }
    return s;
}

/* The sum over pseudo header and payload, RFC 8200 8.1. */
static inline uint16_t sum(const uint8_t *frame, uint8_t next, size_t len)
{
    uint32_t s = add(next + (uint32_t)len, frame + ETH + 8, 32);
    s = add(s, frame + L4, len);
    while (s >> 16 != 0) {
        s = (s & 0xffff) + (s >> 16);
    }
    return (uint16_t)~s;
}

/* A packet of len bytes in a frame from that MAC address; returns the frame's length. */
static inline size_t make(uint8_t *frame, const uint8_t from_mac[6], const addr from, const addr to,
                          uint8_t next, uint8_t hops, const void *data, size_t len)
{
    static const uint8_t our_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    memset(frame, 0, L4);
    memcpy(frame, our_mac, 6);
    memcpy(frame + 6, from_mac, 6);
    put16(frame + 12, 0x86dd);
    frame[ETH] = 0x60;
    put16(frame + ETH + 4, (uint32_t)len);
    frame[ETH + 6] = next;
    frame[ETH + 7] = hops;
    memcpy(frame + ETH + 8, from, 16);
    memcpy(frame + ETH + 24, to, 16);
    if (len > 0) {
        memmove(frame + L4, data, len);
    }
    const size_t at = next == TCP ? 16 : next == UDP ? 6 : 2;
    if ((next == TCP || next == UDP || next == ICMP6) && len >= at + 2) {
        put16(frame + L4 + at, 0);
        put16(frame + L4 + at, sum(frame, next, len));
    }
    return L4 + len;
}

static inline void send(const uint8_t from_mac[6], const addr from, const addr to, uint8_t next,
                        uint8_t hops, const void *data, size_t len)
{
    uint8_t frame[NIC_FRAME_MAX];
    wire_receive(frame, make(frame, from_mac, from, to, next, hops, data, len));
}

/* A solicitation or advertisement with that target, and one option: a link-layer address. */
static inline size_t nd(uint8_t *msg, uint8_t type, uint8_t flags, const addr target,
                        uint8_t option, const uint8_t lladdr[6])
{
    memset(msg, 0, 32);
    msg[0] = type;
    msg[4] = flags;
    memcpy(msg + 8, target, 16);
    msg[24] = option;
    msg[25] = 1;
    memcpy(msg + 26, lladdr, 6);
    return 32;
}

static inline size_t advertisement(uint8_t *msg)
{
    static const uint8_t ra[] = {
        RA,   0,    0,    0,    64, 0, 0x07, 0x08, 0, 0, 0,    0,    0, 0, 0, 0, /* a default router
                                                                                    for 1800 s */
        3,    4,    64,   0xc0, 0,  0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0, /* a prefix */
        0x20, 1,    0x0d, 0xb8, 0,  1, 0,    0,    0, 0, 0,    0,    0, 0, 0, 0, 1,
        1,    0x52, 0x55, 0,    0,  0, 1}; /* its MAC address */
    memcpy(msg, ra, sizeof(ra));
    return sizeof(ra);
}

static inline void ping(const addr from, const uint8_t from_mac[6])
{
    static const uint8_t echo[16] = {ECHO, 0, 0, 0, 0, 1, 0, 2, 'f', 'i', 'r', 's', 't'};
    send(from_mac, from, ours, ICMP6, 64, echo, sizeof(echo));
}

static inline void on_ip6(const uint8_t *frame, size_t len)
{
    const size_t n = (size_t)(frame[ETH + 4] << 8 | frame[ETH + 5]);
    uint8_t next = frame[ETH + 6];
    const uint8_t *l4 = frame + L4;
    assert_in_range(n, 0, len - L4);
    memcpy(seen.last, frame, len);
    seen.len = len;
    if (next == HOP_BY_HOP) {
        seen.reports += l4[0] == ICMP6 && l4[8] == MLD_REPORT;
        return;
    }
    if (next != UDP) {
        assert_int_equal(sum(frame, next, n), 0);
    }
    if (next == TCP) {
        seen.syn_acks += l4[13] == (WIRE_SYN | WIRE_ACK);
    } else if (next == UDP) {
        seen.udp++;
        memcpy(seen.udp_to, frame, 6);
    } else if (l4[0] == NS) {
        seen.ns++;
        if (seen.answer && memcmp(frame + ETH + 8, nobody, 16) != 0) {
            uint8_t msg[32];
            addr target;
            memcpy(target, l4 + 8, 16);
            send(mac, target, ours, ICMP6, HOPS, msg,
                 nd(msg, NA, solicited_flag | 0x20, target, 2, mac));
        }
    } else {
        seen.pongs += l4[0] == PONG;
        seen.na += l4[0] == NA;
        seen.rs += l4[0] == RS;
    }
}

static inline struct stack_stats stats(void)
{
    struct stack_stats s;
    stack_get_stats(&s);
    return s;
}

static inline int reset(void **state)
{
    (void)state;
    wire_reset();
    memset(&seen, 0, sizeof(seen));
    seen.answer = true;
    return 0;
}

static inline void expect_well(void)
{
    const unsigned before = seen.pongs;
    ping(neighbour, mac);
    assert_int_equal(seen.pongs, before + 1);
    assert_int_equal(lwip_stats.memp[MEMP_PBUF_POOL]->used, 0);
}

static inline int ip6_setup(void **state)
{
    (void)state;
    wire_start();
    wire_on_ip6 = on_ip6;
    return 0;
}
