/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server against clients that stall, flood, or take without reading: deadlines that no
 * single byte moves, who makes way for a newcomer, and what all of them together may hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "lwip/opt.h"
#include "lwip/stats.h"
#include "net/http/http.h"
#include "net/stack/stack.h"
#include "tests/unit/wire.h"

#define HOSTS  (WIRE_PEER + 20) /* addresses from here on */
#define ANSWER 300000u          /* bytes of /big and /heap */

static void hello(const struct http_request *req, struct http_response *res)
{
    (void)req;
    text_append(&res->body, "hello\n", 6);
}

static void big(const struct http_request *req, struct http_response *res)
{
    (void)req;
    static const char block[ANSWER] = {'x'};
    res->static_body = block;
    res->static_len = sizeof(block);
}

static void heap(const struct http_request *req, struct http_response *res)
{
    (void)req;
    char *at = text_reserve(&res->body, ANSWER);
    if (at != NULL) {
        memset(at, 'x', ANSWER);
        res->body.len += ANSWER;
    }
}

/* As much as there still is, to a kilobyte. */
static void rest(const struct http_request *req, struct http_response *res)
{
    struct http_stats s;
    (void)req;
    http_get_stats(&s);
    size_t n = HTTP_MEMORY_OWN + HTTP_MEMORY_SHARED - s.memory_used - 1;
    char *at = text_reserve(&res->body, n);
    if (at != NULL) {
        memset(at, 'x', n);
        res->body.len += n;
    }
}

static void body(const struct http_request *req, struct http_response *res)
{
    text_printf(&res->body, "got %zu\n", req->body_len);
}

static const struct http_route routes[] = {
    {"/hello", HTTP_METHOD_GET, hello, ""}, {"/big", HTTP_METHOD_GET, big, ""},
    {"/heap", HTTP_METHOD_GET, heap, ""},   {"/rest", HTTP_METHOD_GET, rest, ""},
    {"/body", HTTP_METHOD_POST, body, ""},  {NULL, 0, NULL, NULL},
};

static struct wire_peer clients[80];

static struct http_stats stats(void)
{
    struct http_stats s;
    http_get_stats(&s);
    return s;
}

static uint64_t buffers_used(void) { return lwip_stats.memp[MEMP_PBUF_POOL]->used; }

static int reset(void **state)
{
    (void)state;
    wire_reset();
    assert_int_equal(stats().open, 0);
    assert_int_equal(stats().memory_used, 0); /* nothing is kept by nobody */
    return 0;
}

/* count clients, each from an address of its own, or all from one. */
static void connect_clients(size_t count, bool one_address)
{
    for (size_t i = 0; i < count; i++) {
        wire_peer_init(&clients[i], HOSTS + (one_address ? 0 : (uint32_t)i));
        assert_true(wire_connect(&clients[i]));
    }
}

static size_t count_in(int state, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        n += (int)clients[i].state == state;
    }
    return n;
}

/* --- what one connection holds ---------------------------------------------------------------- */

/* Answers that are not read, and then one byte after the other: not one buffer of the pool. */
static void test_one_byte_segments(void **state)
{
    (void)state;
    struct wire_peer p;
    wire_peer_init(&p, HOSTS);
    p.window = 0;
    assert_true(wire_connect(&p));
    for (unsigned i = 0; i < 30; i++) {
        wire_say(&p, "GET /big HTTP/1.1\r\n\r\n");
    }
    for (unsigned i = 0; i < 1100; i++) {
        wire_say(&p, "G");
    }
    assert_int_equal(buffers_used(), 0);
    wire_ping(WIRE_PEER, p.mac);
    assert_int_equal(wire_counts.pongs, 1);
    assert_true(wire_is_served(HOSTS + 1, "/hello"));
    assert_int_equal(p.state, WIRE_UP);
}

/* Back pressure is the window's: what waits is one window and in order when it is taken. */
static void test_pipeline_waits(void **state)
{
    (void)state;
    struct wire_peer p;
    wire_peer_init(&p, HOSTS);
    p.silent = true;
    assert_true(wire_connect(&p));
    wire_say(&p, "GET /big HTTP/1.1\r\n\r\n");
    for (unsigned i = 0; i < 5; i++) {
        wire_say(&p, "GET /hello HTTP/1.1\r\n\r\n");
    }
    uint64_t before = stats().requests;
    p.silent = false;
    p.received = 0;
    wire_ack(&p, 0);
    wire_run_us(30 * US_PER_S);
    assert_int_equal(stats().requests, before + 5);
    assert_true(p.received > ANSWER + 5 * 100);
}

