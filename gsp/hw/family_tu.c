/* SPDX-License-Identifier: MIT */
/*
 * Turing: programs go in by port, FWSEC through a small loader of its own, and the booter switches
 * the GSP to its RISC-V core. Source: spec boot.md 3.6, 4, 9; registers.md 5, 7, 11 (nova-core
 * hal/tu102.rs, nouveau tu102.c, OG570 *_TU102).
 */
#include "gsp/hw/falcon.h"
#include "gsp/hw/family_shared.h"
#include "gsp/hw/hw.h"

static uint64_t vga_workspace(struct gsp_hw *hw, uint64_t fb_bytes)
{
    const struct NV_FUSE_STATUS_OPT_DISPLAY_TU fuse =
        REG_READ(&hw->io, NV_FUSE_STATUS_OPT_DISPLAY_TU);

    return gsp_shared_vga_workspace(hw, fb_bytes, !NV_FUSE_STATUS_OPT_DISPLAY_TU__DISABLED(fuse));
}

/* Only the low register exists: the page lies below 2^40 (family.c). */
static void set_flush_page(struct gsp_hw *hw, struct bus_addr page)
{
    REG_WRITE(&hw->io, NV_PFB_NISO_FLUSH_SYSMEM_ADDR,
              (struct NV_PFB_NISO_FLUSH_SYSMEM_ADDR){.raw = (uint32_t)(page.raw >> 8)});
}

const struct gsp_family_ops gsp_family_ops_tu = {
    .wait_devinit = gsp_shared_wait_gfw,
    .vram_bytes = gsp_shared_vram_by_range,
    .vga_workspace = vga_workspace,
    .set_flush_page = set_flush_page,
    .wpr2 = gsp_shared_wpr2,
    .fuse_register = gsp_shared_no_fuse,
    .falcon_reset = gsp_shared_falcon_reset_tu,
    .falcon_load = gsp_falcon_load_port,
    .gsp_reset_to_riscv = gsp_shared_gsp_reset_tu,
    .wait_riscv_active = gsp_shared_wait_core_switch,
    .riscv_stopped = gsp_shared_core_switch_stopped,
    .irq_rearm = gsp_shared_rearm_by_mirror,
};
