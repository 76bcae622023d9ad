/* SPDX-License-Identifier: MIT */
/*
 * The server's certificate and key: from the boot volume, or made. What is made is signed by its
 * own key, lives until the power goes and is known by its fingerprint.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ecp.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>

#include "arch/machine.h"
#include "net/http/tls_priv.h"
#include "net/stack/netmain.h"

enum { SHA256_BYTES = 32, DER_MAX = 2048, SERIAL_BYTES = 16, SANS_MAX = 2 + 2 * NET_MAX_NICS };

/* --- from the volume --- */

/* PEM as mbedTLS wants it: with a NUL that counts. */
static char *copy_text(const struct tls_file *f)
{
    char *text = f->len <= TLS_PEM_MAX ? malloc(f->len + 1) : NULL;
    if (text != NULL) {
        memcpy(text, f->text, f->len);
        text[f->len] = '\0';
    }
    return text;
}

static enum fl_err no_text(const struct tls_file *f, const char *what, struct fl_fail *fail)
{
    return f->len > TLS_PEM_MAX
               ? FL_FAIL(fail, FL_EBADDATA, what, "it has %zu bytes; expected at most %u", f->len,
                         (unsigned)TLS_PEM_MAX)
               : FL_FAIL(fail, FL_ENOMEM, what, "no memory for its %zu bytes", f->len);
}

static enum fl_err parse_chain(struct tls_identity *id, const struct tls_file *f,
                               struct fl_fail *fail)
{
    char err[TLS_ERROR_TEXT];
    char *text = copy_text(f);
    if (text == NULL) {
        return no_text(f, "tls/cert.pem", fail);
    }
    int e = mbedtls_x509_crt_parse(&id->chain, (const unsigned char *)text, f->len + 1);
    free(text);
    return e == 0 ? FL_OK
           : e > 0
               ? FL_FAIL(fail, FL_EBADDATA, "tls/cert.pem",
                         "%d of its certificates cannot be read; expected X.509 in PEM", e)
               : FL_FAIL(fail, FL_EBADDATA, "tls/cert.pem",
                         "no certificate can be read from it (mbedTLS %s); expected X.509 in PEM, "
                         "with an EC P-256 key",
                         tls_error(e, err));
}

static enum fl_err parse_key(struct tls_identity *id, const struct tls_file *f,
                             struct fl_fail *fail)
{
    char err[TLS_ERROR_TEXT];
    char *text = copy_text(f);
    if (text == NULL) {
        return no_text(f, "tls/key.pem", fail);
    }
    int e = mbedtls_pk_parse_key(&id->key, (const unsigned char *)text, f->len + 1, NULL, 0,
                                 tls_random, NULL);
    mbedtls_platform_zeroize(text, f->len);
    free(text);
    return e == 0 ? FL_OK
                  : FL_FAIL(fail, FL_EBADDATA, "tls/key.pem",
                            "no key can be read from it (mbedTLS %s); expected an EC P-256 key in "
                            "PEM, not encrypted (openssl ecparam -name prime256v1 -genkey)",
                            tls_error(e, err));
}

static enum fl_err from_files(struct tls_identity *id, const struct tls_options *o,
                              struct fl_fail *fail)
{
    if (o->cert.text == NULL || o->key.text == NULL) {
        const bool no_key = o->key.text == NULL;
        return FL_FAIL(fail, FL_ENOENT, no_key ? "tls/key.pem" : "tls/cert.pem",
                       "it is not there, but %s is; expected both or none",
                       no_key ? "tls/cert.pem" : "tls/key.pem");
    }
    enum fl_err err = parse_chain(id, &o->cert, fail);
    err = FL_THEN(err, parse_key(id, &o->key, fail));
    if (err == FL_OK && mbedtls_pk_check_pair(&id->chain.pk, &id->key, tls_random, NULL) != 0) {
        err = FL_FAIL(fail, FL_EBADDATA, "tls/key.pem",
                      "it is not the key of the first certificate in tls/cert.pem");
    }
    return err;
}

/* --- made --- */

/* Names and addresses as subjectAltName wants them (RFC 5280 4.2.1.6). */
struct names {
    mbedtls_x509_san_list san[SANS_MAX];
    size_t count;
    char local[1 + NET_MAX_NICS][NET_HOSTNAME_MAX + sizeof(".local")];
    uint8_t ip[NET_MAX_NICS][4];
};

static void add_name(struct names *n, int type, const void *value, size_t len)
{
    mbedtls_x509_san_list *s = &n->san[n->count];
    *s = (mbedtls_x509_san_list){.node.type = type};
    s->node.san.unstructured_name.p = (unsigned char *)(uintptr_t)value;
    s->node.san.unstructured_name.len = len;
    if (n->count > 0) {
        n->san[n->count - 1].next = s;
    }
    n->count++;
}

/* label.local, unless it is there. local[i]: where it is kept. */
static void add_local(struct names *n, size_t i, const char *label)
{
    snprintf(n->local[i], sizeof(n->local[i]), "%s.local", label);
    for (size_t k = 0; k < i; k++) {
        if (strcmp(n->local[k], n->local[i]) == 0) {
            return;
        }
    }
    add_name(n, MBEDTLS_X509_SAN_DNS_NAME, n->local[i], strlen(n->local[i]));
}

