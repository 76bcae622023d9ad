/* SPDX-License-Identifier: MIT */
/* Registers on the host: calls into whatever stands for the device (the GPU model, a test). */
#pragma once

#include "arch/base.h"

/* size is 1, 2, 4 or 8; off is aligned to size and inside the region. ctx is borrowed. */
struct mmio_ops {
    uint64_t (*read)(void *ctx, uint64_t off, unsigned size);
    void (*write)(void *ctx, uint64_t off, unsigned size, uint64_t value);
};
struct mmio {
    const struct mmio_ops *ops; /* borrowed, constant */
    void *ctx;                  /* borrowed while the region is used */
    uint64_t size;              /* bytes */
};

void host_mmio_check(const struct mmio *m, uint64_t off, unsigned size); /* aborts with a message */

#define HOST_MMIO_ACCESSORS(bits)                                                                  \
    static inline uint##bits##_t mmio_read##bits(const struct mmio *m, uint64_t off)               \
    {                                                                                              \
        host_mmio_check(m, off, (bits) / 8);                                                       \
        return (uint##bits##_t)m->ops->read(m->ctx, off, (bits) / 8);                              \
    }                                                                                              \
    static inline void mmio_write##bits(const struct mmio *m, uint64_t off, uint##bits##_t v)      \
    {                                                                                              \
        host_mmio_check(m, off, (bits) / 8);                                                       \
        m->ops->write(m->ctx, off, (bits) / 8, v);                                                 \
    }
HOST_MMIO_ACCESSORS(8)
HOST_MMIO_ACCESSORS(16)
HOST_MMIO_ACCESSORS(32)
HOST_MMIO_ACCESSORS(64)
#undef HOST_MMIO_ACCESSORS
