/* SPDX-License-Identifier: MIT */
/* How many tables an operation can need (tables.h). */
#include "mm/gpu/format_priv.h"
#include "mm/gpu/tables.h"

/* Regions of 1 << shift bytes that [va, va + len) touches, resp. covers. */
static uint64_t touched(uint64_t va, uint64_t len, uint32_t shift)
{
    return ((va + len - 1) >> shift) - (va >> shift) + 1;
}
static uint64_t covered(uint64_t va, uint64_t len, uint32_t shift)
{
    const uint64_t first = align_up_u64(va, UINT64_C(1) << shift) >> shift;
    const uint64_t end = (va + len) >> shift;
    return end > first ? end - first : 0;
}

/* Which entries the operation can write as a whole, so that no table below is needed. */
struct plan {
    bool all;           /* any entry: nothing or sparse goes there */
    uint64_t congruent; /* pages as large as the alignment that VA and PA share */
    enum gpu_page largest;
};

static bool whole(const struct gpu_mmu_format *f, const struct plan *p, uint32_t level)
{
    const enum gpu_page page = f->level[level].page;
    return p->all || (page != GPU_PAGE_COUNT && page <= p->largest &&
                      is_aligned_u64(p->congruent, gpu_page_bytes(page)));
}

static struct gpu_table_need count(const struct gpu_mmu_format *f, uint64_t va, uint64_t len,
                                   const struct plan *p)
{
    struct gpu_table_need need = {0};
    const uint32_t pd0 = gpu_level_pd0(f), big = gpu_level_big(f);

    for (uint32_t i = 0; i < pd0; i++) {
        const uint32_t shift = f->level[i].shift;
        need.directories +=
            touched(va, len, shift) - (whole(f, p, i) ? covered(va, len, shift) : 0);
    }
    const uint32_t shift = f->level[pd0].shift, chunk = f->level[big].shift;
    const uint64_t regions = touched(va, len, shift), full = covered(va, len, shift);
    if (!whole(f, p, big)) {
        /* 4K pages only; a page of 2M that is replaced in part leaves pages of 64K. */
        need.tables = regions;
        need.big = regions - full;
    } else {
        /* 4K pages where an end is no multiple of 64K, 64K pages elsewhere. */
        const uint64_t size = UINT64_C(1) << chunk, end = va + len;
        const bool head = !is_aligned_u64(va, size), tail = !is_aligned_u64(end, size);
        need.tables = head && tail ? min_u64(regions, 2) : (uint64_t)(head || tail);
        need.big = regions - (whole(f, p, pd0) ? full : 0);
    }
    need.tables += need.directories;
    return need;
}

struct gpu_table_need gpu_tables_worst(const struct gpu_mmu_format *f, uint64_t va, uint64_t len)
{
    const struct plan small = {.largest = GPU_PAGE_4K};
    struct gpu_table_need need = {0};

    if (gpu_format_range_ok(f, va, len)) {
        need = count(f, va, len, &small);
        need.big = touched(va, len, f->level[gpu_level_pd0(f)].shift);
    }
    return need;
}

struct gpu_table_need gpu_tables_worst_map(const struct gpu_mmu_format *f, uint64_t va, uint64_t pa,
                                           uint64_t len, enum gpu_page largest)
{
    const struct plan plan = {.congruent = va ^ pa, .largest = largest};
    return gpu_format_range_ok(f, va, len) ? count(f, va, len, &plan) : (struct gpu_table_need){0};
}

struct gpu_table_need gpu_tables_worst_unmap(const struct gpu_mmu_format *f, uint64_t va,
                                             uint64_t len)
{
    const struct plan plan = {.all = true};
    return gpu_format_range_ok(f, va, len) ? count(f, va, len, &plan) : (struct gpu_table_need){0};
}
