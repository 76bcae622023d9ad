/* SPDX-License-Identifier: MIT */
/* TCP clients, ARP and the newcomer for fuzz_net. */
#include "tests/fuzz/fuzz_net_peer.h"

#include <string.h>

#include "tests/fuzz/fuzz_net_lab.h"

#define FIRST_HOST  0x0a000214u /* 10.0.2.20 */
#define NEWCOMER_IP 0x0a0002c8u /* 10.0.2.200 */
/* Sequence numbers wrap within the first requests. */
#define ISS         0xffffffc0u
#define FIRST_PORT  20000u
#define GENERATIONS 100u
/* A client sends its SYN after 0, 1 and 3 s (RFC 6298, 5.7). */
#define TRIES       3u
#define TRY_MS      1000u
#define DHCP_CLIENT 68u
#define DHCP_SERVER 67u

enum { /* RFC 2131 */
       DHCP_XID = 4,
       DHCP_OPTIONS = 240,
       DHCP_OPTION_REQUESTED = 50,
       DHCP_OPTION_END = 255
};

static struct {
    struct peer peers[PEERS + 1]; /* the last one is the newcomer */
    struct peer_dhcp dhcp;
    bool arp_for_all;
    bool newcomer_arp, newcomer_pong;
} p;

static struct peer *newcomer(void) { return &p.peers[PEERS]; }
struct peer *peer_get(unsigned i) { return &p.peers[i % PEERS]; }
const struct peer_dhcp *peer_dhcp(void) { return &p.dhcp; }

void peers_begin(bool arp_for_all)
{
    memset(&p, 0, sizeof(p));
    p.arp_for_all = arp_for_all;
    for (unsigned i = 0; i <= PEERS; i++) {
        p.peers[i].ip = i == PEERS ? NEWCOMER_IP : FIRST_HOST + i / PEERS_PER_HOST;
        p.peers[i].port = (uint16_t)(FIRST_PORT + i);
        p.peers[i].window = UINT16_MAX;
    }
}

void peers_fall_silent(void)
{
    for (unsigned i = 0; i <= PEERS; i++) {
        p.peers[i].obliging = false;
    }
}

/* --- sending ---------------------------------------------------------------------------------- */

void peer_segment(const struct peer *c, uint32_t seq, uint32_t ack, uint8_t flags,
                  const uint8_t *options, size_t options_len, const uint8_t *data, size_t len)
{
    struct wire w;
    const struct wire_segment t = {.src = c->ip,
                                   .dst = LAB_IP,
                                   .sport = c->port,
                                   .dport = HTTP_PORT,
                                   .seq = seq,
                                   .ack = ack,
                                   .flags = flags,
                                   .window = c->window,
                                   .options = options,
                                   .options_len = options_len,
                                   .data = data,
                                   .len = len};
    wire_tcp(&w, lab_mac(CARD_STATIC), &t);
    lab_receive(CARD_STATIC, w.bytes, w.len);
}

static void acknowledge(const struct peer *c, uint8_t more)
{
    peer_segment(c, c->snd, c->rcv, (uint8_t)(TCP_FLAG_ACK | more), NULL, 0, NULL, 0);
}

void peer_open(struct peer *c, const uint8_t *options, size_t options_len, bool same_port)
{
    unsigned i = (unsigned)(c - p.peers);
    if (!same_port) {
        c->port = (uint16_t)(FIRST_PORT + i + c->generation++ % GENERATIONS * (PEERS + 1));
    }
    c->iss = ISS + i;
    c->snd = c->una = c->iss + 1;
    c->rcv = c->seen = 0;
    c->up = c->closed_by_stack = false;
    c->data_in = 0;
    peer_segment(c, c->iss, 0, TCP_FLAG_SYN, options, options_len, NULL, 0);
}

