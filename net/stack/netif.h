/* SPDX-License-Identifier: MIT */
/* A network card as an interface of lwIP. Network fiber only. */
#pragma once

#include "lwip/netif.h"

#include "net/nic/nic.h"
#include "net/stack/discovery.h"
#include "net/stack/ipv6.h"
#include "net/stack/status.h"

/* Requests for a connection that came before the address; lwIP gets them with it, for who asks
 * again does so after a second. */
#define NET_EARLY_MAX 8u
struct net_early {
    struct pbuf *frame[NET_EARLY_MAX]; /* owned */
    unsigned count;
};

struct net_if {
    struct netif lw;
    struct nic *nic; /* borrowed, lives for ever */
    unsigned index;
    bool dhcp;
    bool listed;                  /* lwIP knows it */
    const struct net_config *cfg; /* borrowed */
    struct net_ipv6 ipv6;
    struct net_discovery discovery;
    uint64_t link_us;    /* clock when the link came up last */
    uint64_t address_us; /* clock when it got its address, 0 = none */
    struct net_early early;
};

/* Gives the card to lwIP and starts DHCP or sets the static address of cfg. p and cfg live for
 * ever. The first interface becomes the default. */
FL_MUST_CHECK enum fl_err net_if_add(struct net_if *p, struct nic *nic, unsigned index, bool dhcp,
                                     const struct net_config *cfg, struct fl_fail *fail);
/* Received frames into lwIP, link changes, room to send. True when there may be more to do. */
bool net_if_poll(struct net_if *p);
void net_if_status(const struct net_if *p, struct net_nic_status *out);
