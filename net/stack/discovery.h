/* SPDX-License-Identifier: MIT */
/*
 * Found by name: multicast DNS (RFC 6762) with DNS-SD (RFC 6763), by lwIP's responder. Each card
 * has a name of its own under .local, for two cards on one wire are two hosts. Network fiber only.
 */
#pragma once

#include "arch/base.h"
#include "lwip/netif.h"

#include "net/stack/status.h"

/* lwIP's timers for one card: per family that an answer waits (2) and that others have just heard
 * it (3), and probing. Beside those, one for each question that is to be continued. */
#define DISCOVERY_TIMERS 11u

struct net_discovery {
    bool started;
    bool said;                   /* the log knows the name */
    unsigned conflicts;          /* how often somebody else had the name */
    char name[NET_HOSTNAME_MAX]; /* without ".local" */
    uint8_t services;            /* that are announced */
    struct netif *lw;
    const struct net_config *cfg;
};

/* Once, when lwIP is up. */
void discovery_init(void);
/* Gives the card the name that discovery_start() will try first, for whoever asks before that. */
void discovery_name(struct net_discovery *d, struct netif *lw, const struct net_config *cfg);
/* Looks whether the name is free and answers for it from then on: cfg's hostname, or where that is
 * the default one, with the last three bytes of the MAC address behind it. Where somebody else has
 * it, a number is put behind it. d and cfg live for ever. Later calls change nothing. */
void discovery_start(struct net_discovery *d, struct netif *lw, const struct net_config *cfg);
