/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server's second door: TLS over TCP on a wire, with `tls = only`. What a client may hold
 * and for how long, who makes way, how a connection ends.
 */
#include "tests/unit/http_clients.h"
#include "tests/unit/tls_client.h"

#include "arch/fiber.h"

#define HTTPS_PORT 443u

static struct tls_client client;
static struct wire_peer peer;
static size_t taken;  /* of what the peer has received */
static int last_read; /* what mbedtls_ssl_read() said at the end of drain() */

static struct tls_stats tls_now(void)
{
    struct tls_stats s;
    tls_get_stats(&s);
    return s;
}

static void on_wake(void) {}

/* The worker and the network fiber's round. */
static void work(void)
{
    do {
        fiber_yield();
        http_poll();
        wire_run_us(1);
    } while (tls_now().waiting > 0);
}

static void connect_from(struct wire_peer *p, uint32_t ip)
{
    wire_peer_init(p, ip);
    p->to = HTTPS_PORT;
    assert_true(wire_connect(p));
}

static void say(struct wire_peer *p, const uint8_t *data, size_t len)
{
    for (size_t n; len > 0; len -= n, data += n) {
        n = min_u64(len, 1400);
        wire_send(p, WIRE_ACK | WIRE_PSH, data, n);
    }
}

/* What both have to say to each other; the peer's record is 4095 bytes long. */
static void exchange(void)
{
    size_t before;
    do {
        before = taken + client.out_len;
        say(&peer, client.out, client.out_len);
        client.out_len = 0;
        work();
        client_receives(&client, peer.text + taken, peer.received - taken);
        taken = peer.received;
        if (!mbedtls_ssl_is_handshake_over(&client.ssl)) {
            (void)mbedtls_ssl_handshake(&client.ssl);
        }
    } while (taken + client.out_len != before);
}

static void begin(void)
{
    client_init(&client);
    taken = 0;
    connect_from(&peer, HOSTS);
    assert_int_equal(mbedtls_ssl_handshake(&client.ssl), MBEDTLS_ERR_SSL_WANT_READ);
}

static void end(void)
{
    client_free(&client);
    wire_peer_leave(&peer);
}

static void shaken(void)
{
    begin();
    exchange();
    assert_true(mbedtls_ssl_is_handshake_over(&client.ssl));
}

/* What has come for the client, decrypted. */
static const char *drain(void)
{
    static char answer[2048];
    size_t at = 0;
    while ((last_read = mbedtls_ssl_read(&client.ssl, (unsigned char *)answer + at,
                                         sizeof(answer) - 1 - at)) > 0) {
        at += (size_t)last_read;
    }
    answer[at] = '\0';
    return answer;
}

/* The answer to this request. */
static const char *ask(const char *request)
{
    const int len = (int)strlen(request);
    assert_int_equal(mbedtls_ssl_write(&client.ssl, (const unsigned char *)request, (size_t)len),
                     len);
    exchange();
    return drain();
}

/* --- what is served --------------------------------------------------------------------------- */

