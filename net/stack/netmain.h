/* SPDX-License-Identifier: MIT */
/*
 * The network: one fiber that owns lwIP and all network cards. It sleeps until a card interrupts or
 * a timer of lwIP is due.
 *
 * lwIP is not re-entrant: its functions are called from this fiber only, that is from lwIP's own
 * callbacks and from the functions that net_start() was given. Such code must not yield.
 */
#pragma once

#include "arch/base.h"
#include "arch/clock.h"
#include "net/stack/status.h"
#include "pci/pci.h"

/* What serves on the network; called by the network fiber. */
struct net_service {
    void (*start)(void); /* once, when lwIP is up: opens what listens (http_start) */
    void (*poll)(void);  /* in every round: sends what others have finished (http_collect) */
    /* The clock, in us, by when poll is wanted at the latest, DEADLINE_NEVER: not before something
     * happens. Asked before the fiber sleeps. May be NULL. */
    uint64_t (*due_us)(void);
    void (*changed)(void); /* a card came, or one's link or address changed. NULL: none */
};

/* Spawns the network fiber: it starts lwIP, then the service, then brings up every card in pci that
 * has a driver. pci is borrowed for ever and may be NULL (loopback only); cfg and service are
 * copied. Does not yield. Once only. */
void net_start(const struct pci *pci, const struct net_config *cfg,
               const struct net_service *service);
/* The network fiber makes a round soon. Any fiber, and interrupt handlers. */
void net_wake(void);

/* Waits until a card has its address, or there is no card to wait for. FL_ETIMEDOUT at the
 * deadline. For one waiter: the main program, which lets the network come up before the GPUs
 * compete for the core. Yields. */
FL_MUST_CHECK enum fl_err net_wait_up(struct deadline d);

/* Whether a card has had an address, be it lost since. */
bool net_has_been_up(void);

/* A snapshot; nothing yields. Any fiber. */
void net_get_status(struct net_status *out);
/* Whether that is a name of ours, "NAME.local" (mDNS), in letters of any size. */
bool net_is_local_name(const char *name, size_t len);
const char *net_nic_state_name(enum net_nic_state state); /* "failed", "no link", "dhcp", "up" */
