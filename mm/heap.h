/* SPDX-License-Identifier: MIT */
/*
 * Small objects of this room, from malloc, as the checker and the tests want allocations: a point
 * in the lock order (lock_class_alloc), a place where the n-th can fail (arch/fail_point.h), and a
 * count of what is alive.
 */
#pragma once

#include "arch/base.h"

/* size > 0 bytes of zeros, NULL when there is no memory. Does not yield. */
void *heap_zalloc(size_t size);
void heap_free(void *p); /* NULL: nothing happens */

/* Objects that are allocated and not freed. */
uint64_t heap_live(void);
