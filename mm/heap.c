/* SPDX-License-Identifier: MIT */
/* Small objects (heap.h). */
#include "mm/heap.h"

#include <stdlib.h>

#include "arch/fail_point.h"
#include "arch/fiber.h"
#include "arch/lockorder.h"

static uint64_t live;

void *heap_zalloc(size_t size)
{
    lockorder_point(&lock_class_alloc, FL_WHERE);
    void *p = fail_point_alloc() ? NULL : calloc(1, size);
    live += p != NULL;
    return p;
}

void heap_free(void *p)
{
    live -= p != NULL;
    free(p);
}

uint64_t heap_live(void) { return live; }
