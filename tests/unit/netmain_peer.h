/* SPDX-License-Identifier: MIT */
/*
 * A small network on the other end of a virtio card: it answers DHCP and ARP, counts echoes, and
 * downloads over TCP, with checksums of its own.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "tests/unit/fake_virtio.h"

#define OUR_IP         0x0a00020fu /* 10.0.2.15 */
#define TIME_IP        0x0a000204u /* 10.0.2.4: what DHCP says of a time server */
#define PEER_IP        0x0a000202u /* 10.0.2.2: router, DHCP server and client in one */
#define PORT           80u
#define EARLY_PORT     39000u /* and up: of connections asked for before the address is there */
#define DOWNLOAD_BYTES (400u * 1024u)
#define ETHERTYPE_TEST 0x88b5u /* IEEE 802: local experiments */

static struct {
    struct fake_virtio dev;
    struct pci pci;
    struct fl_fail fail;
    bool dhcp_mute;
    unsigned discovers, requests, pongs;
    unsigned times_asked;           /* SNTP, of the server that DHCP names */
    unsigned ip6_frames, early_ip6; /* IPv6; those before DHCP was through */
    unsigned early, early_answers;  /* to be asked for before the address; that stood after it */
    uint16_t first_early;           /* the port of the first of these */
    bool asked_name;                /* the request named its host */
    bool (*until)(void);
    uint64_t stop_us;
    enum fl_err up; /* what net_wait_up() said, and when */
    uint64_t up_us;
    /* our TCP client, which is simple: in order, no retransmission; it acknowledges every segment,
     * or keeps that for later */
    bool hold_acks, ack_due;
    enum { TCP_IDLE, TCP_SYN, TCP_UP, TCP_DONE } tcp;
    uint16_t port;
    uint32_t snd, rcv, received;
    unsigned segments, out_of_order;
    bool content_ok;
    uint8_t last[1518]; /* frame of ETHERTYPE_TEST */
    size_t last_len;
} t;

static const uint8_t peer_mac[6] = {0x52, 0x55, 10, 0, 2, 2};

/* --- the other end ---------------------------------------------------------------------------- */

static inline uint16_t be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t be32(const uint8_t *p) { return (uint32_t)be16(p) << 16 | be16(p + 2); }
static inline void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)(v >> 16));
    put16(p + 2, (uint16_t)v);
}

/* RFC 1071, byte by byte: not the routine under test. */
static inline uint16_t sum(const uint8_t *p, size_t n, uint32_t start)
{
    uint32_t s = start;
    for (size_t i = 0; i < n; i++) {
        s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    }
    while (s >> 16 != 0) {
        s = (s & 0xffff) + (s >> 16);
    }
    return (uint16_t)~s;
}

/* Ethernet and IP headers in front of `len` bytes at frame + 34, then into the card. */
static inline void send_ip(uint8_t *frame, uint8_t protocol, size_t len)
{
    memcpy(frame, t.dev.mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    put16(frame + 12, 0x0800);
    uint8_t *ip = frame + 14;
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, (uint16_t)(20 + len));
    ip[8] = 64;
    ip[9] = protocol;
    put32(ip + 12, PEER_IP);
    put32(ip + 16, OUR_IP);
    put16(ip + 10, sum(ip, 20, 0));
    size_t total = 34 + len < 60 ? 60 : 34 + len;
    if (!fv_receive(&t.dev, frame, total)) {
        fail_msg("the driver gave no receive buffer");
    }
}

static inline void send_tcp(uint8_t flags);

/* Requests for connections, each from a port of its own. */
static inline void send_early(unsigned count)
{
    const uint16_t port = t.port;
    for (unsigned i = 0; i < count; i++) {
        t.port = (uint16_t)(EARLY_PORT + i);
        send_tcp(0x02);
    }
    t.port = port;
}

/* A connection that came early stands: it is counted and given up. */
static inline void take_early(const uint8_t *tcp)
{
    const uint16_t port = t.port;
    const uint32_t snd = t.snd;
    t.first_early = t.early_answers++ == 0 ? be16(tcp + 2) : t.first_early;
    t.port = be16(tcp + 2);
    t.snd = be32(tcp + 8);
    send_tcp(0x04);
    t.port = port;
    t.snd = snd;
}

static inline void answer_dhcp(const uint8_t *req, size_t len)
{
    uint8_t frame[400] = {0};
    uint8_t *udp = frame + 34;
    uint8_t *msg = udp + 8;
    assert_true(len >= 244 && be32(req + 236) == 0x63825363);
    uint8_t type = 0;
    for (size_t i = 240; i + 2 < len && req[i] != 0xff; i += 2u + req[i + 1]) {
        if (req[i] == 53) {
            type = req[i + 2];
        }
        if (req[i] == 12 && req[i + 1] == 10 && memcmp(req + i + 2, "firstlight", 10) == 0) {
            t.asked_name = true;
        }
    }
    t.discovers += type == 1;
    t.requests += type == 3;
    if (type == 3 && t.early > 0) { /* the answer to this gives the address */
        send_early(t.early);
        t.early = 0;
    }
    if (t.dhcp_mute) {
        return;
    }
    msg[0] = 2;
    msg[1] = 1;
    msg[2] = 6;
    memcpy(msg + 4, req + 4, 4);
    put32(msg + 16, OUR_IP);
    memcpy(msg + 28, t.dev.mac, 6);
    put32(msg + 236, 0x63825363);
    const uint8_t options[] = {
        53,  1,    type == 1 ? 2 : 5,
        54,  4,    10,
        0,   2,    2,
        51,  4,    0,
        0,   0x0e, 0x10,
        1,   4,    255,
        255, 255,  0,
        3,   4,    10,
        0,   2,    2,
        42,  8,    10, /* time servers, RFC 2132 8.3: the first one is asked */
        0,   2,    4,
        10,  0,    2,
        9,   255};
    memcpy(msg + 240, options, sizeof(options));
    put16(udp, 67);
    put16(udp + 2, 68);
    put16(udp + 4, (uint16_t)(8 + 240 + sizeof(options)));
    send_ip(frame, 17, 8 + 240 + sizeof(options));
}

