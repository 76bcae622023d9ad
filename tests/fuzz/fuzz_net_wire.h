/* SPDX-License-Identifier: MIT */
/*
 * Frames as the attackers of fuzz_net build and read them, byte by byte and with none of the
 * routines under test. Numbers are in host byte order. Sources: RFC 791, 792, 793, 826, 1071, 2131.
 */
#pragma once

#include "arch/base.h"

enum {
    WIRE_ETH = 14,
    WIRE_ARP = 28,
    WIRE_IP = 20,
    WIRE_UDP = 8,
    WIRE_TCP = 20,
    WIRE_FRAME_MAX = 1514,
    WIRE_L4 = WIRE_ETH + WIRE_IP, /* where the layer above IP begins */
    WIRE_L4_MAX = WIRE_FRAME_MAX - WIRE_L4,

    WIRE_IP6 = 40,
    WIRE_L4_OF_IP6 = WIRE_ETH + WIRE_IP6,

    WIRE_TYPE_IP = 0x0800,
    WIRE_TYPE_IP6 = 0x86dd,
    WIRE_ICMP6 = 58,
    WIRE_TYPE_ARP = 0x0806,
    WIRE_ICMP = 1,
    WIRE_IGMP = 2,
    WIRE_PROTO_TCP = 6,
    WIRE_PROTO_UDP = 17,
    WIRE_ECHO_REPLY = 0,
    WIRE_ECHO = 8,
    WIRE_ARP_REQUEST = 1,
    WIRE_ARP_REPLY = 2,

    TCP_FLAG_FIN = 1,
    TCP_FLAG_SYN = 2,
    TCP_FLAG_RST = 4,
    TCP_FLAG_PSH = 8,
    TCP_FLAG_ACK = 16,
};

struct wire {
    size_t len;
    uint8_t bytes[WIRE_FRAME_MAX];
};

struct wire_segment { /* TCP */
    uint32_t src, dst;
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window;
    const uint8_t *options; /* a multiple of 4 bytes, at most 40 */
    size_t options_len;
    const uint8_t *data;
    size_t len;
};

uint16_t wire_get16(const uint8_t *p);
uint32_t wire_get32(const uint8_t *p);
void wire_put16(uint8_t *p, uint32_t v);
void wire_put32(uint8_t *p, uint32_t v);
/* RFC 1071 over n bytes, going on from a sum that wire_sum_add() gave, or 0. */
uint32_t wire_sum_add(uint32_t sum, const uint8_t *p, size_t n);
uint16_t wire_sum_end(uint32_t sum);

/* The MAC address of a host: 52:55 and its IPv4 address. */
void wire_mac(uint8_t out[6], uint32_t ip);
/* The Ethernet header, from host src. */
void wire_ethernet(struct wire *w, const uint8_t to[6], uint32_t src, uint16_t type);
void wire_arp(struct wire *w, const uint8_t to[6], uint16_t op, uint32_t src,
              const uint8_t dst_mac[6], uint32_t dst);
/* Ethernet and IP headers around len bytes that already lie at bytes + WIRE_L4. fragment: the
 * 16 bits of flags and offset. */
void wire_ip(struct wire *w, const uint8_t to[6], uint8_t protocol, uint32_t src, uint32_t dst,
             size_t len, uint16_t id, uint16_t fragment);
/* IPv6 around len bytes, with the sum of ICMPv6, TCP or UDP where there is room for one (at sum_at
 * bytes behind the header, 0: none). */
void wire_ip6(struct wire *w, const uint8_t to_mac[6], const uint8_t src[16], const uint8_t dst[16],
              uint8_t next, uint8_t hops, const uint8_t *data, size_t len, size_t sum_at);
/* A whole TCP segment; data that does not fit is left out. */
void wire_tcp(struct wire *w, const uint8_t to[6], const struct wire_segment *t);
/* UDP or ICMP around len bytes of payload, with their sums. */
void wire_udp(struct wire *w, const uint8_t to[6], uint32_t src, uint32_t dst, uint16_t sport,
              uint16_t dport, const uint8_t *data, size_t len);
void wire_icmp(struct wire *w, const uint8_t to[6], uint32_t src, uint32_t dst, uint8_t type,
               uint8_t code, const uint8_t *data, size_t len);

/* A TCP segment as it came out of the stack. False when the frame is none. */
bool wire_read_tcp(const uint8_t *frame, size_t len, struct wire_segment *out);
