/* SPDX-License-Identifier: MIT */
/*
 * A network card that is a wire to the test: frames go into the stack as net/stack/netif.c gives
 * them, what the stack sends lands here, and time is virtual. Peers are simple TCP clients on that
 * wire. The stack is set up once per process (10.0.2.15/24, gateway 10.0.2.2).
 */
#pragma once

#include "arch/base.h"

#define WIRE_IP   0x0a00020fu /* ours: 10.0.2.15 */
#define WIRE_PEER 0x0a000202u /* 10.0.2.2 */
#define WIRE_PORT 80u

enum { WIRE_FIN = 1, WIRE_SYN = 2, WIRE_RST = 4, WIRE_PSH = 8, WIRE_ACK = 16 };

struct wire_peer {
    uint32_t ip;
    uint16_t port;
    uint16_t to; /* port of ours: WIRE_PORT unless changed before wire_connect() */
    uint8_t mac[6];
    uint32_t snd, rcv;
    uint16_t window;
    bool silent;  /* acknowledges nothing by itself */
    bool deaf;    /* nothing reaches it */
    uint16_t mss; /* offered in the SYN, 0 = none */
    enum { WIRE_CLOSED, WIRE_SYN_SENT, WIRE_UP, WIRE_GOT_FIN, WIRE_GOT_RST } state;
    uint32_t first;  /* sequence number of the first byte for us */
    size_t received; /* bytes in order, or, when silent, how far the stack has got */
    char text[4096]; /* the first of them, NUL-terminated */
    /* Gets each piece of them, in order, unless NULL; not of a silent one. */
    void (*take)(struct wire_peer *p, const char *data, size_t len);
    struct wire_peer *next;
};

/* What the stack sent, all in all since wire_reset(). */
struct wire_counts {
    unsigned frames, arp_requests, arp_replies, pongs, synacks, resets;
};
extern struct wire_counts wire_counts;
extern bool wire_answer_arp; /* for every address; true after wire_reset() */

/* What leaves as IPv6, and as UDP over IPv4: the frame, from its Ethernet header on. May queue
 * frames with wire_receive(). NULL: dropped. */
extern void (*wire_on_ip6)(const uint8_t *frame, size_t len);
extern void (*wire_on_udp)(const uint8_t *frame, size_t len);

/* lwIP with this card and nothing else. Once, before all tests. */
void wire_start(void);
/* No connections, no known neighbours, no peers, counters at zero. Before each test. */
void wire_reset(void);

/* A frame into the stack, in a buffer as the cards use it; then what peers have to say to that. */
void wire_receive(const void *frame, size_t len);
/* The same in memory that ends where the frame does, so that the sanitizer sees who reads on. */
void wire_receive_exactly(const void *frame, size_t len);

/* An IPv4 packet with its Ethernet header around len bytes; returns the length of the frame. */
size_t wire_make_ip(uint8_t *frame, const uint8_t mac[6], uint32_t from, uint8_t protocol,
                    const void *data, size_t len);
/* Sums of the headers are made again, over the bytes as they are now. */
void wire_sum_ip(uint8_t *frame);

/* Time passes; timers run, in steps no longer than a tick of lwIP's shortest. */
void wire_run_us(uint64_t us);

/* A TCP client. init: an address for it and a port of its own, borrowed until wire_peer_leave() or
 * wire_reset(); connect: returns whether it is established at once. */
void wire_peer_init(struct wire_peer *p, uint32_t ip);
void wire_peer_leave(struct wire_peer *p);
bool wire_connect(struct wire_peer *p);
/* One segment with these flags at the peer's place in the stream; SYN, FIN and data advance it. */
void wire_send(struct wire_peer *p, uint8_t flags, const void *data, size_t len);
void wire_say(struct wire_peer *p, const char *text);
/* A segment at a distance from the peer's place, which stays. */
void wire_send_at(struct wire_peer *p, uint32_t ahead, const void *data, size_t len);
/* Just an acknowledgement of everything up to `received` and with the window as it is. */
void wire_ack(struct wire_peer *p, uint32_t received);
/* An acknowledgement with an MSS option. */
void wire_ack_mss(struct wire_peer *p, uint16_t mss);
/* Somebody honest from there gets a whole answer of 200, and the connection closed, without any
 * time passing. */
bool wire_is_served(uint32_t ip, const char *path);
/* A connection request from anywhere that nobody stands behind. */
void wire_syn(const uint8_t mac[6], uint32_t from, uint16_t port, uint32_t seq);
/* An echo request from there; pongs are counted. */
void wire_ping(uint32_t from, const uint8_t mac[6]);
/* An ARP request for our address. */
void wire_arp(uint32_t from, const uint8_t mac[6]);
