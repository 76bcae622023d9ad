/* SPDX-License-Identifier: MIT */
/*
 * What passes of IPv4 and IPv6. Of IPv6: TCP, UDP and the messages of ICMPv6 that lwIP acts upon,
 * without extension headers but the router alert of MLD's queries.
 *
 * Sources: RFC 791, RFC 8200, RFC 4291 (addresses), RFC 4443 (ICMPv6), RFC 4861 6.1.2, 7.1.1, 7.1.2
 * (neighbour discovery), RFC 2710 and RFC 3810 5 (MLD), RFC 2711 (router alert).
 */
#include "net/stack/stack.h"

#include <string.h>

#include "lwip/etharp.h"
#include "lwip/nd6.h"
#include "lwip/priv/nd6_priv.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/mld6.h"
#include "lwip/prot/nd6.h"
#include "lwip/prot/tcp.h"
#include "lwip/prot/udp.h"

#define MLD_HOPLIM 1u

static bool short_frame(void)
{
    stack_stats_mut()->short_frames++;
    return false;
}

static bool spoofed(void)
{
    stack_stats_mut()->spoofed++;
    return false;
}

static bool unwanted(void)
{
    stack_stats_mut()->unwanted++;
    return false;
}

static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

static ip4_addr_t load_ip4(const void *p)
{
    ip4_addr_t ip;
    memcpy(&ip.addr, p, sizeof(ip.addr));
    return ip;
}

static ip6_addr_t load_ip6(const void *p)
{
    ip6_addr_t ip;
    memcpy(ip.addr, p, sizeof(ip.addr));
    ip6_addr_clear_zone(&ip);
    return ip;
}

/* Bytes of the header of a protocol, 0 where lwIP looks itself. */
static size_t least(uint8_t protocol)
{
    return protocol == IP_PROTO_TCP ? TCP_HLEN : protocol == IP_PROTO_UDP ? UDP_HLEN : 0;
}

/* lwIP looks at some fields before it looks at lengths. */
bool stack_read_ip4(const struct netif *lw, const uint8_t *ip, size_t room,
                    struct stack_packet *out)
{
    if (room < IP_HLEN) {
        return short_frame();
    }
    const size_t head = (size_t)(ip[0] & 0xf) * 4;
    const size_t total = load16(ip + offsetof(struct ip_hdr, _len));
    const uint8_t protocol = ip[offsetof(struct ip_hdr, _proto)];
    if (head < IP_HLEN || total < head + least(protocol) || total > room) {
        return short_frame();
    }
    if ((load16(ip + offsetof(struct ip_hdr, _offset)) & (IP_OFFMASK | IP_MF)) != 0) {
        stack_stats_mut()->fragments++;
        return false;
    }
    const ip4_addr_t from = load_ip4(ip + offsetof(struct ip_hdr, src));
    const ip4_addr_t to = load_ip4(ip + offsetof(struct ip_hdr, dest));
    const bool ours =
        !ip4_addr_isany_val(*netif_ip4_addr(lw)) && ip4_addr_eq(&from, netif_ip4_addr(lw));
    if (ours || ip4_addr_isloopback(&from)) {
        return spoofed(); /* else we would answer ourselves */
    }
    *out = (struct stack_packet){.protocol = protocol, .data = ip + head, .len = total - head};
    ip_addr_copy_from_ip4(out->from, from);
    ip_addr_copy_from_ip4(out->to, to);
    return true;
}

/* --- IPv6 --------------------------------------------------------------------------------------
 */

/* An address that this interface uses. One that is still being looked for elsewhere is not ours:
 * its owner may say so. */
static bool is_ours(const struct netif *lw, const ip6_addr_t *from)
{
    for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(lw, i)) &&
            ip6_addr_zoneless_eq(from, netif_ip6_addr(lw, i))) {
            return true;
        }
    }
    return false;
}

/* The options of a message of neighbour discovery, which ends with them. */
static bool options_fit(const uint8_t *at, size_t len)
{
    while (len > 0) {
        const size_t bytes = len >= 2 ? at[1] * 8u : 0;
        if (bytes == 0 || bytes > len) {
            return false;
        }
        at += bytes;
        len -= bytes;
    }
    return true;
}

/* Whether a neighbour may have sent that. */
static bool discovery_may_pass(const struct stack_packet *p, uint8_t hop_limit)
{
    const uint8_t type = p->data[0];
    const size_t head = type == ICMP6_TYPE_RA ? sizeof(struct ra_header) : sizeof(struct ns_header);
    _Static_assert(sizeof(struct ns_header) == sizeof(struct na_header), "the same fields");
    if (p->len < head || !options_fit(p->data + head, p->len - head)) {
        return short_frame();
    }
    if (hop_limit != ND6_HOPLIM || p->data[1] != 0) {
        return spoofed(); /* a router has passed it on */
    }
    if (type == ICMP6_TYPE_RA) {
        return ip6_addr_islinklocal(ip_2_ip6(&p->from)) || spoofed();
    }
    const ip6_addr_t target = load_ip6(p->data + offsetof(struct ns_header, target_address));
    if (ip6_addr_ismulticast(&target)) {
        return spoofed();
    }
    const bool solicited = (p->data[offsetof(struct na_header, flags)] & ND6_FLAG_SOLICITED) != 0;
    if (type == ICMP6_TYPE_NA && solicited && ip6_addr_ismulticast(ip_2_ip6(&p->to))) {
        return spoofed();
    }
    return true;
}

