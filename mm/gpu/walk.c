/* SPDX-License-Identifier: MIT */
/* One VA through the tables (walk.h). Source of the order of looks in PD0: nouveau vmmgp100.c,
 * nvidia-uvm: a 64K entry that is not plainly invalid hides the 4K entries below it. */
#include "mm/gpu/walk.h"

#include <string.h>

#include "arch/text.h"
#include "mm/gpu/walk_priv.h"

/* A table on the way. */
struct table {
    uint64_t addr;
    bool sysmem;
    const struct gpu_table *node; /* shadow; NULL there: a foreign table that was not read */
};

struct walker {
    const struct walk_source *s;
    struct gpu_walk *out;
    uint64_t va;
    struct fl_fail *fail;
};

static void end(struct walker *w, uint32_t level, enum gpu_walk_end how)
{
    const uint64_t span = UINT64_C(1) << w->s->f->level[level].shift;

    w->out->end = how;
    w->out->left = span - (w->va & (span - 1));
}

static void end_with(struct walker *w, uint32_t level, enum gpu_walk_end how, const char *fmt, ...)
    FL_PRINTF(4, 5);
static void end_with(struct walker *w, uint32_t level, enum gpu_walk_end how, const char *fmt, ...)
{
    struct text t = text_on(w->out->reason, sizeof(w->out->reason));
    va_list args;

    end(w, level, how);
    text_fmt(&t, "%s: ", w->s->f->level[level].name);
    va_start(args, fmt);
    text_vfmt(&t, fmt, args);
    va_end(args);
}

static enum fl_err read_cached(const struct walk_source *s, uint32_t level, uint64_t table,
                               uint64_t at, uint64_t *words, uint32_t n, struct fl_fail *fail)
{
    struct walk_cache *c = &s->cache[level];
    /* No further than the table, or video memory, goes. */
    const uint64_t table_end = table + (uint64_t)gpu_level_words(s->f, level) * GPU_ENTRY_BYTES;
    const uint64_t base = align_down_u64(at, sizeof(c->word));
    const uint64_t bytes = min_u64(min_u64(table_end, s->mem->vram_bytes) - base, sizeof(c->word));

    if (!c->filled || c->addr != base) {
        c->filled = false;
        enum fl_err err = s->mem->ops->read(s->mem->ctx, base, c->word, bytes, fail);
        if (err != FL_OK) {
            return err;
        }
        c->filled = true;
        c->addr = base;
    }
    memcpy(words, &c->word[(at - base) / GPU_ENTRY_BYTES], n * sizeof(*words));
    return FL_OK;
}

/* The entry of `level` into *shown; *got is false, and the walk at its end, when the table cannot
 * be read. */
static enum fl_err fetch(struct walker *w, uint32_t level, const struct table *table,
                         const struct gpu_walk_level **shown, bool *got)
{
    const struct walk_source *s = w->s;
    const struct gpu_level *kind = &s->f->level[level];
    const uint32_t words = 1u << kind->entry_bits, bytes = words * GPU_ENTRY_BYTES;
    struct gpu_walk_level *l = &w->out->level[w->out->levels];

    *got = false;
    *l = (struct gpu_walk_level){.name = kind->name, .table = table->addr};
    l->index = gpu_level_index(s->f, level, w->va);
    l->entry_at = table->addr + l->index * bytes;
    w->out->levels++;
    *shown = l;
    if (table->sysmem) {
        end_with(w, level, GPU_WALK_FAULT, "the table at 0x%llx is in system memory",
                 (unsigned long long)table->addr);
        return FL_OK;
    }
    if (!range_ok(table->addr, gpu_level_words(s->f, level) * GPU_ENTRY_BYTES,
                  s->mem->vram_bytes)) {
        end_with(w, level, GPU_WALK_FAULT, "the table at 0x%llx is outside of video memory",
                 (unsigned long long)table->addr);
        return FL_OK;
    }
    if (s->root != NULL) {
        if (table->node == NULL) {
            end_with(w, level, GPU_WALK_FAULT, "the table at 0x%llx is somebody else's",
                     (unsigned long long)table->addr);
            return FL_OK;
        }
        memcpy(l->entry, &table->node->word[l->index * words], bytes);
        *got = true;
        return FL_OK;
    }
    enum fl_err err =
        s->cache != NULL ? read_cached(s, level, table->addr, l->entry_at, l->entry, words, w->fail)
                         : s->mem->ops->read(s->mem->ctx, l->entry_at, l->entry, bytes, w->fail);
    *got = err == FL_OK;
    return err;
}