void peer_data(struct peer *c, const void *data, size_t len, size_t piece, uint64_t gap_ms)
{
    for (size_t at = 0; at < len && c->up; at += piece) {
        size_t n = min_u64(piece, len - at);
        uint32_t seq = c->snd;
        c->snd += (uint32_t)n;
        peer_segment(c, seq, c->rcv, TCP_FLAG_ACK | TCP_FLAG_PSH, NULL, 0,
                     (const uint8_t *)data + at, n);
        if (gap_ms != 0) {
            lab_pass_ms(gap_ms);
        }
    }
}

/* --- what the stack sends --------------------------------------------------------------------- */

static bool later(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }

static void take_in_order(struct peer *c, const struct wire_segment *t)
{
    for (size_t i = 0; i < t->len && c->data_in + i < sizeof(c->start); i++) {
        c->start[c->data_in + i] = t->data[i];
    }
    c->data_in += (uint32_t)t->len;
    c->rcv += (uint32_t)t->len;
    if ((t->flags & TCP_FLAG_FIN) != 0) {
        c->rcv++;
        c->closed_by_stack = true;
        acknowledge(c, TCP_FLAG_FIN);
        c->snd++;
    } else {
        acknowledge(c, 0);
    }
}

static void got_segment(const struct wire_segment *t)
{
    for (unsigned i = 0; i <= PEERS; i++) {
        struct peer *c = &p.peers[i];
        if (c->ip != t->dst || c->port != t->dport) {
            continue;
        }
        if ((t->flags & TCP_FLAG_RST) != 0) {
            c->up = false;
            return;
        }
        uint32_t end =
            t->seq + (uint32_t)t->len + ((t->flags & (TCP_FLAG_SYN | TCP_FLAG_FIN)) != 0 ? 1u : 0u);
        c->snd_window = t->window;
        if ((t->flags & TCP_FLAG_SYN) != 0) {
            bool again = c->up;
            c->up = true;
            c->seen = end;
            if (c->completes) {
                c->rcv = again ? c->rcv : end;
                acknowledge(c, 0);
            } else {
                c->rcv = again ? c->rcv : t->seq;
            }
            return;
        }
        c->una = t->ack;
        c->seen = later(end, c->seen) ? end : c->seen;
        bool something = t->len > 0 || (t->flags & TCP_FLAG_FIN) != 0;
        if (c->obliging && something && t->seq == c->rcv && !c->closed_by_stack) {
            take_in_order(c, t);
        } else if (c->obliging && something) {
            acknowledge(c, 0);
        }
        return;
    }
}

static bool answers_arp(uint32_t ip)
{
    uint32_t hosts = (uint32_t)div_up_u64(PEERS, PEERS_PER_HOST);
    return p.arp_for_all || ip == NEWCOMER_IP || (ip >= FIRST_HOST && ip < FIRST_HOST + hosts);
}

static void got_arp(unsigned card, const uint8_t *arp)
{
    struct wire w;
    uint32_t asked = wire_get32(arp + 24);

    if (wire_get16(arp + 6) == WIRE_ARP_REPLY) {
        p.newcomer_arp |= asked == NEWCOMER_IP;
        return;
    }
    if (asked != wire_get32(arp + 14) && answers_arp(asked)) {
        wire_arp(&w, arp + 8, WIRE_ARP_REPLY, asked, arp + 8, wire_get32(arp + 14));
        lab_receive(card, w.bytes, w.len);
    }
}

static void got_dhcp(const uint8_t *msg, size_t len)
{
    p.dhcp.xid = wire_get32(msg + DHCP_XID);
    p.dhcp.wanted = 0;
    for (size_t i = DHCP_OPTIONS; i + 1 < len && msg[i] != DHCP_OPTION_END; i += 2u + msg[i + 1]) {
        if (msg[i] == DHCP_OPTION_REQUESTED && msg[i + 1] == 4 && i + 6 <= len) {
            p.dhcp.wanted = wire_get32(msg + i + 2);
        }
    }
}

