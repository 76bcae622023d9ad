/* SPDX-License-Identifier: MIT */
/*
 * From Ethernet frames to HTTP: an input is a list of things that neighbours on the wire do. After
 * each one a newcomer must be answered while it all still stands, and when it is over every pool,
 * the heap and the server's connections are as before.
 *
 * The first byte of an input: bit 0: every host answers ARP; bit 1: at the end everybody just falls
 * silent, and the server must have let go of them within SILENCE_MS. Then operations of 8 bytes
 * (kind, who, a, b, c, d, and the length of what follows, 16 bits) each with its bytes behind it.
 * What the four letters mean stands at each operation. tests/fuzz/seeds_net.py writes inputs as
 * text.
 */
#include <string.h>

#include "net/api/cache.h"
#include "tests/fuzz/fuzz_net_lab.h"
#include "tests/fuzz/fuzz_net_peer.h"

enum { OP_BYTES = 8, FLAG_ARP_FOR_ALL = 1, FLAG_SILENCE = 2 };

/* Longer than the server's longest patience, 60 s for an idle connection. */
#define SILENCE_MS UINT64_C(90000)
/* More than the server keeps half open. */
#define FLOOD_MAX 160u

struct op {
    uint8_t who, a, b, c, d;
    const uint8_t *data;
    size_t len;
};

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Operations that are not TCP come to the DHCP card when bit 7 of who is set. */
static unsigned card_of(const struct op *o) { return o->who >> 7 != 0 ? CARD_DHCP : CARD_STATIC; }

/* Who sends it: a client's host, or behind those somebody who cannot be. */
static uint32_t host_of(const struct op *o)
{
    static const uint32_t odd[] = {LAB_IP,      0x7f000001u, 0xffffffffu, 0x0a0002ffu,
                                   0xe0000001u, 0,           0xc0000201u, 0x0a000202u};
    unsigned n = o->who & 0x7f;
    return n < PEERS ? peer_get(n)->ip : odd[(n - PEERS) % ARRAY_SIZE(odd)];
}

/* --- below IP --------------------------------------------------------------------------------- */

/* The bytes as they are. a: 0 untouched, 1 to our MAC, 2 broadcast; b: that many times 8 zeros
 * behind. */
static void op_frame(const struct op *o)
{
    uint8_t frame[LAB_FRAME_MAX] = {0};
    size_t len = min_u64(o->len, sizeof(frame));

    memcpy(frame, o->data, len);
    if (o->a % 4 != 0 && len >= 6) {
        memcpy(frame, o->a % 4 == 1 ? lab_mac(card_of(o)) : everybody, 6);
    }
    lab_receive(card_of(o), frame, min_u64(len + o->b * 8u, sizeof(frame)));
}

/* ARP. a: bit 0 reply, bit 1 about ourselves (gratuitous), bit 2 to our MAC, bit 3 somebody unknown
 * asks; b: cut to that many bytes behind the Ethernet header, 0 = not. The bytes are flipped in. */
static void op_arp(const struct op *o)
{
    struct wire w;
    uint32_t src = (o->a & 8) != 0 ? host_of(o) ^ o->c : host_of(o);

    wire_arp(&w, (o->a & 4) != 0 ? lab_mac(card_of(o)) : everybody,
             (o->a & 1) != 0 ? WIRE_ARP_REPLY : WIRE_ARP_REQUEST, src, lab_mac(card_of(o)),
             (o->a & 2) != 0 ? src : LAB_IP);
    for (size_t i = 0; i < o->len && i < WIRE_ARP; i++) {
        w.bytes[WIRE_ETH + i] ^= o->data[i];
    }
    if (o->b != 0) {
        w.len = WIRE_ETH + min_u64(o->b - 1u, WIRE_ARP);
    }
    lab_receive(card_of(o), w.bytes, w.len);
}

/* A cable. a: bit 0 plugged in. */
static void op_link(const struct op *o) { lab_set_link(card_of(o), (o->a & 1) != 0); }

/* The ring of a card is full for the next a sends. */
static void op_choke(const struct op *o) { lab_choke(card_of(o), o->a); }

