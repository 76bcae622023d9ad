/* SPDX-License-Identifier: MIT */
/* Building and reading frames for fuzz_net. */
#include "tests/fuzz/fuzz_net_wire.h"

#include <string.h>

enum { TTL = 64, OPTIONS_MAX = 40 };

uint16_t wire_get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
uint32_t wire_get32(const uint8_t *p) { return (uint32_t)wire_get16(p) << 16 | wire_get16(p + 2); }

void wire_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void wire_put32(uint8_t *p, uint32_t v)
{
    wire_put16(p, v >> 16);
    wire_put16(p + 2, v);
}

uint32_t wire_sum_add(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        sum += wire_get16(p + i);
    }
    return n % 2 != 0 ? sum + ((uint32_t)p[n - 1] << 8) : sum;
}

uint16_t wire_sum_end(uint32_t sum)
{
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

void wire_mac(uint8_t out[6], uint32_t ip)
{
    out[0] = 0x52;
    out[1] = 0x55;
    wire_put32(out + 2, ip);
}

void wire_ethernet(struct wire *w, const uint8_t to[6], uint32_t src, uint16_t type)
{
    memcpy(w->bytes, to, 6);
    wire_mac(w->bytes + 6, src);
    wire_put16(w->bytes + 12, type);
}

void wire_arp(struct wire *w, const uint8_t to[6], uint16_t op, uint32_t src,
              const uint8_t dst_mac[6], uint32_t dst)
{
    uint8_t *a = w->bytes + WIRE_ETH;

    wire_ethernet(w, to, src, WIRE_TYPE_ARP);
    wire_put16(a, 1); /* Ethernet */
    wire_put16(a + 2, WIRE_TYPE_IP);
    a[4] = 6;
    a[5] = 4;
    wire_put16(a + 6, op);
    wire_mac(a + 8, src);
    wire_put32(a + 14, src);
    memcpy(a + 18, dst_mac, 6);
    wire_put32(a + 24, dst);
    w->len = WIRE_ETH + WIRE_ARP;
}

void wire_ip(struct wire *w, const uint8_t to[6], uint8_t protocol, uint32_t src, uint32_t dst,
             size_t len, uint16_t id, uint16_t fragment)
{
    uint8_t *h = w->bytes + WIRE_ETH;

    wire_ethernet(w, to, src, WIRE_TYPE_IP);
    memset(h, 0, WIRE_IP);
    h[0] = 0x45; /* version 4, 5 words */
    wire_put16(h + 2, (uint32_t)(WIRE_IP + len));
    wire_put16(h + 4, id);
    wire_put16(h + 6, fragment);
    h[8] = TTL;
    h[9] = protocol;
    wire_put32(h + 12, src);
    wire_put32(h + 16, dst);
    wire_put16(h + 10, wire_sum_end(wire_sum_add(0, h, WIRE_IP)));
    w->len = WIRE_L4 + len;
}

/* The sum over pseudo header and segment, which lies at bytes + WIRE_L4. */
static uint16_t l4_sum(const struct wire *w, uint8_t protocol, uint32_t src, uint32_t dst,
                       size_t len)
{
    uint8_t pseudo[12] = {0};
    wire_put32(pseudo, src);
    wire_put32(pseudo + 4, dst);
    pseudo[9] = protocol;
    wire_put16(pseudo + 10, (uint32_t)len);
    return wire_sum_end(
        wire_sum_add(wire_sum_add(0, pseudo, sizeof(pseudo)), w->bytes + WIRE_L4, len));
}

void wire_tcp(struct wire *w, const uint8_t to[6], const struct wire_segment *t)
{
    uint8_t *h = w->bytes + WIRE_L4;
    size_t options = min_u64(t->options_len, OPTIONS_MAX) & ~(size_t)3;
    size_t head = WIRE_TCP + options;
    size_t data = min_u64(t->len, WIRE_L4_MAX - head);

    wire_put16(h, t->sport);
    wire_put16(h + 2, t->dport);
    wire_put32(h + 4, t->seq);
    wire_put32(h + 8, t->ack);
    h[12] = (uint8_t)(head / 4 << 4);
    h[13] = t->flags;
    wire_put16(h + 14, t->window);
    wire_put32(h + 16, 0); /* sum, urgent pointer */
    if (options > 0) {
        memcpy(h + WIRE_TCP, t->options, options);
    }
    if (data > 0) {
        memcpy(h + head, t->data, data);
    }
    wire_put16(h + 16, l4_sum(w, WIRE_PROTO_TCP, t->src, t->dst, head + data));
    wire_ip(w, to, WIRE_PROTO_TCP, t->src, t->dst, head + data, 0, 0);
}

void wire_udp(struct wire *w, const uint8_t to[6], uint32_t src, uint32_t dst, uint16_t sport,
              uint16_t dport, const uint8_t *data, size_t len)
{
    uint8_t *h = w->bytes + WIRE_L4;

    len = min_u64(len, WIRE_L4_MAX - WIRE_UDP);
    wire_put16(h, sport);
    wire_put16(h + 2, dport);
    wire_put16(h + 4, (uint32_t)(WIRE_UDP + len));
    wire_put16(h + 6, 0);
    memcpy(h + WIRE_UDP, data, len);
    wire_put16(h + 6, l4_sum(w, WIRE_PROTO_UDP, src, dst, WIRE_UDP + len));
    wire_ip(w, to, WIRE_PROTO_UDP, src, dst, WIRE_UDP + len, 0, 0);
}

void wire_icmp(struct wire *w, const uint8_t to[6], uint32_t src, uint32_t dst, uint8_t type,
               uint8_t code, const uint8_t *data, size_t len)
{
    uint8_t *h = w->bytes + WIRE_L4;

    len = min_u64(len, WIRE_L4_MAX - 4);
    h[0] = type;
    h[1] = code;
    wire_put16(h + 2, 0);
    if (len > 0) {
        memcpy(h + 4, data, len);
    }
    wire_put16(h + 2, wire_sum_end(wire_sum_add(0, h, 4 + len)));
    wire_ip(w, to, WIRE_ICMP, src, dst, 4 + len, 0, 0);
}

void wire_ip6(struct wire *w, const uint8_t to_mac[6], const uint8_t src[16], const uint8_t dst[16],
              uint8_t next, uint8_t hops, const uint8_t *data, size_t len, size_t sum_at)
{
    uint8_t *h = w->bytes + WIRE_ETH;

    len = min_u64(len, WIRE_FRAME_MAX - WIRE_L4_OF_IP6);
    wire_ethernet(w, to_mac, wire_get32(src + 12), WIRE_TYPE_IP6);
    memset(h, 0, WIRE_IP6);
    h[0] = 0x60; /* version 6 */
    wire_put16(h + 4, (uint32_t)len);
    h[6] = next;
    h[7] = hops;
    memcpy(h + 8, src, 16);
    memcpy(h + 24, dst, 16);
    if (len > 0) {
        memcpy(h + WIRE_IP6, data, len);
    }
    if (sum_at != 0 && len >= sum_at + 2) {
        uint8_t *l4 = h + WIRE_IP6;
        /* Behind a router alert: of ICMPv6 alone. */
        const size_t skip = next == 0 ? 8 : 0;
        const uint8_t kind = next == 0 ? WIRE_ICMP6 : next;
        wire_put16(l4 + sum_at, 0);
        wire_put16(l4 + sum_at,
                   wire_sum_end(wire_sum_add(wire_sum_add(kind + (uint32_t)(len - skip), h + 8, 32),
                                             l4 + skip, len - skip)));
    }
    w->len = WIRE_L4_OF_IP6 + len;
}

bool wire_read_tcp(const uint8_t *frame, size_t len, struct wire_segment *out)
{
    const uint8_t *ip = frame + WIRE_ETH;
    const uint8_t *h = frame + WIRE_L4;

    if (len < WIRE_L4 + WIRE_TCP || wire_get16(frame + 12) != WIRE_TYPE_IP ||
        ip[9] != WIRE_PROTO_TCP) {
        return false;
    }
    size_t total = wire_get16(ip + 2);
    size_t head = (size_t)(h[12] >> 4) * 4;
    if (total > len - WIRE_ETH || head < WIRE_TCP || total < WIRE_IP + head) {
        return false;
    }
    *out = (struct wire_segment){
        .src = wire_get32(ip + 12),
        .dst = wire_get32(ip + 16),
        .sport = wire_get16(h),
        .dport = wire_get16(h + 2),
        .seq = wire_get32(h + 4),
        .ack = wire_get32(h + 8),
        .flags = h[13],
        .window = wire_get16(h + 14),
        .options = h + WIRE_TCP,
        .options_len = head - WIRE_TCP,
        .data = h + head,
        .len = total - WIRE_IP - head,
    };
    return true;
}
