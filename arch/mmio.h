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
