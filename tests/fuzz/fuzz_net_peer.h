/* SPDX-License-Identifier: MIT */
/*
 * The other end of the wire for fuzz_net: TCP clients that know what they have been sent, so that a
 * segment can be wrong by a byte instead of by 2^31; hosts that answer ARP; what the DHCP client
 * has asked; and an honest newcomer, whom the appliance owes an answer at any time.
 */
#pragma once

#include "arch/base.h"
#include "tests/fuzz/fuzz_net_wire.h"

/* More than the server has places for. PEERS_PER_HOST of them share an address. */
#define PEERS          72u
#define PEERS_PER_HOST 12u
#define HTTP_PORT      80u

struct peer { /* one TCP client; sequence numbers as in RFC 9293, seen from the client */
    uint32_t ip;
    uint16_t port;
    uint16_t window; /* that it offers */
    uint32_t iss;
    uint32_t snd;         /* the next byte it sends */
    uint32_t una;         /* acknowledged by the stack below this */
    uint32_t rcv;         /* acknowledged by the client below this */
    uint32_t seen;        /* behind the last byte that the stack has sent */
    uint16_t snd_window;  /* that the stack offers, unscaled */
    bool up;              /* SYN-ACK seen, no reset */
    bool completes;       /* answers the SYN-ACK */
    bool obliging;        /* acknowledges at once what comes in order, and closes when told to */
    uint8_t start[16];    /* the first bytes of the stream */
    unsigned generation;  /* new port for every connection */
    uint32_t data_in;     /* bytes received in order (obliging ones only) */
    bool closed_by_stack; /* FIN seen in order */
};

struct peer_dhcp {
    uint32_t xid;
    uint32_t wanted; /* requested address, 0 = none */
};

/* Forgets everybody. arp_for_all: hosts that nobody has heard of answer ARP too. */
void peers_begin(bool arp_for_all);
/* From now on nobody acknowledges anything by itself. */
void peers_fall_silent(void);
/* For lab_start(). */
void peers_sent(unsigned card, const uint8_t *frame, size_t len);

struct peer *peer_get(unsigned i); /* taken modulo PEERS */
const struct peer_dhcp *peer_dhcp(void);

/* A SYN from a new port, or once more from the same one. */
void peer_open(struct peer *p, const uint8_t *options, size_t options_len, bool same_port);
/* A segment as it is said; the client's own numbers do not change. */
void peer_segment(const struct peer *p, uint32_t seq, uint32_t ack, uint8_t flags,
                  const uint8_t *options, size_t options_len, const uint8_t *data, size_t len);
/* Data in order, in pieces of at most piece bytes, ms apart. */
void peer_data(struct peer *p, const void *data, size_t len, size_t piece, uint64_t gap_ms);

/* A newcomer asks for the MAC address, pings, and gets /healthz, with the patience of a client that
 * repeats its SYN. Requires that all of it succeeds; when: for the message. */
void peer_newcomer(const char *when);
