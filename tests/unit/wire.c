/* SPDX-License-Identifier: MIT */
/* The wire, its frames and its peers. RFC 791, 826, 9293; sums after RFC 1071, not ours. */
#include "tests/unit/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "net/nic/nic.h"
#include "net/stack/stack.h"
#include "netif/ethernet.h"

#define QUEUE_MAX 512u
#define STEP_US   50000u

struct wire_counts wire_counts;
bool wire_answer_arp;
void (*wire_on_ip6)(const uint8_t *frame, size_t len);
void (*wire_on_udp)(const uint8_t *frame, size_t len);

static const uint8_t our_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

static struct {
    struct netif lw;
    struct wire_peer *peers;
    uint16_t next_port;
    struct {
        uint8_t data[NIC_FRAME_MAX];
        size_t len;
    } queue[QUEUE_MAX]; /* what peers say, delivered when the stack is done */
    size_t head, count;
    bool delivering;
} w;

static uint16_t be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t be32(const uint8_t *p) { return (uint32_t)be16(p) << 16 | be16(p + 2); }
static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)(v >> 16));
    put16(p + 2, (uint16_t)v);
}

static uint32_t add(const uint8_t *p, size_t n, uint32_t s)
{
    for (size_t i = 0; i < n; i++) {
        s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    }
    return s;
}

static uint16_t fold(uint32_t s)
{
    while (s >> 16 != 0) {
        s = (s & 0xffff) + (s >> 16);
    }
    return (uint16_t)~s;
}

/* --- frames into the stack -------------------------------------------------------------------- */

static void deliver(void)
{
    if (w.delivering) {
        return;
    }
    w.delivering = true;
    while (w.count > 0) {
        size_t at = w.head;
        struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)w.queue[at].len, PBUF_POOL);
        if (p != NULL) { /* else lost, as on a card */
            pbuf_take(p, w.queue[at].data, (u16_t)w.queue[at].len);
        }
        w.head = (w.head + 1) % QUEUE_MAX;
        w.count--;
        if (p != NULL && w.lw.input(p, &w.lw) != ERR_OK) {
            pbuf_free(p);
        }
    }
    w.delivering = false;
}

static void enqueue(const void *frame, size_t len)
{
    if (w.count == QUEUE_MAX || len > NIC_FRAME_MAX) {
        abort();
    }
    size_t at = (w.head + w.count++) % QUEUE_MAX;
    memcpy(w.queue[at].data, frame, len);
    w.queue[at].len = len;
}

void wire_receive(const void *frame, size_t len)
{
    enqueue(frame, len);
    deliver();
}

void wire_receive_exactly(const void *frame, size_t len)
{
    void *exact = malloc(len);
    memcpy(exact, frame, len);
    struct pbuf *p = pbuf_alloc_reference(exact, (u16_t)len, PBUF_REF);
    if (w.lw.input(p, &w.lw) != ERR_OK) {
        pbuf_free(p);
    }
    free(exact);
    deliver();
}

void wire_sum_ip(uint8_t *frame)
{
    uint8_t *ip = frame + 14;
    size_t len = be16(ip + 2) - 20u;
    uint8_t pseudo[12] = {0};
    put16(ip + 10, 0);
    put16(ip + 10, fold(add(ip, 20, 0)));
    memcpy(pseudo, ip + 12, 8);
    pseudo[9] = ip[9];
    put16(pseudo + 10, (uint16_t)len);
    size_t at = ip[9] == 6 ? 16 : ip[9] == 17 ? 6 : 2; /* TCP, UDP, ICMP */
    if (len >= at + 2) {
        put16(ip + 20 + at, 0);
        put16(ip + 20 + at, fold(add(ip + 20, len, ip[9] == 1 ? 0 : add(pseudo, 12, 0))));
    }
}

