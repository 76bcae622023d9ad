/* SPDX-License-Identifier: MIT */
/* TLS for all connections: settings, certificate, and the worker, which does what takes long. */
#include "net/http/tls.h"

#include <stdio.h>
#include <string.h>

#include <psa/crypto.h>

#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "net/http/tls_priv.h"

/* The deepest is a signature: measured, plus half (tests/unit/test_tls.c). */
#define WORKER_STACK_BYTES KIB(32)

static struct {
    const struct tls_options *o; /* NULL: not started */
    struct tls_options options;
    mbedtls_ssl_config config;
    struct tls_identity id;
    bool has_identity;
    struct event work; /* for the worker */
    struct event make; /* it may make a certificate */
    struct tls_conn *queue, **queue_end;
    struct tls_conn *done; /* by the worker, for tls_collect() */
    struct tls_conn *running;
    uint32_t waiting;
    uint64_t handshakes, failed;
} tls;

const mbedtls_ssl_config *tls_config(void) { return &tls.config; }
bool tls_enabled(void) { return tls.o != NULL; }
bool tls_only(void) { return tls.o != NULL && tls.o->only; }
void tls_may_make_certificate(void)
{
    if (tls.o != NULL) {
        event_signal(&tls.make);
    }
}

void tls_count(bool succeeded)
{
    if (succeeded) {
        tls.handshakes++;
    } else {
        tls.failed++;
    }
}

void tls_get_stats(struct tls_stats *out)
{
    *out = (struct tls_stats){.enabled = tls_enabled(),
                              .only = tls_only(),
                              .from_volume = tls.id.from_volume,
                              .handshakes = tls.handshakes,
                              .failed = tls.failed,
                              .waiting = tls.waiting};
    if (tls.has_identity) {
        memcpy(out->fingerprint, tls.id.fingerprint, sizeof(out->fingerprint));
    }
    tls_port_memory(out);
}

/* --- the worker's lists --- */

void tls_enqueue(struct tls_conn *c)
{
    if (c->queued) {
        return;
    }
    c->queued = true;
    c->next = NULL;
    *tls.queue_end = c;
    tls.queue_end = &c->next;
    tls.waiting++;
    event_signal(&tls.make);
    event_signal(&tls.work);
}

static struct tls_conn *take_first(void)
{
    struct tls_conn *c = tls.queue;
    tls.queue = c->next;
    if (tls.queue == NULL) {
        tls.queue_end = &tls.queue;
    }
    c->queued = false;
    tls.waiting--;
    return c;
}

bool tls_forget(struct tls_conn *c)
{
    for (struct tls_conn **p = &tls.queue; c->queued && *p != NULL; p = &(*p)->next) {
        if (*p == c) {
            *p = c->next;
            if (c->next == NULL) {
                tls.queue_end = p;
            }
            c->queued = false;
            tls.waiting--;
            break;
        }
    }
    for (struct tls_conn **p = &tls.done; c->done && *p != NULL; p = &(*p)->after) {
        if (*p == c) {
            *p = c->after;
            c->done = false;
            break;
        }
    }
    c->abandoned = c->running;
    return !c->running;
}

void tls_collect(void)
{
    while (tls.done != NULL) {
        struct tls_conn *c = tls.done;
        tls.done = c->after;
        c->done = false;
        c->ready(c->ctx);
    }
}

static void serve(struct tls_conn *c)
{
    c->running = true;
    tls_port_may_yield(true);
    tls_conn_handshake(c);
    tls_port_may_yield(false);
    c->running = false;
    if (c->abandoned) {
        tls_conn_destroy(c);
        return;
    }
    if (!c->done) {
        c->done = true;
        c->after = tls.done;
        tls.done = c;
    }
    tls.o->wake();
}

/* --- settings --- */

static enum fl_err configure(struct fl_fail *fail)
{
    /* In TLS 1.3 the client's order counts, among these. */
    static const int suites[] = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, 0};
    static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                      MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, 0};
    mbedtls_ssl_config_init(&tls.config);
    int e = mbedtls_ssl_config_defaults(&tls.config, MBEDTLS_SSL_IS_SERVER,
                                        MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (e != 0) {
        char err[TLS_ERROR_TEXT];
        return FL_FAIL(fail, FL_ENOMEM, "TLS", "its settings cannot be made (mbedTLS %s)",
                       tls_error(e, err));
    }
    mbedtls_ssl_conf_min_tls_version(&tls.config, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_max_tls_version(&tls.config, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_ciphersuites(&tls.config, suites);
    mbedtls_ssl_conf_groups(&tls.config, groups);
    mbedtls_ssl_conf_authmode(&tls.config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&tls.config, tls_random, NULL);
    return FL_OK;
}

static enum fl_err get_identity(struct fl_fail *fail)
{
    tls_port_may_yield(true);
    enum fl_err err = tls_identity_get(&tls.id, tls.o, fail);
    tls_port_may_yield(false);
    if (err == FL_OK && mbedtls_ssl_conf_own_cert(&tls.config, &tls.id.chain, &tls.id.key) != 0) {
        err = FL_FAIL(fail, FL_ENOMEM, "TLS", "no memory for the certificate");
    }
    return err;
}

static void worker(void *arg)
{
    struct fl_fail fail = {0};
    (void)arg;
    (void)!event_wait(&tls.make, deadline_in_us(TLS_MAKE_AFTER_US)); /* both are fine */
    if (get_identity(&fail) != FL_OK) {
        /* Connections wait for their time-out. */
        log_error("tls", "%s: %s", fail.what, fail.text);
        return;
    }
    tls.has_identity = true;
    log_info("tls", "TLS certificate SHA-256 %s", tls.id.fingerprint);
    for (;;) {
        while (tls.queue != NULL) {
            serve(take_first());
            fiber_yield_if_long();
        }
        (void)!event_wait(&tls.work, deadline_never());
    }
}

enum fl_err tls_start(const struct tls_options *o, struct fl_fail *fail)
{
    uint8_t probe;
    if (machine_random(&probe, sizeof(probe)) != FL_OK) {
        return FL_FAIL_MORE(fail, FL_ENOTSUP, "TLS",
                            (.hint = "a CPU with RDRAND, or firmware with EFI_RNG_PROTOCOL"),
                            "this machine gives no random numbers, so no key would be secret");
    }
    tls_port_start();
    psa_status_t status = psa_crypto_init();
    if (status != PSA_SUCCESS) {
        return FL_FAIL(fail, FL_ENOMEM, "TLS", "PSA does not start (status %d)", (int)status);
    }
    enum fl_err err = configure(fail);
    if (err != FL_OK) {
        return err;
    }
    tls.options = *o;
    tls.queue_end = &tls.queue;
    event_init(&tls.work);
    event_init(&tls.make);
    if (fiber_spawn("tls", worker, NULL, WORKER_STACK_BYTES) == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "TLS", "no memory for the fiber that does handshakes");
    }
    tls.o = &tls.options;
    return FL_OK;
}
