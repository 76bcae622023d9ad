/* SPDX-License-Identifier: MIT */
/*
 * TCP against peers that do what no honest one does: what an assertion of lwIP costs, how many
 * half-open and closing connections there are and how long they live, and which data is not kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"
#include "net/http/http.h"
#include "net/nic/nic.h"
#include "net/stack/stack.h"
#include "tests/unit/wire.h"

static const uint8_t attacker[6] = {0x52, 0x55, 0xbb, 0xbb, 0xbb, 0xbb};

static void hello(const struct http_request *req, struct http_response *res)
{
    (void)req;
    text_append(&res->body, "hello\n", 6);
}

static void big(const struct http_request *req, struct http_response *res)
{
    (void)req;
    static const char block[200000] = {'x'};
    res->static_body = block;
    res->static_len = sizeof(block);
}

static const struct http_route routes[] = {
    {"/hello", HTTP_METHOD_GET, hello, .summary = ""},
    {"/big", HTTP_METHOD_GET, big, .summary = ""},
    {.path = NULL},
};

static struct stack_stats stats(void)
{
    struct stack_stats s;
    stack_get_stats(&s);
    return s;
}

static int reset(void **state)
{
    (void)state;
    wire_reset();
    return 0;
}

/* --- assertions ------------------------------------------------------------------------------- */

static void shut_window_after_request(struct wire_peer *p, const char *request)
{
    wire_peer_init(p, WIRE_PEER);
    p->silent = true;
    assert_true(wire_connect(p));
    wire_say(p, request);
    assert_true(p->received > 0);
    p->window = 0;
    wire_ack(p, 0);
}

/* A request; the window shut before the answer is acknowledged; a retransmission time-out; then an
 * acknowledgement of everything, with the window still shut. */
static void test_full_ack_at_window_zero(void **state)
{
    (void)state;
    uint64_t before = stats().assertions;
    struct wire_peer p;
    shut_window_after_request(&p, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_run_us(7 * US_PER_S);
    wire_ack(&p, (uint32_t)p.received);
    wire_run_us(5 * US_PER_S);
    assert_int_equal(stats().assertions, before); /* no harm is done at all */
    assert_int_equal(p.state, WIRE_UP);
    p.window = 0xffff;
    p.silent = false;
    p.received = 0;
    wire_say(&p, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(p.text, "200 OK"));
}

/* Part of the answer is left: the window is probed for as long as it is shut, and only then. */
static void test_part_ack_at_window_zero(void **state)
{
    (void)state;
    struct wire_peer p;
    shut_window_after_request(&p, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_run_us(7 * US_PER_S);
    wire_ack(&p, 1460);
    unsigned frames = wire_counts.frames;
    wire_run_us(5 * US_PER_S);
    assert_true(wire_counts.frames > frames); /* probes */
    assert_int_equal(p.state, WIRE_UP);
    p.window = 0xffff;
    p.silent = false;
    p.received = 1460;
    wire_ack(&p, 1460);
    wire_run_us(20 * US_PER_S);
    assert_true(p.received > 200000);
}

/* A smaller MSS in the middle of an answer, in the option that belongs into a SYN. */
static void test_mss_in_the_middle(void **state)
{
    (void)state;
    uint64_t before = stats().assertions;
    struct wire_peer p;
    shut_window_after_request(&p, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_ack_mss(&p, 8);
    p.window = 4000; /* a window that a segment of the old size does not fit into twice */
    wire_ack(&p, 1460);
    wire_run_us(2 * US_PER_S);
    p.window = 0xffff;
    p.silent = false;
    p.received = 1460;
    wire_ack(&p, 1460);
    wire_run_us(20 * US_PER_S);
    assert_true(p.received > 200000);
    assert_int_equal(stats().assertions, before);
}

/* A kind of option at the very end of a segment, without its length: nothing behind the frame is
 * read, and the connection request counts without it. */
static void test_option_cut_off(void **state)
{
    (void)state;
    static const uint8_t mac[6] = {0x52, 0x55, 10, 0, 2, 9}, kinds[] = {2, 3, 4, 8, 99};
    for (size_t i = 0; i < sizeof(kinds); i++) {
        uint8_t frame[NIC_FRAME_MAX];
        uint8_t tcp[24] = {0x40,          (uint8_t)i, 0,    WIRE_PORT, 0,        0, 0, 1,
                           [12] = 6 << 4, WIRE_SYN,   0x10, 0,         [20] = 1, 1, 1, kinds[i]};
        wire_receive_exactly(frame, wire_make_ip(frame, mac, WIRE_PEER + 7, 6, tcp, sizeof(tcp)));
    }
    assert_int_equal(wire_counts.synacks, sizeof(kinds));
}

/* The window was never open when the answer was cut into segments; then it opens less far than one
 * of them is long. */
static void test_window_opens_small(void **state)
{
    static const uint32_t windows[] = {1, 2, 900, 2919};
    (void)state;
    uint64_t before = stats().assertions;
    for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
        struct wire_peer p;
        wire_peer_init(&p, WIRE_PEER);
        p.silent = true;
        p.window = 0;
        assert_true(wire_connect(&p));
        wire_say(&p, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(p.received, 0);
        p.window = (uint16_t)windows[i];
        wire_ack(&p, 0);
        wire_run_us(2 * US_PER_S);
        wire_ack(&p, (uint32_t)p.received);
        p.window = 0xffff;
        p.silent = false;
        wire_ack(&p, (uint32_t)p.received);
        wire_run_us(20 * US_PER_S);
        assert_true(p.received > 200000);
        wire_peer_leave(&p);
    }
    assert_int_equal(stats().assertions, before);
}

static struct tcp_pcb *pcb_of(const struct wire_peer *p)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->remote_port == p->port) {
            return pcb;
        }
    }
    fail_msg("no connection of port %u", p->port);
    return NULL;
}

