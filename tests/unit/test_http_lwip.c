/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server against single clients that stall, flood, or take without reading: what one
 * connection holds, and deadlines that no single byte moves.
 */
#include "tests/unit/http_clients.h"

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
        wire_say(&p, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
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

/* A client that keeps the body until its head is acknowledged waits for no timer. */
static void test_part_is_acknowledged(void **state)
{
    (void)state;
    struct wire_peer p;
    wire_peer_init(&p, HOSTS);
    assert_true(wire_connect(&p));
    unsigned frames = wire_counts.frames;
    wire_say(&p, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n");
    assert_int_equal(wire_counts.frames, frames + 1);
    assert_int_equal(p.received, 0);
    wire_say(&p, "abc");
    assert_non_null(strstr(p.text, "got 3"));
}

/* Back pressure is the window's: what waits is one window and in order when it is taken. */
static void test_pipeline_waits(void **state)
{
    (void)state;
    struct wire_peer p;
    wire_peer_init(&p, HOSTS);
    p.silent = true;
    assert_true(wire_connect(&p));
    wire_say(&p, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    for (unsigned i = 0; i < 5; i++) {
        wire_say(&p, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
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
    wire_say(&p, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
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
    wire_say(&p, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n");
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
    assert_in_range(drip("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123"), 10, 13);
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
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
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
        wire_say(p, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
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
    wire_say(&young, "lo HTTP/1.1\r\nHost: x\r\n\r\n");
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
        wire_say(&p, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert_true(p.received > 0);
        p.rcv = p.first + (uint32_t)p.received;
        wire_send(&p, WIRE_ACK, "more", 4);
        wire_run_us(US_PER_S);
        wire_peer_leave(&p);
    }
    assert_int_equal(buffers_used(), used);
}

/* A peer with tiny segments, or one that opens its window by a few bytes, is slow, not stuck. */
static void test_tiny_segments(void **state)
{
    (void)state;
    struct wire_peer p;
    wire_peer_init(&p, HOSTS);
    p.mss = 100;
    assert_true(wire_connect(&p));
    wire_say(&p, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(p.received > ANSWER);
    wire_peer_init(&p, HOSTS);
    p.window = 50;
    assert_true(wire_connect(&p));
    wire_say(&p, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_run_us(20 * US_PER_S);
    assert_non_null(strstr(p.text, "hello\n"));
    wire_peer_init(&p, HOSTS);
    p.window = 1; /* half of it is nothing */
    assert_true(wire_connect(&p));
    wire_say(&p, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_run_us(20 * US_PER_S);
    assert_int_equal(p.text[0], 'H');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_byte_segments, reset),
        cmocka_unit_test_setup(test_part_is_acknowledged, reset),
        cmocka_unit_test_setup(test_pipeline_waits, reset),
        cmocka_unit_test_setup(test_no_more_than_a_window, reset),
        cmocka_unit_test_setup(test_upload, reset),
        cmocka_unit_test_setup(test_request_deadline, reset),
        cmocka_unit_test_setup(test_answer_deadline, reset),
        cmocka_unit_test_setup(test_fast_then_silent, reset),
        cmocka_unit_test_setup(test_data_with_last_ack, reset),
        cmocka_unit_test_setup(test_tiny_segments, reset),
    };
    return cmocka_run_group_tests_name("http_lwip", tests, group_setup, NULL);
}
