/* SPDX-License-Identifier: MIT */
/*
 * The network fiber with lwIP on a virtio card built here, in virtual time: a small network on the
 * other end of the wire answers DHCP and ARP, pings, and downloads over TCP from a server behind
 * the fiber. One program, one boot: the tests are steps of it, in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "lwip/def.h"
#include "lwip/tcp.h"
#include "mm/ram.h"
#include "net/stack/netmain.h"
#include "tests/unit/fake_virtio.h"

#define OUR_IP         0x0a00020fu /* 10.0.2.15 */
#define PEER_IP        0x0a000202u /* 10.0.2.2: router, DHCP server and client in one */
#define PORT           80u
#define DOWNLOAD_BYTES (400u * 1024u)

static struct {
    struct fake_virtio dev;
    struct pci pci;
    struct fl_fail fail;
    bool dhcp_mute;
    unsigned discovers, requests, pongs;
    bool (*until)(void);
    uint64_t stop_us;
    enum fl_err up; /* what net_wait_up() said, and when */
    uint64_t up_us;
    /* our TCP client, which is simple: in order, no retransmission; it acknowledges every segment,
     * or keeps that for later */
    bool hold_acks, ack_due;
    enum { TCP_IDLE, TCP_SYN, TCP_UP, TCP_DONE } tcp;
    uint16_t port;
    uint32_t snd, rcv, received;
    unsigned segments, out_of_order;
    bool content_ok;
} t;

static const uint8_t peer_mac[6] = {0x52, 0x55, 10, 0, 2, 2};

/* --- the other end ---------------------------------------------------------------------------- */

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

/* RFC 1071, byte by byte: not the routine under test. */
static uint16_t sum(const uint8_t *p, size_t n, uint32_t start)
{
    uint32_t s = start;
    for (size_t i = 0; i < n; i++) {
        s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    }
    while (s >> 16 != 0) {
        s = (s & 0xffff) + (s >> 16);
    }
    return (uint16_t)~s;
}

/* Ethernet and IP headers in front of `len` bytes at frame + 34, then into the card. */
static void send_ip(uint8_t *frame, uint8_t protocol, size_t len)
{
    memcpy(frame, t.dev.mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    put16(frame + 12, 0x0800);
    uint8_t *ip = frame + 14;
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, (uint16_t)(20 + len));
    ip[8] = 64;
    ip[9] = protocol;
    put32(ip + 12, PEER_IP);
    put32(ip + 16, OUR_IP);
    put16(ip + 10, sum(ip, 20, 0));
    size_t total = 34 + len < 60 ? 60 : 34 + len;
    if (!fv_receive(&t.dev, frame, total)) {
        fail_msg("the driver gave no receive buffer");
    }
}

static void answer_dhcp(const uint8_t *req, size_t len)
{
    uint8_t frame[400] = {0};
    uint8_t *udp = frame + 34;
    uint8_t *msg = udp + 8;
    assert_true(len >= 244 && be32(req + 236) == 0x63825363);
    uint8_t type = 0;
    for (size_t i = 240; i + 2 < len && req[i] != 0xff; i += 2u + req[i + 1]) {
        if (req[i] == 53) {
            type = req[i + 2];
        }
    }
    t.discovers += type == 1;
    t.requests += type == 3;
    if (t.dhcp_mute) {
        return;
    }
    msg[0] = 2;
    msg[1] = 1;
    msg[2] = 6;
    memcpy(msg + 4, req + 4, 4);
    put32(msg + 16, OUR_IP);
    memcpy(msg + 28, t.dev.mac, 6);
    put32(msg + 236, 0x63825363);
    const uint8_t options[] = {53,  1,    type == 1 ? 2 : 5,
                               54,  4,    10,
                               0,   2,    2,
                               51,  4,    0,
                               0,   0x0e, 0x10,
                               1,   4,    255,
                               255, 255,  0,
                               3,   4,    10,
                               0,   2,    2,
                               255};
    memcpy(msg + 240, options, sizeof(options));
    put16(udp, 67);
    put16(udp + 2, 68);
    put16(udp + 4, (uint16_t)(8 + 240 + sizeof(options)));
    send_ip(frame, 17, 8 + 240 + sizeof(options));
}

static void answer_arp(const uint8_t *arp)
{
    uint8_t frame[60] = {0};
    if (be16(arp + 6) != 1 || be32(arp + 24) != PEER_IP) {
        return;
    }
    memcpy(frame, arp + 8, 6);
    memcpy(frame + 6, peer_mac, 6);
    put16(frame + 12, 0x0806);
    memcpy(frame + 14, arp, 6);
    put16(frame + 20, 2);
    memcpy(frame + 22, peer_mac, 6);
    put32(frame + 28, PEER_IP);
    memcpy(frame + 32, arp + 8, 10);
    assert_true(fv_receive(&t.dev, frame, sizeof(frame)));
}

