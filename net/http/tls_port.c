/* SPDX-License-Identifier: MIT */
/*
 * What mbedTLS asks of its surroundings: memory, counted and limited; random numbers, from the
 * machine's pool only; and its hook within multiplications of points (ecp_internal_alt.h), meant
 * for accelerators that may take over a step. This one never does: it lets other fibers run.
 */
#include <stdio.h>
#include <stdlib.h>

#include <mbedtls/ecp.h>
#include <mbedtls/platform.h>
#include <psa/crypto.h>

#include "arch/fiber.h"
#include "arch/machine.h"
#include "net/http/tls_priv.h"

/* In front of every block, so that free() knows what it gives back. */
union block {
    size_t bytes;
    max_align_t align;
};

static struct {
    uint64_t used, peak, refused;
    bool may_yield;
} port;

static void *port_calloc(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > TLS_MEMORY_MAX - port.used) {
        port.refused++;
        return NULL;
    }
    union block *b = calloc(1, sizeof(*b) + bytes);
    if (b == NULL) {
        port.refused++;
        return NULL;
    }
    b->bytes = bytes;
    port.used += bytes;
    port.peak = max_u64(port.peak, port.used);
    return b + 1;
}

static void port_free(void *p)
{
    if (p != NULL) {
        union block *b = (union block *)p - 1;
        port.used -= b->bytes;
        free(b);
    }
}

void tls_port_start(void) { mbedtls_platform_set_calloc_free(port_calloc, port_free); }

void tls_port_memory(struct tls_stats *out)
{
    out->memory_used = port.used;
    out->memory_peak = port.peak;
    out->memory_refused = port.refused;
}

int tls_random(void *ctx, unsigned char *buf, size_t n)
{
    (void)ctx;
    return machine_random(buf, n) == FL_OK ? 0 : MBEDTLS_ERR_ECP_RANDOM_FAILED;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t output_size,
                                             size_t *output_length)
{
    (void)context;
    if (machine_random(output, output_size) != FL_OK) {
        *output_length = 0;
        return PSA_ERROR_INSUFFICIENT_ENTROPY;
    }
    *output_length = output_size;
    return PSA_SUCCESS;
}

const char *tls_error(int err, char buf[TLS_ERROR_TEXT])
{
    snprintf(buf, TLS_ERROR_TEXT, "-0x%04X", (unsigned)-err);
    return buf;
}

/* --- the hook --- */

/* mbedTLS's library/ecp_internal_alt.h, which it does not install. */
unsigned char mbedtls_internal_ecp_grp_capable(const mbedtls_ecp_group *grp);
int mbedtls_internal_ecp_init(const mbedtls_ecp_group *grp);
void mbedtls_internal_ecp_free(const mbedtls_ecp_group *grp);
int mbedtls_internal_ecp_double_jac(const mbedtls_ecp_group *grp, mbedtls_ecp_point *r,
                                    const mbedtls_ecp_point *p);
int mbedtls_internal_ecp_double_add_mxz(const mbedtls_ecp_group *grp, mbedtls_ecp_point *r,
                                        mbedtls_ecp_point *s, const mbedtls_ecp_point *p,
                                        const mbedtls_ecp_point *q, const mbedtls_mpi *d);

void tls_port_may_yield(bool may) { port.may_yield = may; }

unsigned char mbedtls_internal_ecp_grp_capable(const mbedtls_ecp_group *grp)
{
    (void)grp;
    if (port.may_yield) {
        port.may_yield = false; /* not for who runs meanwhile */
        fiber_yield_if_long();
        port.may_yield = true;
    }
    return 0;
}

/* What a capable one would do. mbedTLS names these and never calls them. */
int mbedtls_internal_ecp_init(const mbedtls_ecp_group *grp)
{
    (void)grp;
    return MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE;
}
void mbedtls_internal_ecp_free(const mbedtls_ecp_group *grp) { (void)grp; }
int mbedtls_internal_ecp_double_jac(const mbedtls_ecp_group *grp, mbedtls_ecp_point *r,
                                    const mbedtls_ecp_point *p)
{
    (void)grp, (void)r, (void)p;
    return MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE;
}
int mbedtls_internal_ecp_double_add_mxz(const mbedtls_ecp_group *grp, mbedtls_ecp_point *r,
                                        mbedtls_ecp_point *s, const mbedtls_ecp_point *p,
                                        const mbedtls_ecp_point *q, const mbedtls_mpi *d)
{
    (void)grp, (void)r, (void)s, (void)p, (void)q, (void)d;
    return MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE;
}