/* More than a window is not taken, whatever the client does. */
static void test_no_more_than_a_window(void **state)
{
    (void)state;
    struct wire_peer p;
    static char junk[1400];
    wire_peer_init(&p, HOSTS);
    p.silent = true;
    assert_true(wire_connect(&p));
    wire_say(&p, "GET /big HTTP/1.1\r\n\r\n");
    memset(junk, 'G', sizeof(junk));
    for (unsigned i = 0; i < 100; i++) {
        wire_send(&p, WIRE_ACK, junk, sizeof(junk));
    }
    assert_int_equal(buffers_used(), 0);
    assert_in_range(stats().memory_used, 1, TCP_WND);
}

static void test_upload(void **state)
{
    (void)state;
    struct wire_peer p;
    static char data[HTTP_BODY_MAX + 1];
    memset(data, 'b', HTTP_BODY_MAX);
    wire_peer_init(&p, HOSTS);
    assert_true(wire_connect(&p));
    wire_say(&p, "POST /body HTTP/1.1\r\nContent-Length: 65536\r\n\r\n");
    wire_say(&p, data);
    assert_non_null(strstr(p.text, "got 65536"));
    assert_int_equal(stats().memory_used, 0);
}

/* --- deadlines -------------------------------------------------------------------------------- */

/* Feeds drip byte by byte, one a second; returns after how many seconds the server gave up. */
static unsigned drip(const char *drip_text)
{
    struct wire_peer p;
    uint64_t timeouts = stats().timeouts;
    wire_peer_init(&p, HOSTS);
    assert_true(wire_connect(&p));
    unsigned s;
    for (s = 0; s < 200 && p.state == WIRE_UP; s++) {
        if (s < strlen(drip_text)) {
            wire_send(&p, WIRE_ACK, drip_text + s, 1);
        }
        wire_run_us(US_PER_S);
    }
    assert_int_equal(stats().timeouts, timeouts + 1);
    wire_peer_leave(&p);
    return s;
}

static void test_request_deadline(void **state)
{
    (void)state;
    assert_in_range(drip("GET /hello HTTP/1.1\r\nHost: x\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaa"), 10, 13);
    assert_in_range(drip("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"), 10, 13);
    assert_in_range(drip("POST /body HTTP/1.1\r\nContent-Length: 9\r\n\r\n123"), 10, 13);
    assert_in_range(drip(""), 60, 63); /* idle */
}

/* An answer of 300,000 bytes read in windows of so many bytes, four of them a second. Returns how
 * many seconds it lasts. */
static unsigned read_slowly(uint16_t window, const char *path, bool *whole)
{
    struct wire_peer p;
    char request[64];
    wire_peer_init(&p, HOSTS);
    p.silent = true;
    p.window = window;
    assert_true(wire_connect(&p));
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n\r\n", path);
    wire_say(&p, request);
    unsigned s;
    for (s = 0; s < 300 && p.state == WIRE_UP && p.received < ANSWER; s++) {
        for (unsigned k = 0; k < 4; k++) {
            wire_ack(&p, (uint32_t)p.received);
            wire_run_us(US_PER_S / 4);
        }
    }
    *whole = p.received >= ANSWER;
    wire_peer_leave(&p);
    return s;
}

static void test_answer_deadline(void **state)
{
    (void)state;
    bool whole;
    assert_in_range(read_slowly(0, "/big", &whole), 30, 33);
    assert_false(whole);
    assert_in_range(read_slowly(1, "/big", &whole), 30, 33); /* one byte moves nothing */
    assert_false(whole);
    assert_in_range(read_slowly(0, "/hello", &whole), 30, 33); /* small answers count, too */
    assert_in_range(read_slowly(2048, "/big", &whole), 34, 60);
    assert_true(whole); /* twice the least pace is fine, for as long as it takes */
}

/* Reads ten answers as fast as it can, but never quite to the end, and says no more. */
static void read_fast(struct wire_peer *p)
{
    p->silent = true;
    for (unsigned i = 0; i < 10; i++) {
        wire_say(p, "GET /big HTTP/1.1\r\n\r\n");
    }
    for (size_t seen = 0; p->received > seen;) {
        seen = p->received;
        wire_ack(p, (uint32_t)seen - 1);
    }
    assert_true(p->received > 9 * ANSWER);
}