size_t wire_make_ip(uint8_t *frame, const uint8_t mac[6], uint32_t from, uint8_t protocol,
                    const void *data, size_t len)
{
    memcpy(frame, our_mac, 6);
    memcpy(frame + 6, mac, 6);
    put16(frame + 12, 0x0800);
    uint8_t *ip = frame + 14;
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, (uint16_t)(20 + len));
    ip[8] = 64;
    ip[9] = protocol;
    put32(ip + 12, from);
    put32(ip + 16, WIRE_IP);
    if (len > 0) {
        memcpy(ip + 20, data, len);
    }
    wire_sum_ip(frame);
    return 34 + len;
}

/* opt: MSS option, 0 = none. */
static void put_tcp(uint8_t *tcp, uint16_t port, uint16_t to, uint32_t seq, uint32_t ack,
                    uint8_t flags, uint16_t window, uint16_t mss)
{
    memset(tcp, 0, 24);
    put16(tcp, port);
    put16(tcp + 2, to);
    put32(tcp + 4, seq);
    put32(tcp + 8, ack);
    tcp[12] = mss != 0 ? 6 << 4 : 5 << 4;
    tcp[13] = flags;
    put16(tcp + 14, window);
    if (mss != 0) {
        tcp[20] = 2;
        tcp[21] = 4;
        put16(tcp + 22, mss);
    }
}

static void segment(const struct wire_peer *p, uint32_t seq, uint32_t ack, uint8_t flags,
                    uint16_t mss, const void *data, size_t len)
{
    uint8_t tcp[1500], frame[NIC_FRAME_MAX];
    size_t head = mss != 0 ? 24 : 20;
    put_tcp(tcp, p->port, p->to, seq, ack, flags, p->window, mss);
    if (len > 0) {
        memcpy(tcp + head, data, len);
    }
    enqueue(frame, wire_make_ip(frame, p->mac, p->ip, 6, tcp, head + len));
}

void wire_syn(const uint8_t mac[6], uint32_t from, uint16_t port, uint32_t seq)
{
    uint8_t tcp[24], frame[NIC_FRAME_MAX];
    put_tcp(tcp, port, WIRE_PORT, seq, 0, WIRE_SYN, 0xffff, 1460);
    wire_receive(frame, wire_make_ip(frame, mac, from, 6, tcp, 24));
}

void wire_ping(uint32_t from, const uint8_t mac[6])
{
    uint8_t icmp[64] = {8}, frame[NIC_FRAME_MAX];
    wire_receive(frame, wire_make_ip(frame, mac, from, 1, icmp, sizeof(icmp)));
}

static void put_arp(uint8_t *frame, uint16_t op, uint32_t from, const uint8_t mac[6])
{
    memset(frame, 0, 60);
    memcpy(frame, our_mac, 6);
    memcpy(frame + 6, mac, 6);
    put16(frame + 12, 0x0806);
    const uint8_t kind[6] = {0, 1, 8, 0, 6, 4}; /* Ethernet, IPv4 */
    memcpy(frame + 14, kind, 6);
    put16(frame + 20, op);
    memcpy(frame + 22, mac, 6);
    put32(frame + 28, from);
    memcpy(frame + 32, our_mac, 6);
    put32(frame + 38, WIRE_IP);
}

void wire_arp(uint32_t from, const uint8_t mac[6])
{
    uint8_t frame[60];
    put_arp(frame, 1, from, mac);
    wire_receive(frame, sizeof(frame));
}

/* --- frames out of the stack ------------------------------------------------------------------ */