static void send_tcp(uint8_t flags)
{
    uint8_t frame[60] = {0};
    uint8_t *tcp = frame + 34;
    put16(tcp, t.port);
    put16(tcp + 2, PORT);
    put32(tcp + 4, t.snd);
    put32(tcp + 8, t.rcv);
    tcp[12] = 5 << 4;
    tcp[13] = flags;
    put16(tcp + 14, 0xffff);
    uint8_t pseudo[12] = {0};
    put32(pseudo, PEER_IP);
    put32(pseudo + 4, OUR_IP);
    pseudo[9] = 6;
    put16(pseudo + 10, 20);
    put16(tcp + 16, sum(tcp, 20, (uint16_t)~sum(pseudo, 12, 0)));
    send_ip(frame, 6, 20);
}

static uint8_t content(uint32_t at) { return (uint8_t)(at * 7 + (at >> 8)); }

static void take_tcp(const uint8_t *ip, size_t ip_len)
{
    const uint8_t *tcp = ip + 20;
    size_t head = (size_t)(tcp[12] >> 4) * 4;
    size_t len = ip_len - 20 - head;
    uint8_t pseudo[12];
    memcpy(pseudo, ip + 12, 8);
    put16(pseudo + 8, 6);
    put16(pseudo + 10, (uint16_t)(ip_len - 20));
    assert_int_equal(sum(tcp, ip_len - 20, (uint16_t)~sum(pseudo, 12, 0)), 0);
    uint32_t seq = be32(tcp + 4);
    if (t.tcp == TCP_SYN && (tcp[13] & 0x12) == 0x12) {
        t.rcv = seq + 1;
        t.snd++;
        t.tcp = TCP_UP;
        send_tcp(0x10);
        return;
    }
    if (t.tcp != TCP_UP || (len == 0 && (tcp[13] & 1) == 0)) {
        return;
    }
    if (seq != t.rcv) {
        t.out_of_order++;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        t.content_ok &= tcp[head + i] == content(t.received++);
    }
    t.segments++;
    t.rcv += (uint32_t)len;
    if ((tcp[13] & 1) != 0) {
        t.rcv++;
        t.tcp = TCP_DONE;
        send_tcp(0x11);
        return;
    }
    t.ack_due = t.hold_acks;
    if (!t.hold_acks) {
        send_tcp(0x10);
    }
}

static void on_sent(void *ctx, const uint8_t *frame, size_t len)
{
    (void)ctx;
    assert_memory_equal(frame + 6, t.dev.mac, 6);
    if (be16(frame + 12) == 0x0806) {
        answer_arp(frame + 14);
        return;
    }
    const uint8_t *ip = frame + 14;
    assert_int_equal(be16(frame + 12), 0x0800);
    assert_int_equal(sum(ip, 20, 0), 0);
    size_t ip_len = be16(ip + 2);
    assert_true(ip_len <= len - 14);
    if (ip[9] == 17 && be16(ip + 22) == 67) {
        answer_dhcp(ip + 28, ip_len - 28);
    } else if (ip[9] == 1 && ip[20] == 0) {
        t.pongs++;
    } else if (ip[9] == 6) {
        take_tcp(ip, ip_len);
    }
}

/* --- the server behind the fiber -------------------------------------------------------------- */

static uint32_t served;

static err_t serve_more(struct tcp_pcb *pcb)
{
    while (served < DOWNLOAD_BYTES && tcp_sndbuf(pcb) >= 1000) {
        uint8_t chunk[1000];
        uint32_t n =
            DOWNLOAD_BYTES - served < sizeof(chunk) ? DOWNLOAD_BYTES - served : sizeof(chunk);
        for (uint32_t i = 0; i < n; i++) {
            chunk[i] = content(served + i);
        }
        if (tcp_write(pcb, chunk, (u16_t)n, TCP_WRITE_FLAG_COPY) != ERR_OK) {
            break;
        }
        served += n;
    }
    if (served == DOWNLOAD_BYTES) {
        served++;
        return tcp_close(pcb);
    }
    return tcp_output(pcb);
}

static err_t on_room(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    (void)arg;
    (void)len;
    return served <= DOWNLOAD_BYTES ? serve_more(pcb) : ERR_OK;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    assert_int_equal(err, ERR_OK);
    tcp_sent(pcb, on_room);
    served = 0;
    return serve_more(pcb);
}

