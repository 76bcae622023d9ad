/* SPDX-License-Identifier: MIT */
/*
 * The door of lwIP: every frame that comes in, every packet that goes out and every timer passes
 * here. What no client needs is dropped before the stack sees it; what a client can use up is
 * limited; an assertion of the stack costs the connection that caused it (stack_assert.c).
 *
 * docs/threat-model.md lists the limits and the test of each. Network fiber only.
 */
#pragma once

#include "arch/base.h"
#include "lwip/err.h"
#include "lwip/ip_addr.h"

struct netif;
struct pbuf;
struct tcp_pcb;

/* Connections. All of them together are fewer than MEMP_NUM_TCP_PCB; what is left is for
 * TIME-WAIT, of which lwIP takes the oldest when it needs one. */
#define NET_CONNECTIONS_MAX 64u  /* accepted: those of the HTTP server */
#define NET_HALF_OPEN_MAX   128u /* SYN received; one more, and the oldest goes */
#define NET_CLOSING_MAX     64u  /* closed by us, nothing but a FIN left to be acknowledged */
#define NET_HALF_OPEN_S     3u
#define NET_CLOSING_S       10u

/* Receive buffers that data waiting for an earlier segment must leave free, so that ARP, ICMP, new
 * connections and data in order always find one. All other frames give theirs back at once. */
#define NET_POOL_RESERVE 512u
#define NET_OOSEQ_MAX    40u /* per connection: a window of whole segments */

/* Addresses that we ask ARP or neighbour discovery for because we want to say something unasked:
 * that many at once, then that many per second. An answer goes to where the question came from and
 * asks nobody. */
#define NET_ARP_BURST 16u
#define NET_ARP_PER_S 16u

/* Messages of mDNS that are read: a busy network has a few a second. */
#define NET_MDNS_BURST 32u
#define NET_MDNS_PER_S 32u

struct stack_stats {
    uint64_t assertions;        /* of lwIP, that cost a connection */
    uint64_t short_frames;      /* cut off within a header or message that lwIP would read */
    uint64_t fragments;         /* of IP */
    uint64_t spoofed;           /* from an address of our own, or to be sent to nobody */
    uint64_t unwanted;          /* of IPv6: headers and messages that nobody here takes */
    uint64_t mdns_limited;      /* messages of mDNS not read: too many */
    uint64_t half_open_evicted; /* connection requests that made way for newer ones */
    uint64_t half_open_expired;
    uint64_t closing_expired;  /* peers that never acknowledged our FIN */
    uint64_t time_wait_reused; /* RFC 6191 */
    uint64_t early_dropped; /* requests for a connection before the address: too many, or its link
                               went */
    uint64_t arp_limited;   /* packets not sent: too many unknown neighbours */
    uint64_t ooseq_limited; /* times that early data was not kept for lack of buffers */
    uint32_t half_open, closing, time_wait; /* now */
};
void stack_get_stats(struct stack_stats *out);

/* For struct netif: input takes frames (p is owned), output takes IPv4 packets, output6 those of
 * IPv6 (q is borrowed). */
err_t stack_input(struct pbuf *p, struct netif *lw);
err_t stack_output(struct netif *lw, struct pbuf *q, const ip4_addr_t *to);
err_t stack_output6(struct netif *lw, struct pbuf *q, const ip6_addr_t *to);

/* Runs what is due of lwIP's timers, and ours. */
void stack_timers(void);
/* Delivers what the appliance sends to itself. */
void stack_loopback(void);
/* Sends what a full ring held back. */
void stack_resume_senders(void);

/* ---- between the files of the door ---- */

struct stack_stats *stack_stats_mut(void);

/* A packet as the door reads it before lwIP does (stack_ip.c): its headers are whole, its sender
 * can be, and somebody here takes it. */
struct stack_packet {
    ip_addr_t from, to;  /* without a zone */
    uint8_t protocol;    /* of what it carries: IP_PROTO_TCP, ... */
    const uint8_t *data; /* what it carries, borrowed */
    size_t len;
};

/* The packet of room bytes at ip, with what Ethernet may have put behind it. For TCP and UDP their
 * header is whole (without TCP's options); so is a message of ICMPv6 that lwIP acts upon. False: it
 * does not pass. */
bool stack_read_ip4(const struct netif *lw, const uint8_t *ip, size_t room,
                    struct stack_packet *out);
bool stack_read_ip6(const struct netif *lw, const uint8_t *ip, size_t room,
                    struct stack_packet *out);

/* Whether lwIP would ask its neighbours for the address of this one, or of the router towards it.
 */
bool stack_must_ask_arp(struct netif *lw, const ip4_addr_t *to);
bool stack_must_ask_nd(const struct netif *lw, const ip6_addr_t *to);

/* Before the stack sees a connection request: makes room for it. Numbers in host byte order. */
struct stack_syn {
    ip_addr_t from, to;
    uint16_t from_port, to_port;
    uint32_t seq;
};
void stack_tcp_syn(const struct stack_syn *syn);
/* After a connection was closed: not too many of those. For the HTTP server. */
void stack_tcp_closing(void);
/* Once per tick of TCP (500 ms). */
void stack_tcp_expire(void);

/* What the stack is at, to find the connection that an assertion is about. */
enum stack_at { STACK_IDLE, STACK_INPUT, STACK_TIMERS, STACK_OUTPUT };
/* pcb: STACK_OUTPUT only. */
void stack_enter(enum stack_at at, struct tcp_pcb *pcb);
/* Aborts the connections that were condemned since stack_enter(). */
void stack_leave(void);
