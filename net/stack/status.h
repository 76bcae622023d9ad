/* SPDX-License-Identifier: MIT */
/* What the network is told, and what it says of itself: plain data that shows nothing of lwIP. */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "pci/pci.h"

#define NET_MAX_NICS         8
#define NET_HOSTNAME_MAX     64
#define NET_HOSTNAME_DEFAULT "firstlight" /* one that nobody chose */
#define NET_IP6_MAX          4            /* addresses of a card */
#define NET_IP6_BYTES        16           /* in network byte order */
#define NET_IP6_TEXT         40           /* written out, with its NUL */

enum net_ntp { NET_NTP_DHCP, NET_NTP_SERVER, NET_NTP_NO };

struct net_config {
    bool dhcp;                       /* else the address below, on the first card */
    uint32_t ip, mask, gateway;      /* IPv4, host byte order, 0 = none */
    uint32_t dns;                    /* shown, not used: the appliance asks for no names */
    char hostname[NET_HOSTNAME_MAX]; /* told to the DHCP server; "" = none */
    bool ipv6;                       /* link-local addresses, and one of each advertised prefix */
    bool mdns;                       /* a name under .local, and services */
    bool http, https;                /* announced: ports 80 and 443 */
    enum net_ntp ntp;                /* who is asked for the time; DHCP: option 42 */
    uint32_t ntp_server;             /* NET_NTP_SERVER: IPv4, host byte order */
    uint32_t syslog_server;          /* who gets the log: IPv4, host byte order, 0 = nobody */
    uint16_t syslog_port;
};

enum net_nic_state {
    NET_NIC_FAILED, /* could not be brought up, or broke: see error */
    NET_NIC_NO_LINK,
    NET_NIC_DHCP, /* waiting for an address */
    NET_NIC_UP,
};

struct net_time_status {
    uint32_t server;    /* IPv4, host byte order, 0 = none is asked */
    uint64_t syncs;     /* answers that were believed */
    uint64_t refused;   /* answers that were not: no time in them, or an impossible one */
    uint64_t synced_us; /* clock of the last one, 0 = never */
    int64_t offset_us;  /* by which it set the time of day */
};

struct net_syslog_status {
    uint64_t sent, failed; /* messages */
    uint64_t lost;         /* lines that the log had overwritten, events without room */
};

/* An IPv6 address as RFC 5952 writes it. */
void net_ip6_text(const uint8_t ip6[NET_IP6_BYTES], char out[NET_IP6_TEXT]);

struct net_nic_status {
    enum net_nic_state state;
    const char *driver; /* static */
    char pci[PCI_NAME_MAX];
    uint8_t mac[6];
    bool link;
    uint16_t speed_mbps;               /* 0 = unknown */
    uint32_t ip, mask, gateway;        /* host byte order, 0 = none */
    uint64_t address_us;               /* clock when it got its address, 0 = not yet */
    char local_name[NET_HOSTNAME_MAX]; /* under .local; "" = none */
    uint8_t ip6_count;                 /* of ip6: those in use, the link-local one first */
    uint8_t ip6[NET_IP6_MAX][NET_IP6_BYTES];
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
    struct net_time_status time;
    struct net_syslog_status syslog;
};