/* The a-th allocation from now on finds no memory; 0: all do. */
static void op_memory(const struct op *o) { lab_fail_malloc(o->a); }

/* Time: a milliseconds times 4 to the power of b: up to 70 minutes' worth of a, cut by the limit.
 */
static void op_time(const struct op *o) { lab_pass_ms((uint64_t)o->a << 2 * (o->b % 8)); }

/* --- IP, ICMP, UDP ---------------------------------------------------------------------------- */

/* ICMP of type a, code b. */
static void op_icmp(const struct op *o)
{
    struct wire w;
    wire_icmp(&w, lab_mac(card_of(o)), host_of(o), LAB_IP, o->a, o->b, o->data, o->len);
    lab_receive(card_of(o), w.bytes, w.len);
}

/* A fragment of protocol a (0: ICMP, 1: TCP, else as said), id b, offset c (bit 7 of d: times 8),
 * more to come: bit 0 of d. */
static void op_fragment(const struct op *o)
{
    static const uint8_t known[] = {WIRE_ICMP, WIRE_PROTO_TCP, WIRE_PROTO_UDP};
    struct wire w;
    size_t len = min_u64(o->len, WIRE_L4_MAX);
    uint16_t offset = (uint16_t)(o->c << ((o->d & 0x80) != 0 ? 3 : 0));

    if (len > 0) {
        memcpy(w.bytes + WIRE_L4, o->data, len);
    }
    wire_ip(&w, lab_mac(card_of(o)), o->a < sizeof(known) ? known[o->a] : o->a, host_of(o), LAB_IP,
            len, o->b, (uint16_t)((offset & 0x1fff) | ((o->d & 1) != 0 ? 0x2000 : 0)));
    lab_receive(card_of(o), w.bytes, w.len);
}

/* UDP from port a to port b times 256 + c. */
static void op_udp(const struct op *o)
{
    struct wire w;
    wire_udp(&w, lab_mac(card_of(o)), host_of(o), LAB_IP, o->a, (uint16_t)(o->b << 8 | o->c),
             o->data, o->len);
    lab_receive(card_of(o), w.bytes, w.len);
}

/* A DHCP server's message of type a (RFC 2132, 9.6) to the card that asks. b: bit 0 with options
 * that make sense, bit 1 a foreign transaction, bit 2 no end option, bits 3 and 4 the message is
 * cut there (quarters); c: last byte of the address; d: lease in seconds times 4. The bytes are
 * options. */
static void op_dhcp(const struct op *o)
{
    enum { FIXED = 240, OP_REPLY = 2, CHADDR = 28, YIADDR = 16, COOKIE = 236, END = 255 };
    static const uint32_t server = 0x0a000302u, cookie = 0x63825363u;
    struct wire w;
    uint8_t msg[WIRE_L4_MAX - WIRE_UDP] = {OP_REPLY, 1, 6};
    const uint8_t sensible[] = {54,
                                4,
                                10,
                                0,
                                3,
                                2,
                                51,
                                4,
                                0,
                                0,
                                (uint8_t)(o->d >> 6),
                                (uint8_t)(o->d << 2),
                                1,
                                4,
                                255,
                                255,
                                255,
                                0,
                                3,
                                4,
                                10,
                                0,
                                3,
                                2,
                                6,
                                4,
                                10,
                                0,
                                3,
                                3};
    size_t len = FIXED;

    wire_put32(msg + 4, peer_dhcp()->xid ^ ((o->b & 2) != 0 ? 1u : 0u));
    wire_put32(msg + YIADDR, 0x0a000300u + o->c);
    memcpy(msg + CHADDR, lab_mac(CARD_DHCP), 6);
    wire_put32(msg + COOKIE, cookie);
    msg[len++] = 53;
    msg[len++] = 1;
    msg[len++] = o->a;
    if ((o->b & 1) != 0) {
        memcpy(msg + len, sensible, sizeof(sensible));
        len += sizeof(sensible);
    }
    size_t more = min_u64(o->len, sizeof(msg) - 1 - len);
    if (more > 0) {
        memcpy(msg + len, o->data, more);
        len += more;
    }
    if ((o->b & 4) == 0) {
        msg[len++] = END;
    }
    len -= len * (o->b >> 3 & 3) / 4;
    wire_udp(&w, lab_mac(CARD_DHCP), server, 0xffffffffu, 67, 68, msg, len);
    lab_receive(CARD_DHCP, w.bytes, w.len);
}

