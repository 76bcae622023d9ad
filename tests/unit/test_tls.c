/* SPDX-License-Identifier: MIT */
/*
 * One TLS connection without sockets: a handshake whole and in drips, what is refused, what is
 * given back, what others get to do meanwhile.
 */
#include "tests/unit/tls_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "arch/fiber.h"
#include "arch/host/host.h"

#define ALERT_RECORD  21 /* RFC 8446 5.1 */
#define ALERT_FATAL   2  /* RFC 8446 6 */
#define RECORD_HEADER 5u

static struct tls_client client;
static unsigned wakes, readies;

static void on_wake(void) { wakes++; }
static void on_ready(void *ctx)
{
    (void)ctx;
    readies++;
}

static struct tls_stats stats(void)
{
    struct tls_stats s;
    tls_get_stats(&s);
    return s;
}

static const struct tls_options options = {.hostname = "bench-7", .wake = on_wake};

/* The worker does all it can. */
static void work(void)
{
    do {
        fiber_yield();
    } while (stats().waiting > 0);
    tls_collect();
}

static size_t to_server(struct tls_conn *c, size_t at_most)
{
    size_t used = tls_conn_input(c, client.out, min_u64(client.out_len, at_most));
    client.out_len -= used;
    memmove(client.out, client.out + used, client.out_len);
    return used;
}

static size_t to_client(struct tls_conn *c, size_t at_most)
{
    size_t len, sum = 0;
    const void *out;
    while ((out = tls_conn_output(c, &len)) != NULL) {
        len = min_u64(len, at_most);
        client_receives(&client, out, len);
        tls_conn_sent(c, len);
        sum += len;
    }
    return sum;
}

/* Both sides, so many bytes at a time, until neither says anything more. */
static void shake(struct tls_conn *c, size_t step)
{
    size_t moved;
    int e;
    do {
        e = mbedtls_ssl_is_handshake_over(&client.ssl) ? 0 : mbedtls_ssl_handshake(&client.ssl);
        moved = to_server(c, step);
        work();
        moved += to_client(c, step);
    } while (moved > 0 && (e == 0 || e == MBEDTLS_ERR_SSL_WANT_READ));
}

static struct tls_conn *connected(void)
{
    struct tls_conn *c = tls_conn_new(on_ready, NULL);
    assert_non_null(c);
    client_init(&client);
    shake(c, SIZE_MAX);
    assert_true(mbedtls_ssl_is_handshake_over(&client.ssl));
    assert_false(tls_conn_shaking(c) || tls_conn_working(c) || tls_conn_over(c));
    return c;
}

static void leave(struct tls_conn *c)
{
    tls_conn_free(c);
    client_free(&client);
}

/* An alert of this description is the next thing that goes out, unencrypted. */
static void assert_alert(struct tls_conn *c, uint8_t description)
{
    size_t len;
    const uint8_t *out = tls_conn_output(c, &len);
    assert_non_null(out);
    assert_int_equal(len, RECORD_HEADER + 2);
    assert_int_equal(out[0], ALERT_RECORD);
    assert_int_equal(out[RECORD_HEADER], ALERT_FATAL);
    assert_int_equal(out[RECORD_HEADER + 1], description);
}

/* --- what works ------------------------------------------------------------------------------- */

static void test_handshake(void **state)
{
    (void)state;
    const uint64_t before = stats().handshakes;
    struct tls_conn *c = connected();
    assert_int_equal(stats().handshakes, before + 1);
    assert_string_equal(mbedtls_ssl_get_version(&client.ssl), "TLSv1.3");
    assert_true(wakes > 0 && readies > 0);

    /* Records longer than what the stages hold arrive whole, in pieces. */
    static unsigned char big[16384];
    memset(big, 'q', sizeof(big));
    for (size_t said = 0; said < sizeof(big);) {
        int n = mbedtls_ssl_write(&client.ssl, big + said, sizeof(big) - said);
        assert_true(n > 0);
        said += (size_t)n;
    }
    size_t got = 0, len;
    for (const char *p; to_server(c, SIZE_MAX) > 0;) {
        while ((p = tls_conn_plain(c, &len)) != NULL) {
            assert_int_equal(p[0], 'q');
            assert_int_equal(p[len - 1], 'q');
            tls_conn_taken(c, len);
            got += len;
        }
    }
    assert_int_equal(got, sizeof(big));

    /* An answer longer than a record: several, and nothing of it is lost while the stage is full.
     */
    size_t put = 0, back = 0;
    unsigned char in[1024];
    while (back < sizeof(big)) {
        put += tls_conn_write(c, big + put, sizeof(big) - put);
        if (to_client(c, 100) == 0) {
            assert_int_equal(put, sizeof(big));
        }
        for (int n; (n = mbedtls_ssl_read(&client.ssl, in, sizeof(in))) > 0; back += (size_t)n) {
            assert_int_equal(in[n - 1], 'q');
        }
    }
    assert_int_equal(back, sizeof(big));
    leave(c);
}

