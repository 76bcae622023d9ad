/* SPDX-License-Identifier: MIT */
/* Frames in, packets out, timers: what passes, and where an answer goes. */
#include "net/stack/stack.h"

#include <string.h>

#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/udp.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

#include "arch/clock.h"

static struct {
    struct stack_stats stats;
    /* While a frame is being taken: who sent it. */
    struct netif *asked_on; /* NULL: no IP packet is being taken */
    ip4_addr_t asked_by;
    struct eth_addr asked_from;
    uint64_t arp_us; /* the clock up to which ARP_PER_S has been given out */
    uint32_t arp_tokens;
    uint32_t tick; /* of TCP, when the last look at old connections was */
} state;

struct stack_stats *stack_stats_mut(void) { return &state.stats; }

/* --- in -------------------------------------------------------------------------------------- */

/* The fields of headers lie at any alignment. */
static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t load32(const uint8_t *p) { return (uint32_t)load16(p) << 16 | load16(p + 2); }

static ip4_addr_t load_ip(const void *p)
{
    ip4_addr_t ip;
    memcpy(&ip.addr, p, sizeof(ip.addr));
    return ip;
}

/* A connection request, and only that: SYN without ACK or RST (RFC 9293, 3.10.7.2). */
static void note_syn(const uint8_t *ip, size_t ip_head)
{
    const uint8_t *tcp = ip + ip_head;
    if ((tcp[13] & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN) {
        return;
    }
    struct stack_syn syn = {
        .from = load_ip(ip + offsetof(struct ip_hdr, src)),
        .to = load_ip(ip + offsetof(struct ip_hdr, dest)),
        .from_port = load16(tcp),
        .to_port = load16(tcp + 2),
        .seq = load32(tcp + 4),
    };
    stack_tcp_syn(&syn);
}

/* An IPv4 packet behind its Ethernet header. lwIP looks at some fields before it looks at lengths.
 */
static bool ip_may_pass(struct netif *lw, const uint8_t *frame, size_t len)
{
    const uint8_t *ip = frame + SIZEOF_ETH_HDR;
    size_t room = len - SIZEOF_ETH_HDR;
    if (room < IP_HLEN) {
        state.stats.short_frames++;
        return false;
    }
    size_t head = (size_t)(ip[0] & 0xf) * 4;
    size_t total = load16(ip + offsetof(struct ip_hdr, _len));
    uint8_t protocol = ip[offsetof(struct ip_hdr, _proto)];
    size_t least = head + (protocol == IP_PROTO_TCP   ? TCP_HLEN
                           : protocol == IP_PROTO_UDP ? UDP_HLEN
                                                      : 0);
    if (head < IP_HLEN || total < least || total > room) {
        state.stats.short_frames++;
        return false;
    }
    if ((load16(ip + offsetof(struct ip_hdr, _offset)) & (IP_OFFMASK | IP_MF)) != 0) {
        state.stats.fragments++;
        return false;
    }
    ip4_addr_t from = load_ip(ip + offsetof(struct ip_hdr, src));
    bool ours = !ip4_addr_isany_val(*netif_ip4_addr(lw)) && ip4_addr_eq(&from, netif_ip4_addr(lw));
    if (ours || ip4_addr_isloopback(&from)) {
        state.stats.spoofed++; /* else we would answer ourselves */
        return false;
    }
    state.asked_on = lw;
    state.asked_by = from;
    memcpy(&state.asked_from, frame + ETH_HWADDR_LEN, ETH_HWADDR_LEN);
    if (protocol == IP_PROTO_TCP) {
        note_syn(ip, head);
    }
    return true;
}

static bool may_pass(struct netif *lw, const struct pbuf *p)
{
    const uint8_t *frame = p->payload;
    if (p->len < SIZEOF_ETH_HDR) {
        state.stats.short_frames++;
        return false;
    }
    if ((frame[ETH_HWADDR_LEN] & 1) != 0) { /* no card has a group address */
        state.stats.spoofed++;
        return false;
    }
    uint16_t type = load16(frame + 2 * ETH_HWADDR_LEN);
    if (type == ETHTYPE_ARP && p->len < SIZEOF_ETH_HDR + SIZEOF_ETHARP_HDR) {
        state.stats.short_frames++; /* etharp_input() does not look */
        return false;
    }
    return type != ETHTYPE_IP || ip_may_pass(lw, frame, p->len);
}

err_t stack_input(struct pbuf *p, struct netif *lw)
{
    stack_enter(STACK_INPUT, NULL);
    if (!may_pass(lw, p)) {
        pbuf_free(p);
    } else if (ethernet_input(p, lw) != ERR_OK) {
        pbuf_free(p);
    }
    state.asked_on = NULL;
    stack_leave();
    return ERR_OK;
}

/* --- out ------------------------------------------------------------------------------------- */

/* One more request for the address of a neighbour? */
static bool arp_allowed(void)
{
    uint64_t now_us = clock_now_us();
    uint64_t due = (now_us - state.arp_us) * NET_ARP_PER_S / US_PER_S;
    if (state.arp_us == 0 || due >= NET_ARP_BURST - state.arp_tokens) {
        state.arp_tokens = NET_ARP_BURST;
        state.arp_us = now_us;
    } else {
        state.arp_tokens += (uint32_t)due;
        state.arp_us += due * US_PER_S / NET_ARP_PER_S;
    }
    if (state.arp_tokens == 0) {
        return false;
    }
    state.arp_tokens--;
    return true;
}

static bool must_ask_arp(struct netif *lw, const ip4_addr_t *to)
{
    if (ip4_addr_isbroadcast(to, lw) || ip4_addr_ismulticast(to)) {
        return false;
    }
    struct eth_addr *mac;
    const ip4_addr_t *ip;
    bool near = ip4_addr_net_eq(to, netif_ip4_addr(lw), netif_ip4_netmask(lw));
    return etharp_find_addr(lw, near ? to : netif_ip4_gw(lw), &mac, &ip) < 0;
}

err_t stack_output(struct netif *lw, struct pbuf *q, const ip4_addr_t *to)
{
    if (lw == state.asked_on && ip4_addr_eq(to, &state.asked_by)) {
        /* Nobody learns more by this than by answering our ARP request would tell him, and a flood
         * from invented addresses fills no table. */
        return ethernet_output(lw, q, (const struct eth_addr *)lw->hwaddr, &state.asked_from,
                               ETHTYPE_IP);
    }
    if (must_ask_arp(lw, to) && !arp_allowed()) {
        state.stats.arp_limited++;
        return ERR_RTE; /* TCP comes again */
    }
    return etharp_output(lw, q, to);
}

/* --- timers ----------------------------------------------------------------------------------- */

void stack_timers(void)
{
    stack_enter(STACK_TIMERS, NULL);
    sys_check_timeouts();
    stack_leave();
    if (tcp_ticks != state.tick) {
        state.tick = tcp_ticks;
        stack_tcp_expire();
    }
}

void stack_loopback(void)
{
    stack_enter(STACK_INPUT, NULL);
    netif_poll_all();
    stack_leave();
}

/* lwIP would wait for its timers. */
void stack_resume_senders(void)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if ((pcb->flags & TF_NAGLEMEMERR) != 0 && pcb->unsent != NULL) {
            stack_enter(STACK_OUTPUT, pcb);
            (void)tcp_output(pcb); /* an error marks the pcb again */
        }
    }
    stack_leave();
}