/* In place of the HTTP server. */
static void open_listener(void)
{
    struct tcp_pcb *pcb = tcp_new();
    assert_non_null(pcb);
    assert_int_equal(tcp_bind(pcb, IP_ADDR_ANY, PORT), ERR_OK);
    pcb = tcp_listen(pcb);
    assert_non_null(pcb);
    tcp_accept(pcb, on_accept);
}

/* --- steps ------------------------------------------------------------------------------------ */

static bool stop(void *arg)
{
    (void)arg;
    return (t.until != NULL && t.until()) || clock_now_us() >= t.stop_us;
}

/* Runs fibers until cond() or for so long; returns whether cond() came true. */
static bool run_until(bool (*cond)(void), uint64_t us)
{
    t.until = cond;
    t.stop_us = clock_now_us() + us;
    fiber_run(stop, NULL);
    return cond != NULL && cond();
}

static struct net_nic_status card(void)
{
    static struct net_status s;
    net_get_status(&s);
    assert_int_equal(s.nic_count, 1);
    return s.nic[0];
}

static bool card_is_up(void)
{
    static struct net_status s;
    net_get_status(&s);
    return s.nic_count == 1 && s.nic[0].state == NET_NIC_UP;
}

static void enumerate_fiber(void *arg)
{
    (void)arg;
    assert_int_equal(pci_enumerate(&t.pci, &fv_ops, &t.dev, &t.fail), FL_OK);
    struct net_config cfg = {.dhcp = true, .hostname = "firstlight"};
    net_start(&t.pci, &cfg, open_listener);
    t.up = net_wait_up(deadline_in_us(US_PER_S));
    t.up_us = clock_now_us();
}

static bool main_goes_on(void) { return t.up_us != 0; }

static void sleeper_fiber(void *arg) /* keeps time moving past the end of a step */
{
    (void)arg;
    for (;;) {
        fiber_sleep_us(10 * US_PER_MS);
    }
}

static int setup(void **state)
{
    (void)state;
    host_reset();
    host_random_seed(1);
    assert_int_equal(ram_init(&t.fail), FL_OK);
    fv_init(&t.dev);
    t.dev.sent = on_sent;
    t.dev.queue_max[1] = 16; /* smaller than what TCP wants to have under way */
    t.content_ok = true;
    t.port = 40000;
    t.snd = 0xfffffff0; /* crosses the wrap */
    return 0;
}

static void test_dhcp(void **state)
{
    (void)state;
    assert_non_null(fiber_spawn("enumerate", enumerate_fiber, NULL, FIBER_STACK_DEFAULT));
    assert_non_null(fiber_spawn("sleeper", sleeper_fiber, NULL, FIBER_STACK_DEFAULT));
    assert_true(run_until(main_goes_on, US_PER_S));
    assert_in_range(clock_now_us(), 0, 20 * US_PER_MS); /* no waiting for conflicts */
    struct net_nic_status s = card();
    assert_int_equal(s.ip, OUR_IP);
    assert_int_equal(s.mask, 0xffffff00);
    assert_int_equal(s.gateway, PEER_IP);
    assert_string_equal(s.driver, "virtio-net");
    assert_string_equal(s.pci, "0000:00:02.0");
    assert_memory_equal(s.mac, t.dev.mac, 6);
    assert_true(s.address_us != 0 && s.rx_packets >= 2 && s.tx_packets >= 2);
    assert_string_equal(net_nic_state_name(s.state), "up");
    assert_int_equal(t.discovers, 1);
    assert_int_equal(t.requests, 1);
    assert_int_equal(t.up, FL_OK);
    assert_in_range(t.up_us, s.address_us, s.address_us + US_PER_MS);
}

static void ping(size_t payload, uint16_t seq)
{
    uint8_t frame[1514] = {0};
    uint8_t *icmp = frame + 34;
    icmp[0] = 8;
    put16(icmp + 6, seq);
    for (size_t i = 0; i < payload; i++) {
        icmp[8 + i] = (uint8_t)(i + seq);
    }
    put16(icmp + 2, sum(icmp, 8 + payload, 0));
    send_ip(frame, 1, 8 + payload);
}

static bool ten_pongs(void) { return t.pongs == 10; }

static void test_ping(void **state)
{
    (void)state;
    unsigned kicks = t.dev.q[1].notifies;
    for (uint16_t i = 0; i < 10; i++) {
        ping(i % 2 == 0 ? 56 : 1472, i);
    }
    assert_true(run_until(ten_pongs, 100 * US_PER_MS));
    kicks = t.dev.q[1].notifies - kicks;
    assert_in_range(kicks, 1, 2); /* one batch; ARP may be one more */
    /* and nothing but timers wakes an idle machine */
    struct net_status before, after;
    net_get_status(&before);
    run_until(NULL, 10 * US_PER_S);
    net_get_status(&after);
    assert_int_equal(after.wakeups, before.wakeups);
    assert_int_equal(after.nic[0].kicks, before.nic[0].kicks);
}

