/* SPDX-License-Identifier: MIT */
/*
 * The network half of the appliance for fuzz_net: lwIP as it is configured, net/stack/netif.c on
 * two cards made here, the HTTP server with the real API, virtual time that never runs past a
 * timer. Every input starts from the same state, and ends with nothing held.
 */
#pragma once

#include "arch/base.h"

enum { CARD_STATIC, CARD_DHCP, CARDS };

#define LAB_IP        0x0a00020fu /* 10.0.2.15, of the static card */
#define LAB_FRAME_MAX 1518u

/* Once per process. sent(): a frame leaves a card; it may call lab_receive(). */
void lab_start(void (*sent)(unsigned card, const uint8_t *frame, size_t len));
const uint8_t *lab_mac(unsigned card);

/* The same state for every input: addresses, time, random numbers, timers. */
void lab_begin(void);
/* One frame into a card. From outside of sent() the stack has dealt with it on return, and with
 * what sent() gave it meanwhile. More frames than an input may have are dropped. */
void lab_receive(unsigned card, const uint8_t *frame, size_t len);
/* Time goes by, from timer to timer. Beyond what an input may have, it stands still. */
void lab_pass_ms(uint64_t ms);
void lab_set_link(unsigned card, bool up);
/* The next sends find the card's ring full. */
void lab_choke(unsigned card, unsigned sends);

/* The n-th allocation of the stack from now finds no memory (1: the next), those after it do again;
 * 0: none fails. */
void lab_fail_malloc(unsigned n);

/* Lifts the limits and undoes what an input may do to a cable: from here on the harness itself is
 * at work. The DHCP card is unplugged: a hostile server may have given it any address and route. */
void lab_calm(void);
/* Ends everything, lets timers run out and requires that all is as it was at lab_begin(). */
void lab_end(void);
/* HTTP connections that the server holds. */
uint32_t lab_http_open(void);

/* Ends the run with a finding, in words. */
void lab_require(bool holds, const char *fmt, ...) FL_PRINTF(2, 3);
