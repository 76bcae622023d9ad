/* SPDX-License-Identifier: MIT */
/* The memory under libc's malloc in the kernel: one contiguous region set aside by ram_init(). */
#pragma once

#include "arch/machine.h"

/* min(MM_HEAP_MAX_BYTES, 1/8 of RAM), page multiples. */
#define MM_HEAP_MAX_BYTES MIB(16)

/* The region, for sbrk; size 0 before ram_init(). */
struct ram_range mm_heap_region(void);
/* The next bytes of the region, 16-byte aligned and following the last ones given when those were
 * multiples of 16; NULL when it is used up. For an sbrk that wants no state of its own. */
void *mm_heap_grow(uint64_t bytes);
