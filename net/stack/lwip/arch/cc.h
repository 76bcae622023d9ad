/* SPDX-License-Identifier: MIT */
/*
 * What lwIP asks of a compiler and a platform (its doc/sys_arch.txt). The functions are in
 * net/stack/lwip_port.c.
 */
#pragma once

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* lwIP invents an ssize_t of its own when this is missing. */
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif
#define LWIP_NO_UNISTD_H 1

#define BYTE_ORDER    LITTLE_ENDIAN
#define lwip_htons(x) ((u16_t)__builtin_bswap16((u16_t)(x)))
#define lwip_htonl(x) ((u32_t)__builtin_bswap32((u32_t)(x)))

/* From the CPU's random source. */
uint32_t net_rand32(void);
#define LWIP_RAND() net_rand32()

/* Internet sum (RFC 1071), not inverted, in the byte order of the memory. */
uint16_t net_chksum(const void *data, int len);
#define LWIP_CHKSUM net_chksum
/* The same of bytes that it copies; the places do not overlap. */
uint16_t net_chksum_copy(void *to, const void *data, uint16_t len);
#define LWIP_CHKSUM_COPY net_chksum_copy

/* Returns when the assertion costs a connection only (net/stack/stack_assert.c). */
void net_lwip_assert(const char *text, const char *file, int line);
#define LWIP_PLATFORM_ASSERT(text) net_lwip_assert((text), __FILE__, __LINE__)

/* Takes the text of a diagnostic; printed at debug level. */
__attribute__((format(printf, 1, 2))) void net_lwip_diag(const char *fmt, ...);
#define LWIP_PLATFORM_DIAG(args)                                                                   \
    do {                                                                                           \
        net_lwip_diag args;                                                                        \
    } while (0)

/* SNTP's clock (net/stack/walltime.c): seconds since 2036-02-07T06:28:16Z, as lwIP has them, and a
 * binary fraction of 32 bits. */
void net_ntp_now(int32_t *sec, uint32_t *frac);
void net_ntp_set(int32_t sec, uint32_t frac);
