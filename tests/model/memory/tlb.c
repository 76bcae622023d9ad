/* SPDX-License-Identifier: MIT */
/*
 * Remembered translations (mmu.md 10). One that was used stays until it is invalidated, whatever
 * the tables say meanwhile, or until another one needs its place: a GPU may keep it as long, and a
 * driver may not count on either. What is not mapped is not remembered. All clients that the model
 * has (BARs, host, copy engines) share one.
 */
#include "tests/model/memory/tlb.h"

#include "arch/base.h"
#include "tests/model/books/strict.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/mmu.h"

#define SPREAD 0x9e3779b1u /* 2^32 over the golden ratio */

static struct tlb_entry *place(struct gpu_model *m, const struct page_dir *dir, uint64_t page)
{
    const uint32_t key = (uint32_t)(page ^ page >> 20 ^ dir->root >> FL_PAGE_SHIFT);
    return &m->tlb->entry[key * SPREAD % TLB_ENTRIES];
}

static bool is_for(const struct tlb_entry *e, const struct page_dir *dir, uint64_t page)
{
    return e->used && e->page == page && e->root == dir->root && e->root_sysmem == dir->sysmem;
}

/* Both of the same address. */
static bool same(const struct mmu_page *a, const struct mmu_page *b)
{
    return a->sparse == b->sparse && a->read_only == b->read_only &&
           (a->sparse || (a->addr == b->addr && a->sysmem == b->sysmem));
}

static bool covers(const struct tlb_scope *s, const struct tlb_entry *e)
{
    return s->all || (s->root == e->root && s->sysmem == e->root_sysmem);
}

enum mmu_result model_tlb_translate(struct gpu_model *m, const struct page_dir *dir, uint64_t va,
                                    struct mmu_page *out)
{
    const uint64_t page = va >> FL_PAGE_SHIFT, in = va & (FL_PAGE_SIZE - 1);
    struct tlb_entry *e = place(m, dir, page);
    const enum mmu_result r = model_mmu_walk(m, dir, va, out);
    if (!is_for(e, dir, page)) {
        if (r == MMU_MAPPED) {
            *e = (struct tlb_entry){.used = true,
                                    .page = page,
                                    .root = dir->root,
                                    .root_sysmem = dir->sysmem,
                                    .to = *out};
            e->to.addr -= in;
        }
        return r;
    }
    struct mmu_page old = e->to;
    old.addr += in;
    old.left = FL_PAGE_SIZE - in; /* what lies behind is another entry's */
    if (r == MMU_MAPPED && same(&old, out)) {
        return r;
    }
    if (m->tlb->nobodys != 0) {
        model_rule_broken(m, RULE_MMU_INVALIDATE_PDB,
                          "the last invalidate named the directory 0x%llx, which no address space "
                          "has; address 0x%llx below the directory 0x%llx is remembered still",
                          (unsigned long long)m->tlb->nobodys, (unsigned long long)va,
                          (unsigned long long)dir->root);
    }
    const bool under_way = m->tlb->busy && covers(&m->tlb->running, e);
    model_rule_broken(m, under_way ? RULE_MMU_INVALIDATE_UNAWAITED : RULE_MMU_STALE,
                      "address 0x%llx below the directory 0x%llx was used with 0x%llx%s, which the "
                      "tables no longer say: they say %s0x%llx",
                      (unsigned long long)va, (unsigned long long)dir->root,
                      (unsigned long long)old.addr, old.sysmem ? " on the bus" : "",
                      r == MMU_MAPPED ? "" : "fault type ",
                      r == MMU_MAPPED ? (unsigned long long)out->addr : (unsigned long long)r);
    *out = old;
    return MMU_MAPPED;
}

void model_tlb_invalidate(struct gpu_model *m, uint64_t root)
{
    for (size_t i = 0; i < TLB_ENTRIES; i++) {
        if (root == TLB_ALL_ROOTS || m->tlb->entry[i].root == root) {
            m->tlb->entry[i].used = false;
        }
    }
}

/* Whether a directory that the scope leaves out says something else by now. */
static bool left_out(struct gpu_model *m, const struct tlb_scope *s, const struct tlb_entry *e)
{
    const struct page_dir dir = {.root = e->root, .sysmem = e->root_sysmem, .valid = true};
    const uint64_t va = e->page << FL_PAGE_SHIFT;
    struct mmu_page now;
    if (s->level == 0) {
        return false;
    }
    (void)model_mmu_walk(m, &dir, va, &now);
    for (uint32_t i = s->level - 1; i < MMU_DIRS; i++) {
        if (now.dirs[i] != e->to.dirs[i]) {
            model_rule_broken(m, RULE_MMU_INVALIDATE_SCOPE,
                              "an invalidate with CACHE_LEVEL %u leaves PD%u out, whose entry for "
                              "address 0x%llx below 0x%llx has changed",
                              s->level, i, (unsigned long long)va, (unsigned long long)e->root);
            return true;
        }
    }
    return false;
}

void model_tlb_forget(struct gpu_model *m, const struct tlb_scope *s)
{
    for (size_t i = 0; i < TLB_ENTRIES; i++) {
        struct tlb_entry *e = &m->tlb->entry[i];
        if (e->used && covers(s, e) && !left_out(m, s, e)) {
            e->used = false;
        }
    }
}

/* ---- roots ---- */

void model_tlb_bound(struct gpu_model *m, const struct page_dir *dir, bool graphics)
{
    struct tlb_state *t = m->tlb;
    uint32_t i = 0;
    while (i < t->bound_count &&
           (t->bound[i].root != dir->root || t->bound[i].sysmem != dir->sysmem)) {
        i++;
    }
    if (i == TLB_ROOTS) {
        return;
    }
    if (i == t->bound_count) {
        t->bound[t->bound_count++] = (struct tlb_root){.root = dir->root, .sysmem = dir->sysmem};
    }
    t->bound[i].graphics = t->bound[i].graphics || graphics;
}

const struct tlb_root *model_tlb_find_root(const struct gpu_model *m, uint64_t root, bool sysmem)
{
    for (uint32_t i = 0; i < m->tlb->bound_count; i++) {
        if (m->tlb->bound[i].root == root && m->tlb->bound[i].sysmem == sysmem) {
            return &m->tlb->bound[i];
        }
    }
    return NULL;
}

bool model_tlb_may_know(const struct gpu_model *m, uint64_t root, uint64_t bits)
{
    for (uint32_t i = 0; i < m->tlb->bound_count; i++) {
        if (((m->tlb->bound[i].root ^ root) & bits) == 0) {
            return true;
        }
    }
    return false;
}