/* What was read earns no rest: the deadline counts from then on, and all of them go before somebody
 * who has just come. */
static void test_fast_then_silent(void **state)
{
    (void)state;
    connect_clients(NET_CONNECTIONS_MAX, false);
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        read_fast(&clients[i]);
    }
    static struct wire_peer young;
    wire_peer_init(&young, HOSTS + 90);
    assert_true(wire_connect(&young));
    wire_run_us(US_PER_MS); /* its request is on the way */
    assert_true(wire_is_served(HOSTS + 100, "/hello"));
    wire_say(&young, "GET /hel");
    wire_run_us(US_PER_MS);
    assert_true(wire_is_served(HOSTS + 100, "/hello"));
    wire_say(&young, "lo HTTP/1.1\r\n\r\n");
    assert_non_null(strstr(young.text, "hello\n"));
    wire_peer_leave(&young);
    wire_run_us(33 * US_PER_S);
    assert_int_equal(count_in(WIRE_UP, NET_CONNECTIONS_MAX), 0);
}

/* A last acknowledgement that carries data: the answer's end closes the connection before the stack
 * hands the data over. */
static void test_data_with_last_ack(void **state)
{
    (void)state;
    uint64_t used = buffers_used();
    for (unsigned i = 0; i < 20; i++) {
        struct wire_peer p;
        wire_peer_init(&p, HOSTS + i);
        p.silent = true;
        assert_true(wire_connect(&p));
        wire_say(&p, "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert_true(p.received > 0);
        p.rcv = p.first + (uint32_t)p.received;
        wire_send(&p, WIRE_ACK, "more", 4);
        wire_run_us(US_PER_S);
        wire_peer_leave(&p);
    }
    assert_int_equal(buffers_used(), used);
}

/* --- newcomers -------------------------------------------------------------------------------- */

/* 64 clients that drip, from many addresses and from one: whoever comes is served at once. */
static void drippers(bool one_address)
{
    const char *head = "GET / HTTP/1.1\r\nHost: x\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    connect_clients(NET_CONNECTIONS_MAX, one_address);
    unsigned ok = 0;
    for (unsigned round = 0; round < 25; round++) {
        for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
            if (clients[i].state != WIRE_UP) { /* thrown out: back it comes */
                wire_peer_init(&clients[i], HOSTS + (one_address ? 0 : (uint32_t)i));
                assert_true(wire_connect(&clients[i]));
            }
            wire_send(&clients[i], WIRE_ACK, head + round, 1);
        }
        for (unsigned i = 0; i < 4; i++, ok++) {
            assert_true(wire_is_served(one_address && i % 2 == 0 ? HOSTS : HOSTS + 100, "/hello"));
        }
        wire_run_us(4 * US_PER_S);
    }
    assert_int_equal(ok, 100);
}

static void test_drippers(void **state)
{
    (void)state;
    drippers(false);
}

static void test_drippers_one_address(void **state)
{
    (void)state;
    drippers(true);
}

/* The one that has been waited for longest goes, whatever it is at. */
static void test_who_goes(void **state)
{
    (void)state;
    connect_clients(NET_CONNECTIONS_MAX, false);
    uint64_t evicted = stats().evicted;
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        wire_say(&clients[i], "GET /hello HTTP/1.1\r\n\r\n");
    }
    wire_run_us(US_PER_S);
    wire_say(&clients[7], "GET /hel"); /* then the others were idle for longer */
    clients[9].silent = true;
    clients[9].received = 0;
    clients[9].first = clients[9].rcv;
    wire_say(&clients[9], "GET /big HTTP/1.1\r\n\r\n");
    wire_run_us(US_PER_S);
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        if (i != 7 && i != 9 && i != 11) {
            wire_say(&clients[i], "GET /hello HTTP/1.1\r\n\r\n");
        }
    }
    assert_true(wire_is_served(HOSTS + 100, "/hello"));
    assert_int_equal(clients[11].state, WIRE_GOT_RST); /* idle for two seconds */
    assert_int_equal(count_in(WIRE_GOT_RST, NET_CONNECTIONS_MAX), 1);
    wire_run_us(US_PER_S);
    wire_peer_init(&clients[11], HOSTS + 11);
    assert_true(wire_connect(&clients[11]));
    /* 7 (a request) and 9 (an answer) have stalled for two seconds, the others for one */
    assert_true(wire_is_served(HOSTS + 100, "/hello"));
    assert_int_equal(clients[7].state, WIRE_GOT_RST);
    wire_peer_init(&clients[7], HOSTS + 7);
    assert_true(wire_connect(&clients[7]));
    assert_true(wire_is_served(HOSTS + 100, "/hello"));
    assert_int_equal(clients[9].state, WIRE_GOT_RST);
    assert_int_equal(count_in(WIRE_GOT_RST, NET_CONNECTIONS_MAX), 1);
    assert_int_equal(stats().evicted, evicted + 3);
}

