/* SPDX-License-Identifier: MIT */
/*
 * Streams of events over TCP and TLS on a wire: one that is idle stays, one that has gone goes,
 * one that does not read holds nothing and nobody, and newcomers are served whatever streams there
 * are.
 */
#include "tests/unit/http_clients.h"
#include "tests/unit/sse.h"
#include "tests/unit/tls_client.h"

#include "arch/fiber.h"
#include "net/api/api.h"
#include "net/api/event_ring.h"
#include "net/api/events.h"

#define HTTPS_PORT 443u
#define LISTEN     "GET /api/v1/events HTTP/1.0\r\nHost: x\r\n"

static struct api_context ctx = {.version = "x", .access = {.hosts = "x"}};

/* ---- clients that listen ---- */

struct listener {
    struct wire_peer p;
    struct sse sse;
    size_t matched; /* of the empty line after the head */
    size_t read;    /* bytes, when it stopped to read */
};
static struct listener ears[EVENT_STREAMS_MAX + 1];

static void take(struct wire_peer *p, const char *data, size_t len)
{
    struct listener *e = CONTAINER_OF(p, struct listener, p);
    static const char end[] = "\r\n\r\n";
    size_t at = 0;
    for (; at < len && e->matched < 4; at++) {
        e->matched = data[at] == end[e->matched] ? e->matched + 1 : data[at] == '\r';
    }
    sse_take(&e->sse, data + at, len - at);
}

static void listens(struct listener *e, uint32_t ip, const char *field)
{
    char request[256];
    sse_reset(&e->sse);
    wire_peer_init(&e->p, ip);
    e->p.take = take;
    e->matched = 0;
    assert_true(wire_connect(&e->p));
    snprintf(request, sizeof(request), LISTEN "%s\r\n", field);
    wire_say(&e->p, request);
    assert_non_null(strstr(e->p.text, "HTTP/1.1 200 OK\r\n"));
    assert_int_equal(e->sse.retry_ms, 2000);
}

static void add(const char *text)
{
    char data[1024];
    snprintf(data, sizeof(data), "{\"text\":\"%s\"}", text);
    assert_true(event_ring_add("note", data, strlen(data)));
}

static void run_us(uint64_t us)
{
    const uint64_t end_us = clock_now_us() + us;
    do {
        events_poll();
        http_poll();
        fiber_yield();
        wire_run_us(min_u64(50 * US_PER_MS, end_us - min_u64(end_us, clock_now_us())));
    } while (clock_now_us() < end_us);
    events_poll();
    http_poll();
}

static uint32_t streams(void)
{
    struct event_stats s;
    events_get_stats(&s);
    return s.streams;
}

static int begin(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(ears); i++) {
        sse_reset(&ears[i].sse);
        ears[i] = (struct listener){0};
    }
    reset(state);
    assert_int_equal(streams(), 0);
    api_init(&ctx);
    return 0;
}

/* ---- cases ---- */

/* Ten minutes without an event: a word each 15 s, and then the event at once. */
static void test_idle_stays(void **state)
{
    (void)state;
    const struct http_stats before = stats();
    listens(&ears[0], HOSTS, "");
    run_us(600 * US_PER_S);
    assert_int_equal(ears[0].p.state, WIRE_UP);
    assert_in_range(ears[0].sse.comments, 39, 40);
    assert_int_equal(ears[0].sse.count, 0);
    add("at last");
    events_poll();
    http_poll();
    wire_run_us(1);
    assert_int_equal(ears[0].sse.count, 1);
    assert_string_equal(sse_text(&ears[0].sse.event[0], "text"), "at last");
    assert_int_equal(stats().timeouts, before.timeouts);
    assert_int_equal(stats().evicted, before.evicted);
    assert_int_equal(stats().memory_used, 0);
}

/* As many streams as there can be, and all other places taken by idle connections: newcomers are
 * served, and no stream goes for them. */
