/* SPDX-License-Identifier: MIT */
/*
 * Between a driver and lwIP: frames in are copied once, out of memory that the device still can
 * write, into a buffer of lwIP; frames out go as they lie, in pieces, into the driver's ring.
 */
#include "net/stack/netif.h"

#include <stdio.h>
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/pbuf.h"
#include "lwip/prot/tcp.h"
#include "lwip/timeouts.h"

#include "arch/clock.h"
#include "arch/log.h"
#include "net/stack/stack.h"
#include "net/stack/walltime.h"

#define POLL_BUDGET 64u /* frames per visit, so that timers and other cards get their turn */
#define PIECES_MAX  8u  /* more are copied together first */

/* An address that comes this late is worth a word in the log. */
#define DHCP_PATIENCE_MS 10000u

/* IPv6 waits that long for an address of IPv4: the first answer does not wait for IPv6. */
#define IPV4_PATIENCE_MS 2000u
/* From the address to what the first answer need not wait for. */
#define REST_AFTER_MS 50u

static struct net_if *to_if(struct netif *lw) { return CONTAINER_OF(lw, struct net_if, lw); }

/* --- out -------------------------------------------------------------------------------------- */

static err_t link_output(struct netif *lw, struct pbuf *p)
{
    struct nic *nic = to_if(lw)->nic;
    struct nic_piece pieces[PIECES_MAX];
    static uint8_t flat[NIC_FRAME_MAX]; /* one fiber sends, and sending does not yield */
    size_t count = 0;

    for (const struct pbuf *q = p; q != NULL; q = q->next) {
        if (count == PIECES_MAX) {
            if (p->tot_len > sizeof(flat)) {
                return ERR_BUF;
            }
            pbuf_copy_partial(p, flat, p->tot_len, 0);
            pieces[0] = (struct nic_piece){flat, p->tot_len};
            count = 1;
            break;
        }
        pieces[count++] = (struct nic_piece){q->payload, q->len};
    }
    enum fl_err err = nic->driver->send(nic, pieces, count);
    if (err == FL_OK) {
        LINK_STATS_INC(link.xmit);
        return ERR_OK;
    }
    if (err == FL_ENOSPC) {
        LINK_STATS_INC(link.memerr);
        return ERR_MEM; /* TCP keeps the segment; stack_resume_senders() comes back to it */
    }
    LINK_STATS_INC(link.drop);
    return ERR_IF;
}

/* --- in --------------------------------------------------------------------------------------- */

/* IPv4, TCP, to this card alone: what else it is, lwIP's gate says (stack_input). */
static bool is_early(const struct net_if *p, const struct pbuf *b)
{
    const struct eth_hdr *eth = b->payload;
    const struct ip_hdr *ip = (const void *)(eth + 1);
    return p->address_us == 0 && b->len >= sizeof(*eth) + IP_HLEN + TCP_HLEN &&
           memcmp(eth->dest.addr, p->nic->mac, ETH_HWADDR_LEN) == 0 &&
           eth->type == PP_HTONS(ETHTYPE_IP) && IPH_PROTO(ip) == IP_PROTO_TCP;
}

/* Of too many the oldest goes: who sent it asks again. */
static void keep_early(struct net_if *p, struct pbuf *b)
{
    struct net_early *e = &p->early;
    if (e->count == NET_EARLY_MAX) {
        stack_stats_mut()->early_dropped++;
        pbuf_free(e->frame[0]);
        memmove(e->frame, e->frame + 1, --e->count * sizeof(*e->frame));
    }
    e->frame[e->count++] = b;
}

/* With the address they go to lwIP, without the link to nobody. */
static void give_early(struct net_if *p)
{
    struct net_early *e = &p->early;
    for (unsigned i = 0; i < e->count; i++) {
        const bool lost = p->address_us == 0;
        stack_stats_mut()->early_dropped += lost;
        if (lost || p->lw.input(e->frame[i], &p->lw) != ERR_OK) {
            pbuf_free(e->frame[i]);
        }
    }
    e->count = 0;
}

static void receive(struct nic *nic, const void *frame, size_t len)
{
    struct net_if *p = nic->owner;
    struct pbuf *b = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_POOL);

    if (b == NULL) {
        nic->stats.rx_dropped++;
        LINK_STATS_INC(link.memerr);
        LINK_STATS_INC(link.drop);
        return;
    }
    pbuf_take(b, frame, (u16_t)len);
    LINK_STATS_INC(link.recv);
    if (is_early(p, b)) {
        keep_early(p, b);
        return;
    }
    if (p->lw.input(b, &p->lw) != ERR_OK) {
        pbuf_free(b);
    }
}