/* The books of one connection are wrong when a timer looks at them: it goes, its neighbours stay.
 */
static void test_assertion_in_a_timer(void **state)
{
    (void)state;
    uint64_t before = stats().assertions;
    struct wire_peer p[3];
    for (size_t i = 0; i < 3; i++) {
        wire_peer_init(&p[i], WIRE_PEER + (uint32_t)i);
        assert_true(wire_connect(&p[i]));
    }
    for (size_t victim = 0; victim < 3; victim++) {
        pcb_of(&p[victim])->persist_backoff = 1; /* with nothing to send */
        wire_run_us(US_PER_S);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(p[i].state, i <= victim ? WIRE_GOT_RST : WIRE_UP);
        }
        assert_int_equal(stats().assertions, before + victim + 1);
    }
    assert_true(wire_is_served(WIRE_PEER, "/hello"));
}

/* The same while a segment is being taken: of the connection that it belongs to, not of the one
 * that was last at hand. */
static void test_assertion_in_input(void **state)
{
    (void)state;
    uint64_t before = stats().assertions;
    struct wire_peer a, b;
    wire_peer_init(&a, WIRE_PEER);
    wire_peer_init(&b, WIRE_PEER + 1);
    a.silent = true;
    assert_true(wire_connect(&a));
    wire_say(&a, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(wire_connect(&b));
    pcb_of(&a)->snd_queuelen = 0; /* with an answer in the queue */
    wire_ack(&a, (uint32_t)a.received);
    assert_int_equal(a.state, WIRE_GOT_RST);
    assert_int_equal(b.state, WIRE_UP);
    assert_int_equal(stats().assertions, before + 1);
    assert_true(wire_is_served(WIRE_PEER, "/hello"));
}

static void free_twice(void *arg)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, 100, PBUF_POOL);
    (void)arg;
    stack_enter(STACK_INPUT, NULL);
    p->ref = 0;
    pbuf_free(p);
}

static void assert_outside(void *arg)
{
    (void)arg;
    net_lwip_assert("split <= mss", "tcp_out.c", 1);
}

/* What says that memory is wrong stops the machine, and so does what nobody can be blamed for. */
static void test_fatal_assertions(void **state)
{
    (void)state;
    char text[200];
    struct wire_peer p;
    wire_peer_init(&p, WIRE_PEER);
    assert_true(wire_connect(&p));
    assert_true(host_expect_panic(free_twice, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "p->ref > 0"));
    stack_leave();
    assert_true(host_expect_panic(assert_outside, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "split <= mss"));
}

/* --- half-open connections -------------------------------------------------------------------- */