static void test_newcomers(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVENT_STREAMS_MAX; i++) {
        listens(&ears[i], HOSTS + (uint32_t)i, "");
    }
    for (size_t i = EVENT_STREAMS_MAX; i < NET_CONNECTIONS_MAX; i++) {
        wire_peer_init(&clients[i], HOSTS + (uint32_t)i);
        assert_true(wire_connect(&clients[i]));
    }
    run_us(5 * US_PER_S);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(wire_is_served(HOSTS + 100 + i % 3, "/healthz"));
        run_us(100 * US_PER_MS);
    }
    add("all of you");
    run_us(US_PER_MS);
    for (size_t i = 0; i < EVENT_STREAMS_MAX; i++) {
        assert_int_equal(ears[i].p.state, WIRE_UP);
        assert_int_equal(ears[i].sse.count, 1);
    }
    /* One more stream: refused within the minute, then the one that came first makes way, and comes
     * back by itself without having lost anything. */
    struct wire_peer *late = &clients[0];
    wire_peer_init(late, HOSTS + 50);
    assert_true(wire_connect(late));
    wire_say(late, LISTEN "\r\n");
    assert_non_null(strstr(late->text, "HTTP/1.1 503 "));
    run_us(50 * US_PER_S);
    listens(&ears[EVENT_STREAMS_MAX], HOSTS + 50, "");
    run_us(US_PER_MS);
    assert_int_equal(ears[0].p.state, WIRE_GOT_FIN);
    assert_int_equal(streams(), EVENT_STREAMS_MAX);
    for (size_t i = 1; i <= EVENT_STREAMS_MAX; i++) {
        assert_int_equal(ears[i].p.state, WIRE_UP);
    }
    add("while it was away");
    char field[64];
    snprintf(field, sizeof(field), "Last-Event-ID: %llu\r\n",
             (unsigned long long)ears[0].sse.last_id);
    run_us(2 * US_PER_S);
    listens(&ears[0], HOSTS, field);
    assert_int_equal(ears[0].sse.count, 1);
    assert_string_equal(sse_text(&ears[0].sse.event[0], "text"), "while it was away");
}

/* A client that has gone holds no place: by FIN or RST at once, without a word within a minute. */
static void test_gone(void **state)
{
    (void)state;
    listens(&ears[0], HOSTS, "");
    wire_send(&ears[0].p, WIRE_ACK | WIRE_FIN, NULL, 0);
    assert_int_equal(streams(), 0);
    run_us(US_PER_S);
    assert_int_equal(stats().open, 0);
    listens(&ears[0], HOSTS, "");
    wire_send(&ears[0].p, WIRE_RST, NULL, 0);
    assert_int_equal(streams(), 0);
    listens(&ears[0], HOSTS, "");
    ears[0].p.deaf = true;
    run_us(44 * US_PER_S);
    assert_int_equal(streams(), 1);
    run_us(6 * US_PER_S);
    assert_int_equal(streams(), 0);
    assert_int_equal(stats().open, 0);
}

/* A request that is sent behind the stream's is not read, and a FIN behind it still ends it. */
static void test_gone_with_more(void **state)
{
    (void)state;
    listens(&ears[0], HOSTS, "");
    wire_say(&ears[0].p, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    run_us(US_PER_S);
    assert_int_equal(streams(), 1);
    wire_send(&ears[0].p, WIRE_ACK | WIRE_FIN, NULL, 0);
    assert_int_equal(streams(), 0);
    run_us(US_PER_S);
    assert_int_equal(stats().open, 0);
}

/* It takes one event more and shuts its window with that; what probes it is not taken. */
static void stops_reading(struct listener *e)
{
    e->p.window = 0;
    add("the last");
    run_us(US_PER_MS);
    e->p.silent = true;
    e->read = e->p.received;
}
static void reads_again(struct listener *e)
{
    e->p.window = 0xffff;
    e->p.silent = false;
    e->p.received = e->read;
    wire_ack(&e->p, (uint32_t)e->p.received);
}

/* Twenty seconds without reading: what comes meanwhile costs it events, others nothing, and no
 * memory. */
static void test_slow_reader(void **state)
{
    (void)state;
    static char long_text[901];
    memset(long_text, 'x', sizeof(long_text) - 1);
    listens(&ears[0], HOSTS, "");
    listens(&ears[1], HOSTS + 1, "");
    stops_reading(&ears[0]);
    const unsigned rounds = 400, each = 5;
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned k = 0; k < each; k++) {
            add(long_text);
        }
        run_us(50 * US_PER_MS);
        assert_int_equal(ears[1].sse.count, 1 + (i + 1) * each);
        assert_int_equal(stats().memory_used, 0); /* nothing beyond what each has anyway */
    }
    assert_true(ears[0].sse.count < rounds * each / 2);
    reads_again(&ears[0]);
    run_us(2 * US_PER_S);
    assert_int_equal(ears[0].p.state, WIRE_UP);
    assert_int_equal(sse_count(&ears[0].sse, "gap"), 1);
    const uint64_t lost = sse_number(sse_get(&ears[0].sse, "gap", 0), "lost");
    assert_int_equal(ears[0].sse.count - 1 + lost, 1 + rounds * each);
    assert_true(lost > rounds * each / 2);
    /* One that never reads goes as every other does. */
    stops_reading(&ears[0]);
    for (unsigned i = 0; i < 33; i++) {
        add(long_text);
        run_us(US_PER_S);
    }
    assert_int_equal(ears[0].p.state, WIRE_GOT_RST);
    assert_int_equal(streams(), 1);
    assert_int_equal(ears[1].sse.count, 2 + rounds * each + 33);
}

