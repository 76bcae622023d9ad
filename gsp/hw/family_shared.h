/* SPDX-License-Identifier: MIT */
/*
 * Operations that several families have in common (family.h says what each does). A family's table
 * names those that fit.
 */
#pragma once

#include "gsp/hw/family.h"

/* Turing to Ada. */
enum fl_err gsp_shared_wait_gfw(struct gsp_hw *hw, struct fl_fail *fail);
struct gsp_wpr2 gsp_shared_wpr2(struct gsp_hw *hw);
void gsp_shared_rearm_by_mirror(struct gsp_hw *hw);
/* Of a chip with or without display; looks where the VBIOS has put it. */
uint64_t gsp_shared_vga_workspace(struct gsp_hw *hw, uint64_t fb_bytes, bool has_display);

/* Turing, GA100. */
uint64_t gsp_shared_vram_by_range(struct gsp_hw *hw);
enum fl_err gsp_shared_no_fuse(struct gsp_hw *hw, uint32_t engine_mask, uint32_t ucode_id,
                               uint32_t *value, struct fl_fail *fail);
enum fl_err gsp_shared_falcon_reset_tu(struct gsp_hw *hw, const struct gsp_falcon *f,
                                       struct fl_fail *fail);
enum fl_err gsp_shared_gsp_reset_tu(struct gsp_hw *hw, struct fl_fail *fail);
enum fl_err gsp_shared_wait_core_switch(struct gsp_hw *hw, struct fl_fail *fail);
bool gsp_shared_core_switch_stopped(struct gsp_hw *hw);

/* GA100, GA10x, Ada. */
void gsp_shared_flush_page_niso(struct gsp_hw *hw, struct bus_addr page);

/* GA10x and later. */
uint64_t gsp_shared_vram_in_mib(struct gsp_hw *hw);
enum fl_err gsp_shared_wait_riscv(struct gsp_hw *hw, struct fl_fail *fail);
bool gsp_shared_riscv_runs(struct gsp_hw *hw);
bool gsp_shared_riscv_stopped(struct gsp_hw *hw);

/* GA100 and later. */
void gsp_shared_retrigger(struct gsp_hw *hw);