/* The walk ends with this PTE. */
static void leaf(struct walker *w, uint32_t level, uint64_t entry)
{
    const struct walk_source *s = w->s;
    const struct gpu_pte pte = s->f->decode_pte(entry);
    const enum gpu_page page = s->f->level[level].page;
    const uint64_t size = gpu_page_bytes(page);

    switch (pte.is) {
    case GPU_PTE_SPARSE:
        end_with(w, level, GPU_WALK_SPARSE, "sparse");
        return;
    case GPU_PTE_INVALID:
    case GPU_PTE_NO_4K:
    case GPU_PTE_NOWHERE:
        end_with(w, level, GPU_WALK_UNMAPPED, "entry 0x%llx is not valid",
                 (unsigned long long)entry);
        return;
    case GPU_PTE_PAGE:
        break;
    }
    if (!is_aligned_u64(pte.addr, size)) {
        end_with(w, level, GPU_WALK_FAULT, "a page of %s at 0x%llx", gpu_page_name(page),
                 (unsigned long long)pte.addr);
    } else if (pte.attrs.kind >= GPU_KIND_COUNT || pte.attrs.kind == GPU_KIND_INVALID) {
        end_with(w, level, GPU_WALK_FAULT, "page kind 0x%x does not exist", pte.attrs.kind);
    } else if (pte.attrs.aperture == GPU_VIDMEM && !range_ok(pte.addr, size, s->mem->vram_bytes)) {
        end_with(w, level, GPU_WALK_FAULT, "the page at 0x%llx is outside of video memory",
                 (unsigned long long)pte.addr);
    } else {
        end(w, level, GPU_WALK_MAPPED);
        w->out->page = page;
        w->out->pa = pte.addr + (w->va & (size - 1));
        w->out->attrs = pte.attrs;
    }
}

static struct table below(const struct table *table, const struct gpu_pde *pde, uint64_t word)
{
    return (struct table){.addr = pde->addr,
                          .sysmem = pde->sysmem,
                          .node = table->node != NULL ? table->node->child[word] : NULL};
}

/* PD0: a 2M page, or the tables of 64K and of 4K pages. */
static enum fl_err walk_pair(struct walker *w, const struct table *pd0,
                             const struct gpu_walk_level *entry)
{
    const struct gpu_mmu_format *f = w->s->f;
    const uint32_t level = gpu_level_pd0(f);
    const struct gpu_pde big = f->decode_big(entry->entry[0]);
    const struct gpu_pde small = f->decode_small(entry->entry[1]);
    const struct gpu_walk_level *l = NULL;
    bool got = false;

    if (big.is == GPU_PDE_PAGE) {
        leaf(w, level, entry->entry[0]);
        return FL_OK;
    }
    if (big.is == GPU_PDE_SPARSE) {
        end_with(w, level, GPU_WALK_SPARSE, "sparse");
        return FL_OK;
    }
    if (big.is == GPU_PDE_TABLE) {
        const struct table table = below(pd0, &big, entry->index * 2);
        enum fl_err err = fetch(w, gpu_level_big(f), &table, &l, &got);
        if (err != FL_OK || !got) {
            return err;
        }
        if (f->decode_pte(l->entry[0]).is != GPU_PTE_INVALID || small.is != GPU_PDE_TABLE) {
            leaf(w, gpu_level_big(f), l->entry[0]);
            return FL_OK;
        }
    }
    if (small.is == GPU_PDE_TABLE) {
        const struct table table = below(pd0, &small, entry->index * 2 + 1);
        enum fl_err err = fetch(w, gpu_level_small(f), &table, &l, &got);
        if (err == FL_OK && got) {
            leaf(w, gpu_level_small(f), l->entry[0]);
        }
        return err;
    }
    end_with(w, level, GPU_WALK_UNMAPPED, "entry 0x%llx, 0x%llx names no table",
             (unsigned long long)entry->entry[0], (unsigned long long)entry->entry[1]);
    return FL_OK;
}