static bool downloaded(void) { return t.tcp == TCP_DONE; }

static void download(void)
{
    t.received = 0;
    t.segments = 0;
    t.tcp = TCP_SYN;
    t.port++; /* the server waits a while before it takes the same again */
    send_tcp(0x02);
    assert_true(run_until(downloaded, 20 * US_PER_S));
    assert_int_equal(t.received, DOWNLOAD_BYTES);
    assert_true(t.content_ok);
    assert_int_equal(t.out_of_order, 0);
}

static void test_download(void **state)
{
    (void)state;
    uint64_t start = clock_now_us();
    download();
    assert_in_range(clock_now_us() - start, 0, 100 * US_PER_MS); /* no timer was waited for */
}

/* A device that sends four frames a millisecond, and a client that acknowledges every ten. */
static uint64_t slow_device(void *ctx)
{
    static uint64_t next;
    static unsigned ticks;
    (void)ctx;
    uint64_t now = host_clock_peek_ns();
    if (now >= next) {
        next = now + 1000000;
        fv_transmit(&t.dev, 4);
        if (++ticks % 10 == 0 && t.ack_due) {
            t.ack_due = false;
            send_tcp(0x10);
        }
    }
    return next;
}

/* The ring is full most of the time. TCP must go on the moment there is room: neither a timer nor
 * the next acknowledgement may be waited for. */
static void test_back_pressure(void **state)
{
    (void)state;
    t.dev.lazy = true;
    t.hold_acks = true;
    host_idle_hook(slow_device, NULL);
    uint64_t start = clock_now_us();
    download();
    host_idle_unhook(slow_device, NULL);
    t.dev.lazy = false;
    struct net_nic_status s = card();
    assert_true(s.tx_full > 0);
    /* The client names no MSS, so 400 KiB are 765 segments of 536 bytes: 191 ms at this pace, and a
     * slow start. Sixteen at a time and then a pause would take 480 ms. */
    assert_in_range(clock_now_us() - start, 190 * US_PER_MS, 280 * US_PER_MS);
}

static bool link_is_down(void) { return card().state == NET_NIC_NO_LINK; }
static bool asks_again(void) { return t.discovers + t.requests >= 3; }

static void test_link(void **state)
{
    (void)state;
    fv_set_link(&t.dev, false);
    assert_true(run_until(link_is_down, 100 * US_PER_MS));
    t.discovers = t.requests = 0;
    t.dhcp_mute = true; /* the cable went to another network */
    fv_set_link(&t.dev, true);
    assert_true(run_until(asks_again, 30 * US_PER_S));
    t.dhcp_mute = false;
    assert_true(run_until(card_is_up, 60 * US_PER_S));
    assert_string_equal(t.dev.broken_rule, "");
}

/* Any bytes: nothing breaks, and the stack still answers. */
static void test_noise(void **state)
{
    (void)state;
    uint32_t seed = 12345;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t frame[1514];
        size_t len = 14 + (seed >> 8) % 1500;
        for (size_t k = 0; k < len; k++) {
            seed = seed * 1664525 + 1013904223;
            frame[k] = (uint8_t)(seed >> 24);
        }
        if (i % 8 != 0) {
            memcpy(frame, t.dev.mac, 6);
            put16(frame + 12, i % 2 == 0 ? 0x0800 : 0x0806);
            frame[14] = 0x45;
        }
        (void)fv_receive(&t.dev, frame, len);
        if (i % 16 == 0) {
            run_until(NULL, 10);
        }
    }
    run_until(NULL, US_PER_S);
    t.pongs = 9;
    ping(56, 77);
    assert_true(run_until(ten_pongs, 100 * US_PER_MS));
    struct net_status s;
    net_get_status(&s);
    assert_int_equal(s.pool_used, 0); /* every buffer came back */
    assert_int_equal(s.pool_errors, 0);
}

static bool card_failed(void) { return card().state == NET_NIC_FAILED; }

static void test_broken_card(void **state)
{
    (void)state;
    fv_write_used(&t.dev, 0, 4711, 100, 1);
    assert_true(run_until(card_failed, 100 * US_PER_MS));
    assert_non_null(strstr(card().error, "0x1267"));
    run_until(NULL, 5 * US_PER_S); /* the fiber goes on without it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dhcp),        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_download),    cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_link),        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_broken_card),
    };
    return cmocka_run_group_tests_name("netmain", tests, setup, NULL);
}
