/* SPDX-License-Identifier: MIT */
/*
 * The server's certificate: what is made, what files have to be, and what is said of those that
 * are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mbedtls/base64.h>
#include <mbedtls/ecp.h>
#include <mbedtls/sha256.h>
#include <psa/crypto.h>

#include "arch/host/host.h"
#include "net/http/tls_priv.h"

enum { PEM_MAX = 4096, DER_BYTES = 2048 };

static char noted[512];
static void note(const char *text) { snprintf(noted, sizeof(noted), "%s", text); }

static struct tls_file pem(char *buf, const char *kind, const unsigned char *der, size_t len)
{
    unsigned char text[PEM_MAX];
    size_t n;
    assert_int_equal(mbedtls_base64_encode(text, sizeof(text), &n, der, len), 0);
    snprintf(buf, PEM_MAX, "-----BEGIN %s-----\n", kind);
    for (size_t at = 0; at < n; at += 64) {
        snprintf(buf + strlen(buf), PEM_MAX - strlen(buf), "%.64s\n", text + at);
    }
    snprintf(buf + strlen(buf), PEM_MAX - strlen(buf), "-----END %s-----\n", kind);
    return (struct tls_file){buf, strlen(buf)};
}

/* A certificate that was made, as the two files. */
static char cert_text[PEM_MAX], key_text[PEM_MAX];
static struct tls_file cert, key;
static char fingerprint[TLS_FINGERPRINT_TEXT];

static struct tls_options options(struct tls_file c, struct tls_file k)
{
    noted[0] = '\0';
    return (struct tls_options){.hostname = "bench-7", .cert = c, .key = k, .note = note};
}

static struct tls_file file(const char *text) { return (struct tls_file){text, strlen(text)}; }

static void make_files(void)
{
    unsigned char der[DER_BYTES];
    struct tls_identity id;
    struct fl_fail fail = {0};
    const struct tls_options o = options((struct tls_file){0}, (struct tls_file){0});
    assert_int_equal(tls_identity_get(&id, &o, &fail), FL_OK);
    cert = pem(cert_text, "CERTIFICATE", id.chain.raw.p, id.chain.raw.len);
    int n = mbedtls_pk_write_key_der(&id.key, der, sizeof(der));
    assert_true(n > 0);
    key = pem(key_text, "EC PRIVATE KEY", der + sizeof(der) - n, (size_t)n);
    memcpy(fingerprint, id.fingerprint, sizeof(fingerprint));
    tls_identity_free(&id);
}

