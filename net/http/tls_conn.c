/* SPDX-License-Identifier: MIT */
/*
 * One connection's TLS. mbedTLS reads from and writes to two stages of fixed size; who moves bytes
 * between them and TCP is http_lwip.c. Until the handshake is over only the worker calls mbedTLS
 * for a connection, after that only the network fiber.
 */
#include <string.h>

#include <mbedtls/platform.h>

#include "arch/log.h"
#include "net/http/tls_priv.h"

/* For who speaks HTTP to this port: it can read this. Ends with the connection (RFC 9112 6.3). */
static const char plain_answer[] =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
    "Connection: close\r\n\r\n"
    "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
    "\"detail\":\"this port speaks TLS 1.3: ask with https://\"}\n";
_Static_assert(MBEDTLS_SSL_OUT_CONTENT_LEN + 1 + 16 + 5 <= TLS_TX_BYTES,
               "a record with its type, tag and header (RFC 8446 5.2)");
_Static_assert(sizeof(plain_answer) <= TLS_TX_BYTES, "it is staged whole");

static struct log_limit limit;

/* --- the wire, as mbedTLS sees it --- */

static int from_wire(void *ctx, unsigned char *buf, size_t len)
{
    struct tls_conn *c = ctx;
    size_t n = min_u64(len, c->rx_len - c->rx_off);
    if (n == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(buf, c->rx + c->rx_off, n);
    c->rx_off += n;
    return (int)n;
}

static int to_wire(void *ctx, const unsigned char *buf, size_t len)
{
    struct tls_conn *c = ctx;
    size_t n = min_u64(len, sizeof(c->tx) - c->tx_len);
    if (n == 0) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    memcpy(c->tx + c->tx_len, buf, n);
    c->tx_len += n;
    return (int)n;
}

/* --- life --- */

struct tls_conn *tls_conn_new(void (*ready)(void *ctx), void *ctx)
{
    struct tls_conn *c = mbedtls_calloc(1, sizeof(*c));
    if (c != NULL) {
        c->ready = ready;
        c->ctx = ctx;
        mbedtls_ssl_init(&c->ssl);
    }
    return c;
}

void tls_conn_destroy(struct tls_conn *c)
{
    mbedtls_ssl_free(&c->ssl);
    mbedtls_free(c);
}

void tls_conn_free(struct tls_conn *c)
{
    if (c == NULL) {
        return;
    }
    if (c->state == TLS_SHAKING) {
        tls_count(false);
    }
    if (tls_forget(c)) {
        tls_conn_destroy(c);
    }
}

bool tls_conn_shaking(const struct tls_conn *c) { return c->state == TLS_SHAKING; }
bool tls_conn_working(const struct tls_conn *c) { return c->queued || c->running; }
bool tls_conn_ended(const struct tls_conn *c) { return c->ended; }
bool tls_conn_over(const struct tls_conn *c) { return c->state == TLS_OVER; }

static bool is_wait(int e)
{
    return e == MBEDTLS_ERR_SSL_WANT_READ || e == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* --- the handshake --- */

static void refuse_plain(struct tls_conn *c)
{
    memcpy(c->tx, plain_answer, sizeof(plain_answer) - 1);
    c->tx_len = sizeof(plain_answer) - 1;
    c->state = TLS_OVER;
    tls_count(false);
}

void tls_conn_handshake(struct tls_conn *c)
{
    int e = 0;
    if (!c->set_up) {
        e = mbedtls_ssl_setup(&c->ssl, tls_config());
        mbedtls_ssl_set_bio(&c->ssl, c, to_wire, from_wire, NULL);
        c->set_up = e == 0;
    }
    const size_t staged = c->tx_len;
    e = e != 0 ? e : mbedtls_ssl_handshake(&c->ssl);
    if (is_wait(e)) {
        return;
    }
    if (c->abandoned) {
        return; /* counted when it was given up */
    }
    c->state = e == 0 ? TLS_UP : TLS_OVER;
    tls_count(e == 0);
    if (e != 0) {
        /* mbedTLS has no alert where no group is common, or memory is out. */
        if (c->set_up && c->tx_len == staged) {
            (void)mbedtls_ssl_send_alert_message(&c->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                                 MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
        }
        char err[TLS_ERROR_TEXT];
        log_limited(&limit, LOG_DEBUG, "tls", "a handshake failed (mbedTLS %s)", tls_error(e, err));
    }
}

/* --- bytes of the wire --- */

size_t tls_conn_input(struct tls_conn *c, const void *data, size_t len)
{
    if (len == 0 || c->state == TLS_OVER || c->ended) {
        return len;
    }
    if (c->state == TLS_NEW) {
        const uint8_t first = *(const uint8_t *)data;
        if (first >= 'A' && first <= 'Z') { /* a method; no record begins so */
            refuse_plain(c);
            return len;
        }
        c->state = TLS_SHAKING;
    }
    if (c->running) {
        return 0; /* it reads from there */
    }
    if (c->rx_off > 0) {
        c->rx_len -= c->rx_off;
        memmove(c->rx, c->rx + c->rx_off, c->rx_len);
        c->rx_off = 0;
    }
    size_t n = min_u64(len, sizeof(c->rx) - c->rx_len);
    memcpy(c->rx + c->rx_len, data, n);
    c->rx_len += n;
    if (c->state == TLS_SHAKING) {
        tls_enqueue(c);
    }
    return n;
}

const void *tls_conn_output(struct tls_conn *c, size_t *len)
{
    *len = c->running ? 0 : c->tx_len - c->tx_off; /* running: it grows yet */
    return *len > 0 ? c->tx + c->tx_off : NULL;
}

void tls_conn_sent(struct tls_conn *c, size_t n)
{
    c->tx_off += n;
    if (c->tx_off < c->tx_len) {
        return;
    }
    c->tx_off = c->tx_len = 0;
    if (c->state == TLS_SHAKING) {
        tls_enqueue(c); /* it may have waited for the room */
    }
}

/* --- plain bytes --- */

const char *tls_conn_plain(struct tls_conn *c, size_t *len)
{
    if (c->plain_off == c->plain_len && c->state == TLS_UP && !c->ended) {
        c->plain_off = c->plain_len = 0;
        int n;
        do { /* 0: a record with nothing in it (RFC 8446 5.4) */
            n = mbedtls_ssl_read(&c->ssl, (unsigned char *)c->plain, sizeof(c->plain));
        } while (n == 0);
        if (n > 0) {
            c->plain_len = (size_t)n;
        } else if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
            c->ended = true;
        } else if (!is_wait(n)) {
            c->state = TLS_OVER; /* not what this key opens, or what nobody may say here */
        }
    }
    *len = c->plain_len - c->plain_off;
    return *len > 0 ? c->plain + c->plain_off : NULL;
}

void tls_conn_taken(struct tls_conn *c, size_t n) { c->plain_off += n; }

size_t tls_conn_write(struct tls_conn *c, const void *data, size_t len)
{
    /* One record at a time, and the stage has room for it: mbedTLS never waits with half of one. */
    if (c->state != TLS_UP || c->goodbye || c->tx_len > 0) {
        return 0;
    }
    int n = mbedtls_ssl_write(&c->ssl, data, len);
    if (n <= 0) {
        c->state = TLS_OVER; /* no memory, or no more numbers for records */
    }
    return n > 0 ? (size_t)n : 0;
}

void tls_conn_close(struct tls_conn *c)
{
    if (!c->goodbye && c->state == TLS_UP) {
        (void)mbedtls_ssl_close_notify(&c->ssl);
    }
    c->goodbye = true;
}
