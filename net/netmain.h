/* SPDX-License-Identifier: MIT */
/*
 * The network: one fiber that owns lwIP and all network cards. It sleeps until a card interrupts, a
 * timer of lwIP is due or somebody calls net_kick().
 *
 * lwIP is not re-entrant: its functions are called from this fiber only, that is from lwIP's own
 * callbacks and from http_start() on. Such code must not yield.
 */
#pragma once

#include "arch/base.h"
#include "arch/clock.h"
#include "arch/fail.h"
#include "pci/pci.h"

#define NET_MAX_NICS     8
#define NET_HOSTNAME_MAX 64

struct net_config {
    bool dhcp;                       /* else the address below, on the first card */
    uint32_t ip, mask, gateway;      /* IPv4, host byte order, 0 = none */
    uint32_t dns;                    /* shown, not used: the appliance asks for no names */
    char hostname[NET_HOSTNAME_MAX]; /* told to the DHCP server; "" = none */
};

/* Spawns the network fiber: it starts lwIP, calls http_start(), then brings up every card
 * in pci that has a driver. pci is borrowed for ever and may be NULL (loopback only); cfg is
 * copied. Does not yield. Once only. */
void net_start(const struct pci *pci, const struct net_config *cfg);

/* Waits until a card has its address, or there is no card to wait for. FL_ETIMEDOUT at the
 * deadline. For one waiter: the main program, which lets the network come up before the GPUs
 * compete for the core. Yields. */
FL_MUST_CHECK enum fl_err net_wait_up(struct deadline d);
/* For netif.c: a card has an address. */
void net_note_up(void);

/* Wakes the network fiber: a callback of lwIP has something new to send. From any fiber or handler.
 */
void net_kick(void);

enum net_nic_state {
    NET_NIC_FAILED, /* could not be brought up, or broke: see error */
    NET_NIC_NO_LINK,
    NET_NIC_DHCP, /* waiting for an address */
    NET_NIC_UP,
};
const char *net_nic_state_name(enum net_nic_state state); /* "failed", "no link", "dhcp", "up" */

struct net_nic_status {
    enum net_nic_state state;
    const char *driver; /* static */
    char pci[PCI_NAME_MAX];
    uint8_t mac[6];
    bool link;
    uint16_t speed_mbps;        /* 0 = unknown */
    uint32_t ip, mask, gateway; /* host byte order, 0 = none */
    uint64_t address_us;        /* clock when it got its address, 0 = not yet */
    uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped;
    uint64_t tx_packets, tx_bytes, tx_full;
    uint64_t interrupts, kicks; /* kicks: doorbell writes */
    char error[FL_FAIL_TEXT];   /* NET_NIC_FAILED */
};

struct net_status {
    bool started; /* lwIP runs */
    uint32_t nic_count;
    struct net_nic_status nic[NET_MAX_NICS];
    uint32_t dns; /* as configured, host byte order, 0 = none */
    /* Totals of the stack */
    uint32_t tcp_active, tcp_max; /* connections now, and how many there can be */
    uint64_t tcp_drops, tcp_memory_errors;
    uint64_t pool_used, pool_max, pool_errors; /* receive buffers */
    uint64_t wakeups;                          /* times the fiber woke up */
};
/* A snapshot; nothing yields. Any fiber. */
void net_get_status(struct net_status *out);