static void take_tcp(const uint8_t *frame, size_t ip_len)
{
    const uint8_t *ip = frame + 14;
    const uint8_t *tcp = ip + 20;
    size_t head = (size_t)(tcp[12] >> 4) * 4;
    size_t len = ip_len - 20 - head;
    uint32_t seq = be32(tcp + 4);
    wire_counts.synacks += (tcp[13] & (WIRE_SYN | WIRE_ACK)) == (WIRE_SYN | WIRE_ACK);
    wire_counts.resets += (tcp[13] & WIRE_RST) != 0;
    struct wire_peer *p = w.peers;
    while (p != NULL && (p->ip != be32(ip + 16) || p->port != be16(tcp + 2))) {
        p = p->next;
    }
    if (p == NULL || p->deaf || memcmp(frame, p->mac, 6) != 0) {
        return;
    }
    if ((tcp[13] & WIRE_RST) != 0) {
        p->state = WIRE_GOT_RST;
        return;
    }
    if (p->state == WIRE_SYN_SENT && (tcp[13] & WIRE_SYN) != 0) {
        p->rcv = p->first = seq + 1;
        p->state = WIRE_UP;
        segment(p, p->snd, p->rcv, WIRE_ACK, 0, NULL, 0);
        return;
    }
    if (p->silent) {
        size_t end = (size_t)(seq + len - p->first);
        p->received = len > 0 && end > p->received ? end : p->received;
        return;
    }
    if (p->state != WIRE_UP || seq != p->rcv) {
        return;
    }
    for (size_t i = 0; i < len; i++, p->received++) {
        if (p->received < sizeof(p->text) - 1) {
            p->text[p->received] = (char)tcp[head + i];
        }
    }
    p->rcv += (uint32_t)len;
    if (p->take != NULL && len > 0) {
        p->take(p, (const char *)tcp + head, len);
    }
    if ((tcp[13] & WIRE_FIN) != 0) {
        p->rcv++;
        p->state = WIRE_GOT_FIN;
        segment(p, p->snd, p->rcv, WIRE_ACK | WIRE_FIN, 0, NULL, 0);
        p->snd++;
    } else if (len > 0) {
        segment(p, p->snd, p->rcv, WIRE_ACK, 0, NULL, 0);
    }
}

static err_t link_output(struct netif *lw, struct pbuf *b)
{
    uint8_t frame[2048];
    (void)lw;
    if (b->tot_len > NIC_FRAME_MAX) {
        return ERR_BUF;
    }
    memset(frame, 0, 64);
    pbuf_copy_partial(b, frame, b->tot_len, 0);
    wire_counts.frames++;
    if (be16(frame + 12) == 0x0806) {
        bool request = be16(frame + 20) == 1;
        wire_counts.arp_requests += request;
        wire_counts.arp_replies += !request;
        if (request && wire_answer_arp) {
            uint8_t reply[60], mac[6] = {0x52, 0x55};
            memcpy(mac + 2, frame + 38, 4);
            put_arp(reply, 2, be32(frame + 38), mac);
            enqueue(reply, sizeof(reply));
        }
    } else if (be16(frame + 12) == 0x86dd) {
        if (wire_on_ip6 != NULL) {
            wire_on_ip6(frame, b->tot_len);
        }
    } else if (frame[14 + 9] == 17) {
        if (wire_on_udp != NULL) {
            wire_on_udp(frame, b->tot_len);
        }
    } else if (frame[14 + 9] == 1) {
        wire_counts.pongs += frame[34] == 0;
    } else if (frame[14 + 9] == 6) {
        take_tcp(frame, be16(frame + 16));
    }
    return ERR_OK;
}

/* --- set-up and time -------------------------------------------------------------------------- */

static err_t lw_init(struct netif *lw)
{
    lw->name[0] = 'w';
    lw->name[1] = 'i';
    lw->output = stack_output;
    lw->output_ip6 = stack_output6;
    lw->linkoutput = link_output;
    lw->mtu = NIC_MTU;
    lw->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(lw->hwaddr, our_mac, ETH_HWADDR_LEN);
    lw->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP |
                NETIF_FLAG_MLD6;
    return ERR_OK;
}

void wire_start(void)
{
    host_reset();
    host_random_seed(1);
    host_clock_advance(1000 * 1000000ull); /* a second: zero often means never */
    lwip_init();
    ip4_addr_t ip = {lwip_htonl(WIRE_IP)}, mask = {lwip_htonl(0xffffff00)};
    ip4_addr_t gateway = {lwip_htonl(WIRE_PEER)};
    if (netif_add(&w.lw, &ip, &mask, &gateway, NULL, lw_init, stack_input) == NULL) {
        abort();
    }
    netif_set_default(&w.lw);
    netif_set_link_up(&w.lw);
    netif_set_up(&w.lw);
    w.next_port = 20000;
}