/* An answer that makes its pace is the last to go, however long it has lasted. */
static void test_healthy_answer_stays(void **state)
{
    (void)state;
    connect_clients(1, false);
    struct wire_peer *p = &clients[0];
    p->silent = true;
    wire_say(p, "GET /big HTTP/1.1\r\n\r\n");
    p->window = 2048;
    for (uint32_t i = 1; i <= 60; i++) {
        wire_ack(p, (uint32_t)p->received);
        wire_run_us(US_PER_S / 4);
    }
    assert_true(p->received < ANSWER);
    for (size_t i = 1; i < ARRAY_SIZE(clients); i++) { /* they come and ask nothing */
        if (i == NET_CONNECTIONS_MAX) {
            wire_ack(p, (uint32_t)p->received);
            wire_run_us(US_PER_S / 5);
        }
        wire_peer_init(&clients[i], HOSTS + (uint32_t)i);
        assert_true(wire_connect(&clients[i]));
    }
    assert_int_equal(p->state, WIRE_UP);
    assert_int_equal(count_in(WIRE_GOT_RST, ARRAY_SIZE(clients)), 80 - NET_CONNECTIONS_MAX);
}

/* One address can have most of the connections, never all; beyond that it evicts its own. */
static void test_one_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        wire_peer_init(&clients[i], HOSTS + 1 + (uint32_t)i);
        assert_true(wire_connect(&clients[i]));
    }
    wire_run_us(US_PER_S);
    for (size_t i = 10; i < ARRAY_SIZE(clients); i++) {
        wire_peer_init(&clients[i], HOSTS);
        assert_true(wire_connect(&clients[i]));
    }
    assert_int_equal(count_in(WIRE_UP, 10), 10); /* the others are older, and stay */
    assert_int_equal(count_in(WIRE_UP, ARRAY_SIZE(clients)), 10 + 48);
    assert_int_equal(clients[10].state, WIRE_GOT_RST); /* its own longest idle */
    assert_true(wire_is_served(HOSTS, "/hello"));
}

/* --- memory ----------------------------------------------------------------------------------- */

/* 64 clients ask for answers made in memory and read nothing: the budget is kept, the rest hears
 * 503 and when to come again, small answers are not affected, and all of it comes back. */
static void test_memory_budget(void **state)
{
    (void)state;
    uint64_t overloaded = stats().overloaded;
    connect_clients(NET_CONNECTIONS_MAX - 1, false);
    for (size_t i = 0; i < NET_CONNECTIONS_MAX - 1; i++) {
        clients[i].window = 64; /* enough to see the status line */
        wire_ack(&clients[i], 0);
        wire_say(&clients[i], "GET /heap HTTP/1.1\r\n\r\n");
        assert_in_range(stats().memory_used, 0, HTTP_MEMORY_SHARED);
    }
    assert_in_range(stats().overloaded - overloaded, 40, 60);
    assert_true(stats().memory_used > HTTP_MEMORY_SHARED / 2);
    wire_peer_init(&clients[70], HOSTS + 70);
    assert_true(wire_connect(&clients[70]));
    wire_say(&clients[70], "GET /heap HTTP/1.1\r\n\r\n");
    assert_non_null(strstr(clients[70].text, "503 Service Unavailable"));
    assert_non_null(strstr(clients[70].text, "Retry-After: 1\r\n"));
    assert_true(wire_is_served(HOSTS + 71, "/hello"));
    wire_run_us(40 * US_PER_S); /* their time is up */
    assert_int_equal(stats().memory_used, 0);
    assert_true(wire_is_served(HOSTS + 72, "/heap"));
    assert_int_equal(stats().memory_used, 0); /* given back as soon as it is sent */
}