static void start_without_ipv4(void *arg);

static void follow_link(struct net_if *p)
{
    struct nic *nic = p->nic;
    if (nic->link == (netif_is_link_up(&p->lw) != 0)) {
        return;
    }
    if (nic->link) {
        p->link_us = clock_now_us();
        if (nic->speed_mbps != 0) {
            log_info("net", "net%u: link up at %u Mbit/s", p->index, nic->speed_mbps);
        } else {
            log_info("net", "net%u: link up", p->index);
        }
        netif_set_link_up(&p->lw); /* asks for an address anew */
        sys_untimeout(start_without_ipv4, p);
        sys_timeout(IPV4_PATIENCE_MS, start_without_ipv4, p);
    } else {
        log_warn("net", "net%u: %s", p->index, nic->broken ? "out of service" : "no link");
        netif_set_link_down(&p->lw);
    }
}

bool net_if_poll(struct net_if *p)
{
    struct nic *nic = p->nic;
    bool was_waiting = nic->tx_waiting;
    unsigned n = nic->driver->poll(nic, POLL_BUDGET);

    follow_link(p);
    if (p->early.count > 0 && (p->address_us != 0 || !nic->link)) {
        give_early(p);
    }
    if (was_waiting && !nic->tx_waiting) {
        stack_resume_senders();
    }
    return n == POLL_BUDGET;
}

/* --- addresses -------------------------------------------------------------------------------- */

static void ip_text(const ip4_addr_t *ip, char *buf, size_t size)
{
    uint32_t v = lwip_ntohl(ip4_addr_get_u32(ip));
    snprintf(buf, size, "%u.%u.%u.%u", (unsigned)(v >> 24), (unsigned)(v >> 16 & 0xff),
             (unsigned)(v >> 8 & 0xff), (unsigned)(v & 0xff));
}

/* What makes the first answer no faster. */
static void start_the_rest(struct net_if *p)
{
    if (p->cfg->ipv6) {
        net_ipv6_start(&p->ipv6, &p->lw);
    }
    walltime_start();
    if (p->cfg->mdns) {
        discovery_start(&p->discovery, &p->lw, p->cfg);
    }
}

static void start_later(void *arg) { start_the_rest(arg); }

/* Of a card that has got no IPv4 address by now. Without a link, or with IPv4 only, there is nobody
 * to be found by: mDNS would try four times a second. */
static void start_without_ipv4(void *arg)
{
    struct net_if *p = arg;
    if (p->nic->link && p->cfg->ipv6) {
        start_the_rest(p);
    }
}

static void ipv4_changed(struct net_if *p)
{
    struct netif *lw = &p->lw;
    char ip[16];
    char gw[16];

    if (ip4_addr_isany_val(*netif_ip4_addr(lw))) {
        if (p->address_us != 0) {
            log_warn("net", "net%u: lost its address", p->index);
        }
        p->address_us = 0;
        return;
    }
    if (p->address_us != 0) {
        return;
    }
    p->address_us = clock_now_us();
    ip_text(netif_ip4_addr(lw), ip, sizeof(ip));
    ip_text(netif_ip4_gw(lw), gw, sizeof(gw));
    log_info("net", "net%u: address %s/%d gateway %s%s", p->index, ip,
             __builtin_popcount(ip4_addr_get_u32(netif_ip4_netmask(lw))), gw,
             p->dhcp ? " by DHCP" : "");
    if (p->cfg->mdns) {
        discovery_name(&p->discovery, lw,
                       p->cfg); /* a certificate may be made before it is announced */
    }
    sys_untimeout(start_later, p);
    sys_timeout(REST_AFTER_MS, start_later, p);
}

/* lwIP calls this when an address changes, or the interface goes up or down. */
static void address_changed(struct netif *lw)
{
    struct net_if *p = to_if(lw);
    ipv4_changed(p);
    net_ipv6_changed(&p->ipv6, lw, p->index);
}

static void dhcp_patience(void *arg)
{
    const struct net_if *p = arg;
    if (p->address_us == 0 && p->nic->link) {
        log_warn(
            "net",
            "net%u: no DHCP server has answered for %u s; without one, write ip = ADDRESS/PREFIX "
            "and gateway = ADDRESS into firstlight.conf",
            p->index, DHCP_PATIENCE_MS / 1000u);
    }
}

