/* SPDX-License-Identifier: MIT */
/* A small fake memory at a physical address, for the tests of tables that the firmware leaves. */
#pragma once

#include "arch/acpi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The fake memory; reads outside of it fail as reads of unmapped memory do. */
#define MEM_BASE  0x7f000000ull
#define MEM_BYTES 0x8000u

static struct {
    uint8_t bytes[MEM_BYTES];
    bool endless; /* zeros behind the end instead of nothing */
} mem;

static inline bool fake_read(void *ctx, uint64_t phys, void *buf, size_t len)
{
    (void)ctx;
    if (mem.endless && phys >= MEM_BASE + MEM_BYTES && phys < MEM_BASE + MIB(64)) {
        memset(buf, 0, len);
        return true;
    }
    if (phys < MEM_BASE || !range_ok(phys - MEM_BASE, len, MEM_BYTES)) {
        return false;
    }
    memcpy(buf, mem.bytes + (phys - MEM_BASE), len);
    return true;
}
static const struct phys_reader reader = {.read = fake_read};

static inline void fix_sum(uint32_t at, uint32_t bytes, uint32_t sum_at)
{
    uint8_t sum = 0;
    mem.bytes[at + sum_at] = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        sum = (uint8_t)(sum + mem.bytes[at + i]);
    }
    mem.bytes[at + sum_at] = (uint8_t)-sum;
}