static bool icmp6_may_pass(const struct stack_packet *p, uint8_t hop_limit, bool alert)
{
    if (p->len < sizeof(struct icmp6_hdr)) {
        return short_frame();
    }
    const uint8_t type = p->data[0];
    if (alert != (type == ICMP6_TYPE_MLQ)) {
        return unwanted();
    }
    switch (type) {
    case ICMP6_TYPE_EREQ:
        return true;
    case ICMP6_TYPE_RA:
    case ICMP6_TYPE_NS:
    case ICMP6_TYPE_NA:
        return discovery_may_pass(p, hop_limit);
    case ICMP6_TYPE_MLQ:
        if (p->len < sizeof(struct mld_header)) {
            return short_frame();
        }
        return (hop_limit == MLD_HOPLIM && ip6_addr_islinklocal(ip_2_ip6(&p->from))) || spoofed();
    default:
        /* Errors and "packet too big" change nothing of a connection that stands; nobody redirects
         * us; we route for nobody; other hosts' groups are theirs. */
        return unwanted();
    }
}

/* The one header that a query of MLD has between IPv6 and ICMPv6. */
static bool is_router_alert(const uint8_t *h)
{
    static const uint8_t alert[] = {IP6_NEXTH_ICMP6, 0, IP6_ROUTER_ALERT_OPTION, 2, 0, 0};
    return memcmp(h, alert, sizeof(alert)) == 0 &&
           (h[6] == IP6_PAD1_OPTION || h[6] == IP6_PADN_OPTION) && h[7] == 0;
}

/* Senders that no neighbour and nobody beyond a router can be. */
static bool sender_may_be(const struct netif *lw, const struct stack_packet *p)
{
    const ip6_addr_t *from = ip_2_ip6(&p->from);
    if (ip6_addr_isany(from)) { /* one who looks whether an address is free */
        return p->protocol == IP6_NEXTH_ICMP6 && p->len > 0 && p->data[0] == ICMP6_TYPE_NS &&
               ip6_addr_issolicitednode(ip_2_ip6(&p->to));
    }
    return !ip6_addr_ismulticast(from) && !ip6_addr_isloopback(from) &&
           !ip6_addr_isipv4mappedipv6(from) && !is_ours(lw, from);
}

bool stack_read_ip6(const struct netif *lw, const uint8_t *ip, size_t room,
                    struct stack_packet *out)
{
    if (room < IP6_HLEN) {
        return short_frame();
    }
    const size_t len = load16(ip + offsetof(struct ip6_hdr, _plen));
    const uint8_t hop_limit = ip[offsetof(struct ip6_hdr, _hoplim)];
    *out = (struct stack_packet){
        .protocol = ip[offsetof(struct ip6_hdr, _nexth)], .data = ip + IP6_HLEN, .len = len};
    ip_addr_copy_from_ip6(out->from, load_ip6(ip + offsetof(struct ip6_hdr, src)));
    ip_addr_copy_from_ip6(out->to, load_ip6(ip + offsetof(struct ip6_hdr, dest)));
    if (len > room - IP6_HLEN) {
        return short_frame();
    }
    if (out->protocol == IP6_NEXTH_FRAGMENT) {
        stack_stats_mut()->fragments++;
        return false;
    }
    const bool alert =
        out->protocol == IP6_NEXTH_HOPBYHOP && len >= MLD6_HBH_HLEN && is_router_alert(out->data);
    if (alert) {
        out->protocol = IP6_NEXTH_ICMP6;
        out->data += MLD6_HBH_HLEN;
        out->len -= MLD6_HBH_HLEN;
    }
    if (out->protocol != IP6_NEXTH_TCP && out->protocol != IP6_NEXTH_UDP &&
        out->protocol != IP6_NEXTH_ICMP6) {
        return unwanted();
    }
    if (out->len < least(out->protocol)) {
        return short_frame();
    }
    if (!sender_may_be(lw, out)) {
        return spoofed();
    }
    if (out->protocol == IP6_NEXTH_UDP &&
        load16(out->data + offsetof(struct udp_hdr, chksum)) == 0) {
        return unwanted(); /* IPv6 has no sum of its own */
    }
    return out->protocol != IP6_NEXTH_ICMP6 || icmp6_may_pass(out, hop_limit, alert);
}

/* --- neighbours --------------------------------------------------------------------------------
 */

bool stack_must_ask_arp(struct netif *lw, const ip4_addr_t *to)
{
    if (ip4_addr_isbroadcast(to, lw) || ip4_addr_ismulticast(to)) {
        return false;
    }
    struct eth_addr *mac;
    const ip4_addr_t *ip;
    const bool near = ip4_addr_net_eq(to, netif_ip4_addr(lw), netif_ip4_netmask(lw));
    return etharp_find_addr(lw, near ? to : netif_ip4_gw(lw), &mac, &ip) < 0;
}

/* A router is in the table from its advertisement on. */
bool stack_must_ask_nd(const struct netif *lw, const ip6_addr_t *to)
{
    if (ip6_addr_ismulticast(to)) {
        return false;
    }
    for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
        const struct nd6_neighbor_cache_entry *n = &neighbor_cache[i];
        if (n->state != ND6_NO_ENTRY && n->netif == lw &&
            ip6_addr_zoneless_eq(to, &n->next_hop_address)) {
            return false;
        }
    }
    bool near = ip6_addr_islinklocal(to);
    for (unsigned i = 0; i < LWIP_ND6_NUM_PREFIXES; i++) {
        near |= prefix_list[i].netif == lw && ip6_addr_net_zoneless_eq(to, &prefix_list[i].prefix);
    }
    return near;
}
