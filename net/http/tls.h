/* SPDX-License-Identifier: MIT */
/*
 * TLS 1.3 between TCP and the HTTP engine: bytes of the wire in and out on one side, plain bytes on
 * the other. mbedTLS does the protocol. What takes long, operations with keys, happens in a fiber
 * of its own, the worker: one connection's handshake at a time, and within an operation it yields.
 * The network fiber moves bytes and does records, which are symmetric ciphers only.
 *
 * No tickets, no client certificates, nothing renegotiated; TLS 1.2 is refused by its name. There
 * is no clock to trust, so nothing looks at validity.
 *
 * Sources: RFC 8446 (TLS 1.3), RFC 5280 (certificates), RFC 6125 (names in them).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

#define TLS_HANDSHAKE_LIMIT_US (10 * 1000000) /* from the first byte to the end of a handshake */
#define TLS_MEMORY_MAX         MIB(4)         /* of all that mbedTLS asks for */
#define TLS_RX_BYTES           KIB(4)         /* staged of what comes, per connection */
#define TLS_TX_BYTES           (KIB(4) + 64u) /* of what goes: a record of ours with its frame */
#define TLS_PLAIN_BYTES        KIB(1)         /* decrypted and not yet taken */
#define TLS_PEM_MAX            KIB(64) /* of a certificate file, with its chain, or a key file */
/* Written wide: a machine that has no clock may think that it is any year. */
#define TLS_NOT_BEFORE       "20200101000000"
#define TLS_NOT_AFTER        "20491231235959" /* the last that UTCTime can say (RFC 5280 4.1.2.5) */
#define TLS_FINGERPRINT_TEXT 96u /* "AB:CD:..", SHA-256 of the certificate, with its NUL */

/* A PEM file as it was read; text NULL: there is none. */
struct tls_file {
    const char *text;
    size_t len;
};
struct tls_options {
    const char *hostname;      /* of the certificate that is made */
    struct tls_file cert, key; /* PEM: the chain, own certificate first; EC P-256, not encrypted */
    bool only;                 /* no answers but a refusal without TLS */
    void (*wake)(void);        /* the network fiber: tls_collect() has something to do */
    /* What was wrong with the files: a sentence for people. By the worker. May be NULL. */
    void (*note)(const char *text);
};

/* Starts the worker. Everything in o is borrowed for ever. FL_ENOTSUP while the machine has no
 * random numbers, FL_ENOMEM; then there is no TLS. Does not yield. */
FL_MUST_CHECK enum fl_err tls_start(const struct tls_options *o, struct fl_fail *fail);
/* tls_start() succeeded. */
bool tls_enabled(void);
bool tls_only(void);
/* A certificate is made when the first plain request has been answered: that is not to wait for it.
 * Or when somebody comes by TLS, or TLS_MAKE_AFTER_US after the start. */
#define TLS_MAKE_AFTER_US (3 * 1000000)
void tls_may_make_certificate(void);

struct tls_stats {
    bool enabled, only;
    bool from_volume;                       /* the certificate is the one of the files */
    char fingerprint[TLS_FINGERPRINT_TEXT]; /* "" while there is none */
    uint64_t handshakes;                    /* that succeeded */
    uint64_t failed;                        /* that did not: refused, garbage, left, too slow */
    uint64_t memory_used, memory_peak;      /* bytes of TLS_MEMORY_MAX */
    uint64_t memory_refused;                /* allocations beyond it */
    uint32_t waiting;                       /* for the worker, now */
};
void tls_get_stats(struct tls_stats *out);

/* ---- one connection; network fiber only, nothing here yields ---- */

struct tls_conn; /* opaque */

/* NULL when memory is out. ready is called by tls_collect() when the worker is done with it. */
struct tls_conn *tls_conn_new(void (*ready)(void *ctx), void *ctx);
/* Any time: also while the worker is at it, which then lets it go. NULL is fine. */
void tls_conn_free(struct tls_conn *c);

/* Takes bytes off the wire; returns how many it used. Fewer than len: call again with the rest when
 * something has moved. What comes after a failure or a goodbye is taken and forgotten. */
size_t tls_conn_input(struct tls_conn *c, const void *data, size_t len);
/* What goes to the wire next; NULL and len 0 = nothing. Valid until tls_conn_sent(). */
const void *tls_conn_output(struct tls_conn *c, size_t *len);
void tls_conn_sent(struct tls_conn *c, size_t n);

/* What the client said; NULL and len 0 = nothing now. Valid until tls_conn_taken(). */
const char *tls_conn_plain(struct tls_conn *c, size_t *len);
void tls_conn_taken(struct tls_conn *c, size_t n);
/* Encrypts up to len bytes (not 0) as one record; returns how many it took: 0 while the output has
 * something. */
size_t tls_conn_write(struct tls_conn *c, const void *data, size_t len);
/* Says goodbye (close_notify), once; the output then has it, unless that failed. */
void tls_conn_close(struct tls_conn *c);

/* The first byte has come, the handshake is not over. */
bool tls_conn_shaking(const struct tls_conn *c);
/* The worker has it, or will have: the client waits for us. */
bool tls_conn_working(const struct tls_conn *c);
/* The client has said goodbye: it sends nothing more, and may still read. */
bool tls_conn_ended(const struct tls_conn *c);
/* Nothing more will come of it: the handshake failed, or a record was wrong. What the output has is
 * still to be sent. */
bool tls_conn_over(const struct tls_conn *c);

/* Calls ready of the connections that the worker is done with. By the network fiber. */
void tls_collect(void);
