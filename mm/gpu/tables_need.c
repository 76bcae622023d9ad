/* SPDX-License-Identifier: MIT */
/* How many tables an operation can need (tables.h). */
#include "mm/gpu/tables_priv.h"

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

/* The page tables that [va, va + len) can need. empty: nothing is there that could be split. */
static void count_page_tables(const struct gpu_mmu_format *f, const struct gpu_plan *plan,
                              bool empty, uint64_t va, uint64_t len, struct gpu_table_need *need)
{
    const uint32_t pd0 = gpu_level_pd0(f), big = gpu_level_big(f), shift = f->level[pd0].shift;
    const uint64_t regions = touched(va, len, shift), full = covered(va, len, shift);
    const uint64_t size = UINT64_C(1) << f->level[big].shift, end = va + len;
    const uint64_t from = align_up_u64(va, size), to = align_down_u64(end, size);

    if (!gpu_plan_whole(f, plan, big)) {
        /* 4K pages only; a page of 2M that is replaced in part leaves pages of 64K. */
        need->tables += regions;
        need->big += empty ? 0 : regions - full;
        return;
    }
    /* 4K pages where an end is no multiple of 64K, 64K pages elsewhere. */
    need->tables += from != va && to != end ? min_u64(regions, 2) : (from != va || to != end);
    if (!empty || from < to) {
        need->big += (empty ? touched(from, to - from, shift) : regions) -
                     (gpu_plan_whole(f, plan, pd0) ? full : 0);
    }
}

/* Below entries of `level`. */
static struct gpu_table_need count(const struct gpu_mmu_format *f, const struct gpu_plan *plan,
                                   bool empty, uint32_t level, uint64_t va, uint64_t len)
{
    struct gpu_table_need need = {0};

    for (uint32_t i = level; i < gpu_level_pd0(f); i++) {
        const uint32_t shift = f->level[i].shift;
        need.directories +=
            touched(va, len, shift) - (gpu_plan_whole(f, plan, i) ? covered(va, len, shift) : 0);
    }
    need.tables = need.directories;
    count_page_tables(f, plan, empty, va, len, &need);
    return need;
}

struct gpu_table_need gpu_tables_worst(const struct gpu_mmu_format *f, uint64_t va, uint64_t len)
{
    const struct gpu_plan small = {.largest = GPU_PAGE_4K};
    struct gpu_table_need need = {0};

    if (gpu_format_range_ok(f, va, len)) {
        need = count(f, &small, false, 0, va, len);
        need.big = touched(va, len, f->level[gpu_level_pd0(f)].shift);
    }
    return need;
}

struct gpu_table_need gpu_tables_worst_map(const struct gpu_mmu_format *f, uint64_t va, uint64_t pa,
                                           uint64_t len, enum gpu_page largest)
{
    const struct gpu_plan plan = {.congruent = va ^ pa, .largest = largest};
    return gpu_format_range_ok(f, va, len) ? count(f, &plan, false, 0, va, len)
                                           : (struct gpu_table_need){0};
}

struct gpu_table_need gpu_tables_worst_unmap(const struct gpu_mmu_format *f, uint64_t va,
                                             uint64_t len)
{
    const struct gpu_plan plan = {.all = true};
    return gpu_format_range_ok(f, va, len) ? count(f, &plan, false, 0, va, len)
                                           : (struct gpu_table_need){0};
}

struct gpu_table_need gpu_change_worst(const struct gpu_change *c)
{
    return count(c->t->f, &c->plan, false, 0, c->va, c->end - c->va);
}

/* ---- with the tables that there are ---- */

static void add(struct gpu_table_need *need, const struct gpu_table_need *more)
{
    need->tables += more->tables;
    need->directories += more->directories;
    need->big += more->big;
}

static void missing_pair(const struct gpu_change *c, const struct gpu_table *pd0, uint32_t low,
                         uint64_t lo, uint64_t hi, struct gpu_table_need *need)
{
    const struct gpu_table *big = pd0->child[low], *small = pd0->child[low + 1];
    const struct range chunks = gpu_change_chunks(c, lo, hi);
    const bool something = c->fill || c->sparse;
    const bool split = pd0->word[low] != 0 && big == NULL && hi - lo < GPU_SPAN_2M;
    const bool ends = chunks.size < hi - lo;

    need->big += big == NULL && (split || (something && chunks.size > 0));
    need->tables += small == NULL && ends && (something || split || big != NULL);
}

static void missing_below(const struct gpu_change *c, const struct gpu_table *table, uint64_t lo,
                          uint64_t hi, struct gpu_table_need *need)
{
    const struct gpu_mmu_format *f = c->t->f;
    const uint32_t level = table->level, entry_bits = f->level[level].entry_bits;
    const uint64_t span = UINT64_C(1) << f->level[level].shift;

    for (uint64_t at = lo, next; at < hi; at = next) {
        const uint32_t word = (uint32_t)gpu_level_index(f, level, at) << entry_bits;
        next = min_u64(align_down_u64(at, span) + span, hi);
        if (next - at == span && gpu_plan_whole(f, &c->plan, level) &&
            !gpu_table_adopted_below(table, word, 1u << entry_bits)) {
            continue;
        }
        if (level == gpu_level_pd0(f)) {
            missing_pair(c, table, word, at, next, need);
        } else if (table->child[word] != NULL) {
            missing_below(c, table->child[word], at, next, need);
        } else if (table->word[word] != 0 || c->fill || c->sparse) {
            const struct gpu_table_need below =
                count(f, &c->plan, table->word[word] == 0, level, at, next - at);
            add(need, &below);
        }
    }
}

struct gpu_table_need gpu_change_missing(const struct gpu_change *c, const struct gpu_table *from)
{
    struct gpu_table_need need = {0};

    missing_below(c, from, c->va, c->end, &need);
    return need;
}
