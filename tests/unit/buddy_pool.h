/* SPDX-License-Identifier: MIT */
/* A pool of pages for the tests of the buddy allocator. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "mm/buddy.h"

#define PAGE  FL_PAGE_SIZE
#define SHIFT FL_PAGE_SHIFT

static uint64_t random_state;

static inline uint64_t next(uint64_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (random_state >> 20) % bound;
}

struct pool {
    struct buddy b;
    void *meta; /* owned; exactly as large as asked for, so that ASan watches the edges */
    uint64_t base, pages;
};

static inline void pool_open_empty(struct pool *p, uint64_t base, uint64_t pages)
{
    uint64_t bytes = buddy_meta_bytes(base, pages * PAGE, SHIFT);

    assert_int_not_equal(bytes, 0);
    p->meta = malloc(bytes);
    p->base = base;
    p->pages = pages;
    assert_non_null(p->meta);
    memset(p->meta, 0xff, bytes); /* buddy_init must not rely on zeroes */
    assert_int_equal(buddy_init(&p->b, "test", base, pages * PAGE, SHIFT, p->meta, bytes), FL_OK);
}

static inline void pool_open(struct pool *p, uint64_t base, uint64_t pages)
{
    pool_open_empty(p, base, pages);
    assert_int_equal(buddy_add(&p->b, base, pages * PAGE), FL_OK);
    assert_true(buddy_check(&p->b));
}

static inline void pool_close(struct pool *p)
{
    assert_true(buddy_check(&p->b));
    assert_int_equal(p->b.stats.free_pages, p->b.stats.total_pages);
    free(p->meta);
}

static inline uint64_t alloc(struct pool *p, uint64_t pages)
{
    struct buddy_request want = {.pages = pages};
    uint64_t addr = 0;

    assert_int_equal(buddy_alloc(&p->b, &want, &addr), FL_OK);
    return addr;
}

static inline enum fl_err alloc_err(struct pool *p, uint64_t pages, uint64_t align, uint64_t min,
                                    uint64_t max)
{
    struct buddy_request want = {.pages = pages, .align = align, .min = min, .max = max};
    uint64_t addr = 0;

    return buddy_alloc(&p->b, &want, &addr);
}

static inline int setup(void **state)
{
    (void)state;
    host_reset();
    return 0;
}