static inline void answer_arp(const uint8_t *arp)
{
    uint8_t frame[60] = {0};
    if (be16(arp + 6) != 1 || (be32(arp + 24) != PEER_IP && be32(arp + 24) != TIME_IP)) {
        return;
    }
    memcpy(frame, arp + 8, 6);
    memcpy(frame + 6, peer_mac, 6);
    put16(frame + 12, 0x0806);
    memcpy(frame + 14, arp, 6);
    put16(frame + 20, 2);
    memcpy(frame + 22, peer_mac, 6);
    put32(frame + 28, be32(arp + 24));
    memcpy(frame + 32, arp + 8, 10);
    assert_true(fv_receive(&t.dev, frame, sizeof(frame)));
}

static inline void send_tcp(uint8_t flags)
{
    uint8_t frame[60] = {0};
    uint8_t *tcp = frame + 34;
    put16(tcp, t.port);
    put16(tcp + 2, PORT);
    put32(tcp + 4, t.snd);
    put32(tcp + 8, t.rcv);
    tcp[12] = 5 << 4;
    tcp[13] = flags;
    put16(tcp + 14, 0xffff);
    uint8_t pseudo[12] = {0};
    put32(pseudo, PEER_IP);
    put32(pseudo + 4, OUR_IP);
    pseudo[9] = 6;
    put16(pseudo + 10, 20);
    put16(tcp + 16, sum(tcp, 20, (uint16_t)~sum(pseudo, 12, 0)));
    send_ip(frame, 6, 20);
}

static inline uint8_t content(uint32_t at) { return (uint8_t)(at * 7 + (at >> 8)); }

static inline void take_tcp(const uint8_t *ip, size_t ip_len)
{
    const uint8_t *tcp = ip + 20;
    size_t head = (size_t)(tcp[12] >> 4) * 4;
    size_t len = ip_len - 20 - head;
    uint8_t pseudo[12];
    memcpy(pseudo, ip + 12, 8);
    put16(pseudo + 8, 6);
    put16(pseudo + 10, (uint16_t)(ip_len - 20));
    assert_int_equal(sum(tcp, ip_len - 20, (uint16_t)~sum(pseudo, 12, 0)), 0);
    uint32_t seq = be32(tcp + 4);
    if ((tcp[13] & 0x12) == 0x12 && be16(tcp + 2) >= EARLY_PORT && be16(tcp + 2) < t.port) {
        take_early(tcp);
        return;
    }
    if (t.tcp == TCP_SYN && (tcp[13] & 0x12) == 0x12) {
        t.rcv = seq + 1;
        t.snd++;
        t.tcp = TCP_UP;
        send_tcp(0x10);
        return;
    }
    if (t.tcp != TCP_UP || (len == 0 && (tcp[13] & 1) == 0)) {
        return;
    }
    if (seq != t.rcv) {
        t.out_of_order++;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        t.content_ok &= tcp[head + i] == content(t.received++);
    }
    t.segments++;
    t.rcv += (uint32_t)len;
    if ((tcp[13] & 1) != 0) {
        t.rcv++;
        t.tcp = TCP_DONE;
        send_tcp(0x11);
        return;
    }
    t.ack_due = t.hold_acks;
    if (!t.hold_acks) {
        send_tcp(0x10);
    }
}

static inline void on_sent(void *ctx, const uint8_t *frame, size_t len)
{
    (void)ctx;
    assert_memory_equal(frame + 6, t.dev.mac, 6);
    if (be16(frame + 12) == 0x0806) {
        answer_arp(frame + 14);
        return;
    }
    if (be16(frame + 12) == 0x86dd) {
        t.ip6_frames++;
        t.early_ip6 += t.requests == 0;
        return;
    }
    if (be16(frame + 12) == ETHERTYPE_TEST) {
        assert_in_range(len, 14, sizeof(t.last));
        memcpy(t.last, frame, len);
        t.last_len = len;
        return;
    }
    const uint8_t *ip = frame + 14;
    assert_int_equal(be16(frame + 12), 0x0800);
    assert_int_equal(sum(ip, 20, 0), 0);
    size_t ip_len = be16(ip + 2);
    assert_true(ip_len <= len - 14);
    if (ip[9] == 17 && be16(ip + 22) == 67) {
        answer_dhcp(ip + 28, ip_len - 28);
    } else if (ip[9] == 17 && be16(ip + 22) == 123 && be32(ip + 16) == TIME_IP) {
        t.times_asked++;
    } else if (ip[9] == 1 && ip[20] == 0) {
        t.pongs++;
    } else if (ip[9] == 6) {
        take_tcp(ip, ip_len);
    }
}
