/* SPDX-License-Identifier: MIT */
/*
 * Hopper and Blackwell: started through the FSP (fmc.h). The three families differ in where the FSP
 * shows that it is up and in the registers of the flush page. Source: spec boot.md 11, registers.md
 * 5, 8; interrupts.md 5 (nova hal/gh100.rs, gb100.rs, gb202.rs; nouveau gh100.c, gb100.c, gb202.c;
 * OG570 *_GH100, *_GB100, *_GB202).
 */
#include "gsp/hw/family_shared.h"
#include "gsp/hw/fsp.h"
#include "gsp/hw/hw.h"

/* OG570's constant; the region is placed by the firmware, this is only what it leaves. */
#define VGA_WORKSPACE KIB(128)

static uint64_t vga_workspace(struct gsp_hw *hw, uint64_t fb_bytes)
{
    (void)hw;
    return fb_bytes > VGA_WORKSPACE ? fb_bytes - VGA_WORKSPACE : 0;
}

static enum fl_err wait_fsp(struct gsp_hw *hw, struct fl_fail *fail)
{
    return gsp_fsp_wait_boot(hw, NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE__OFFSET, fail);
}

/* The block moved; and NV_PGC6's GFW progress is always 0 here (measured.md 3). */
static enum fl_err wait_fsp_gb20x(struct gsp_hw *hw, struct fl_fail *fail)
{
    return gsp_fsp_wait_boot(hw, NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE_GB20X__OFFSET, fail);
}

/* Bit 0: on; bit 1: open for tools, which means nothing by itself. Source: spec vgpu-mig.md 7
 * (OG570, gpu-admin-tools), which says "invalid" of Hopper's 2; of Blackwell's that is a guess. */
static enum gsp_cc_mode cc_of(uint32_t raw, uint32_t bits)
{
    static const enum gsp_cc_mode modes[] = {GSP_CC_OFF, GSP_CC_ON, GSP_CC_INVALID,
                                             GSP_CC_DEVTOOLS};
    return gsp_io_no_value(raw) ? GSP_CC_UNKNOWN : modes[bits];
}

static struct gsp_cc cc_gh100(struct gsp_hw *hw)
{
    const struct NV_PGC6_AON_SECURE_SCRATCH_GROUP_20 v =
        REG_READ(&hw->io, NV_PGC6_AON_SECURE_SCRATCH_GROUP_20);
    const enum gsp_cc_mode mode = cc_of(v.raw, NV_PGC6_AON_SECURE_SCRATCH_GROUP_20__CC_MODE(v));

    return (struct gsp_cc){
        .mode = mode,
        .protected_pcie =
            mode != GSP_CC_UNKNOWN && NV_PGC6_AON_SECURE_SCRATCH_GROUP_20__PPCIE_MODE(v) == 1,
        .raw = v.raw,
    };
}

static struct gsp_cc cc_blackwell(struct gsp_hw *hw)
{
    const struct NV_PMC_SCRATCH_RESET_2_CC v = REG_READ(&hw->io, NV_PMC_SCRATCH_RESET_2_CC);
    const enum gsp_cc_mode mode = cc_of(v.raw, NV_PMC_SCRATCH_RESET_2_CC__CC_MODE(v));

    return (struct gsp_cc){
        .mode = mode,
        .bar0_firewall = mode != GSP_CC_UNKNOWN && NV_PMC_SCRATCH_RESET_2_CC__BAR0_FIREWALL(v) != 0,
        .raw = v.raw,
    };
}

/* A pair of registers with the address as it is, high word first. */
static void put_address(struct gsp_hw *hw, uint32_t lo, uint32_t hi, struct bus_addr page)
{
    gsp_io_write(&hw->io, hi, (uint32_t)(page.raw >> 32));
    gsp_io_write(&hw->io, lo, (uint32_t)page.raw);
}

/* As OG570 does. nouveau writes the same two registers with address >> 8, nova writes the pair of
 * the families before (0x100c10, 0x100c40): at most one of the three can be right, and no reading
 * of a board is published. A wrong page shows as lost system-memory flushes, not as a failed boot.
 */
static void flush_page_gh100(struct gsp_hw *hw, struct bus_addr page)
{
    put_address(hw, NV_PFB_FBHUB_PCIE_FLUSH_SYSMEM_ADDR_LO__OFFSET,
                NV_PFB_FBHUB_PCIE_FLUSH_SYSMEM_ADDR_HI__OFFSET, page);
}

/* Two pairs that must agree. */
static void flush_page_gb10x(struct gsp_hw *hw, struct bus_addr page)
{
    put_address(hw, NV_PFB_HSHUB0_PCIE_FLUSH_SYSMEM_ADDR_LO__OFFSET,
                NV_PFB_HSHUB0_PCIE_FLUSH_SYSMEM_ADDR_HI__OFFSET, page);
    put_address(hw, NV_PFB_HSHUB0_EG_PCIE_FLUSH_SYSMEM_ADDR_LO__OFFSET,
                NV_PFB_HSHUB0_EG_PCIE_FLUSH_SYSMEM_ADDR_HI__OFFSET, page);
}

static void flush_page_gb20x(struct gsp_hw *hw, struct bus_addr page)
{
    put_address(hw, NV_PFB_FBHUB0_PCIE_FLUSH_SYSMEM_ADDR_LO__OFFSET,
                NV_PFB_FBHUB0_PCIE_FLUSH_SYSMEM_ADDR_HI__OFFSET, page);
}

/* What all three have. */
#define FSP_OPS(boot_complete, cc, flush_page)                                                     \
    {                                                                                              \
        .wait_devinit = (boot_complete),                                                           \
        .cc_mode = (cc),                                                                           \
        .vram_bytes = gsp_shared_vram_in_mib,                                                      \
        .vga_workspace = vga_workspace,                                                            \
        .set_flush_page = (flush_page),                                                            \
        .wait_riscv_active = gsp_shared_wait_riscv,                                                \
        .riscv_stopped = gsp_shared_riscv_stopped,                                                 \
        .riscv_runs = gsp_shared_riscv_runs,                                                       \
        .irq_retrigger = gsp_shared_retrigger,                                                     \
    }

const struct gsp_family_ops gsp_family_ops_gh100 = FSP_OPS(wait_fsp, cc_gh100, flush_page_gh100);
const struct gsp_family_ops gsp_family_ops_gb10x =
    FSP_OPS(wait_fsp, cc_blackwell, flush_page_gb10x);
const struct gsp_family_ops gsp_family_ops_gb20x =
    FSP_OPS(wait_fsp_gb20x, cc_blackwell, flush_page_gb20x);
