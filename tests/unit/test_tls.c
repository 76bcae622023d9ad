/* SPDX-License-Identifier: MIT */
/*
 * One TLS connection without sockets: a handshake whole and in drips, what is refused, what is
 * given back, what others get to do meanwhile.
 */
#include "tests/unit/tls_lab.h"

/* --- what works ------------------------------------------------------------------------------- */

static void test_handshake(void **state)
{
    (void)state;
    const uint64_t before = stats().handshakes;
    struct tls_conn *c = connected();
    assert_int_equal(stats().handshakes, before + 1);
    assert_string_equal(mbedtls_ssl_get_version(&client.ssl), "TLSv1.3");
    assert_true(lab_wakes > 0 && lab_readies > 0);

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

/* Records of one byte, of none, and several of which only the first is taken before more come. */
static void test_small_records(void **state)
{
    (void)state;
    static const char said[] = "abc";
    size_t len;
    struct tls_conn *c = connected();
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 3; k++) {
            assert_int_equal(mbedtls_ssl_write(&client.ssl, NULL, 0), 0);
        }
        assert_int_equal(mbedtls_ssl_write(&client.ssl, (const unsigned char *)&said[i], 1), 1);
        if (i != 0) { /* the first two together, then another one */
            to_server(c, SIZE_MAX);
            assert_false(tls_conn_working(c)); /* no more of the worker's business */
            const char *p = tls_conn_plain(c, &len);
            assert_int_equal(len, 1);
            assert_int_equal(*p, said[i - 1]);
            tls_conn_taken(c, 1);
        }
    }
    const char *p = tls_conn_plain(c, &len);
    assert_int_equal(len, 1);
    assert_int_equal(*p, 'c');
    tls_conn_taken(c, 1);
    assert_null(tls_conn_plain(c, &len));
    assert_false(tls_conn_over(c));
    assert_int_equal(tls_conn_write(c, "x", 1), 1);
    assert_int_equal(tls_conn_write(c, "y", 1), 0); /* the stage is for one */
    leave(c);
}

/* A flight that the stage has no room for waits until there is some. */
static void test_full_stage(void **state)
{
    (void)state;
    enum { ROOM = 10 };
    size_t len;
    struct tls_conn *c = tls_conn_new(on_ready, NULL);
    client_init(&client);
    (void)mbedtls_ssl_handshake(&client.ssl);
    c->tx_len = sizeof(c->tx) - ROOM; /* as if that were still to be sent */
    to_server(c, SIZE_MAX);
    work();
    assert_true(tls_conn_shaking(c));
    assert_non_null(tls_conn_output(c, &len));
    assert_int_equal(len, sizeof(c->tx));
    tls_conn_sent(c, sizeof(c->tx) - ROOM);
    assert_false(tls_conn_working(c)); /* until all of it is sent */
    shake(c, SIZE_MAX);
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
    static const uint8_t more[2 * TLS_RX_BYTES]; /* what comes after it is taken and forgotten */
    assert_int_equal(tls_conn_input(c, more, sizeof(more)), sizeof(more));
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
    size_t len;
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
        assert_true(tls_conn_working(c));
        assert_null(tls_conn_output(c, &len)); /* it may grow yet */
        assert_int_equal(len, 0);
        assert_int_equal(tls_conn_input(c, "x", 1), 0); /* it reads from there */
        lab_readies = 0;
        leave(c);
        assert_true(stats().memory_used > used); /* the worker has it */
        host_clock_set_step(HOST_CLOCK_STEP_NS);
        work();
        assert_int_equal(stats().memory_used, used);
        assert_int_equal(lab_readies, 0);
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
        lab_readies = 0;
        work();
        assert_int_equal(lab_readies, COUNT);
        tls_conn_free(late);
        for (unsigned i = 0; i < COUNT; i++) {
            if (i != first) {
                tls_conn_free(c[i]);
            }
        }
        assert_int_equal(stats().memory_used, used);
    }
}

/* Some that the worker is done with leave before the network fiber hears of it. */
static void test_left_done(void **state)
{
    (void)state;
    enum { COUNT = 3 };
    static const uint8_t byte = 22;
    for (unsigned gone = 0; gone < COUNT; gone++) {
        struct tls_conn *c[COUNT];
        for (unsigned i = 0; i < COUNT; i++) {
            c[i] = tls_conn_new(on_ready, NULL);
            tls_conn_input(c[i], &byte, 1);
        }
        while (stats().waiting > 0) {
            fiber_yield();
        }
        tls_conn_free(c[gone]);
        lab_readies = 0;
        tls_collect();
        assert_int_equal(lab_readies, COUNT - 1);
        for (unsigned i = 0; i < COUNT; i++) {
            if (i != gone) {
                tls_conn_free(c[i]);
            }
        }
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

/* Nor while the worker, which may, is in the middle of an operation. */
static void test_network_does_not_yield_meanwhile(void **state)
{
    (void)state;
    struct tls_conn *c = tls_conn_new(on_ready, NULL);
    client_init(&client);
    (void)mbedtls_ssl_handshake(&client.ssl);
    to_server(c, SIZE_MAX);
    client_free(&client);
    host_clock_set_step(250000);
    fiber_yield();
    fiber_yield();
    assert_true(c->running);
    stop = false;
    assert_non_null(fiber_spawn("other", other, NULL, FIBER_STACK_DEFAULT));
    turns = 0;
    client_init(&client);
    (void)mbedtls_ssl_handshake(&client.ssl); /* makes a key */
    assert_int_equal(turns, 0);
    host_clock_set_step(HOST_CLOCK_STEP_NS);
    stop = true;
    work();
    leave(c);
}

/* --- the start -------------------------------------------------------------------------------- */

static void test_unseeded(void **state)
{
    (void)state;
    struct fl_fail fail = {0};
    host_random_fail(true);
    assert_int_equal(tls_start(&lab_options, &fail), FL_ENOTSUP);
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
    assert_int_equal(tls_start(&lab_options, &fail), FL_OK);
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
        cmocka_unit_test(test_small_records),
        cmocka_unit_test(test_full_stage),
        cmocka_unit_test(test_goodbyes),
        cmocka_unit_test(test_left_anywhere),
        cmocka_unit_test(test_left_while_working),
        cmocka_unit_test(test_left_queue),
        cmocka_unit_test(test_left_done),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_others_run),
        cmocka_unit_test(test_network_does_not_yield),
        cmocka_unit_test(test_network_does_not_yield_meanwhile),
    };
    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