/* --- IPv6, mDNS ------------------------------------------------------------------------------- */

/* Its link-local address, as each host's and the card's own. */
static void ip6_of(uint8_t out[16], const uint8_t mac[6])
{
    memset(out, 0, 16);
    out[0] = 0xfe;
    out[1] = 0x80;
    memcpy(out + 8,
           (const uint8_t[]){mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}, 8);
}

/* IPv6 whose sum is right. a: next header: 0 to 3 ICMPv6, TCP, UDP, ICMPv6 behind a router alert,
 * else as said; b: hop limit, 0: 255; c: to us, or bit 0 all nodes, bit 1 our solicited nodes, bit
 * 2 mDNS; d: bit 0 from nobody, bit 1 from ourselves, bit 2 from beyond a router. The bytes are its
 * payload. */
static void op_ip6(const struct op *o)
{
    static const struct {
        uint8_t next, sum_at;
    } known[] = {{WIRE_ICMP6, 2}, {WIRE_PROTO_TCP, 16}, {WIRE_PROTO_UDP, 6}, {0, 8 + 2}};
    uint8_t src[16], dst[16], mac[6];
    struct wire w;

    wire_mac(mac, host_of(o));
    ip6_of(src, (o->d & 2) != 0 ? lab_mac(card_of(o)) : mac);
    if ((o->d & 1) != 0) {
        memset(src, 0, sizeof(src));
    } else if ((o->d & 4) != 0) {
        src[0] = 0x20;
    }
    ip6_of(dst, lab_mac(card_of(o)));
    if ((o->c & 7) != 0) {
        uint8_t group[16] = {0xff, 2};
        if ((o->c & 2) != 0) {
            memcpy(group + 11, (const uint8_t[]){1, 0xff, dst[13], dst[14], dst[15]}, 5);
        } else {
            group[15] = (o->c & 1) != 0 ? 1 : 0xfb;
        }
        memcpy(dst, group, sizeof(dst));
    }
    const bool named = o->a < ARRAY_SIZE(known);
    wire_ip6(&w, lab_mac(card_of(o)), src, dst, named ? known[o->a].next : o->a,
             o->b != 0 ? o->b : UINT8_MAX, o->data, o->len, named ? known[o->a].sum_at : 0);
    lab_receive(card_of(o), w.bytes, w.len);
}

/* A message of mDNS to the group, from port 5353 or, bit 0 of a, another; b: the flags (RFC 6762: 0
 * a question, 2 with more to come, 0x84 an answer). The bytes follow the flags: four counts, then
 * names. */
static void op_mdns(const struct op *o)
{
    enum { MDNS_PORT = 5353, ID_AND_FLAGS = 4 };
    struct wire w;
    uint8_t dns[WIRE_L4_MAX] = {0, 0, o->b, 0};
    const size_t len = min_u64(o->len, sizeof(dns) - WIRE_UDP - ID_AND_FLAGS);

    if (len > 0) {
        memcpy(dns + ID_AND_FLAGS, o->data, len);
    }
    wire_udp(&w, lab_mac(card_of(o)), host_of(o), 0xe00000fbu, (o->a & 1) != 0 ? 40000 : MDNS_PORT,
             MDNS_PORT, dns, ID_AND_FLAGS + len);
    lab_receive(card_of(o), w.bytes, w.len);
}

/* --- TCP -------------------------------------------------------------------------------------- */

/* The windows that have names; other numbers are themselves, times 257. */
static uint16_t window_of(uint8_t v)
{
    static const uint16_t special[] = {0, 1, 536, 1460, 2920, UINT16_MAX};
    return v < ARRAY_SIZE(special) ? special[v] : (uint16_t)(v * 257u);
}