enum fl_err gpu_walk_from(const struct walk_source *s, uint64_t va, struct gpu_walk *out,
                          struct fl_fail *fail)
{
    struct walker w = {s, out, va, fail};
    struct table table = {.addr = s->root_addr, .node = s->root};

    *out = (struct gpu_walk){.page = GPU_PAGE_COUNT};
    for (uint32_t level = 0;; level++) {
        const struct gpu_walk_level *l = NULL;
        bool got = false;
        enum fl_err err = fetch(&w, level, &table, &l, &got);
        if (err != FL_OK || !got) {
            return err;
        }
        if (level == gpu_level_pd0(s->f)) {
            return walk_pair(&w, &table, l);
        }
        const struct gpu_pde pde = s->f->decode_pde(l->entry[0]);
        switch (pde.is) {
        case GPU_PDE_TABLE:
            table = below(&table, &pde, l->index);
            continue;
        case GPU_PDE_PAGE:
            if (s->f->level[level].page != GPU_PAGE_COUNT) {
                leaf(&w, level, l->entry[0]);
            } else {
                end_with(&w, level, GPU_WALK_FAULT, "entry 0x%llx is a page, which cannot be here",
                         (unsigned long long)l->entry[0]);
            }
            return FL_OK;
        case GPU_PDE_SPARSE:
            end_with(&w, level, GPU_WALK_SPARSE, "sparse");
            return FL_OK;
        case GPU_PDE_INVALID:
            end_with(&w, level, GPU_WALK_UNMAPPED, "entry 0x%llx names no table",
                     (unsigned long long)l->entry[0]);
            return FL_OK;
        }
    }
}

static enum fl_err outside(const struct gpu_mmu_format *f, uint64_t va, struct fl_fail *fail)
{
    return FL_FAIL(fail, FL_EINVAL, "page tables", "VA 0x%llx is beyond %u bits",
                   (unsigned long long)va, f->va_bits);
}

enum fl_err gpu_walk(const struct gpu_mem *mem, const struct gpu_mmu_format *f, uint64_t root,
                     uint64_t va, struct gpu_walk *out, struct fl_fail *fail)
{
    const struct walk_source s = {.f = f, .mem = mem, .root_addr = root};

    if (va >= gpu_format_va_size(f)) {
        return outside(f, va, fail);
    }
    if (!is_aligned_u64(root, GPU_TABLE_BYTES) ||
        !range_ok(root, GPU_TABLE_BYTES, mem->vram_bytes)) {
        return FL_FAIL(fail, FL_EINVAL, "page tables",
                       "the root at 0x%llx is misaligned or outside of video memory",
                       (unsigned long long)root);
    }
    return gpu_walk_from(&s, va, out, fail);
}

enum fl_err gpu_tables_walk(const struct gpu_tables *t, uint64_t va, struct gpu_walk *out,
                            struct fl_fail *fail)
{
    const struct walk_source s = {
        .f = t->f, .mem = &t->mem, .root = t->root, .root_addr = t->root->addr};

    return va < gpu_format_va_size(t->f) ? gpu_walk_from(&s, va, out, fail)
                                         : outside(t->f, va, fail);
}
