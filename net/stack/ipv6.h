/* SPDX-License-Identifier: MIT */
/* IPv6 on a card: its addresses. Network fiber only. */
#pragma once

#include "arch/base.h"
#include "lwip/netif.h"

#include "net/stack/status.h"

struct net_ipv6 {
    bool started;
    uint8_t said; /* bits: the log knows that this address is in use */
};

/* Gives the card a link-local address made of its MAC address (RFC 4291, appendix A) and asks
 * routers for prefixes (RFC 4862); lwIP looks whether each address is free before it is used. Later
 * calls change nothing. */
void net_ipv6_start(struct net_ipv6 *v6, struct netif *lw);
/* Logs what has come and gone since the last call: whenever lwIP says that an address changed.
 * index: the card's number. */
void net_ipv6_changed(struct net_ipv6 *v6, const struct netif *lw, unsigned index);
/* The addresses in use, into out->ip6. */
void net_ipv6_status(const struct netif *lw, struct net_nic_status *out);