static void test_served(void **state)
{
    (void)state;
    const uint64_t first_us = stats().first_answer_us;
    shaken();
    assert_int_equal(stats().first_answer_us, first_us); /* a handshake is no answer */
    for (unsigned i = 0; i < 3; i++) {                   /* kept alive */
        assert_non_null(strstr(ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\nhello\n"));
        assert_int_equal(peer.state, WIRE_UP);
    }
    assert_non_null(
        strstr(ask("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "hello\n"));
    assert_int_equal(last_read, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY); /* before the FIN */
    assert_int_equal(peer.state, WIRE_GOT_FIN);
    assert_int_equal(stats().open, 0);
    assert_int_not_equal(stats().first_answer_us, 0);
    end();
}

/* The client's goodbye comes with its request, by TLS or by TCP: it gets its answer, and the
 * connection ends. */
static void test_goodbye_with_request(void **state)
{
    (void)state;
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    for (unsigned by_tcp = 0; by_tcp < 2; by_tcp++) {
        shaken();
        assert_true(
            mbedtls_ssl_write(&client.ssl, (const unsigned char *)request, strlen(request)) > 0);
        if (by_tcp != 0) {
            say(&peer, client.out, client.out_len);
            client.out_len = 0;
            wire_send(&peer, WIRE_ACK | WIRE_FIN, NULL, 0);
        } else {
            assert_int_equal(mbedtls_ssl_close_notify(&client.ssl), 0);
        }
        exchange();
        assert_non_null(strstr(drain(), "hello\n"));
        wire_run_us(US_PER_S);
        assert_int_equal(stats().open, 0);
        end();
    }
}

/* The end of the handshake, a request and the client's end in one go: the worker comes first. */
static void test_all_in_one_go(void **state)
{
    (void)state;
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    begin();
    say(&peer, client.out, client.out_len);
    client.out_len = 0;
    work();
    client_receives(&client, peer.text, peer.received);
    taken = peer.received;
    assert_int_equal(mbedtls_ssl_handshake(&client.ssl), 0);
    assert_true(mbedtls_ssl_write(&client.ssl, (const unsigned char *)request, strlen(request)) >
                0);
    say(&peer, client.out, client.out_len);
    client.out_len = 0;
    wire_send(&peer, WIRE_ACK | WIRE_FIN, NULL, 0);
    exchange();
    assert_non_null(strstr(drain(), "hello\n"));
    end();
}

/* Requests in one flight: answered one after the other, and what waits is within the limits. */
static void test_pipeline(void **state)
{
    (void)state;
    shaken();
    const uint64_t before = stats().requests;
    for (unsigned i = 0; i < 8; i++) {
        static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_true(
            mbedtls_ssl_write(&client.ssl, (const unsigned char *)request, strlen(request)) > 0);
    }
    exchange();
    assert_int_equal(stats().requests, before + 8);
    end();
}

static void test_only(void **state)
{
    (void)state;
    struct wire_peer p;
    wire_peer_init(&p, HOSTS);
    assert_true(wire_connect(&p));
    static const char *const paths[] = {"/hello", "/nothing"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        char request[64];
        memset(p.text, 0, sizeof(p.text));
        p.received = 0;
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
        wire_say(&p, request);
        assert_non_null(strstr(p.text, "403 Forbidden"));
        assert_non_null(strstr(p.text, "TLS only"));
    }
    wire_peer_leave(&p);
}

static void test_plain_on_443(void **state)
{
    (void)state;
    struct wire_peer p;
    connect_from(&p, HOSTS);
    wire_say(&p, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(p.text, "https://"));
    assert_int_equal(p.state, WIRE_GOT_FIN);
    wire_peer_leave(&p);
}

/* --- how long ----------------------------------------------------------------------------------
 */

/* Sends the first bytes of a handshake, so many at a time, one time a second. Returns after how
 * many seconds the server gave up. */
static unsigned give_up(size_t first, size_t step)
{
    begin();
    const uint64_t timeouts = stats().timeouts, failed = tls_now().failed;
    unsigned s;
    size_t at = min_u64(first, client.out_len);
    say(&peer, client.out, at);
    for (s = 0; s < 200 && peer.state == WIRE_UP; s++) {
        size_t n = min_u64(step, client.out_len - at);
        if (n > 0) {
            wire_send(&peer, WIRE_ACK, client.out + at, n);
            at += n;
        }
        for (unsigned i = 0; i < 4; i++) {
            work();
            wire_run_us(US_PER_S / 4);
        }
    }
    assert_int_equal(stats().timeouts, timeouts + 1);
    assert_int_equal(tls_now().failed, failed + (first + step > 0));
    assert_int_equal(stats().open, 0);
    end();
    return s;
}

static void test_deadlines(void **state)
{
    (void)state;
    assert_in_range(give_up(20, 0), 10, 13);       /* half a ClientHello, then silence */
    assert_in_range(give_up(0, 1), 10, 13);        /* a drip: each byte makes work */
    assert_in_range(give_up(SIZE_MAX, 0), 10, 13); /* our flight is never answered */
    assert_in_range(give_up(0, 0), 60, 63);        /* not a byte: idle, like others */

    /* What waits for the worker for so long, too. */
    begin();
    say(&peer, client.out, client.out_len);
    wire_run_us(9 * US_PER_S);
    assert_int_equal(peer.state, WIRE_UP);
    wire_run_us(4 * US_PER_S);
    assert_int_equal(peer.state, WIRE_GOT_RST);
    end();

    /* Once the handshake is over it is a connection like others. */
    shaken();
    wire_run_us(30 * US_PER_S);
    assert_int_equal(stats().open, 1);
    wire_run_us(33 * US_PER_S);
    assert_int_equal(stats().open, 0);
    end();
}

/* --- how many --------------------------------------------------------------------------------- */

/* All places taken by handshakes that do not go on: a newcomer gets one. */
static void test_crowd(void **state)
{
    (void)state;
    static const uint8_t half[] = {22, 3, 1};
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        connect_from(&clients[i], HOSTS + 1 + (uint32_t)i);
        say(&clients[i], half, sizeof(half));
    }
    work();
    wire_run_us(2 * US_PER_S);
    assert_int_equal(stats().open, NET_CONNECTIONS_MAX);
    assert_in_range(tls_now().memory_used, 1, TLS_MEMORY_MAX * 3 / 4);
    assert_int_equal(tls_now().memory_refused, 0);
    const uint64_t evicted = stats().evicted;
    shaken();
    assert_non_null(strstr(ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), "hello\n"));
    assert_int_equal(stats().evicted, evicted + 1);
    end();
}

/* Those whose handshake waits for us do not make way for those who came later. */
static void test_waiting_stays(void **state)
{
    (void)state;
    begin();
    say(&peer, client.out, client.out_len); /* first in the queue; the worker does not run yet */
    client.out_len = 0;
    wire_run_us(2 * US_PER_S);
    for (size_t i = 0; i < NET_CONNECTIONS_MAX - 1; i++) {
        connect_from(&clients[i], HOSTS + 1 + (uint32_t)i);
        wire_run_us(1000);
    }
    wire_run_us(2 * US_PER_S);
    connect_from(&clients[NET_CONNECTIONS_MAX - 1], HOSTS + NET_CONNECTIONS_MAX);
    assert_int_equal(clients[0].state, WIRE_GOT_RST);
    assert_int_equal(peer.state, WIRE_UP);
    exchange();
    assert_true(mbedtls_ssl_is_handshake_over(&client.ssl));
    end();
}

static int tls_reset(void **state)
{
    (void)reset(state);
    work();
    struct tls_stats s = tls_now();
    assert_int_equal(s.waiting, 0);
    static uint64_t at_rest;
    at_rest = at_rest != 0 ? at_rest : s.memory_used;
    assert_int_equal(s.memory_used, at_rest); /* nothing is kept by nobody */
    return 0;
}

static int tls_setup(void **state)
{
    static const struct tls_options options = {
        .hostname = "bench-7", .only = true, .wake = on_wake};
    struct fl_fail fail = {0};
    (void)state;
    wire_start();
    assert_int_equal(tls_start(&options, &fail), FL_OK);
    tls_may_make_certificate();
    fiber_yield();
    http_set_routes(routes);
    http_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_served, tls_reset),
        cmocka_unit_test_setup(test_goodbye_with_request, tls_reset),
        cmocka_unit_test_setup(test_all_in_one_go, tls_reset),
        cmocka_unit_test_setup(test_pipeline, tls_reset),
        cmocka_unit_test_setup(test_only, tls_reset),
        cmocka_unit_test_setup(test_plain_on_443, tls_reset),
        cmocka_unit_test_setup(test_deadlines, tls_reset),
        cmocka_unit_test_setup(test_crowd, tls_reset),
        cmocka_unit_test_setup(test_waiting_stays, tls_reset),
        cmocka_unit_test_setup(test_served, tls_reset),
    };
    return cmocka_run_group_tests_name("tls_lwip", tests, tls_setup, NULL);
}
