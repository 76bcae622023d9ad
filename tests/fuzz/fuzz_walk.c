/* SPDX-License-Identifier: MIT */
/*
 * Page tables of whoever wrote them. Input: a byte that picks the format, eight for a VA, then the
 * words of a small video memory whose first page is the root; what is not given is zero. A walk
 * reads inside of that memory only and shows no more levels than the format has; a dump gives runs
 * in order and ends within its budget; adopting the tables gives a shadow that equals memory, whose
 * walk ends where the other does, and a map and an unmap beside what is foreign leave no trace.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mm/gpu/tables.h"
#include "mm/gpu/walk.h"

enum { HEADER = 9, PAGES = 16, BUDGET = 500 };
#define BYTES ((uint64_t)PAGES * FL_PAGE_SIZE)
#define ROOM  (BYTES / 2) /* the upper half is where our own tables go */

static uint8_t *memory;
static uint64_t used;
static struct fl_fail failed;

static void must(bool true_always)
{
    if (!true_always) {
        abort();
    }
}

static enum fl_err mem_read(void *ctx, uint64_t addr, void *buf, uint64_t len, struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    must(len > 0 && range_ok(addr, len, BYTES));
    memcpy(buf, memory + addr, len);
    return FL_OK;
}
static enum fl_err mem_write(void *ctx, uint64_t addr, const void *buf, uint64_t len,
                             struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    must(len > 0 && range_ok(addr, len, BYTES));
    memcpy(memory + addr, buf, len);
    return FL_OK;
}
static enum fl_err mem_flush(void *ctx, struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    return FL_OK;
}
static enum fl_err mem_invalidate(void *ctx, uint64_t root, bool sysmem, bool hub_only,
                                  struct fl_fail *fail)
{
    (void)ctx;
    (void)sysmem;
    (void)fail;
    must(root == 0x1000 && hub_only);
    return FL_OK;
}
static const struct gpu_mem_ops ops = {mem_read, mem_write, mem_flush, mem_invalidate};
static const struct gpu_mem mem = {&ops, NULL, BYTES};

static enum fl_err take(void *ctx, uint64_t bytes, uint64_t align, uint64_t *addr)
{
    (void)ctx;
    (void)align;
    if (used == BYTES) {
        return FL_ENOMEM;
    }
    *addr = used;
    used += bytes;
    return FL_OK;
}
static void give(void *ctx, uint64_t addr, uint64_t bytes)
{
    (void)ctx;
    must(addr >= ROOM && range_ok(addr, bytes, BYTES));
}

struct order {
    uint64_t at, end; /* nothing begins below at */
    uint32_t runs;
};

static bool in_order(void *ctx, const struct gpu_run *run)
{
    struct order *o = ctx;
    must(run->len > 0 && run->va >= o->at && run->va + run->len <= o->end);
    must(run->end != GPU_WALK_UNMAPPED);
    o->at = run->va + run->len;
    o->runs++;
    return o->runs < BUDGET / 2;
}

static void dump(const struct gpu_mmu_format *f, uint64_t va)
{
    const uint64_t size = gpu_format_va_size(f), from = align_down_u64(va, FL_PAGE_SIZE);
    struct order o = {.at = from, .end = size};
    const enum fl_err err =
        gpu_walk_range(&mem, f, 0x1000, from, size - from, BUDGET, in_order, &o, &failed);
    must(err == FL_OK || err == FL_ENOSPC);
}

static void adopt(const struct gpu_mmu_format *f, uint64_t va, const struct gpu_walk *walk)
{
    const struct gpu_table_source source = {take, give, NULL};
    const struct gpu_pte_attrs attrs = {0};
    struct gpu_table_pool pool = {0};
    struct gpu_tables *t = NULL;
    struct gpu_walk mine;

    used = ROOM;
    if (gpu_tables_create(&mem, f, &source, 0x1000, true, &t, &failed) != FL_OK) {
        return;
    }
    must(gpu_tables_compare(t, &failed) == FL_OK);
    must(gpu_tables_walk(t, va, &mine, &failed) == FL_OK);
    /* Tables that cannot be followed are the same fault in other words. */
    must(mine.end == walk->end && (mine.end != GPU_WALK_MAPPED || mine.pa == walk->pa));
    const uint64_t page = align_down_u64(va, FL_PAGE_SIZE);
    if (gpu_tables_prepare(t, page, FL_PAGE_SIZE, &pool, &failed) == FL_OK) {
        const enum fl_err err =
            gpu_tables_map(t, &pool, page, 0x3000, FL_PAGE_SIZE, GPU_PAGE_4K, &attrs, &failed);
        must(err == FL_OK || err == FL_EBUSY);
        must(gpu_tables_compare(t, &failed) == FL_OK);
        must(gpu_walk(&mem, f, 0x1000, va, &mine, &failed) == FL_OK);
        must(err == FL_OK ? mine.end == GPU_WALK_MAPPED && mine.pa == 0x3000 + va - page
                          : mine.end == walk->end);
        must(gpu_tables_commit(t, &failed) == FL_OK);
    }
    gpu_tables_release(t, &pool);
    gpu_tables_destroy(t);
    must(gpu_walk(&mem, f, 0x1000, va, &mine, &failed) == FL_OK);
    must(mine.end == walk->end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gpu_mmu_format *const formats[] = {&gpu_mmu_v2_turing, &gpu_mmu_v2,
                                                           &gpu_mmu_v3, &gpu_mmu_v3_blackwell};
    struct gpu_walk w;

    if (size < HEADER) {
        return 0;
    }
    const struct gpu_mmu_format *f = formats[data[0] % ARRAY_SIZE(formats)];
    const uint64_t va = get_le64(data + 1) & (gpu_format_va_size(f) - 1);
    memory = calloc(1, BYTES);
    if (memory == NULL) {
        return 0;
    }
    memcpy(memory + 0x1000, data + HEADER, min_u64(size - HEADER, ROOM - 0x1000));
    must(gpu_walk(&mem, f, 0x1000, va, &w, &failed) == FL_OK);
    must(w.levels > 0 && w.levels <= GPU_WALK_LEVELS && w.left > 0);
    must(w.end == GPU_WALK_MAPPED ? w.reason[0] == '\0' && w.page < GPU_PAGE_COUNT
                                  : w.reason[0] != '\0');
    dump(f, va);
    adopt(f, va, &w);
    fl_fail_clear(&failed);
    free(memory);
    return 0;
}
