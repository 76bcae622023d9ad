/* SPDX-License-Identifier: MIT */
/* What is remembered of the walks through page tables until it is invalidated. */
#pragma once

#include "tests/model/memory/mmu.h"

enum { TLB_ENTRIES = 4096 };
struct tlb_entry {
    uint64_t page, root; /* page: address >> 12 */
    struct mmu_page to;  /* of the page's first byte */
    bool root_sysmem, used;
};
/* What an invalidate is about. */
struct tlb_scope {
    bool all; /* every directory, else this root */
    uint64_t root;
    bool sysmem;
    uint32_t level; /* 0: all of it, 1: page entries only, 2: PD0 as well, ... */
};
/* A root that some address space has or had. */
struct tlb_root {
    uint64_t root;
    bool sysmem;
    bool graphics; /* the graphics engine uses it: it has translations outside the hub */
};
enum { TLB_ROOTS = 256 };
struct tlb_state {
    struct tlb_entry entry[TLB_ENTRIES];
    struct tlb_root bound[TLB_ROOTS];
    uint32_t bound_count; /* TLB_ROOTS: there may be more, nothing is said of unknown ones */
    uint32_t pdb, upper_pdb, invalidate; /* the registers, as last written */
    bool busy;                           /* a command is under way */
    struct tlb_scope running;            /* what it is about */
    uint64_t nobodys;                    /* the root that the last one named, if nobody has it */
};
#define TLB_ALL_ROOTS UINT64_MAX
/* Where va is for a client of the MMU: as it was when last used, until invalidated. A difference
 * breaks a rule. */
enum mmu_result model_tlb_translate(struct gpu_model *m, const struct page_dir *dir, uint64_t va,
                                    struct mmu_page *out);
/* The GSP sees to a root itself. */
void model_tlb_invalidate(struct gpu_model *m, uint64_t root);
/* A driver has asked for it. Where a directory has changed and the scope leaves it out, what was
 * remembered stays, and a rule is broken. */
void model_tlb_forget(struct gpu_model *m, const struct tlb_scope *s);
/* An address space has this root now. */
void model_tlb_bound(struct gpu_model *m, const struct page_dir *dir, bool graphics);
/* NULL: no address space had it since the last reset. */
const struct tlb_root *model_tlb_find_root(const struct gpu_model *m, uint64_t root, bool sysmem);
/* False where that can be said: no address space had a root with these address bits. */
bool model_tlb_may_know(const struct gpu_model *m, uint64_t root, uint64_t bits);