/* ---- TLS ---- */

static struct tls_client client;
static struct wire_peer peer;
static size_t carried; /* of what the peer has received */

static void on_wake(void) {}

static void to_client(struct wire_peer *p, const char *data, size_t len)
{
    (void)p;
    client_receives(&client, data, len);
}

/* What both have to say to each other. */
static void exchange(void)
{
    struct tls_stats tls;
    size_t before;
    do {
        before = carried;
        while (client.out_len > 0) {
            const size_t n = min_u64(client.out_len, 1400);
            wire_send(&peer, WIRE_ACK | WIRE_PSH, client.out, n);
            client.out_len -= n;
            memmove(client.out, client.out + n, client.out_len);
        }
        run_us(US_PER_MS);
        carried = peer.received;
        if (!mbedtls_ssl_is_handshake_over(&client.ssl)) {
            (void)mbedtls_ssl_handshake(&client.ssl);
        }
        tls_get_stats(&tls);
    } while (before != carried || client.out_len > 0 || tls.waiting > 0);
}

/* What has come, behind the head of the answer. */
static void hear(struct listener *e)
{
    unsigned char text[4096];
    int n;
    while ((n = mbedtls_ssl_read(&client.ssl, text, sizeof(text))) > 0) {
        take(&e->p, (const char *)text, (size_t)n);
    }
    if (client.in_off == client.in_len) {
        client.in_off = client.in_len = 0;
    }
}

static void test_tls(void **state)
{
    static const char request[] = LISTEN "\r\n";
    struct tls_stats s;
    (void)state;
    client_init(&client);
    carried = 0;
    wire_peer_init(&peer, HOSTS);
    peer.to = HTTPS_PORT;
    peer.take = to_client;
    assert_true(wire_connect(&peer));
    assert_int_equal(mbedtls_ssl_handshake(&client.ssl), MBEDTLS_ERR_SSL_WANT_READ);
    exchange();
    assert_true(mbedtls_ssl_is_handshake_over(&client.ssl));
    assert_true(mbedtls_ssl_write(&client.ssl, (const unsigned char *)request, strlen(request)) >
                0);
    exchange();
    hear(&ears[0]);
    assert_int_equal(ears[0].sse.retry_ms, 2000);
    add("a secret");
    run_us(US_PER_MS);
    hear(&ears[0]);
    assert_string_equal(sse_text(sse_get(&ears[0].sse, "note", 0), "text"), "a secret");
    run_us(300 * US_PER_S);
    hear(&ears[0]);
    assert_in_range(ears[0].sse.comments, 19, 20);
    assert_int_equal(peer.state, WIRE_UP);
    assert_int_equal(streams(), 1);
    assert_int_equal(mbedtls_ssl_close_notify(&client.ssl), 0);
    wire_send(&peer, WIRE_ACK | WIRE_PSH, client.out, client.out_len);
    run_us(US_PER_MS);
    assert_int_equal(streams(), 0);
    run_us(US_PER_S);
    assert_int_equal(stats().open, 0);
    client_free(&client);
    wire_peer_leave(&peer);
    tls_get_stats(&s);
    assert_int_equal(s.waiting, 0);
}

static int setup(void **state)
{
    static const struct tls_options options = {.hostname = "bench-7", .wake = on_wake};
    struct fl_fail fail = {0};
    (void)state;
    wire_start();
    assert_int_equal(tls_start(&options, &fail), FL_OK);
    tls_may_make_certificate();
    fiber_yield();
    api_init(&ctx);
    http_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_idle_stays, begin),
        cmocka_unit_test_setup(test_newcomers, begin),
        cmocka_unit_test_setup(test_gone, begin),
        cmocka_unit_test_setup(test_gone_with_more, begin),
        cmocka_unit_test_setup(test_slow_reader, begin),
        cmocka_unit_test_setup(test_tls, begin),
        cmocka_unit_test_setup(test_tls, begin), /* nothing is left of the first */
    };
    return cmocka_run_group_tests_name("events_lwip", tests, setup, NULL);
}
