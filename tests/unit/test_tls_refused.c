/* SPDX-License-Identifier: MIT */
/* What one TLS connection refuses, and how it says so. */
#include "tests/unit/tls_lab.h"

#define ALERT_RECORD  21 /* RFC 8446 5.1 */
#define ALERT_FATAL   2  /* RFC 8446 6 */
#define RECORD_HEADER 5u

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
    static const uint8_t more[2 * TLS_RX_BYTES];
    assert_int_equal(tls_conn_input(c, more, sizeof(more)), sizeof(more)); /* and forgotten */
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
    for (unsigned first = 'A' - 1; first <= 'Z' + 1; first++) {
        const uint8_t byte = (uint8_t)first;
        struct tls_conn *other = tls_conn_new(on_ready, NULL);
        assert_int_equal(tls_conn_input(other, NULL, 0), 0);
        assert_false(tls_conn_shaking(other) || tls_conn_over(other));
        assert_int_equal(tls_conn_input(other, &byte, 1), 1);
        assert_int_equal(tls_conn_over(other), first >= 'A' && first <= 'Z');
        tls_conn_free(other);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls12),           cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_no_common_group), cmocka_unit_test(test_plain_http),
        cmocka_unit_test(test_changed_record),  cmocka_unit_test(test_long_record),
    };
    return cmocka_run_group_tests_name("tls_refused", tests, lab_start, NULL);
}
