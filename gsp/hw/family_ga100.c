/* SPDX-License-Identifier: MIT */
/*
 * GA100: Turing's way of loading, Ampere's registers; no FRTS (the booter makes WPR2 alone), no
 * display, and the top of VRAM may be locked. Source: spec boot.md 3.6, 5; registers.md 5
 * (nova-core hal/ga100.rs, nouveau gsp/ga100.c, OG570 *_GA100).
 */
#include "gsp/hw/falcon.h"
#include "gsp/hw/family_shared.h"
#include "gsp/hw/hw.h"

/* No display to ask about. A lock range, when there is one that the CPU may see, is nobody's
 * (nouveau, OG570; nova does not look). */
static uint64_t vga_workspace(struct gsp_hw *hw, uint64_t fb_bytes)
{
    const uint64_t start = gsp_shared_vga_workspace(hw, fb_bytes, false);
    const struct NV_PFB_PRI_MMU_LOCK_CFG_PRIV_LEVEL_MASK mask =
        REG_READ(&hw->io, NV_PFB_PRI_MMU_LOCK_CFG_PRIV_LEVEL_MASK);

    if (gsp_io_pri_error(mask.raw) != NULL ||
        !NV_PFB_PRI_MMU_LOCK_CFG_PRIV_LEVEL_MASK__READ_PROTECTION_LEVEL0(mask)) {
        return start;
    }
    const struct NV_PFB_PRI_MMU_LOCK_ADDR_LO lo_reg =
        REG_READ(&hw->io, NV_PFB_PRI_MMU_LOCK_ADDR_LO);
    const struct NV_PFB_PRI_MMU_LOCK_ADDR_HI hi_reg =
        REG_READ(&hw->io, NV_PFB_PRI_MMU_LOCK_ADDR_HI);
    const uint64_t lo = (uint64_t)NV_PFB_PRI_MMU_LOCK_ADDR_LO__VAL(lo_reg) << FL_PAGE_SHIFT;
    const uint64_t hi = (uint64_t)NV_PFB_PRI_MMU_LOCK_ADDR_HI__VAL(hi_reg) << FL_PAGE_SHIFT;

    return lo != 0 && hi >= lo ? min_u64(start, lo) : start;
}

const struct gsp_family_ops gsp_family_ops_ga100 = {
    .wait_devinit = gsp_shared_wait_gfw,
    .vram_bytes = gsp_shared_vram_by_range,
    .vga_workspace = vga_workspace,
    .set_flush_page = gsp_shared_flush_page_niso,
    .wpr2 = gsp_shared_wpr2,
    .fuse_register = gsp_shared_no_fuse,
    .falcon_reset = gsp_shared_falcon_reset_tu,
    .falcon_load = gsp_falcon_load_port,
    .gsp_reset_to_riscv = gsp_shared_gsp_reset_tu,
    .wait_riscv_active = gsp_shared_wait_core_switch,
    .riscv_stopped = gsp_shared_core_switch_stopped,
    .irq_rearm = gsp_shared_rearm_by_mirror,
    .irq_retrigger = gsp_shared_retrigger,
};
