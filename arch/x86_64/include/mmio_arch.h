/* SPDX-License-Identifier: MIT */
/* Registers on x86-64: one volatile load or store each. */
#pragma once

#include "arch/base.h"

struct mmio {
    volatile uint8_t *base;
    uint64_t size; /* bytes */
};

#define X86_MMIO_ACCESSORS(bits)                                                                   \
    static inline uint##bits##_t mmio_read##bits(const struct mmio *m, uint64_t off)               \
    {                                                                                              \
        return *(volatile uint##bits##_t *)(volatile void *)(m->base + off);                       \
    }                                                                                              \
    static inline void mmio_write##bits(const struct mmio *m, uint64_t off, uint##bits##_t v)      \
    {                                                                                              \
        *(volatile uint##bits##_t *)(volatile void *)(m->base + off) = v;                          \
    }
X86_MMIO_ACCESSORS(8)
X86_MMIO_ACCESSORS(16)
X86_MMIO_ACCESSORS(32)
X86_MMIO_ACCESSORS(64)
#undef X86_MMIO_ACCESSORS