/* A peer that drips, and takes drips. */
static void test_drips(void **state)
{
    (void)state;
    struct tls_conn *c = tls_conn_new(on_ready, NULL);
    client_init(&client);
    shake(c, 1);
    assert_true(mbedtls_ssl_is_handshake_over(&client.ssl));
    leave(c);
}

/* After the client's goodbye it may still read; after ours nothing is written. */
static void test_goodbyes(void **state)
{
    (void)state;
    unsigned char in[16];
    size_t len;
    struct tls_conn *c = connected();
    assert_false(tls_conn_ended(c));
    assert_int_equal(mbedtls_ssl_close_notify(&client.ssl), 0);
    to_server(c, SIZE_MAX);
    assert_null(tls_conn_plain(c, &len));
    assert_true(tls_conn_ended(c));
    assert_false(tls_conn_over(c));
    assert_int_equal(tls_conn_write(c, "answer", 6), 6);
    to_client(c, SIZE_MAX);
    assert_int_equal(mbedtls_ssl_read(&client.ssl, in, sizeof(in)), 6);
    tls_conn_close(c);
    tls_conn_close(c); /* once is enough */
    assert_int_equal(tls_conn_write(c, "more", 4), 0);
    to_client(c, SIZE_MAX);
    assert_int_equal(mbedtls_ssl_read(&client.ssl, in, sizeof(in)),
                     MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    assert_int_equal(client.in_off, client.in_len);
    leave(c);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void refused(const void *data, size_t len, uint8_t alert)
{
    const struct tls_stats before = stats();
    struct tls_conn *c = tls_conn_new(on_ready, NULL);
    assert_int_equal(tls_conn_input(c, data, len), len);
    assert_true(tls_conn_shaking(c));
    work();
    assert_true(tls_conn_over(c));
    assert_false(tls_conn_shaking(c));
    assert_alert(c, alert);
    assert_int_equal(tls_conn_input(c, data, len), len); /* taken and forgotten */
    assert_false(tls_conn_working(c));
    tls_conn_free(c);
    assert_int_equal(stats().failed, before.failed + 1);
    assert_int_equal(stats().handshakes, before.handshakes);
    assert_int_equal(stats().memory_used, before.memory_used);
}

/* A ClientHello of TLS 1.2: no supported_versions. */
static void test_tls12(void **state)
{
    (void)state;
    enum { PROTOCOL_VERSION = 70 };
    static const uint8_t hello[5 + 4 + 2 + 32 + 1 + 4 + 2 + 2] = {
        22, 3, 1,        0,    47,    /* record */
        1,  0, 0,        43,          /* ClientHello */
        3,  3, [43] = 0,              /* version, random, no session */
        0,  2, 0xc0,     0x2b, 1,  0, /* ECDHE-ECDSA-AES128-GCM-SHA256; no compression */
        0,  0,                        /* no extensions */
    };
    refused(hello, sizeof(hello), PROTOCOL_VERSION);
}

static void test_garbage(void **state)
{
    (void)state;
    enum { DECODE_ERROR = 50, UNEXPECTED_MESSAGE = 10, PROTOCOL_VERSION = 70 };
    static const uint8_t bad_hello[] = {22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3};
    refused(bad_hello, sizeof(bad_hello), DECODE_ERROR);
    static const uint8_t data_first[] = {23, 3, 3, 0, 1, 0};
    refused(data_first, sizeof(data_first), UNEXPECTED_MESSAGE);
}

/* Replaces a group (RFC 8446 4.2.7) behind these bytes of the flight. */
static void change_group(const char *before, size_t len, uint8_t group)
{
    uint8_t *at = memmem(client.out, client.out_len, before, len);
    assert_non_null(at);
    at[len] = 0;
    at[len + 1] = group;
}

/* Nothing but a group that we do not have, X448. */
static void test_no_common_group(void **state)
{
    (void)state;
    enum { X448 = 0x1e, HANDSHAKE_FAILURE = 40 };
    static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519, 0};
    client_init_groups(&client, groups);
    assert_int_equal(mbedtls_ssl_handshake(&client.ssl), MBEDTLS_ERR_SSL_WANT_READ);
    change_group("\x00\x0a\x00\x04\x00\x02", 6, X448); /* supported_groups */
    change_group("\x00\x33\x00\x26\x00\x24", 6, X448); /* key_share */
    refused(client.out, client.out_len, HANDSHAKE_FAILURE);
    client_free(&client);
}

/* Whoever speaks HTTP to this port can read why that is wrong. */
static void test_plain_http(void **state)
{
    (void)state;
    static const char get[] = "GET / HTTP/1.1\r\n";
    const uint64_t failed = stats().failed;
    struct tls_conn *c = tls_conn_new(on_ready, NULL);
    assert_int_equal(tls_conn_input(c, get, strlen(get)), strlen(get));
    assert_true(tls_conn_over(c));
    size_t len;
    const char *out = tls_conn_output(c, &len);
    assert_memory_equal(out, "HTTP/1.1 400 Bad Request\r\n", 26);
    assert_memory_equal(out + len - 11, "https://\"}\n", 11);
    tls_conn_free(c);
    assert_int_equal(stats().failed, failed + 1);
}

/* A record that was changed on the way ends the connection, with an alert under the key. */
static void test_changed_record(void **state)
{
    (void)state;
    unsigned char in[16];
    size_t len;
    struct tls_conn *c = connected();
    assert_int_equal(mbedtls_ssl_write(&client.ssl, (const unsigned char *)"x", 1), 1);
    client.out[client.out_len - 1] ^= 1;
    to_server(c, SIZE_MAX);
    assert_null(tls_conn_plain(c, &len));
    assert_true(tls_conn_over(c));
    assert_int_equal(tls_conn_write(c, "x", 1), 0);
    assert_true(to_client(c, SIZE_MAX) > 0);
    assert_int_equal(mbedtls_ssl_read(&client.ssl, in, sizeof(in)),
                     MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    leave(c);
}

/* A record longer than any may be (RFC 8446 5.2). */
static void test_long_record(void **state)
{
    (void)state;
    static const uint8_t header[RECORD_HEADER] = {23, 3, 3, 0x41, 0x01}; /* 2^14 + 257 */
    size_t len;
    struct tls_conn *c = connected();
    assert_int_equal(tls_conn_input(c, header, sizeof(header)), sizeof(header));
    assert_null(tls_conn_plain(c, &len));
    assert_true(tls_conn_over(c));
    leave(c);
}

/* --- what is given back ----------------------------------------------------------------------- */

/* Clients that leave after any number of bytes: with the worker not yet, or already, at it. */
static void test_left_anywhere(void **state)
{
    (void)state;
    static uint8_t flight[1024];
    client_init(&client);
    assert_int_equal(mbedtls_ssl_handshake(&client.ssl), MBEDTLS_ERR_SSL_WANT_READ);
    const size_t len = client.out_len;
    assert_in_range(len, 100, sizeof(flight));
    memcpy(flight, client.out, len);
    client_free(&client);
    const struct tls_stats before = stats();
    for (size_t n = 1; n <= len; n++) {
        for (unsigned worked = 0; worked < 2; worked++) {
            struct tls_conn *c = tls_conn_new(on_ready, NULL);
            tls_conn_input(c, flight, n);
            if (worked != 0) {
                work();
            }
            tls_conn_free(c);
            work();
            assert_int_equal(stats().memory_used, before.memory_used);
            assert_int_equal(stats().waiting, 0);
        }
    }
    assert_int_equal(stats().failed, before.failed + 2 * len);
}

/* Clients that leave while the worker is in the middle of their handshake. */
static void test_left_while_working(void **state)
{
    (void)state;
    const uint64_t used = stats().memory_used;
    for (unsigned turns = 1; turns < 40; turns++) {
        struct tls_conn *c = tls_conn_new(on_ready, NULL);
        client_init(&client);
        (void)mbedtls_ssl_handshake(&client.ssl);
        to_server(c, SIZE_MAX);
        host_clock_set_step(250000); /* each look at the clock is a long time: it always yields */
        for (unsigned i = 0; i < turns; i++) {
            fiber_yield();
        }
        assert_true(c->running);
        assert_int_equal(tls_conn_input(c, "x", 1), 0); /* it reads from there */
        readies = 0;
        leave(c);
        assert_true(stats().memory_used > used); /* the worker has it */
        host_clock_set_step(HOST_CLOCK_STEP_NS);
        work();
        assert_int_equal(stats().memory_used, used);
        assert_int_equal(readies, 0);
    }
}

/* One after the other leaves from the middle of the queue and from its end. */
static void test_left_queue(void **state)
{
    (void)state;
    enum { COUNT = 4 };
    static const uint8_t byte = 22;
    const uint64_t used = stats().memory_used;
    for (unsigned first = 0; first < COUNT; first++) {
        struct tls_conn *c[COUNT];
        for (unsigned i = 0; i < COUNT; i++) {
            c[i] = tls_conn_new(on_ready, NULL);
            tls_conn_input(c[i], &byte, 1);
        }
        assert_int_equal(stats().waiting, COUNT);
        tls_conn_free(c[first]);
        assert_int_equal(stats().waiting, COUNT - 1);
        struct tls_conn *late = tls_conn_new(on_ready, NULL);
        tls_conn_input(late, &byte, 1);
        readies = 0;
        work();
        assert_int_equal(readies, COUNT);
        tls_conn_free(late);
        for (unsigned i = 0; i < COUNT; i++) {
            if (i != first) {
                tls_conn_free(c[i]);
            }
        }
        assert_int_equal(stats().memory_used, used);
    }
}

/* Memory for all of them together has an end; who comes then is refused, and it comes back. */
static void test_memory_limit(void **state)
{
    (void)state;
    enum { COUNT = 256 };
    static struct tls_conn *c[COUNT];
    static const uint8_t byte = 22;
    const struct tls_stats before = stats();
    for (unsigned i = 0; i < COUNT; i++) {
        c[i] = tls_conn_new(on_ready, NULL);
        if (c[i] != NULL) {
            tls_conn_input(c[i], &byte, 1);
            work();
        }
    }
    assert_true(stats().memory_refused > before.memory_refused);
    assert_in_range(stats().memory_used, TLS_MEMORY_MAX / 2, TLS_MEMORY_MAX);
    assert_true(c[63] != NULL && tls_conn_shaking(c[63])); /* as many as there are places */
    for (unsigned i = 0; i < COUNT; i++) {
        tls_conn_free(c[i]);
    }
    assert_int_equal(stats().memory_used, before.memory_used);
    leave(connected());
}

/* --- a handshake blocks nobody ---------------------------------------------------------------- */

static unsigned turns;
static bool stop;
static void other(void *arg)
{
    (void)arg;
    while (!stop) {
        turns++;
        fiber_yield();
    }
}

static void test_others_run(void **state)
{
    (void)state;
    enum { POINT_STEPS = 256 }; /* X25519: one per bit of the scalar */
    struct tls_conn *c = tls_conn_new(on_ready, NULL);
    client_init(&client);
    (void)mbedtls_ssl_handshake(&client.ssl);
    to_server(c, SIZE_MAX);
    turns = 0;
    stop = false;
    assert_non_null(fiber_spawn("other", other, NULL, FIBER_STACK_DEFAULT));
    host_clock_set_step(250000);
    do {
        fiber_yield();
    } while (c->running || c->queued);
    host_clock_set_step(HOST_CLOCK_STEP_NS);
    stop = true;
    fiber_yield();
    assert_true(turns > 2 * POINT_STEPS); /* a key, the agreement, a signature */
    leave(c);
}

/* The network fiber's own calls never yield, whatever they do. */
static void test_network_does_not_yield(void **state)
{
    (void)state;
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    host_clock_set_step(250000);
    turns = 0;
    stop = false;
    assert_non_null(fiber_spawn("other", other, NULL, FIBER_STACK_DEFAULT));
    assert_int_equal(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    assert_int_equal(
        mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), tls_random, NULL), 0);
    assert_int_equal(turns, 0);
    host_clock_set_step(HOST_CLOCK_STEP_NS);
    stop = true;
    fiber_yield();
    mbedtls_pk_free(&key);
}

/* --- the start -------------------------------------------------------------------------------- */

static void test_unseeded(void **state)
{
    (void)state;
    struct fl_fail fail = {0};
    host_random_fail(true);
    assert_int_equal(tls_start(&options, &fail), FL_ENOTSUP);
    host_random_fail(false);
    assert_non_null(strstr(fail.text, "no random numbers"));
    assert_false(tls_enabled());
    assert_false(stats().enabled);
}

/* The certificate waits for the first answer, but not for ever. */
static void test_start(void **state)
{
    (void)state;
    struct fl_fail fail = {0};
    host_random_seed(1);
    assert_int_equal(tls_start(&options, &fail), FL_OK);
    assert_true(tls_enabled());
    assert_false(tls_only());
    fiber_yield();
    assert_string_equal(stats().fingerprint, "");
    tls_may_make_certificate();
    fiber_yield();
    assert_int_equal(strlen(stats().fingerprint), TLS_FINGERPRINT_TEXT - 1);
    assert_false(stats().from_volume);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unseeded),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_drips),
        cmocka_unit_test(test_goodbyes),
        cmocka_unit_test(test_tls12),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_no_common_group),
        cmocka_unit_test(test_plain_http),
        cmocka_unit_test(test_changed_record),
        cmocka_unit_test(test_long_record),
        cmocka_unit_test(test_left_anywhere),
        cmocka_unit_test(test_left_while_working),
        cmocka_unit_test(test_left_queue),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_others_run),
        cmocka_unit_test(test_network_does_not_yield),
    };
    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
