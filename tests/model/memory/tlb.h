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
struct tlb_state {
    struct tlb_entry entry[TLB_ENTRIES];
    uint32_t pdb, upper_pdb, invalidate; /* the registers, as last written */
    bool busy;                           /* a command is under way */
    uint64_t busy_root;                  /* what it is about */
};
#define TLB_ALL_ROOTS UINT64_MAX
/* Where va is for a client of the MMU: as it was when last used, until invalidated. A difference
 * breaks a rule. */
enum mmu_result model_tlb_translate(struct gpu_model *m, const struct page_dir *dir, uint64_t va,
                                    struct mmu_page *out);
void model_tlb_invalidate(struct gpu_model *m, uint64_t root);
