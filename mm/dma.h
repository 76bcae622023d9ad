/* SPDX-License-Identifier: MIT */
/*
 * Memory that devices reach by DMA: page aligned, contiguous, zeroed, identity mapped (the CPU
 * pointer is the bus address), from the RAM zones of mm/buddy.h.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct dma_buf {
    void *cpu; /* owned by the buffer; shared with the device */
    struct bus_addr bus;
    uint64_t size; /* bytes asked for */
    uint64_t room; /* bytes owned, whole blocks */
};

/* Allocates size bytes aligned to align (a power of two, at least a page is used), below
 * 1 << addr_bits (e.g. 32, 47, 64). Zeroed. FL_ENOMEM, FL_EINVAL; *out is empty then. name: static,
 * for statistics. Does not yield. */
FL_MUST_CHECK enum fl_err dma_alloc(struct dma_buf *out, uint64_t size, uint64_t align,
                                    unsigned addr_bits, const char *name);
/* Frees and empties *buf; an empty buffer is fine. The caller has stopped the device. */
void dma_free(struct dma_buf *buf);

struct dma_stats {
    uint64_t live_bytes, live_buffers, peak_bytes, failures;
};
void dma_get_stats(struct dma_stats *out);
