/* SPDX-License-Identifier: MIT */
/*
 * The GPU's memory of page tables: what the tables said when an address was last used is kept until
 * it is invalidated. Source: open-gpu-kernel-modules 570.144 kern_gmmu_tu102.c, kern_gmmu_gb100.c
 * and dev_vm.h; nouveau nvkm/subdev/mmu/vmmtu102.c.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_hw;

void gsp_tlb_init(struct gsp_hw *hw);

/* Everything below this root directory is forgotten when it returns FL_OK. root: its address,
 * 4 KiB aligned. hub_only: an address space of a BAR, which only the hub uses. Yields: FL_ETIMEDOUT
 * after 2 s, FL_ELINKLOST. */
FL_MUST_CHECK enum fl_err gsp_tlb_invalidate(struct gsp_hw *hw, uint64_t root, bool root_in_sysmem,
                                             bool hub_only, struct fl_fail *fail);
