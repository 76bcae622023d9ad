/* SPDX-License-Identifier: MIT */
/* Between the files of TLS. */
#pragma once

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "net/http/tls.h"

/* --- tls_port.c: what mbedTLS asks of us --- */

/* Memory and the random source; before anything else of mbedTLS that needs them. */
void tls_port_start(void);
void tls_port_memory(struct tls_stats *out);
/* The caller, a fiber, may be interrupted by others within an operation with keys. */
void tls_port_may_yield(bool may);
/* mbedTLS's f_rng. */
int tls_random(void *ctx, unsigned char *buf, size_t n);
/* "X509 - The CRT/CRL/CSR format is invalid" takes 20 KiB of tables, a number none: what mbedTLS
 * said, as it writes such numbers. */
#define TLS_ERROR_TEXT 16u
const char *tls_error(int err, char buf[TLS_ERROR_TEXT]);

/* --- tls_cert.c: certificate and key --- */

struct tls_identity {
    mbedtls_x509_crt chain; /* own certificate first */
    mbedtls_pk_context key;
    char fingerprint[TLS_FINGERPRINT_TEXT];
    bool from_volume;
};
/* From the files, else made; note is told why not from the files when there are any. Yields where
 * tls_port_may_yield() says so. */
FL_MUST_CHECK enum fl_err tls_identity_get(struct tls_identity *id, const struct tls_options *o,
                                           struct fl_fail *fail);
void tls_identity_free(struct tls_identity *id);

/* --- tls_conn.c --- */

struct tls_conn {
    mbedtls_ssl_context ssl;
    enum { TLS_NEW, TLS_SHAKING, TLS_UP, TLS_OVER } state;
    bool set_up; /* ssl is */
    bool queued, running, abandoned;
    bool ended;             /* the client has said goodbye */
    bool goodbye;           /* we have */
    bool done;              /* in the list of those the worker is done with */
    struct tls_conn *next;  /* in the worker's queue */
    struct tls_conn *after; /* in the list of those it is done with */
    void (*ready)(void *ctx);
    void *ctx;
    size_t rx_off, rx_len;
    size_t tx_off, tx_len;
    size_t plain_off, plain_len;
    uint8_t rx[TLS_RX_BYTES];
    uint8_t tx[TLS_TX_BYTES];
    char plain[TLS_PLAIN_BYTES];
};
/* As far as its bytes go. Worker only. */
void tls_conn_handshake(struct tls_conn *c);
void tls_conn_destroy(struct tls_conn *c);

/* --- tls.c --- */

const mbedtls_ssl_config *tls_config(void);
/* Its bytes wait for the worker. */
void tls_enqueue(struct tls_conn *c);
/* Out of the worker's lists; false: the worker is at it and will destroy it. */
bool tls_forget(struct tls_conn *c);
void tls_count(bool succeeded);
