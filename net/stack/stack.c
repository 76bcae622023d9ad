/* SPDX-License-Identifier: MIT */
/* Frames in, packets out, timers: what passes, and where an answer goes. */
#include "net/stack/stack.h"

#include <string.h>

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/dns.h"
#include "lwip/prot/iana.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/udp.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

#include "arch/clock.h"
#include "net/stack/walltime.h"

/* So many at once, then so many a second. */
struct ration {
    uint64_t us; /* the clock up to which they have been given out; 0: never */
    uint32_t left;
};

static struct {
    struct stack_stats stats;
    /* While a packet is being taken: who sent it. */
    struct netif *asked_on; /* NULL: none is */
    ip_addr_t asked_by;
    struct eth_addr asked_from;
    struct ration neighbours; /* that we ask for, of both families */
    struct ration mdns;
    uint32_t tick; /* of TCP, when the last look at old connections was */
} state;

struct stack_stats *stack_stats_mut(void) { return &state.stats; }

static bool take(struct ration *r, uint32_t burst, uint32_t per_s)
{
    const uint64_t now_us = clock_now_us();
    const uint64_t due = (now_us - r->us) * per_s / US_PER_S;
    if (r->us == 0 || due >= burst - r->left) {
        r->left = burst;
        r->us = now_us;
    } else {
        r->left += (uint32_t)due;
        r->us += due * US_PER_S / per_s;
    }
    if (r->left == 0) {
        return false;
    }
    r->left--;
    return true;
}

/* --- in -------------------------------------------------------------------------------------- */

/* The fields of headers lie at any alignment. */
static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t load32(const uint8_t *p) { return (uint32_t)load16(p) << 16 | load16(p + 2); }

/* A connection request, and only that: SYN without ACK or RST (RFC 9293, 3.10.7.2). */
static void note_syn(const struct stack_packet *p)
{
    const uint8_t *tcp = p->data;
    if ((tcp[13] & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN) {
        return;
    }
    struct stack_syn syn = {
        .from = p->from,
        .to = p->to,
        .from_port = load16(tcp),
        .to_port = load16(tcp + 2),
        .seq = load32(tcp + 4),
    };
    stack_tcp_syn(&syn);
}

/* A message of mDNS. lwIP reads as many questions and records as its header promises, whether there
 * are bytes for them or not; none is shorter than a name of one byte with its fixed fields. */
static bool mdns_may_pass(const uint8_t *dns, size_t len)
{
    enum { QUESTION_LEAST = 5, RECORD_LEAST = 11 };
    if (len < SIZEOF_DNS_HDR) {
        state.stats.short_frames++;
        return false;
    }
    const size_t questions = load16(dns + offsetof(struct dns_hdr, numquestions));
    const size_t records = (size_t)load16(dns + offsetof(struct dns_hdr, numanswers)) +
                           load16(dns + offsetof(struct dns_hdr, numauthrr)) +
                           load16(dns + offsetof(struct dns_hdr, numextrarr));
    if (questions * QUESTION_LEAST + records * RECORD_LEAST > len - SIZEOF_DNS_HDR) {
        state.stats.short_frames++;
        return false;
    }
    if (!take(&state.mdns, NET_MDNS_BURST, NET_MDNS_PER_S)) {
        state.stats.mdns_limited++;
        return false;
    }
    return true;
}

static bool udp_may_pass(const struct stack_packet *p)
{
    if (load16(p->data) == LWIP_IANA_PORT_SNTP &&
        !walltime_may_pass(p->data + UDP_HLEN, p->len - UDP_HLEN)) {
        return false;
    }
    return load16(p->data + offsetof(struct udp_hdr, dest)) != LWIP_IANA_PORT_MDNS ||
           mdns_may_pass(p->data + UDP_HLEN, p->len - UDP_HLEN);
}

/* A packet behind its Ethernet header. */
static bool ip_may_pass(struct netif *lw, const uint8_t *frame, size_t len, bool v6)
{
    const uint8_t *ip = frame + SIZEOF_ETH_HDR;
    const size_t room = len - SIZEOF_ETH_HDR;
    struct stack_packet p;
    if (!(v6 ? stack_read_ip6(lw, ip, room, &p) : stack_read_ip4(lw, ip, room, &p)) ||
        (p.protocol == IP_PROTO_UDP && !udp_may_pass(&p))) {
        return false;
    }
    if (!ip_addr_isany_val(p.from)) {
        state.asked_on = lw;
        state.asked_by = p.from;
        memcpy(&state.asked_from, frame + ETH_HWADDR_LEN, ETH_HWADDR_LEN);
    }
    if (p.protocol == IP_PROTO_TCP) {
        note_syn(&p);
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
    switch (load16(frame + 2 * ETH_HWADDR_LEN)) {
    case ETHTYPE_ARP:
        if (p->len < SIZEOF_ETH_HDR + SIZEOF_ETHARP_HDR) {
            state.stats.short_frames++; /* etharp_input() does not look */
            return false;
        }
        return true;
    case ETHTYPE_IP:
        return ip_may_pass(lw, frame, p->len, false);
    case ETHTYPE_IPV6:
        /* Without an address of ours there is nobody to talk to. */
        return !ip6_addr_isinvalid(netif_ip6_addr_state(lw, 0)) &&
               ip_may_pass(lw, frame, p->len, true);
    default:
        return true;
    }
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

/* Nobody learns more by an answer to where the question came from than by answering our request for
 * his address, and a flood from invented addresses fills no table. */
static bool is_answer(const struct netif *lw, const ip_addr_t *to)
{
    return lw == state.asked_on && ip_addr_zoneless_eq(to, &state.asked_by);
}

static err_t answer(struct netif *lw, struct pbuf *q, uint16_t type)
{
    return ethernet_output(lw, q, (const struct eth_addr *)lw->hwaddr, &state.asked_from, type);
}

/* One more request for the address of a neighbour? */
static bool may_ask(void)
{
    if (!take(&state.neighbours, NET_ARP_BURST, NET_ARP_PER_S)) {
        state.stats.arp_limited++;
        return false;
    }
    return true;
}

err_t stack_output(struct netif *lw, struct pbuf *q, const ip4_addr_t *to)
{
    ip_addr_t peer;
    ip_addr_copy_from_ip4(peer, *to);
    if (is_answer(lw, &peer)) {
        return answer(lw, q, ETHTYPE_IP);
    }
    if (stack_must_ask_arp(lw, to) && !may_ask()) {
        return ERR_RTE; /* TCP comes again */
    }
    return etharp_output(lw, q, to);
}

err_t stack_output6(struct netif *lw, struct pbuf *q, const ip6_addr_t *to)
{
    ip_addr_t peer;
    ip_addr_copy_from_ip6(peer, *to);
    if (is_answer(lw, &peer)) {
        return answer(lw, q, ETHTYPE_IPV6);
    }
    if (stack_must_ask_nd(lw, to) && !may_ask()) {
        return ERR_RTE;
    }
    return ethip6_output(lw, q, to);
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