/* A flood from invented neighbours and, in it, honest clients that answer after 10 ms. */
static void flood(unsigned per_s, unsigned seconds)
{
    unsigned us = US_PER_S / per_s;
    uint32_t n = 0;
    for (unsigned i = 0; i < per_s * seconds; i++, n++) {
        wire_syn(attacker, WIRE_IP + 1 + n % 200, (uint16_t)(1024 + n), n * 77777);
        wire_run_us(us);
        if (i % (per_s / 4) != 0) {
            continue;
        }
        struct wire_peer p;
        wire_peer_init(&p, WIRE_PEER);
        p.deaf = true; /* the SYN-ACK is on its way */
        assert_false(wire_connect(&p));
        for (unsigned k = 0; k < 10; k++, n++) { /* 10 ms at the pace of the flood, 1 at least */
            wire_syn(attacker, WIRE_IP + 1 + n % 200, (uint16_t)(1024 + n), n * 77777);
            wire_run_us(US_PER_MS);
        }
        p.rcv = p.first = pcb_of(&p)->snd_nxt;
        p.state = WIRE_UP;
        p.deaf = false;
        wire_send(&p, WIRE_ACK, NULL, 0);
        wire_say(&p, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert_non_null(strstr(p.text, "200 OK"));
        wire_peer_leave(&p);
    }
}

static void test_syn_flood(void **state)
{
    (void)state;
    static const unsigned paces[] = {4, 20, 1000};
    wire_answer_arp = false; /* nobody is there */
    for (size_t i = 0; i < ARRAY_SIZE(paces); i++) {
        uint64_t evicted = stats().half_open_evicted;
        flood(paces[i], 5);
        assert_in_range(stats().half_open, 0, NET_HALF_OPEN_MAX);
        assert_true(paces[i] < 1000 || stats().half_open_evicted > evicted);
    }
    /* and the flood asked for few addresses that are not there */
    assert_in_range(wire_counts.arp_requests, 0, 20 * 5 * NET_ARP_PER_S);
}

static void test_half_open_life(void **state)
{
    (void)state;
    wire_answer_arp = false;
    uint64_t expired = stats().half_open_expired;
    for (uint16_t i = 0; i < 10; i++) {
        wire_syn(attacker, WIRE_PEER + 7, (uint16_t)(3000 + i), i);
    }
    assert_int_equal(stats().half_open, 10);
    assert_int_equal(wire_counts.synacks, 10);
    wire_run_us(4 * US_PER_S);
    assert_int_equal(stats().half_open, 0);
    assert_int_equal(stats().half_open_expired, expired + 10);
}

/* A repeated request is no new connection and displaces nobody. */
static void test_same_syn_again(void **state)
{
    (void)state;
    uint64_t evicted = stats().half_open_evicted;
    for (uint16_t i = 0; i < NET_HALF_OPEN_MAX; i++) {
        wire_syn(attacker, WIRE_PEER + 7, (uint16_t)(3000 + i), 1);
    }
    for (unsigned k = 0; k < 10; k++) {
        wire_syn(attacker, WIRE_PEER + 7, 3000, 1);
    }
    assert_int_equal(stats().half_open_evicted, evicted);
    wire_syn(attacker, WIRE_PEER + 7, 2999, 1);
    assert_int_equal(stats().half_open_evicted, evicted + 1);
    assert_int_equal(stats().half_open, NET_HALF_OPEN_MAX);
    /* the one went that was silent for longest */
    wire_syn(attacker, WIRE_PEER + 7, 3000, 1);
    assert_int_equal(stats().half_open_evicted, evicted + 1);
    wire_syn(attacker, WIRE_PEER + 7, 3001, 1);
    assert_int_equal(stats().half_open_evicted, evicted + 2);
}

/* A port that nobody listens on is answered with a reset and costs no half-open connection. */
static void test_syn_to_closed_port(void **state)
{
    (void)state;
    uint64_t evicted = stats().half_open_evicted;
    for (uint16_t i = 0; i < NET_HALF_OPEN_MAX; i++) {
        wire_syn(attacker, WIRE_PEER + 7, (uint16_t)(3000 + i), 1);
    }
    struct stack_syn syn = {.from_port = 5, .to_port = 81};
    stack_tcp_syn(&syn);
    assert_int_equal(stats().half_open_evicted, evicted);
}

/* --- TIME-WAIT and closing -------------------------------------------------------------------- */

/* We close first: our side of the pair waits. */
static void close_from_our_side(struct wire_peer *p)
{
    wire_peer_init(p, WIRE_PEER);
    assert_true(wire_connect(p));
    wire_say(p, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_int_equal(p->state, WIRE_GOT_FIN);
    assert_int_equal(stats().time_wait, 1);
}

static void test_time_wait(void **state)
{
    (void)state;
    uint64_t reused = stats().time_wait_reused;
    struct wire_peer p;
    close_from_our_side(&p);
    uint32_t last = p.snd;
    p.snd = last - 1000; /* an old request, out of the net */
    assert_false(wire_connect(&p));
    assert_int_equal(stats().time_wait_reused, reused);
    p.snd = last + 1000;
    assert_true(wire_connect(&p));
    assert_int_equal(stats().time_wait_reused, reused + 1);
    assert_int_equal(stats().time_wait, 0);
}

/* More of them than there are control blocks: the oldest go, and nobody waits for one. */
static void test_time_wait_full(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * MEMP_NUM_TCP_PCB; i++) {
        assert_true(wire_is_served(WIRE_PEER, "/hello"));
    }
    assert_in_range(stats().time_wait, 100, MEMP_NUM_TCP_PCB);
}

/* Connections that we have closed hold no data, are few, and end. */
static void test_closing(void **state)
{
    (void)state;
    uint64_t expired = stats().closing_expired;
    static struct wire_peer p[NET_CLOSING_MAX + 10];
    for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
        wire_peer_init(&p[i], WIRE_PEER + 20 + (uint32_t)i);
        assert_true(wire_connect(&p[i]));
        p[i].silent = true;
        wire_say(&p[i], "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        wire_ack(&p[i], (uint32_t)p[i].received); /* the answer, and never the FIN */
    }
    assert_int_equal(stats().closing, NET_CLOSING_MAX);
    assert_int_equal(stats().closing_expired, expired + 10);
    struct http_stats http;
    http_get_stats(&http);
    assert_int_equal(http.open, 0);
    wire_run_us((NET_CLOSING_S + 2) * US_PER_S);
    assert_int_equal(stats().closing, 0);
    assert_int_equal(stats().closing_expired, expired + ARRAY_SIZE(p));
}

/* --- buffers ---------------------------------------------------------------------------------- */

static uint32_t buffers_used(void) { return (uint32_t)lwip_stats.memp[MEMP_PBUF_POOL]->used; }

/* All connections keep data that waits for an earlier byte: the reserve stays, and everybody else
 * goes on being served. */
static void test_early_data(void **state)
{
    (void)state;
    uint64_t limited = stats().ooseq_limited;
    static struct wire_peer p[48];
    for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
        wire_peer_init(&p[i], WIRE_PEER + 20 + (uint32_t)i);
        assert_true(wire_connect(&p[i]));
    }
    for (uint32_t k = 0; k < 60; k++) {
        for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
            wire_send_at(&p[i], 2 + 2 * k, "x", 1);
        }
    }
    assert_in_range(buffers_used(), 100, PBUF_POOL_SIZE - NET_POOL_RESERVE + 1);
    assert_true(stats().ooseq_limited > limited);
    assert_int_equal(lwip_stats.memp[MEMP_PBUF_POOL]->err, 0);
    wire_ping(WIRE_PEER, attacker);
    assert_int_equal(wire_counts.pongs, 1);
    assert_true(wire_is_served(WIRE_PEER + 99, "/hello"));
    /* what an honest sender repeats still arrives */
    for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
        wire_say(&p[i], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    assert_non_null(strstr(p[0].text, "HTTP/1.1"));
}