static const struct options {
    uint8_t bytes[20];
    size_t len;
} options[] = {
    {{0}, 0},
    {{2, 4, 0x05, 0xb4}, 4},                          /* MSS 1460 */
    {{2, 4, 0x05, 0xb4, 4, 2, 1, 1, 3, 3, 7, 0}, 12}, /* with SACK and window scale */
    {{2, 4, 0, 0}, 4},                                /* MSS 0 */
    {{2, 4, 0, 1}, 4},
    {{3, 3, 14, 0}, 4},
    {{8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1}, 12},                         /* time stamps */
    {{5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 1, 1}, 20}, /* SACK blocks */
    {{2, 0, 0, 0}, 4},                                                   /* lengths that lie */
    {{2, 40, 1, 1}, 4},
};

/* A client calls. a: options; b: window; c: bit 0 answers the SYN-ACK, bit 1 obliging, bit 2 from
 * the same port as before. */
static void op_open(const struct op *o)
{
    struct peer *p = peer_get(o->who);
    const struct options *t = &options[o->a % ARRAY_SIZE(options)];

    p->window = window_of(o->b);
    p->completes = (o->c & 1) != 0;
    p->obliging = (o->c & 2) != 0;
    peer_open(p, t->bytes, t->len, (o->c & 4) != 0);
}

static uint32_t seq_of(const struct peer *p, unsigned how, uint8_t d)
{
    switch (how % 8) {
    case 0:
        return p->snd;
    case 1:
        return p->snd - 1; /* as keep-alives do */
    case 2:
        return p->una; /* again */
    case 3:
        return p->snd + d; /* a hole before it */
    case 4:
        return p->snd - d; /* over what is there */
    case 5:
        return p->una + p->snd_window - d; /* at the window's edge */
    case 6:
        return p->iss;
    default:
        return p->snd + ((uint32_t)d << 24);
    }
}

static uint32_t ack_of(const struct peer *p, unsigned how, uint8_t d)
{
    switch (how % 8) {
    case 0:
        return p->rcv;
    case 1:
        return p->seen; /* everything */
    case 2:
        return p->rcv + (uint32_t)((uint64_t)(p->seen - p->rcv) * d / 256);
    case 3:
        return p->rcv + 1;
    case 4:
        return p->seen + d; /* what was never sent */
    case 5:
        return p->rcv - d; /* old */
    case 6:
        return p->seen - 1;
    default:
        return p->rcv + ((uint32_t)d << 24);
    }
}

/* A segment. a: flags; b: bits 0 to 2 its sequence number, 3 to 5 what it acknowledges, bit 6 the
 * window stays; c: window, or with bit 7 of b: options; d: how far. The bytes are its data. */
static void op_segment(const struct op *o)
{
    struct peer *p = peer_get(o->who);
    uint32_t seq = seq_of(p, o->b, o->d);
    uint32_t ack = ack_of(p, o->b >> 3, o->d);
    const struct options *t = &options[(o->b & 0x80) != 0 ? o->c % ARRAY_SIZE(options) : 0];

    if ((o->b & 0xc0) == 0) {
        p->window = window_of(o->c);
    }
    bool next = seq == p->snd;
    peer_segment(p, seq, ack, o->a, t->bytes, t->len, o->data, o->len);
    if (ack - p->rcv <= p->seen - p->rcv && (o->a & TCP_FLAG_ACK) != 0) {
        p->rcv = ack;
    }
    if (next) {
        p->snd += (uint32_t)o->len + ((o->a & (TCP_FLAG_SYN | TCP_FLAG_FIN)) != 0 ? 1u : 0u);
    }
}

#define HOST "Host: 10.0.2.15\r\n"
#define LONG                                                                                       \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "c"                                                                                            \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "c"                                                                                            \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "c"
static const char *const texts[] = {
    "GET /healthz HTTP/1.1\r\n" HOST "\r\n",
    "GET / HTTP/1.1\r\n" HOST "\r\n",
    "GET /api/v1/status HTTP/1.1\r\n" HOST "\r\n",
    "GET /metrics HTTP/1.1\r\n" HOST "\r\n",
    "GET /api/v1/log HTTP/1.1\r\n" HOST "\r\n",
    "GET /api/v1 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
    "HEAD / HTTP/1.0\r\n\r\n",
    "GET /api/v1/gpus/0/flight HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n",
    "POST /rpc HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n",
    "POST /rpc HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"id\":1}\r\n",
    "0\r\n\r\n",
    "GET /",
    "GET / HTTP/1.1\r\n" HOST "X: ",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "POST /healthz HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}",
    "GET /api/v1/status?x=1 HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n\r\n",
    LONG LONG LONG LONG LONG,
    "GET /api/v1/events HTTP/1.1\r\n" HOST "Last-Event-ID: 12\r\n\r\n",
};

