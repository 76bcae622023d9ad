/* SPDX-License-Identifier: MIT */
/*
 * The time of day from the network: SNTP (RFC 4330), by lwIP's client. Network fiber only. What may
 * be believed is decided in two places: the door drops answers of servers that have no time
 * themselves (walltime_may_pass()), lwIP those that nobody asked for, and net_ntp_set() times that
 * cannot be.
 */
#pragma once

#include "arch/base.h"

#include "net/stack/status.h"

/* lwIP's timers: the next question, and the patience with a server. */
#define WALLTIME_TIMERS 2u

/* Once, before DHCP is started: who is asked (cfg->ntp). */
void walltime_init(const struct net_config *cfg);
/* Asks, as soon as a server is known. Whenever there is an address. */
void walltime_start(void);
/* Whether a UDP payload from port 123 is an answer that has a time: 48 bytes at least,
 * synchronised, of stratum 1 to 15, with a time of transmission. */
bool walltime_may_pass(const uint8_t *ntp, size_t len);
void walltime_status(struct net_time_status *out);
