/* SPDX-License-Identifier: MIT */
/* Many VAs at once: dumps as runs, and the comparison of shadow and memory (walk.h). */
#include "mm/gpu/walk.h"
#include "mm/gpu/walk_priv.h"

static bool same_attrs(const struct gpu_pte_attrs *a, const struct gpu_pte_attrs *b)
{
    return a->aperture == b->aperture && a->volatile_ == b->volatile_ &&
           a->read_only == b->read_only && a->privileged == b->privileged &&
           a->no_atomics == b->no_atomics && a->no_access_counting == b->no_access_counting &&
           a->kind == b->kind && a->peer == b->peer;
}

/* Whether `next`, which begins where `run` ends, goes on with it. */
static bool goes_on(const struct gpu_run *run, const struct gpu_run *next)
{
    if (run->len == 0 || run->va + run->len != next->va || run->end != next->end) {
        return false;
    }
    return run->end != GPU_WALK_MAPPED ||
           (run->page == next->page && run->pa + run->len == next->pa &&
            same_attrs(&run->attrs, &next->attrs));
}

static enum fl_err range(const struct walk_source *s, uint64_t va, uint64_t len, uint64_t budget,
                         gpu_run_fn *fn, void *ctx, struct fl_fail *fail)
{
    struct gpu_run run = {0};
    struct gpu_walk w;

    if (!gpu_format_range_ok(s->f, va, len)) {
        return FL_FAIL(fail, FL_EINVAL, "page tables",
                       "VA 0x%llx, 0x%llx bytes: not pages of 4 KiB inside of %u bits",
                       (unsigned long long)va, (unsigned long long)len, s->f->va_bits);
    }
    const uint64_t stop = va + len;
    for (uint64_t at = va; at < stop; at += w.left) {
        if (budget-- == 0) {
            return FL_FAIL(fail, FL_ENOSPC, "page tables",
                           "too many entries: the dump ends at VA 0x%llx", (unsigned long long)at);
        }
        enum fl_err err = gpu_walk_from(s, at, &w, fail);
        if (err != FL_OK) {
            return err;
        }
        const struct gpu_run next = {.va = at,
                                     .len = min_u64(w.left, stop - at),
                                     .end = w.end,
                                     .page = w.page,
                                     .pa = w.pa,
                                     .attrs = w.attrs};
        if (goes_on(&run, &next)) {
            run.len += next.len;
            continue;
        }
        if (run.len != 0 && run.end != GPU_WALK_UNMAPPED && !fn(ctx, &run)) {
            return FL_OK;
        }
        run = next;
    }
    if (run.end != GPU_WALK_UNMAPPED) {
        (void)fn(ctx, &run);
    }
    return FL_OK;
}

enum fl_err gpu_walk_range(const struct gpu_mem *mem, const struct gpu_mmu_format *f, uint64_t root,
                           uint64_t va, uint64_t len, uint64_t budget, gpu_run_fn *fn, void *ctx,
                           struct fl_fail *fail)
{
    struct walk_cache cache[GPU_WALK_LEVELS] = {0};
    const struct walk_source s = {.f = f, .mem = mem, .root_addr = root, .cache = cache};

    if (!is_aligned_u64(root, GPU_TABLE_BYTES) ||
        !range_ok(root, GPU_TABLE_BYTES, mem->vram_bytes)) {
        return FL_FAIL(fail, FL_EINVAL, "page tables",
                       "the root at 0x%llx is misaligned or outside of video memory",
                       (unsigned long long)root);
    }
    return range(&s, va, len, budget, fn, ctx, fail);
}

enum fl_err gpu_tables_walk_range(const struct gpu_tables *t, uint64_t va, uint64_t len,
                                  uint64_t budget, gpu_run_fn *fn, void *ctx, struct fl_fail *fail)
{
    const struct walk_source s = {
        .f = t->f, .mem = &t->mem, .root = t->root, .root_addr = t->root->addr};

    return range(&s, va, len, budget, fn, ctx, fail);
}

/* ---- shadow against memory ---- */

static enum fl_err differs(const struct gpu_tables *t, const struct gpu_table *table, uint64_t va,
                           uint32_t word, uint64_t seen, struct fl_fail *fail)
{
    const struct gpu_level *kind = &t->f->level[table->level];
    const uint64_t index = word >> kind->entry_bits;

    return FL_FAIL_MORE(fail, FL_EBADDATA, "page tables",
                        (FL_SAW(seen, table->word[word], 0),
                         .hint = "somebody else writes there, or a write was lost"),
                        "%s at 0x%llx, entry %llu (VA 0x%llx): memory has 0x%llx, the shadow "
                        "0x%llx",
                        kind->name, (unsigned long long)table->addr, (unsigned long long)index,
                        (unsigned long long)(va + (index << kind->shift)), (unsigned long long)seen,
                        (unsigned long long)table->word[word]);
}

/* Foreign tables may say in other words that nothing is there; the shadow has ours for it. */
static bool same_nothing(const struct gpu_tables *t, const struct gpu_table *table, uint32_t word,
                         uint64_t seen)
{
    const uint64_t shadow = table->word[word];

    if (!table->adopted) {
        return false;
    }
    if (table->child != NULL) {
        const bool high = table->level == gpu_level_pd0(t->f) && word % 2 == 1;
        const struct gpu_pde pde = high ? t->f->decode_small(seen) : t->f->decode_big(seen);
        return shadow == 0 && pde.is == GPU_PDE_INVALID;
    }
    const struct gpu_pte pte = t->f->decode_pte(seen);
    if (pte.is == GPU_PTE_NO_4K && table->level == gpu_level_big(t->f)) {
        return shadow == t->f->no_4k;
    }
    return shadow == 0 && (pte.is == GPU_PTE_INVALID || pte.is == GPU_PTE_NO_4K);
}

/* table: its first entry stands for va. */
static enum fl_err compare(const struct gpu_tables *t, const struct gpu_table *table, uint64_t va,
                           struct fl_fail *fail)
{
    const struct gpu_level *kind = &t->f->level[table->level];
    enum fl_err err = FL_OK;

    for (uint32_t first = 0; first < table->words && err == FL_OK; first += WALK_CACHE_WORDS) {
        uint64_t seen[WALK_CACHE_WORDS];
        const uint32_t n = (uint32_t)min_u64(table->words - first, WALK_CACHE_WORDS);
        err = t->mem.ops->read(t->mem.ctx, table->addr + (uint64_t)first * GPU_ENTRY_BYTES, seen,
                               (uint64_t)n * GPU_ENTRY_BYTES, fail);
        for (uint32_t i = 0; i < n && err == FL_OK; i++) {
            if (seen[i] != table->word[first + i] && !same_nothing(t, table, first + i, seen[i])) {
                err = differs(t, table, va, first + i, seen[i], fail);
            }
        }
    }
    for (uint32_t i = 0; table->child != NULL && i < table->words && err == FL_OK; i++) {
        if (table->child[i] != NULL) {
            const uint64_t at = (uint64_t)(i >> kind->entry_bits) << kind->shift;
            err = compare(t, table->child[i], va + at, fail);
        }
    }
    return err;
}

enum fl_err gpu_tables_compare(const struct gpu_tables *t, struct fl_fail *fail)
{
    return compare(t, t->root, 0, fail);
}