/* With the memory used up, a client that sends on without reading is cut off at what is its own. */
static void test_no_memory_to_wait(void **state)
{
    (void)state;
    struct wire_peer p;
    static char junk[1400];
    connect_clients(20, false);
    for (size_t i = 0; i < 20; i++) {
        clients[i].silent = true;
        wire_say(&clients[i], i < 13 ? "GET /heap HTTP/1.1\r\n\r\n" : "GET /rest HTTP/1.1\r\n\r\n");
    }
    assert_in_range(HTTP_MEMORY_SHARED - stats().memory_used, 0, 2 * sizeof(junk));
    wire_peer_init(&p, HOSTS + 30);
    p.silent = true;
    assert_true(wire_connect(&p));
    wire_say(&p, "GET /big HTTP/1.1\r\n\r\n");
    uint64_t overloaded = stats().overloaded;
    memset(junk, 'G', sizeof(junk));
    unsigned i;
    for (i = 0; i < 40 && p.state == WIRE_UP; i++) {
        wire_send(&p, WIRE_ACK, junk, sizeof(junk));
    }
    assert_in_range(i, HTTP_MEMORY_OWN / sizeof(junk), HTTP_MEMORY_OWN / sizeof(junk) + 3);
    assert_int_equal(p.state, WIRE_GOT_RST);
    assert_int_equal(stats().overloaded, overloaded + 1);
    assert_in_range(stats().memory_used, 0, HTTP_MEMORY_SHARED);
    assert_true(wire_is_served(HOSTS + 31, "/hello"));
}

/* A peer with tiny segments, or one that opens its window by a few bytes, is slow, not stuck. */
static void test_tiny_segments(void **state)
{
    (void)state;
    struct wire_peer p;
    wire_peer_init(&p, HOSTS);
    p.mss = 100;
    assert_true(wire_connect(&p));
    wire_say(&p, "GET /big HTTP/1.1\r\n\r\n");
    assert_true(p.received > ANSWER);
    wire_peer_init(&p, HOSTS);
    p.window = 50;
    assert_true(wire_connect(&p));
    wire_say(&p, "GET /hello HTTP/1.1\r\n\r\n");
    wire_run_us(20 * US_PER_S);
    assert_non_null(strstr(p.text, "hello\n"));
    wire_peer_init(&p, HOSTS);
    p.window = 1; /* half of it is nothing */
    assert_true(wire_connect(&p));
    wire_say(&p, "GET /hello HTTP/1.1\r\n\r\n");
    wire_run_us(20 * US_PER_S);
    assert_int_equal(p.text[0], 'H');
}

/* "Connection: close" frees nobody from reading: the slot is kept, and counts, until the answer is
 * acknowledged. What is left then holds no data. */
static void test_close_unread(void **state)
{
    (void)state;
    connect_clients(NET_CONNECTIONS_MAX, false);
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        clients[i].silent = true;
        wire_say(&clients[i], "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n");
    }
    struct stack_stats s;
    stack_get_stats(&s);
    assert_int_equal(s.closing, 0);
    assert_int_equal(stats().open, NET_CONNECTIONS_MAX);
    assert_true(wire_is_served(HOSTS + 100, "/hello"));
    wire_run_us(33 * US_PER_S);
    assert_int_equal(stats().open, 0);
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
        cmocka_unit_test_setup(test_one_byte_segments, reset),
        cmocka_unit_test_setup(test_pipeline_waits, reset),
        cmocka_unit_test_setup(test_no_more_than_a_window, reset),
        cmocka_unit_test_setup(test_upload, reset),
        cmocka_unit_test_setup(test_request_deadline, reset),
        cmocka_unit_test_setup(test_answer_deadline, reset),
        cmocka_unit_test_setup(test_fast_then_silent, reset),
        cmocka_unit_test_setup(test_data_with_last_ack, reset),
        cmocka_unit_test_setup(test_drippers, reset),
        cmocka_unit_test_setup(test_drippers_one_address, reset),
        cmocka_unit_test_setup(test_who_goes, reset),
        cmocka_unit_test_setup(test_healthy_answer_stays, reset),
        cmocka_unit_test_setup(test_one_address, reset),
        cmocka_unit_test_setup(test_memory_budget, reset),
        cmocka_unit_test_setup(test_no_memory_to_wait, reset),
        cmocka_unit_test_setup(test_tiny_segments, reset),
        cmocka_unit_test_setup(test_close_unread, reset),
    };
    return cmocka_run_group_tests_name("http_lwip", tests, group_setup, NULL);
}