/* What leaves the machine is well formed, whatever has come in. */
static void check_ip(const uint8_t *ip, size_t len)
{
    size_t total = len >= WIRE_IP ? wire_get16(ip + 2) : 0;
    /* A report of IGMP has a router alert (RFC 2236, 2). */
    const size_t head = len >= WIRE_IP && ip[9] == WIRE_IGMP ? WIRE_IP + 4 : WIRE_IP;
    lab_require(len >= head && ip[0] == (0x40 | head / 4) && total >= head && total <= len,
                "sent an IP packet of %zu bytes in a frame with room for %zu", total, len);
    lab_require(wire_sum_end(wire_sum_add(0, ip, head)) == 0, "sent a wrong IP header sum");
}

void peers_sent(unsigned card, const uint8_t *frame, size_t len)
{
    const uint8_t *ip = frame + WIRE_ETH;
    const uint8_t *l4 = frame + WIRE_L4;
    struct wire_segment t;

    if (wire_get16(frame + 12) == WIRE_TYPE_ARP) {
        lab_require(len >= WIRE_ETH + WIRE_ARP, "sent an ARP packet of %zu bytes", len - WIRE_ETH);
        got_arp(card, ip);
        return;
    }
    if (wire_get16(frame + 12) == WIRE_TYPE_IP6) {
        lab_require(len >= WIRE_L4_OF_IP6 && ip[0] >> 4 == 6 &&
                        wire_get16(ip + 4) == len - WIRE_L4_OF_IP6,
                    "sent %zu bytes as IPv6 of %u", len, (unsigned)wire_get16(ip + 4));
        return;
    }
    lab_require(wire_get16(frame + 12) == WIRE_TYPE_IP, "sent a frame of type 0x%04x",
                wire_get16(frame + 12));
    check_ip(ip, len - WIRE_ETH);
    if (wire_read_tcp(frame, len, &t)) {
        got_segment(&t);
    } else if (ip[9] == WIRE_ICMP && len > WIRE_L4 && l4[0] == WIRE_ECHO_REPLY) {
        p.newcomer_pong |= wire_get32(ip + 16) == NEWCOMER_IP;
    } else if (ip[9] == WIRE_PROTO_UDP && len >= WIRE_L4 + WIRE_UDP + DHCP_OPTIONS &&
               wire_get16(l4) == DHCP_CLIENT && wire_get16(l4 + 2) == DHCP_SERVER) {
        got_dhcp(l4 + WIRE_UDP, len - WIRE_L4 - WIRE_UDP);
    }
}

/* --- the newcomer ----------------------------------------------------------------------------- */

static bool served(void)
{
    static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: 10.0.2.15\r\nConnection: close\r\n\r\n";
    static const uint8_t nobody[6], everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t echo[32];
    static const char ok[] = "HTTP/1.1 200";
    struct peer *c = newcomer();
    struct wire w;

    wire_arp(&w, everybody, WIRE_ARP_REQUEST, NEWCOMER_IP, nobody, LAB_IP);
    lab_receive(CARD_STATIC, w.bytes, w.len);
    wire_icmp(&w, lab_mac(CARD_STATIC), NEWCOMER_IP, LAB_IP, WIRE_ECHO, 0, echo, sizeof(echo));
    lab_receive(CARD_STATIC, w.bytes, w.len);
    if (!p.newcomer_arp || !p.newcomer_pong) {
        return false;
    }
    c->completes = c->obliging = true;
    peer_open(c, NULL, 0, false);
    peer_data(c, request, sizeof(request) - 1, sizeof(request) - 1, 0);
    return c->closed_by_stack && memcmp(c->start, ok, sizeof(ok) - 1) == 0;
}

void peer_newcomer(const char *when)
{
    p.newcomer_arp = p.newcomer_pong = false;
    for (unsigned i = 0; i < TRIES; i++) {
        if (served()) {
            return;
        }
        lab_pass_ms(TRY_MS);
    }
    const struct peer *c = newcomer();
    lab_require(false, "deaf %s: ARP %d, ping %d, accepted %d, %u bytes, closed %d", when,
                p.newcomer_arp, p.newcomer_pong, c->up, (unsigned)c->data_in, c->closed_by_stack);
}