/* Text of the table. a: which; b: how often, plus one; c: bytes per segment, 0 = all that fits; d:
 * tenths of a second between segments. The bytes come behind it. */
static void op_text(const struct op *o)
{
    struct peer *p = peer_get(o->who);
    const char *text = texts[o->a % ARRAY_SIZE(texts)];
    size_t piece = o->c != 0 ? o->c : WIRE_L4_MAX - WIRE_TCP;

    for (unsigned i = 0; i <= o->b; i++) {
        peer_data(p, text, strlen(text), piece, o->d * 100u);
    }
    peer_data(p, o->data, o->len, piece, o->d * 100u);
}

/* One byte (d) per segment, a plus 256 times b (modulo 8) of them. */
static void op_bytes(const struct op *o)
{
    for (unsigned i = 0; i < o->a + o->b % 8 * 256u; i++) {
        peer_data(peer_get(o->who), &o->d, 1, 1, 0);
    }
}

/* SYNs of hosts that do not exist: a of them (FLOOD_MAX at most), from b on, c ms after every
 * eighth. Bit 0 of d: from elsewhere. */
static void op_flood(const struct op *o)
{
    struct peer ghost = {.window = UINT16_MAX};

    for (unsigned i = 0; i < o->a && i < FLOOD_MAX; i++) {
        ghost.ip = ((o->d & 1) != 0 ? 0xc0000200u : 0x0a000200u) + (uint8_t)(o->b + i);
        ghost.port = (uint16_t)(1024u + o->who * 256u + i);
        if (ghost.ip != LAB_IP) {
            peer_segment(&ghost, i, 0, TCP_FLAG_SYN, NULL, 0, NULL, 0);
        }
        if (i % 8 == 7) {
            lab_pass_ms(o->c);
        }
    }
}

/* --- the input -------------------------------------------------------------------------------- */

static void (*const ops[])(const struct op *o) = {
    op_frame,   op_arp,  op_link, op_choke, op_time,  op_icmp,   op_fragment, op_udp,  op_dhcp,
    op_segment, op_open, op_text, op_bytes, op_flood, op_memory, op_ip6,      op_mdns,
};
/* Not one of its own: the next operation is done by a clients, from who on. */
#define OP_REPEAT ARRAY_SIZE(ops)

static void play(const uint8_t *data, size_t size)
{
    unsigned repeat = 1;

    for (size_t at = 0; size - at >= OP_BYTES;) {
        const uint8_t *h = data + at;
        struct op o = {h[1], h[2], h[3], h[4], h[5], h + OP_BYTES, 0};
        size_t kind = h[0] % (OP_REPEAT + 1);
        at += OP_BYTES;
        o.len = min_u64(get_le16(h + 6), size - at);
        at += o.len;
        if (kind == OP_REPEAT) {
            repeat = o.a % (PEERS + 1);
            continue;
        }
        for (; repeat > 0; repeat--) {
            ops[kind](&o);
            o.who++;
        }
        repeat = 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;

    if (size < 1) {
        return 0;
    }
    if (!started) {
        started = true;
        lab_start(peers_sent);
    }
    lab_begin();
    peers_begin((data[0] & FLAG_ARP_FOR_ALL) != 0);
    play(data + 1, size - 1);
    lab_calm();
    peer_newcomer("while it goes on");
    if ((data[0] & FLAG_SILENCE) != 0) {
        peers_fall_silent(); /* who listens to events and acknowledges them may stay for ever */
        lab_pass_ms(SILENCE_MS);
        lab_require(lab_http_open() == 0, "%u connections held %llu s after the last word",
                    (unsigned)lab_http_open(), (unsigned long long)SILENCE_MS / 1000);
    }
    api_keep_nothing();
    lab_end();
    return 0;
}
