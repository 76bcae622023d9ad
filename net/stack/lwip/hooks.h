/* SPDX-License-Identifier: MIT */
/* Hooks that lwIP's core calls (LWIP_HOOK_FILENAME); implemented in net/stack/lwip_port.c. */
#pragma once

#include "lwip/ip_addr.h"

/* Initial sequence number of a TCP connection after RFC 6528: a clock of 4 us steps plus a keyed
 * hash of the four-tuple, so that nobody outside can guess it. */
u32_t net_tcp_isn(const ip_addr_t *local_ip, u16_t local_port, const ip_addr_t *remote_ip,
                  u16_t remote_port);
#define LWIP_HOOK_TCP_ISN net_tcp_isn

/* How many buffers a connection may keep of data that waits for an earlier segment
 * (TCP_OOSEQ_PBUFS_LIMIT); implemented in net/stack/stack_tcp.c. */
struct tcp_pcb;
u16_t net_ooseq_limit(const struct tcp_pcb *pcb);
