/* SPDX-License-Identifier: MIT */
/*
 * One TLS connection on arbitrary bytes. The first byte of an input says how: bit 0: a client has
 * shaken hands before, and what follows are its doings (below); else what follows are the bytes
 * that come first. The other bits: in pieces of so many bytes.
 *
 * What must hold: nothing more is taken than there is; bytes are taken while neither output nor the
 * worker is in the way; all memory comes back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "net/http/tls_priv.h"

static struct {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    size_t out_len, in_off, in_len;
    uint8_t out[64 * 1024], in[64 * 1024];
} client;

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static int client_send(void *ctx, const unsigned char *buf, size_t len)
{
    (void)ctx;
    len = min_u64(len, sizeof(client.out) - client.out_len);
    memcpy(client.out + client.out_len, buf, len);
    client.out_len += len;
    return len == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : (int)len;
}

static int client_recv(void *ctx, unsigned char *buf, size_t len)
{
    (void)ctx;
    size_t n = min_u64(len, client.in_len - client.in_off);
    memcpy(buf, client.in + client.in_off, n);
    client.in_off += n;
    return n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : (int)n;
}

static void on_wake(void) {}
static void on_ready(void *ctx) { (void)ctx; }

static uint64_t memory_used(void)
{
    struct tls_stats s;
    tls_get_stats(&s);
    return s.memory_used;
}

static void work(const struct tls_conn *c)
{
    while (tls_conn_working(c)) {
        fiber_yield();
    }
    tls_collect();
}

/* What goes out: to the client, or nowhere. Every record that comes in is answered with its like.
 */
static void output(struct tls_conn *c, bool keep)
{
    size_t len;
    const void *out;
    while ((out = tls_conn_output(c, &len)) != NULL) {
        if (keep && len <= sizeof(client.in) - client.in_len) {
            memcpy(client.in + client.in_len, out, len);
            client.in_len += len;
        }
        tls_conn_sent(c, len);
        work(c);
    }
}

static void input(struct tls_conn *c, const uint8_t *data, size_t size, size_t step)
{
    for (size_t at = 0; at < size;) {
        size_t n = min_u64(size - at, step), len;
        size_t used = tls_conn_input(c, data + at, n);
        must(used <= n && used > 0);
        at += used;
        work(c);
        while (tls_conn_plain(c, &len) != NULL) {
            (void)tls_conn_write(c, "echo", 4);
            tls_conn_taken(c, len);
        }
        output(c, true);
    }
}

static void shake(struct tls_conn *c)
{
    memset(&client, 0, sizeof(client));
    mbedtls_ssl_init(&client.ssl);
    mbedtls_ssl_config_init(&client.config);
    must(mbedtls_ssl_config_defaults(&client.config, MBEDTLS_SSL_IS_CLIENT,
                                     MBEDTLS_SSL_TRANSPORT_STREAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_authmode(&client.config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&client.config, tls_random, NULL);
    must(mbedtls_ssl_setup(&client.ssl, &client.config) == 0);
    mbedtls_ssl_set_bio(&client.ssl, &client, client_send, client_recv, NULL);
    do {
        (void)mbedtls_ssl_handshake(&client.ssl);
        input(c, client.out, client.out_len, SIZE_MAX);
        client.out_len = 0;
    } while (!mbedtls_ssl_is_handshake_over(&client.ssl));
    must(!tls_conn_shaking(c) && !tls_conn_over(c));
}

/* A list of two bytes each: what, and a number. */
static void doings(struct tls_conn *c, const uint8_t *data, size_t size, size_t step)
{
    enum { SAY, ALERT, RAW, CHANGE, DOINGS };
    static const unsigned char text[256] = {'x'};
    for (; size >= 2; data += 2, size -= 2) {
        switch (data[0] % DOINGS) {
        case SAY:
            (void)mbedtls_ssl_write(&client.ssl, text, data[1]);
            break;
        case ALERT:
            (void)mbedtls_ssl_send_alert_message(&client.ssl, (unsigned char)(1 + data[0] / 128),
                                                 data[1]);
            break;
        case RAW: {
            size_t n = min_u64(data[1], size - 2);
            input(c, data + 2, n, step);
            data += n;
            size -= n;
            break;
        }
        default: /* the last bytes of what is on its way */
            if (client.out_len > data[1]) {
                client.out[client.out_len - 1 - data[1]] ^= data[0];
            }
            continue;
        }
        if (data[0] / 64 % 2 == 0) { /* else it waits, and may be changed */
            input(c, client.out, client.out_len, step);
            client.out_len = 0;
        }
    }
    input(c, client.out, client.out_len, step);
    mbedtls_ssl_free(&client.ssl);
    mbedtls_ssl_config_free(&client.config);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct tls_options options = {.hostname = "fuzz", .wake = on_wake};
    struct fl_fail fail = {0};
    (void)argc, (void)argv;
    host_reset();
    host_random_seed(1);
    must(tls_start(&options, &fail) == FL_OK);
    tls_may_make_certificate();
    fiber_yield();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    const uint64_t before = memory_used();
    const size_t step = 1 + (data[0] >> 1) * 16u;
    struct tls_conn *c = tls_conn_new(on_ready, NULL);
    must(c != NULL);
    host_random_seed(1); /* the same bytes for the same input */
    if ((data[0] & 1) != 0) {
        shake(c);
        doings(c, data + 1, size - 1, step);
    } else {
        input(c, data + 1, size - 1, step);
    }
    tls_conn_close(c);
    output(c, false);
    tls_conn_free(c);
    must(memory_used() == before);
    return 0;
}
