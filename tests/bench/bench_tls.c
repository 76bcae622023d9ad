/* SPDX-License-Identifier: MIT */
/*
 * TLS natively, in real time: handshakes, the longest stretch of the worker without a yield, and
 * records under both ciphers. Client and server are the same library in one process; only the
 * server's part is counted. Lines of `name value unit`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "net/http/tls_priv.h"

#define HANDSHAKES   200u
#define RECORD_BYTES MIB(8)

struct end {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    size_t out_len, in_off, in_len;
    uint8_t out[64 * 1024], in[64 * 1024];
};
static struct end client;

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_tls: %s\n", what);
        exit(1);
    }
}

static int put(void *ctx, const unsigned char *buf, size_t len)
{
    struct end *e = ctx;
    len = min_u64(len, sizeof(e->out) - e->out_len);
    memcpy(e->out + e->out_len, buf, len);
    e->out_len += len;
    return (int)len;
}

static int get(void *ctx, unsigned char *buf, size_t len)
{
    struct end *e = ctx;
    size_t n = min_u64(len, e->in_len - e->in_off);
    memcpy(buf, e->in + e->in_off, n);
    e->in_off += n;
    return n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : (int)n;
}

static void on_wake(void) {}
static void on_ready(void *ctx) { (void)ctx; }

static void client_begin(const int *suites)
{
    memset(&client, 0, sizeof(client));
    mbedtls_ssl_init(&client.ssl);
    mbedtls_ssl_config_init(&client.config);
    check(mbedtls_ssl_config_defaults(&client.config, MBEDTLS_SSL_IS_CLIENT,
                                      MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT) == 0,
          "no configuration");
    mbedtls_ssl_conf_authmode(&client.config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&client.config, tls_random, NULL);
    if (suites != NULL) {
        mbedtls_ssl_conf_ciphersuites(&client.config, suites);
    }
    check(mbedtls_ssl_setup(&client.ssl, &client.config) == 0, "no client");
    mbedtls_ssl_set_bio(&client.ssl, &client, put, get, NULL);
}

/* The worker's time, in ns. */
static uint64_t shake(struct tls_conn *c)
{
    uint64_t ns = 0;
    while (!mbedtls_ssl_is_handshake_over(&client.ssl) || client.out_len > 0) {
        int e = mbedtls_ssl_is_handshake_over(&client.ssl) ? 0 : mbedtls_ssl_handshake(&client.ssl);
        check(e == 0 || e == MBEDTLS_ERR_SSL_WANT_READ, "the handshake fails");
        check(tls_conn_input(c, client.out, client.out_len) == client.out_len, "not taken");
        client.out_len = 0;
        uint64_t begin = clock_now_ns();
        while (tls_conn_working(c)) {
            fiber_yield();
        }
        ns += clock_now_ns() - begin;
        size_t len;
        for (const void *out; (out = tls_conn_output(c, &len)) != NULL;) {
            memcpy(client.in + client.in_len, out, len);
            client.in_len += len;
            tls_conn_sent(c, len);
        }
    }
    return ns;
}

static void leave(struct tls_conn *c)
{
    tls_conn_free(c);
    tls_collect();
    mbedtls_ssl_free(&client.ssl);
    mbedtls_ssl_config_free(&client.config);
}

static void handshakes(void)
{
    uint64_t ns = 0;
    for (unsigned i = 0; i < HANDSHAKES; i++) {
        struct tls_conn *c = tls_conn_new(on_ready, NULL);
        client_begin(NULL);
        ns += shake(c);
        leave(c);
    }
    printf("tls_handshake %.1f us\n", (double)ns / HANDSHAKES / 1000);
}

static void records(const char *name, int suite)
{
    static const char data[TLS_TX_BYTES] = {'x'};
    const int suites[] = {suite, 0};
    struct tls_conn *c = tls_conn_new(on_ready, NULL);
    client_begin(suites);
    (void)shake(c);
    uint64_t begin = clock_now_ns();
    for (size_t sum = 0, len; sum < RECORD_BYTES;) {
        sum += tls_conn_write(c, data, sizeof(data));
        while (tls_conn_output(c, &len) != NULL) {
            tls_conn_sent(c, len);
        }
    }
    double s = (double)(clock_now_ns() - begin) / 1e9;
    printf("tls_%s %.0f MB/s\n", name, (double)RECORD_BYTES / 1e6 / s);
    leave(c);
}

static void stack_used(void)
{
    static struct fiber_info list[4];
    size_t n = fiber_list(list, ARRAY_SIZE(list));
    for (size_t i = 0; i < n && i < ARRAY_SIZE(list); i++) {
        if (strcmp(list[i].name, "tls") == 0) {
            printf("tls_worker_stack %llu bytes\n", (unsigned long long)list[i].stack_used_bytes);
        }
    }
}

int main(void)
{
    static const struct tls_options options = {.hostname = "bench", .wake = on_wake};
    struct fl_fail fail = {0};
    host_reset();
    host_clock_use_real();
    check(tls_start(&options, &fail) == FL_OK, fail.text);
    tls_may_make_certificate();
    handshakes();
    stack_used();
    records("aes_128_gcm", MBEDTLS_TLS1_3_AES_128_GCM_SHA256);
    records("chacha20_poly1305", MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256);
    struct fiber_stats f;
    fiber_get_stats(&f);
    printf("tls_longest_run %.1f us\n", (double)f.longest_run_ns / 1e3);
    struct tls_stats t;
    tls_get_stats(&t);
    printf("tls_memory_peak %llu bytes\n", (unsigned long long)t.memory_peak);
    return 0;
}
