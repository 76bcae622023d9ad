/* SPDX-License-Identifier: MIT */
/* Rules on what a driver writes into page tables, looked at when a walk meets it. */
#pragma once

#include "tests/model/memory/mmu_entry.h"

/* An entry of a table is about to be read at addr. */
void model_mmu_check_table(struct gpu_model *m, const struct mmu_table *t, uint64_t addr,
                           const char *level);
void model_mmu_check_pde(struct gpu_model *m, const struct mmu_table *t, uint64_t e,
                         enum mmu_pde_kind kind, const char *level);
/* A dual entry whose low half is a page. */
void model_mmu_check_dual(struct gpu_model *m, const uint64_t e[2], const struct mmu_entry *at);
/* A valid page of 1 << shift bytes, used at byte `in`. */
void model_mmu_check_pte(struct gpu_model *m, const struct mmu_pte *p, uint32_t shift, uint64_t in,
                         const struct mmu_entry *at);
/* An instance block that a BAR is bound to. */
void model_mmu_check_instance(struct gpu_model *m, uint64_t inst, bool sysmem);