static int group_setup(void **state)
{
    (void)state;
    wire_start();
    http_set_routes(routes);
    http_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_full_ack_at_window_zero, reset),
        cmocka_unit_test_setup(test_part_ack_at_window_zero, reset),
        cmocka_unit_test_setup(test_mss_in_the_middle, reset),
        cmocka_unit_test_setup(test_option_cut_off, reset),
        cmocka_unit_test_setup(test_window_opens_small, reset),
        cmocka_unit_test_setup(test_assertion_in_a_timer, reset),
        cmocka_unit_test_setup(test_assertion_in_input, reset),
        cmocka_unit_test_setup(test_fatal_assertions, reset),
        cmocka_unit_test_setup(test_syn_flood, reset),
        cmocka_unit_test_setup(test_half_open_life, reset),
        cmocka_unit_test_setup(test_same_syn_again, reset),
        cmocka_unit_test_setup(test_syn_to_closed_port, reset),
        cmocka_unit_test_setup(test_time_wait, reset),
        cmocka_unit_test_setup(test_time_wait_full, reset),
        cmocka_unit_test_setup(test_closing, reset),
        cmocka_unit_test_setup(test_early_data, reset),
    };
    return cmocka_run_group_tests_name("stack_tcp", tests, group_setup, NULL);
}
