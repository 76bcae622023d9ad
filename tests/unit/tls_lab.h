/* SPDX-License-Identifier: MIT */
/*
 * A TLS connection without sockets and a client for it. One server per program.
 */
#pragma once

#include "tests/unit/tls_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "arch/fiber.h"
#include "arch/host/host.h"

static struct tls_client client;
static unsigned lab_wakes, lab_readies;

static inline void on_wake(void) { lab_wakes++; }
static inline void on_ready(void *ctx)
{
    (void)ctx;
    lab_readies++;
}

static inline struct tls_stats stats(void)
{
    struct tls_stats s;
    tls_get_stats(&s);
    return s;
}

static const struct tls_options lab_options = {.hostname = "bench-7", .wake = on_wake};

/* The worker does all it can. */
static inline void work(void)
{
    do {
        fiber_yield();
    } while (stats().waiting > 0);
    tls_collect();
}

static inline size_t to_server(struct tls_conn *c, size_t at_most)
{
    size_t used = tls_conn_input(c, client.out, min_u64(client.out_len, at_most));
    client.out_len -= used;
    memmove(client.out, client.out + used, client.out_len);
    return used;
}

static inline size_t to_client(struct tls_conn *c, size_t at_most)
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
static inline void shake(struct tls_conn *c, size_t step)
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

static inline struct tls_conn *connected(void)
{
    struct tls_conn *c = tls_conn_new(on_ready, NULL);
    assert_non_null(c);
    client_init(&client);
    shake(c, SIZE_MAX);
    assert_true(mbedtls_ssl_is_handshake_over(&client.ssl));
    assert_false(tls_conn_shaking(c) || tls_conn_working(c) || tls_conn_over(c));
    return c;
}

static inline void leave(struct tls_conn *c)
{
    tls_conn_free(c);
    client_free(&client);
}

/* The server, with its certificate. */
static inline int lab_start(void **state)
{
    struct fl_fail fail = {0};
    (void)state;
    host_random_seed(1);
    assert_int_equal(tls_start(&lab_options, &fail), FL_OK);
    tls_may_make_certificate();
    fiber_yield();
    return 0;
}