void wire_reset(void)
{
    w.peers = NULL;
    w.count = 0;
    while (tcp_active_pcbs != NULL) {
        tcp_abort(tcp_active_pcbs);
    }
    while (tcp_tw_pcbs != NULL) {
        tcp_abort(tcp_tw_pcbs);
    }
    etharp_cleanup_netif(&w.lw);
    w.count = 0;
    wire_answer_arp = true;
    wire_run_us(20 * US_PER_S); /* whatever is counted by time starts afresh */
    memset(&wire_counts, 0, sizeof(wire_counts));
}

void wire_run_us(uint64_t us)
{
    uint64_t end_ns = host_clock_peek_ns() + us * NS_PER_US;
    do {
        uint64_t now_ns = host_clock_peek_ns();
        uint64_t left_ns = now_ns < end_ns ? end_ns - now_ns : 0;
        host_clock_advance(min_u64(left_ns, STEP_US * NS_PER_US));
        stack_timers();
        stack_loopback();
        deliver();
    } while (host_clock_peek_ns() < end_ns);
}

/* --- peers ------------------------------------------------------------------------------------ */

void wire_peer_leave(struct wire_peer *p)
{
    for (struct wire_peer **at = &w.peers; *at != NULL; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            return;
        }
    }
}

void wire_peer_init(struct wire_peer *p, uint32_t ip)
{
    wire_peer_leave(p);
    *p = (struct wire_peer){
        .ip = ip, .port = w.next_port++, .to = WIRE_PORT, .window = 0xffff, .mss = 1460};
    p->mac[0] = 0x52;
    p->mac[1] = 0x55;
    put32(p->mac + 2, ip);
    p->snd = 0xfffffff0; /* crosses the wrap */
    p->next = w.peers;
    w.peers = p;
}

bool wire_connect(struct wire_peer *p)
{
    p->state = WIRE_SYN_SENT;
    segment(p, p->snd, 0, WIRE_SYN, p->mss, NULL, 0);
    p->snd++;
    deliver();
    return p->state == WIRE_UP;
}

void wire_send(struct wire_peer *p, uint8_t flags, const void *data, size_t len)
{
    segment(p, p->snd, p->rcv, flags, 0, data, len);
    p->snd += (uint32_t)len + ((flags & (WIRE_SYN | WIRE_FIN)) != 0);
    deliver();
}

void wire_say(struct wire_peer *p, const char *text)
{
    for (size_t len = strlen(text), n; len > 0; len -= n, text += n) {
        n = len < 1400 ? len : 1400;
        wire_send(p, WIRE_ACK | WIRE_PSH, text, n);
    }
}

void wire_send_at(struct wire_peer *p, uint32_t ahead, const void *data, size_t len)
{
    segment(p, p->snd + ahead, p->rcv, WIRE_ACK, 0, data, len);
    deliver();
}

void wire_ack(struct wire_peer *p, uint32_t received)
{
    p->rcv = p->first + received;
    segment(p, p->snd, p->rcv, WIRE_ACK, 0, NULL, 0);
    deliver();
}

void wire_ack_mss(struct wire_peer *p, uint16_t mss)
{
    segment(p, p->snd, p->rcv, WIRE_ACK, mss, NULL, 0);
    deliver();
}

bool wire_is_served(uint32_t ip, const char *path)
{
    static struct wire_peer p;
    char request[100];
    wire_peer_init(&p, ip);
    bool ok = wire_connect(&p);
    if (ok) {
        snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: 10.0.2.15\r\nConnection: close\r\n\r\n", path);
        wire_say(&p, request);
        ok = strstr(p.text, "200 OK") != NULL && p.state == WIRE_GOT_FIN;
    }
    wire_peer_leave(&p);
    return ok;
}