/* The host name, the names by mDNS, which may be others (net/stack/discovery.h), and IPv4. */
static void collect_names(struct names *n, const char *hostname)
{
    static struct net_status net; /* too large for a stack; nothing yields here */
    memset(n, 0, sizeof(*n));
    add_name(n, MBEDTLS_X509_SAN_DNS_NAME, hostname, strlen(hostname));
    add_local(n, 0, hostname);
    net_get_status(&net);
    for (uint32_t i = 0; i < net.nic_count; i++) {
        uint32_t ip = net.nic[i].ip;
        if (net.nic[i].local_name[0] != '\0') {
            add_local(n, 1 + i, net.nic[i].local_name);
        }
        if (ip != 0) {
            uint8_t *to = n->ip[i];
            to[0] = (uint8_t)(ip >> 24);
            to[1] = (uint8_t)(ip >> 16);
            to[2] = (uint8_t)(ip >> 8);
            to[3] = (uint8_t)ip;
            add_name(n, MBEDTLS_X509_SAN_IP_ADDRESS, to, sizeof(n->ip[i]));
        }
    }
}

static int make_key(mbedtls_pk_context *key)
{
    int e = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    return e != 0 ? e
                  : mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), tls_random,
                                        NULL);
}

/* Returns the certificate's length at the end of der, or what went wrong. */
static int write_certificate(mbedtls_pk_context *key, const char *hostname, unsigned char *der)
{
    char subject[sizeof("CN=") + NET_HOSTNAME_MAX];
    unsigned char serial[SERIAL_BYTES];
    mbedtls_x509write_cert crt;
    struct names names;
    collect_names(&names, hostname);
    snprintf(subject, sizeof(subject), "CN=%s", hostname);
    int e = tls_random(NULL, serial, sizeof(serial));
    serial[0] = (unsigned char)((serial[0] & 0x3f) | 0x40); /* positive, no zeros in front */
    mbedtls_x509write_crt_init(&crt);
    mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&crt, key);
    mbedtls_x509write_crt_set_issuer_key(&crt, key);
    e = e != 0 ? e : mbedtls_x509write_crt_set_serial_raw(&crt, serial, sizeof(serial));
    e = e != 0 ? e : mbedtls_x509write_crt_set_subject_name(&crt, subject);
    e = e != 0 ? e : mbedtls_x509write_crt_set_issuer_name(&crt, subject);
    e = e != 0 ? e : mbedtls_x509write_crt_set_validity(&crt, TLS_NOT_BEFORE, TLS_NOT_AFTER);
    /* Its own authority: a client takes it as the one that it trusts (curl --cacert). */
    e = e != 0 ? e : mbedtls_x509write_crt_set_basic_constraints(&crt, 1, 0);
    e = e != 0 ? e : mbedtls_x509write_crt_set_subject_alternative_name(&crt, names.san);
    e = e != 0 ? e : mbedtls_x509write_crt_der(&crt, der, DER_MAX, tls_random, NULL);
    mbedtls_x509write_crt_free(&crt);
    return e;
}

static enum fl_err make(struct tls_identity *id, const char *hostname, struct fl_fail *fail)
{
    static unsigned char der[DER_MAX]; /* for one worker */
    char err[TLS_ERROR_TEXT];
    int e = make_key(&id->key);
    if (e == 0) {
        e = write_certificate(&id->key, hostname, der);
    }
    if (e > 0) {
        e = mbedtls_x509_crt_parse_der(&id->chain, der + sizeof(der) - e, (size_t)e);
    }
    return e == 0 ? FL_OK
                  : FL_FAIL(fail, FL_EIO, "certificate", "none can be made (mbedTLS %s)",
                            tls_error(e, err));
}

/* --- both --- */

static void put_fingerprint(struct tls_identity *id)
{
    uint8_t sum[SHA256_BYTES];
    if (mbedtls_sha256(id->chain.raw.p, id->chain.raw.len, sum, 0) != 0) {
        return; /* fails for no input */
    }
    for (size_t i = 0; i < sizeof(sum); i++) {
        snprintf(id->fingerprint + 3 * i, 4, i + 1 < sizeof(sum) ? "%02X:" : "%02X", sum[i]);
    }
}

static void clear(struct tls_identity *id)
{
    memset(id, 0, sizeof(*id));
    mbedtls_x509_crt_init(&id->chain);
    mbedtls_pk_init(&id->key);
}

void tls_identity_free(struct tls_identity *id)
{
    mbedtls_x509_crt_free(&id->chain);
    mbedtls_pk_free(&id->key);
    clear(id);
}

enum fl_err tls_identity_get(struct tls_identity *id, const struct tls_options *o,
                             struct fl_fail *fail)
{
    clear(id);
    enum fl_err err = FL_ENOENT;
    if (o->cert.text != NULL || o->key.text != NULL) {
        struct fl_fail bad = {0};
        err = from_files(id, o, &bad);
        id->from_volume = err == FL_OK;
        if (err != FL_OK) {
            char text[FL_FAIL_TEXT + sizeof(bad.what) + 64];
            tls_identity_free(id);
            snprintf(text, sizeof(text), "%s: %s; a certificate is made instead", bad.what,
                     bad.text);
            if (o->note != NULL) {
                o->note(text);
            }
        }
    }
    if (err != FL_OK) {
        err = make(id, o->hostname, fail);
    }
    if (err != FL_OK) {
        tls_identity_free(id);
        return err;
    }
    put_fingerprint(id);
    return FL_OK;
}
