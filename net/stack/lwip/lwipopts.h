/* SPDX-License-Identifier: MIT */
/*
 * Configuration of lwIP 2.2.1 (its opt.h documents every option). One fiber runs all of lwIP, so
 * there is no operating system below it and nothing to lock.
 */
#pragma once

/* --- no operating system --- */
#define NO_SYS                1
#define SYS_LIGHTWEIGHT_PROT  0
#define LWIP_SOCKET           0
#define LWIP_NETCONN          0
#define LWIP_TIMERS           1
#define MEMP_NUM_SYS_TIMEOUT  (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 128) /* counted in netmain.c */
#define LWIP_ERRNO_STDINCLUDE 1
#define LWIP_HOOK_FILENAME    "hooks.h"

/* --- memory: buffers from the C library's heap, fixed objects from pools --- */
#define MEM_LIBC_MALLOC         1
#define MEM_ALIGNMENT           8
#define MEMP_OVERFLOW_CHECK     0
#define PBUF_POOL_SIZE          1024 /* received frames: 4 rings of 256 that all wait for a reader */
#define PBUF_POOL_BUFSIZE       1600 /* one Ethernet frame with VLAN tag in one buffer */
#define MEMP_NUM_PBUF           1024 /* references to constant data (the web page) */
#define MEMP_NUM_TCP_PCB        320  /* see NET_* in stack.h: TIME-WAIT gets what they leave */
#define MEMP_NUM_TCP_PCB_LISTEN 8
#define MEMP_NUM_TCP_SEG        5120 /* so many that none who does not read makes others wait */
#define MEMP_NUM_UDP_PCB        16
/* More than can be asked for in the seconds that an entry stays unanswered (NET_ARP_* in stack.h),
 * because lwIP gives up an answered entry before an unanswered one. */
#define ARP_TABLE_SIZE     120
#define ARP_QUEUEING       1
#define ARP_QUEUE_LEN      16 /* a first burst waits for one answer */
#define MEMP_NUM_ARP_QUEUE 128
/* The same for neighbours of IPv6, which lwIP finds by 8-bit indices. */
#define LWIP_ND6_NUM_NEIGHBORS    120
#define LWIP_ND6_NUM_DESTINATIONS 32
#define MEMP_NUM_ND6_QUEUE        128
/* For 8 cards: all systems and mDNS; each address's solicited nodes and mDNS. */
#define MEMP_NUM_IGMP_GROUP 20
#define MEMP_NUM_MLD6_GROUP 44

/* --- protocols --- */
#define LWIP_IPV4                 1
#define LWIP_IPV6                 1
#define LWIP_ARP                  1
#define LWIP_ICMP                 1
#define LWIP_RAW                  0
#define LWIP_UDP                  1
#define LWIP_TCP                  1
#define LWIP_IGMP                 1 /* for mDNS */
#define LWIP_DNS                  0 /* nobody asks for names */
#define LWIP_DHCP                 1
#define LWIP_DHCP_GET_NTP_SRV     1 /* option 42 */
#define LWIP_DHCP_MAX_NTP_SERVERS 1
/* Conflict detection would hold the address back for 7.8 s; a server that hands out an address in
 * use is the operator's to mend. */
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define LWIP_ACD                 0
#define LWIP_AUTOIP              0
#define IP_FORWARD               0
#define IP_REASSEMBLY            0 /* nothing that we serve comes in fragments */
#define IP_FRAG                  0
#define IP_OPTIONS_ALLOWED       0 /* source routing and the like: nothing that we want to see */

/* --- IPv6: a link-local address, and one of each prefix that a router advertises --- */
#define LWIP_IPV6_NUM_ADDRESSES         4
#define LWIP_IPV6_REASS                 0
#define LWIP_IPV6_FRAG                  0
#define LWIP_IPV6_DHCP6                 0
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS  0
#define LWIP_ND6_ALLOW_RA_UPDATES       1
#define LWIP_ND6_TCP_REACHABILITY_HINTS 1

/* --- found without being told --- */
#define LWIP_MDNS_RESPONDER        1
#define LWIP_MDNS_SEARCH           0 /* we are found, we look for nobody */
#define MDNS_MAX_SERVICES          2 /* _http and _https */
#define MDNS_OUTPUT_PACKET_SIZE    1450
#define LWIP_NUM_NETIF_CLIENT_DATA 1 /* mDNS */

/* --- the time (net/stack/walltime.c) --- */
#define SNTP_CHECK_RESPONSE                 2 /* from the server asked, with the time stamp that it was sent */
#define SNTP_COMP_ROUNDTRIP                 1
#define SNTP_STARTUP_DELAY                  1
#define SNTP_STARTUP_DELAY_FUNC             (LWIP_RAND() % 1000)
#define SNTP_RETRY_TIMEOUT_MAX              3600000
#define SNTP_GET_SYSTEM_TIME_NTP(sec, frac) net_ntp_now(&(sec), &(frac))
#define SNTP_SET_SYSTEM_TIME_NTP(sec, frac) net_ntp_set((sec), (frac))

/* --- TCP --- */
#define TCP_MSS                    1460
#define TCP_SND_BUF                (32 * TCP_MSS)
#define TCP_SND_QUEUELEN           (2 * TCP_SND_BUF / TCP_MSS)
#define LWIP_WND_SCALE             1
#define TCP_RCV_SCALE              2
#define TCP_WND                    (40 * TCP_MSS)
#define TCP_OVERSIZE               TCP_MSS /* small writes share a segment */
#define LWIP_CHECKSUM_ON_COPY      1       /* what is sent is read once, not twice */
#define TCP_LISTEN_BACKLOG         1
#define TCP_DEFAULT_LISTEN_BACKLOG 0xff /* NET_HALF_OPEN_MAX in stack.h is the limit */
#define TCP_QUEUE_OOSEQ            1
#define TCP_OOSEQ_PBUFS_LIMIT(pcb) net_ooseq_limit(pcb)
/* RFC 6298 wants a second at least; in ticks of 500 ms, of which the first may be short. Also how
 * soon a SYN-ACK is repeated. */
#define LWIP_TCP_RTO_TIME  1500
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_TCP_SACK_OUT  0
#define SO_REUSE           1

/* --- interfaces --- */
#define LWIP_HAVE_LOOPIF               1 /* host tests talk to the server through it */
#define LWIP_NETIF_LOOPBACK            1
#define LWIP_LOOPBACK_MAX_PBUFS        256
#define LWIP_NETIF_HOSTNAME            1
#define LWIP_NETIF_STATUS_CALLBACK     1
#define LWIP_NETIF_LINK_CALLBACK       0
#define LWIP_NETIF_EXT_STATUS_CALLBACK 1 /* mDNS starts anew when addresses change */
#define LWIP_NETIF_TX_SINGLE_PBUF      0 /* drivers gather */

/* --- counters, for the API --- */
#define LWIP_STATS         1
#define LWIP_STATS_DISPLAY 0
#define LWIP_STATS_LARGE   1
#define LINK_STATS         1
#define ETHARP_STATS       1
#define IP_STATS           1
#define TCP_STATS          1
#define UDP_STATS          1
#define ICMP_STATS         1
#define MEM_STATS          0 /* mm/ counts the heap */
#define MEMP_STATS         1
#define SYS_STATS          0
#define MIB2_STATS         0