static err_t lw_init(struct netif *lw)
{
    const struct net_if *p = to_if(lw);

    lw->name[0] = 'e';
    lw->name[1] = 'n';
    lw->output = stack_output;
    lw->output_ip6 = stack_output6;
    lw->linkoutput = link_output;
    lw->mtu = NIC_MTU;
    lw->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(lw->hwaddr, p->nic->mac, ETH_HWADDR_LEN);
    lw->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP |
                NETIF_FLAG_MLD6;
    netif_set_hostname(lw, p->cfg->hostname[0] != '\0' ? p->cfg->hostname : NULL);
    return ERR_OK;
}

static ip4_addr_t to_lwip(uint32_t host_order)
{
    ip4_addr_t ip;
    ip4_addr_set_u32(&ip, lwip_htonl(host_order));
    return ip;
}

enum fl_err net_if_add(struct net_if *p, struct nic *nic, unsigned index, bool dhcp,
                       const struct net_config *cfg, struct fl_fail *fail)
{
    char name[PCI_NAME_MAX];
    ip4_addr_t ip = to_lwip(dhcp ? 0 : cfg->ip);
    ip4_addr_t mask = to_lwip(dhcp ? 0 : cfg->mask);
    ip4_addr_t gateway = to_lwip(dhcp ? 0 : cfg->gateway);

    *p = (struct net_if){.nic = nic, .index = index, .dhcp = dhcp, .cfg = cfg};
    nic->owner = p;
    nic->receive = receive;
    log_info("net", "net%u: %s at %s, %02x:%02x:%02x:%02x:%02x:%02x%s", index, nic->driver->name,
             pci_name(nic->pci, name), nic->mac[0], nic->mac[1], nic->mac[2], nic->mac[3],
             nic->mac[4], nic->mac[5], nic->link ? "" : ", no link");
    if (netif_add(&p->lw, &ip, &mask, &gateway, NULL, lw_init, stack_input) == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "netif_add", "lwIP refused interface net%u", index);
    }
    p->listed = true;
    netif_set_status_callback(&p->lw, address_changed);
    if (netif_default == NULL) {
        netif_set_default(&p->lw);
    }
    if (nic->link) {
        p->link_us = clock_now_us();
        netif_set_link_up(&p->lw);
    }
    netif_set_up(&p->lw);
    sys_timeout(IPV4_PATIENCE_MS, start_without_ipv4, p);
    if (!dhcp) {
        return FL_OK;
    }
    if (dhcp_start(&p->lw) != ERR_OK) {
        return FL_FAIL(fail, FL_ENOMEM, "dhcp_start", "lwIP cannot start DHCP on net%u", index);
    }
    sys_timeout(DHCP_PATIENCE_MS, dhcp_patience, p);
    return FL_OK;
}

void net_if_status(const struct net_if *p, struct net_nic_status *out)
{
    const struct nic *nic = p->nic;
    *out = (struct net_nic_status){
        .state = nic->broken          ? NET_NIC_FAILED
                 : !nic->link         ? NET_NIC_NO_LINK
                 : p->address_us == 0 ? NET_NIC_DHCP
                                      : NET_NIC_UP,
        .driver = nic->driver->name,
        .link = nic->link,
        .speed_mbps = nic->speed_mbps,
        .ip = lwip_ntohl(ip4_addr_get_u32(netif_ip4_addr(&p->lw))),
        .mask = lwip_ntohl(ip4_addr_get_u32(netif_ip4_netmask(&p->lw))),
        .gateway = lwip_ntohl(ip4_addr_get_u32(netif_ip4_gw(&p->lw))),
        .address_us = p->address_us,
        .rx_packets = nic->stats.rx_packets,
        .rx_bytes = nic->stats.rx_bytes,
        .rx_errors = nic->stats.rx_errors,
        .rx_dropped = nic->stats.rx_dropped,
        .tx_packets = nic->stats.tx_packets,
        .tx_bytes = nic->stats.tx_bytes,
        .tx_full = nic->stats.tx_full,
        .interrupts = nic->stats.interrupts,
        .kicks = nic->stats.kicks,
    };
    net_ipv6_status(&p->lw, out);
    memcpy(out->local_name, p->discovery.name, sizeof(out->local_name));
    pci_name(nic->pci, out->pci);
    memcpy(out->mac, nic->mac, sizeof(out->mac));
    if (nic->broken) {
        snprintf(out->error, sizeof(out->error), "%s", nic->fail.text);
    }
}
