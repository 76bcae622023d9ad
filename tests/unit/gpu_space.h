/* SPDX-License-Identifier: MIT */
/*
 * An address space on plain memory, for the tests of mm/gpu/: what a GPU's memory holds, a source
 * of table pages, and a record of what was written, flushed and invalidated.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fail_point.h"
#include "arch/host/host.h"
#include "mm/gpu/tables.h"
#include "mm/gpu/walk.h"

/* Tables lie in [SPACE_TABLES, + SPACE_TABLE_BYTES), above 4 GiB so that high bits matter. */
#define SPACE_TABLES      UINT64_C(0x100000000)
#define SPACE_TABLE_BYTES MIB(64)
#define SPACE_PAGES       (SPACE_TABLE_BYTES / FL_PAGE_SIZE)
#define SPACE_VRAM        (UINT64_C(1) << 37)

struct space {
    uint8_t *memory; /* of the tables */
    uint8_t taken[SPACE_PAGES];
    uint32_t live, next; /* pages taken */
    struct gpu_mem mem;
    struct gpu_table_source source;
    struct gpu_tables *t;
    struct gpu_table_pool pool;
    struct fl_fail fail;
    uint64_t fail_write_at; /* the n-th write from now fails; 0: none */
    uint64_t fail_read_at, fail_flush_at, fail_invalidate_at;
    uint32_t writes, flushes, invalidates;
};

static inline void *space_at(const struct space *s, uint64_t addr, uint64_t len)
{
    assert_true(addr >= SPACE_TABLES && range_ok(addr - SPACE_TABLES, len, SPACE_TABLE_BYTES));
    return s->memory + (addr - SPACE_TABLES);
}

static inline bool space_fails(uint64_t *at) { return *at != 0 && --*at == 0; }

static inline enum fl_err space_read(void *ctx, uint64_t addr, void *buf, uint64_t len,
                                     struct fl_fail *fail)
{
    if (space_fails(&((struct space *)ctx)->fail_read_at)) {
        return FL_FAIL(fail, FL_ELINKLOST, "memory", "gone");
    }
    memcpy(buf, space_at(ctx, addr, len), len);
    return FL_OK;
}

static inline enum fl_err space_write(void *ctx, uint64_t addr, const void *buf, uint64_t len,
                                      struct fl_fail *fail)
{
    struct space *s = ctx;
    if (space_fails(&s->fail_write_at)) {
        return FL_FAIL(fail, FL_ELINKLOST, "memory", "gone");
    }
    s->writes++;
    memcpy(space_at(s, addr, len), buf, len);
    return FL_OK;
}

static inline enum fl_err space_flush(void *ctx, struct fl_fail *fail)
{
    struct space *s = ctx;
    if (space_fails(&s->fail_flush_at)) {
        return FL_FAIL(fail, FL_ELINKLOST, "memory", "gone");
    }
    s->flushes++;
    return FL_OK;
}

static inline enum fl_err space_invalidate(void *ctx, uint64_t root, bool sysmem, bool hub_only,
                                           struct fl_fail *fail)
{
    struct space *s = ctx;
    (void)hub_only;
    assert_false(sysmem);
    assert_int_equal(root, gpu_tables_root(s->t));
    if (space_fails(&s->fail_invalidate_at)) {
        return FL_FAIL(fail, FL_ELINKLOST, "memory", "gone");
    }
    s->invalidates++;
    return FL_OK;
}

static inline enum fl_err space_alloc(void *ctx, uint64_t bytes, uint64_t align, uint64_t *addr)
{
    struct space *s = ctx;
    assert_true(bytes == FL_PAGE_SIZE && align == FL_PAGE_SIZE);
    if (fail_point_alloc()) {
        return FL_ENOMEM;
    }
    for (uint32_t n = 0; n < SPACE_PAGES; n++) {
        const uint32_t i = (s->next + n) % SPACE_PAGES;
        if (!s->taken[i]) {
            s->taken[i] = 1;
            s->live++;
            s->next = i + 1;
            *addr = SPACE_TABLES + (uint64_t)i * FL_PAGE_SIZE;
            memset(space_at(s, *addr, bytes), 0xa5, bytes); /* nobody may rely on zeros */
            return FL_OK;
        }
    }
    return FL_ENOMEM;
}

static inline void space_free(void *ctx, uint64_t addr, uint64_t bytes)
{
    struct space *s = ctx;
    const uint64_t i = (addr - SPACE_TABLES) / FL_PAGE_SIZE;
    assert_int_equal(bytes, FL_PAGE_SIZE);
    assert_true(i < SPACE_PAGES && s->taken[i]);
    s->taken[i] = 0;
    s->live--;
    memset(space_at(s, addr, bytes), 0x5a, bytes);
}

static const struct gpu_mem_ops space_ops = {space_read, space_write, space_flush,
                                             space_invalidate};

static inline void space_open(struct space *s, const struct gpu_mmu_format *f)
{
    *s = (struct space){.memory = malloc(SPACE_TABLE_BYTES)};
    assert_non_null(s->memory);
    s->mem = (struct gpu_mem){&space_ops, s, SPACE_VRAM};
    s->source = (struct gpu_table_source){space_alloc, space_free, s};
    assert_int_equal(gpu_tables_create(&s->mem, f, &s->source, 0, false, &s->t, &s->fail), FL_OK);
}

static inline void space_close(struct space *s)
{
    gpu_tables_release(s->t, &s->pool);
    gpu_tables_destroy(s->t);
    assert_int_equal(s->live, 0);
    free(s->memory);
}

static inline void must_be(enum fl_err err, enum fl_err want, struct fl_fail *fail)
{
    char line[FL_FAIL_LINE_MAX];
    if (err != want) {
        (void)fl_fail_format(fail, line, sizeof(line));
        fail_msg("%s instead of %s: %s", fl_err_name(err), fl_err_name(want), line);
    }
    fl_fail_clear(fail);
}

/* The three parts of a change in one. */
static inline void space_map(struct space *s, uint64_t va, uint64_t pa, uint64_t len,
                             enum gpu_page largest, const struct gpu_pte_attrs *attrs)
{
    must_be(gpu_tables_prepare(s->t, va, len, &s->pool, &s->fail), FL_OK, &s->fail);
    must_be(gpu_tables_map(s->t, &s->pool, va, pa, len, largest, attrs, &s->fail), FL_OK, &s->fail);
    must_be(gpu_tables_commit(s->t, &s->fail), FL_OK, &s->fail);
    gpu_tables_release(s->t, &s->pool);
}

static inline void space_unmap(struct space *s, uint64_t va, uint64_t len, bool sparse)
{
    must_be(gpu_tables_prepare(s->t, va, len, &s->pool, &s->fail), FL_OK, &s->fail);
    must_be(gpu_tables_unmap(s->t, &s->pool, va, len, sparse, &s->fail), FL_OK, &s->fail);
    must_be(gpu_tables_commit(s->t, &s->fail), FL_OK, &s->fail);
    gpu_tables_release(s->t, &s->pool);
}

static inline uint64_t space_word(const struct space *s, uint64_t addr)
{
    return get_le64(space_at(s, addr, 8));
}
