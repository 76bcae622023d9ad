/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server when its connections or its memory are used up: who makes way for a newcomer, and
 * what all clients together may hold.
 */
#include "tests/unit/http_clients.h"

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
        wire_say(&clients[i], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    wire_run_us(US_PER_S);
    wire_say(&clients[7], "GET /hel"); /* then the others were idle for longer */
    clients[9].silent = true;
    clients[9].received = 0;
    clients[9].first = clients[9].rcv;
    wire_say(&clients[9], "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_run_us(US_PER_S);
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        if (i != 7 && i != 9 && i != 11) {
            wire_say(&clients[i], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
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
    wire_say(p, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
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

/* So many one after the other leave nothing behind. */
static void test_many_in_turn(void **state)
{
    (void)state;
    const struct http_stats before = stats();
    for (unsigned i = 0; i < 10000; i++) {
        assert_true(wire_is_served(HOSTS + i % 200,
                                   i % 2 == 0 ? "/hello" : "/nowhere-but-a-name") == (i % 2 == 0));
        wire_run_us(US_PER_MS);
    }
    wire_run_us(US_PER_S);
    assert_int_equal(stats().requests, before.requests + 10000);
    assert_int_equal(stats().open, 0);
    assert_int_equal(stats().memory_used, 0);
    assert_int_equal(buffers_used(), 0);
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
        wire_say(&clients[i], "GET /heap HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_in_range(stats().memory_used, 0, HTTP_MEMORY_SHARED);
    }
    assert_in_range(stats().overloaded - overloaded, 40, 60);
    assert_true(stats().memory_used > HTTP_MEMORY_SHARED / 2);
    wire_peer_init(&clients[70], HOSTS + 70);
    assert_true(wire_connect(&clients[70]));
    wire_say(&clients[70], "GET /heap HTTP/1.1\r\nHost: x\r\n\r\n");
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
        wire_say(&clients[i], i < 13 ? "GET /heap HTTP/1.1\r\nHost: x\r\n\r\n"
                                     : "GET /rest HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    assert_in_range(HTTP_MEMORY_SHARED - stats().memory_used, 0, 2 * sizeof(junk));
    wire_peer_init(&p, HOSTS + 30);
    p.silent = true;
    assert_true(wire_connect(&p));
    wire_say(&p, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
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

/* "Connection: close" frees nobody from reading: the slot is kept, and counts, until the answer is
 * acknowledged. What is left then holds no data. */
static void test_close_unread(void **state)
{
    (void)state;
    connect_clients(NET_CONNECTIONS_MAX, false);
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        clients[i].silent = true;
        wire_say(&clients[i], "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    }
    struct stack_stats s;
    stack_get_stats(&s);
    assert_int_equal(s.closing, 0);
    assert_int_equal(stats().open, NET_CONNECTIONS_MAX);
    assert_true(wire_is_served(HOSTS + 100, "/hello"));
    wire_run_us(33 * US_PER_S);
    assert_int_equal(stats().open, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_drippers, reset),
        cmocka_unit_test_setup(test_drippers_one_address, reset),
        cmocka_unit_test_setup(test_who_goes, reset),
        cmocka_unit_test_setup(test_healthy_answer_stays, reset),
        cmocka_unit_test_setup(test_one_address, reset),
        cmocka_unit_test_setup(test_many_in_turn, reset),
        cmocka_unit_test_setup(test_memory_budget, reset),
        cmocka_unit_test_setup(test_no_memory_to_wait, reset),
        cmocka_unit_test_setup(test_close_unread, reset),
    };
    return cmocka_run_group_tests_name("http_full", tests, group_setup, NULL);
}
