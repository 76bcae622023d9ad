/* SPDX-License-Identifier: MIT */
/*
 * Device registers. A region is obtained from the machine (mmio_map) or from a test (host: any
 * object with read/write functions). Accesses are exactly of the width asked for, aligned, and
 * never combined. On the machine they compile to one instruction.
 *
 * The inline part lives in the include directory of the arch (mmio_arch.h).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

#include "mmio_arch.h"
/* mmio_arch.h declares struct mmio and defines:
 *   static inline uint8_t  mmio_read8 (const struct mmio *m, uint64_t off);   (16, 32, 64 alike)
 *   static inline void     mmio_write8(const struct mmio *m, uint64_t off, uint8_t v); (...)
 * off must lie inside the region and be aligned (asserted on the host). */

enum mmio_cache { MMIO_UNCACHED, MMIO_WRITE_COMBINING };

/* Maps a physical range of device memory; unmapped never. FL_EINVAL when size is 0 or the range
 * overlaps RAM, FL_ENOMEM when no page table is left. Idempotent for the same range. */
FL_MUST_CHECK enum fl_err mmio_map(struct phys_addr base, uint64_t size, enum mmio_cache cache,
                                   struct mmio *out);

/* Orders memory that a device reads or writes by DMA against each other and against registers. */
static inline void dma_wmb(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
static inline void dma_rmb(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
static inline void dma_mb(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* Memory that a device may change at any moment: what is checked must be what is used. A word is
 * loaded exactly once, aligned, before everything that follows it. */
static inline uint32_t dma_load32(const void *p)
{
    return __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
}
static inline uint64_t dma_load64(const void *p)
{
    return __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE);
}
/* Stored after everything before it. */
static inline void dma_store32(void *p, uint32_t v)
{
    __atomic_store_n((uint32_t *)p, v, __ATOMIC_RELEASE);
}
/* Copies size bytes to private memory, each loaded exactly once: a C library's memcpy may load a
 * byte twice, and a compiler that knows memcpy may read the source again where the copy is used. */
static inline void dma_copy_in(void *dst, const void *src, size_t size)
{
    const volatile uint8_t *s = (const volatile uint8_t *)src;
    uint8_t *d = (uint8_t *)dst;

    for (; size > 0 && (uintptr_t)s % sizeof(uint64_t) != 0; size--) {
        *d++ = *s++;
    }
    for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t)) {
        const uint64_t v = *(const volatile uint64_t *)(const volatile void *)s;
        __builtin_memcpy(d, &v, sizeof(v));
        s += sizeof(v);
        d += sizeof(v);
    }
    for (; size > 0; size--) {
        *d++ = *s++;
    }
}
