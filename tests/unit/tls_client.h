/* SPDX-License-Identifier: MIT */
/*
 * A TLS client on two buffers: what it wants to send, and what came for it. It is the same mbedTLS
 * as the server's, so it says nothing about the protocol (curl and openssl do, in
 * tests/boot/test_tls.py): it brings a connection to a place where something can be tried.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mbedtls/ssl.h>

#include "net/http/tls_priv.h"

struct tls_client {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    size_t out_len, in_off, in_len;
    uint8_t out[64 * 1024], in[64 * 1024];
};

static inline int client_send(void *ctx, const unsigned char *buf, size_t len)
{
    struct tls_client *c = ctx;
    assert_true(len <= sizeof(c->out) - c->out_len);
    memcpy(c->out + c->out_len, buf, len);
    c->out_len += len;
    return (int)len;
}

static inline int client_recv(void *ctx, unsigned char *buf, size_t len)
{
    struct tls_client *c = ctx;
    size_t n = min_u64(len, c->in_len - c->in_off);
    memcpy(buf, c->in + c->in_off, n);
    c->in_off += n;
    return n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : (int)n;
}

/* groups: static, ends with 0; NULL: all there are. */
static inline void client_init_groups(struct tls_client *c, const uint16_t *groups)
{
    memset(c, 0, sizeof(*c));
    mbedtls_ssl_init(&c->ssl);
    mbedtls_ssl_config_init(&c->config);
    assert_int_equal(mbedtls_ssl_config_defaults(&c->config, MBEDTLS_SSL_IS_CLIENT,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_authmode(&c->config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&c->config, tls_random, NULL);
    if (groups != NULL) {
        mbedtls_ssl_conf_groups(&c->config, groups);
    }
    assert_int_equal(mbedtls_ssl_setup(&c->ssl, &c->config), 0);
    assert_int_equal(mbedtls_ssl_set_hostname(&c->ssl, NULL), 0);
    mbedtls_ssl_set_bio(&c->ssl, c, client_send, client_recv, NULL);
}

static inline void client_init(struct tls_client *c) { client_init_groups(c, NULL); }

static inline void client_free(struct tls_client *c)
{
    mbedtls_ssl_free(&c->ssl);
    mbedtls_ssl_config_free(&c->config);
}

static inline void client_receives(struct tls_client *c, const void *data, size_t len)
{
    assert_true(len <= sizeof(c->in) - c->in_len);
    memcpy(c->in + c->in_len, data, len);
    c->in_len += len;
}
