/* SPDX-License-Identifier: MIT */
/*
 * The machine's free RAM as page frames: a few buddy allocators, one per stretch of physical memory
 * (a PC has one below 4 GiB and one above). User: mm/dma.c. The heap under libc's malloc is the
 * machine's own (arch/x86_64/memory.c takes it before this sees the RAM).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/machine.h"

/* Less RAM than this cannot hold the queues, heaps and buffers of one GPU. */
#define MM_RAM_MIN_BYTES MIB(8)

/* Takes all of machine_ram(). FL_ENOMEM with words in *f when the machine has too little. Called
 * once at the start; a later call forgets all owners and begins anew (tests). */
FL_MUST_CHECK enum fl_err ram_init(struct fl_fail *f);
/* ram_init() has been called and succeeded. */
bool ram_ready(void);

/* pages contiguous frames, the first at a multiple of align bytes (0 = a page), all below
 * 1 << addr_bits (12 .. 64). Highest addresses first. FL_ENOMEM, FL_EINVAL. Contents undefined. */
FL_MUST_CHECK enum fl_err mm_ram_pages_alloc(uint64_t pages, uint64_t align, unsigned addr_bits,
                                             struct phys_addr *out);
/* Exactly what was allocated; anything else is a broken invariant (panic). */
void mm_ram_pages_free(struct phys_addr base, uint64_t pages);

struct ram_stats {
    uint64_t total_bytes, free_bytes, peak_bytes; /* peak: most in use at a time */
    uint64_t meta_bytes;                          /* tables of the allocators */
    uint64_t largest_free_bytes;                  /* one block */
    uint64_t low_free_bytes;                      /* in stretches below 4 GiB */
    uint64_t failures;
    uint32_t stretches;
    uint64_t dropped_bytes; /* not managed: too small a piece or too many */
};
void ram_get_stats(struct ram_stats *out);