static void test_made(void **state)
{
    (void)state;
    char text[256];
    struct tls_identity id;
    struct fl_fail fail = {0};
    const struct tls_options o = options((struct tls_file){0}, (struct tls_file){0});
    assert_int_equal(tls_identity_get(&id, &o, &fail), FL_OK);
    assert_string_equal(noted, "");
    assert_false(id.from_volume);
    const mbedtls_x509_crt *c = &id.chain;
    assert_true(mbedtls_x509_dn_gets(text, sizeof(text), &c->subject) > 0);
    assert_string_equal(text, "CN=bench-7");
    assert_true(mbedtls_x509_dn_gets(text, sizeof(text), &c->issuer) > 0);
    assert_string_equal(text, "CN=bench-7");
    assert_int_equal(c->version, 3);
    assert_int_equal(c->valid_from.year, 2020);
    assert_int_equal(c->valid_to.year, 2049);
    assert_true(c->private_ca_istrue);
    assert_int_equal(c->serial.len, 16);
    assert_in_range(c->serial.p[0], 0x40, 0x7f);
    const mbedtls_x509_sequence *san = &c->subject_alt_names;
    assert_int_equal(san->buf.len, 13); /* mbedTLS writes from the end */
    assert_memory_equal(san->buf.p, "bench-7.local", 13);
    san = san->next;
    assert_int_equal(san->buf.len, 7);
    assert_memory_equal(san->buf.p, "bench-7", 7);
    assert_null(san->next); /* no card here, so no address */
    uint32_t flags;
    assert_int_equal(
        mbedtls_x509_crt_verify(&id.chain, &id.chain, NULL, "bench-7", &flags, NULL, NULL), 0);
    assert_int_equal(
        mbedtls_x509_crt_verify(&id.chain, &id.chain, NULL, "bench-8", &flags, NULL, NULL),
        MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
    uint8_t sum[32];
    assert_int_equal(mbedtls_sha256(c->raw.p, c->raw.len, sum, 0), 0);
    snprintf(text, sizeof(text), "%02X:%02X:", sum[0], sum[1]);
    assert_memory_equal(id.fingerprint, text, 6);
    snprintf(text, sizeof(text), ":%02X", sum[31]);
    assert_string_equal(id.fingerprint + TLS_FINGERPRINT_TEXT - 4, text);
    tls_identity_free(&id);
}

static void test_files(void **state)
{
    (void)state;
    struct tls_identity id;
    struct fl_fail fail = {0};
    make_files();
    const struct tls_options o = options(cert, key);
    assert_int_equal(tls_identity_get(&id, &o, &fail), FL_OK);
    assert_string_equal(noted, "");
    assert_true(id.from_volume);
    assert_string_equal(id.fingerprint, fingerprint);
    tls_identity_free(&id);

    /* A chain: the first is ours. */
    static char chain[2 * PEM_MAX];
    snprintf(chain, sizeof(chain), "%s%s", cert_text, cert_text);
    const struct tls_options both = options(file(chain), key);
    assert_int_equal(tls_identity_get(&id, &both, &fail), FL_OK);
    assert_true(id.from_volume);
    assert_non_null(id.chain.next);
    tls_identity_free(&id);
}

/* A certificate is made, and the note has these words. */
static void made_instead(struct tls_file c, struct tls_file k, const char *name, const char *words)
{
    struct tls_identity id;
    struct fl_fail fail = {0};
    const struct tls_options o = options(c, k);
    assert_int_equal(tls_identity_get(&id, &o, &fail), FL_OK);
    assert_false(id.from_volume);
    assert_int_equal(id.fingerprint[2], ':');
    assert_string_not_equal(id.fingerprint, fingerprint);
    assert_memory_equal(noted, name, strlen(name));
    if (strstr(noted, words) == NULL) {
        fail_msg("'%s' is not in '%s'", words, noted);
    }
    assert_non_null(strstr(noted, "a certificate is made instead"));
    tls_identity_free(&id);
}

static void test_bad_files(void **state)
{
    (void)state;
    static char other[PEM_MAX], big[TLS_PEM_MAX + 1];
    make_files();
    const struct tls_file none = {0};
    made_instead(cert, none, "tls/key.pem: ", "it is not there, but tls/cert.pem is");
    made_instead(none, key, "tls/cert.pem: ", "it is not there, but tls/key.pem is");
    made_instead(file(""), key, "tls/cert.pem: ", "no certificate can be read");
    made_instead(file("hello"), key, "tls/cert.pem: ", "no certificate can be read");
    made_instead(key, key, "tls/cert.pem: ", "no certificate can be read");
    made_instead(cert, cert, "tls/key.pem: ", "expected an EC P-256 key");
    made_instead(cert, file("x"), "tls/key.pem: ", "expected an EC P-256 key");
    /* One of a chain is broken. */
    snprintf(big, sizeof(big), "%s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
             cert_text);
    made_instead(file(big), key, "tls/cert.pem: ", "1 of its certificates cannot be read");
    memset(big, 'A', sizeof(big));
    made_instead((struct tls_file){big, sizeof(big)}, key,
                 "tls/cert.pem: ", "expected at most 65536");
    made_instead(cert, (struct tls_file){big, sizeof(big)},
                 "tls/key.pem: ", "expected at most 65536");
    /* Another's key. */
    memcpy(other, key_text, sizeof(other));
    const struct tls_file others = {other, key.len};
    make_files();
    made_instead(cert, others, "tls/key.pem: ", "not the key of the first certificate");
    /* Cut anywhere: nothing is read behind the end (the sanitizer sees it). */
    for (size_t n = 0; n < key.len - 1; n += 7) {
        char *part = malloc(n + 1);
        memcpy(part, key.text, n);
        made_instead(cert, (struct tls_file){part, n}, "tls/key.pem: ", "expected an EC P-256 key");
        free(part);
    }
}

/* Every other machine has another one. */
static void test_random(void **state)
{
    (void)state;
    char first[TLS_FINGERPRINT_TEXT];
    make_files();
    memcpy(first, fingerprint, sizeof(first));
    make_files();
    assert_string_not_equal(first, fingerprint);

    struct tls_identity id;
    struct fl_fail fail = {0};
    const struct tls_options o = options((struct tls_file){0}, (struct tls_file){0});
    host_random_fail(true);
    assert_int_equal(tls_identity_get(&id, &o, &fail), FL_EIO);
    host_random_fail(false);
    assert_non_null(strstr(fail.text, "none can be made"));
    assert_string_equal(id.fingerprint, "");
}

static int setup(void **state)
{
    (void)state;
    host_reset();
    host_random_seed(7);
    tls_port_start();
    return psa_crypto_init() == PSA_SUCCESS ? 0 : -1;
}

/* All that was asked for is given back. */
static int teardown(void **state)
{
    (void)state;
    struct tls_stats s;
    tls_port_memory(&s);
    mbedtls_psa_crypto_free();
    tls_port_memory(&s);
    assert_int_equal(s.memory_used, 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests_name("tls_cert", tests, setup, teardown);
}
