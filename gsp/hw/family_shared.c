/* SPDX-License-Identifier: MIT */
/*
 * Operations that several families share (family_shared.h). Source: spec boot.md 2, 4, 9.3;
 * registers.md 4, 5, 7 (nova-core hal/{tu102,ga100,ga102}.rs, nouveau tu102.c and ga100.c, OG570
 * *_TU102, *_GA100, *_GA102); readings of real boards in measured.md.
 */
#include "gsp/hw/family_shared.h"

#include "gsp/hw/falcon.h"
#include "gsp/hw/hw.h"

#define MSI_REARM_VALUE 0u /* any write re-arms (OGKM kbifRearmMSI_GM107, nouveau gp100) */

/* With ECC a sixteenth of VRAM holds the check bits (nova, nouveau, OG570). */
enum { ECC_PARTS = 16, ECC_USABLE = 15 };

static const struct wait wait_gfw_mask = {
    .what = "the board's firmware to open its progress register",
    .timeout_us = 4 * US_PER_S,
    .step_us = 100,
    .hint = "the GPU did not start its own firmware: check its power connectors, power-cycle the "
            "machine",
};
static const struct wait wait_gfw_done = {
    .what = "the board's firmware to finish (devinit)",
    .timeout_us = 4 * US_PER_S,
    .step_us = 100,
    .hint = "a board that stays at this point has a broken or corrupt VBIOS, or broken VRAM",
};
static const struct wait wait_scrub = {
    .what = "the falcon's memory to be scrubbed",
    .timeout_us = 10 * US_PER_MS,
    .step_us = 10,
};
static const struct wait wait_riscv = {
    .what = "the GSP's RISC-V core to run",
    .timeout_us = 5 * US_PER_S,
    .step_us = 50,
    .hint = "the booter accepted the image but the core does not start: see the log buffer init",
};

enum fl_err gsp_shared_wait_gfw(struct gsp_hw *hw, struct fl_fail *fail)
{
    const uint32_t mask =
        NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK__READ_PROTECTION_LEVEL0_MASK;
    /* The progress is only readable once the mask allows it. Every level may read: what boards show
     * (measured.md 3). */
    const enum fl_err err = gsp_io_poll_program_mask(
        &hw->io, NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK__OFFSET, mask, &wait_gfw_mask,
        fail);

    return FL_THEN(
        err, gsp_io_poll_program(&hw->io, NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT__OFFSET,
                                 NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT__PROGRESS_MASK,
                                 NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT__PROGRESS_COMPLETED,
                                 &wait_gfw_done, fail));
}

uint64_t gsp_shared_vram_in_mib(struct gsp_hw *hw)
{
    return MIB(NV_USABLE_FB_SIZE_IN_MB__VALUE(REG_READ(&hw->io, NV_USABLE_FB_SIZE_IN_MB)));
}

uint64_t gsp_shared_vram_by_range(struct gsp_hw *hw)
{
    const struct NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE v =
        REG_READ(&hw->io, NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE);
    const uint64_t bytes = MIB((uint64_t)NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE__LOWER_MAG(v)
                               << NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE__LOWER_SCALE(v));

    if (gsp_io_no_value(v.raw)) {
        return 0; /* no size: refused by the layout, with these words' value on record */
    }
    return NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE__ECC_MODE(v) ? bytes / ECC_PARTS * ECC_USABLE : bytes;
}

uint64_t gsp_shared_vga_workspace(struct gsp_hw *hw, uint64_t fb_bytes, bool has_display)
{
    if (!has_display) {
        return gsp_vga_workspace_start(fb_bytes, false, false, 0);
    }
    const struct NV_PDISP_VGA_WORKSPACE_BASE v = REG_READ(&hw->io, NV_PDISP_VGA_WORKSPACE_BASE);
    return gsp_vga_workspace_start(fb_bytes, true,
                                   NV_PDISP_VGA_WORKSPACE_BASE__STATUS_VALID(v) != 0,
                                   (uint64_t)NV_PDISP_VGA_WORKSPACE_BASE__ADDR(v) << 16);
}

void gsp_shared_flush_page_niso(struct gsp_hw *hw, struct bus_addr page)
{
    const struct NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI hi =
        NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI__with_ADR_63_40(
            (struct NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI){0}, (uint32_t)(page.raw >> 40));

    REG_WRITE(&hw->io, NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI,
              hi); /* high first: the low word makes it valid */
    REG_WRITE(&hw->io, NV_PFB_NISO_FLUSH_SYSMEM_ADDR,
              (struct NV_PFB_NISO_FLUSH_SYSMEM_ADDR){.raw = (uint32_t)(page.raw >> 8)});
}

struct gsp_wpr2 gsp_shared_wpr2(struct gsp_hw *hw)
{
    const uint32_t hi = REG_READ(&hw->io, NV_PFB_PRI_MMU_WPR2_ADDR_HI).raw;

    if (!gsp_wpr2_decode(0, hi).up) {
        return gsp_wpr2_decode(0, hi); /* no need to look at LO */
    }
    return gsp_wpr2_decode(REG_READ(&hw->io, NV_PFB_PRI_MMU_WPR2_ADDR_LO).raw, hi);
}

/* Turing has no such fuses; GA100's are not looked at (nova, nouveau): each file has one signature.
 */
enum fl_err gsp_shared_no_fuse(struct gsp_hw *hw, uint32_t engine_mask, uint32_t ucode_id,
                               uint32_t *value, struct fl_fail *fail)
{
    (void)hw;
    (void)engine_mask;
    (void)ucode_id;
    (void)fail;
    *value = 0;
    return FL_OK;
}

enum fl_err gsp_shared_falcon_reset_tu(struct gsp_hw *hw, const struct gsp_falcon *f,
                                       struct fl_fail *fail)
{
    const uint32_t scrubbing = NV_PFALCON_FALCON_DMACTL__DMEM_SCRUBBING_MASK |
                               NV_PFALCON_FALCON_DMACTL__IMEM_SCRUBBING_MASK;

    gsp_falcon_reset_pulse(&hw->io, f);
    const enum fl_err err = gsp_io_poll(&hw->io, f->base + NV_PFALCON_FALCON_DMACTL__OFFSET,
                                        scrubbing, 0, &wait_scrub, NULL, fail);
    if (err == FL_OK) {
        ENG_WRITE(&hw->io, f->base, NV_PFALCON_FALCON_RM,
                  (struct NV_PFALCON_FALCON_RM){.raw = hw->boot0});
    }
    return err;
}

/* The booter switches the core, not we: a whole reset with its wait and FALCON_RM, as OG570 does.
 */
enum fl_err gsp_shared_gsp_reset_tu(struct gsp_hw *hw, struct fl_fail *fail)
{
    const enum fl_err err = gsp_shared_falcon_reset_tu(hw, &gsp_falcon_gsp, fail);

    return FL_THEN(err, gsp_io_check(&hw->io));
}

enum fl_err gsp_shared_wait_core_switch(struct gsp_hw *hw, struct fl_fail *fail)
{
    return gsp_io_poll_program(
        &hw->io, NV_PGSP_BASE + NV_PRISCV_RISCV_CORE_SWITCH_RISCV_STATUS__OFFSET,
        NV_PRISCV_RISCV_CORE_SWITCH_RISCV_STATUS__ACTIVE_STAT_MASK,
        NV_PRISCV_RISCV_CORE_SWITCH_RISCV_STATUS__ACTIVE_STAT_MASK, &wait_riscv, fail);
}

enum fl_err gsp_shared_wait_riscv(struct gsp_hw *hw, struct fl_fail *fail)
{
    return gsp_io_poll_program(&hw->io, NV_PGSP_BASE + NV_PRISCV_RISCV_CPUCTL__OFFSET,
                               NV_PRISCV_RISCV_CPUCTL__ACTIVE_STAT_MASK,
                               NV_PRISCV_RISCV_CPUCTL__ACTIVE_STAT_MASK, &wait_riscv, fail);
}

bool gsp_shared_core_switch_stopped(struct gsp_hw *hw)
{
    const struct NV_PRISCV_RISCV_CORE_SWITCH_RISCV_STATUS v =
        ENG_READ(&hw->io, NV_PGSP_BASE, NV_PRISCV_RISCV_CORE_SWITCH_RISCV_STATUS);

    return !gsp_io_no_value(v.raw) && !NV_PRISCV_RISCV_CORE_SWITCH_RISCV_STATUS__ACTIVE_STAT(v);
}

/* Path B: before a boot it must not. */
bool gsp_shared_riscv_runs(struct gsp_hw *hw)
{
    const struct NV_PRISCV_RISCV_CPUCTL v = ENG_READ(&hw->io, NV_PGSP_BASE, NV_PRISCV_RISCV_CPUCTL);

    return !gsp_io_no_value(v.raw) && NV_PRISCV_RISCV_CPUCTL__ACTIVE_STAT(v) &&
           !NV_PRISCV_RISCV_CPUCTL__HALTED(v);
}

bool gsp_shared_riscv_stopped(struct gsp_hw *hw)
{
    const struct NV_PRISCV_RISCV_CPUCTL v = ENG_READ(&hw->io, NV_PGSP_BASE, NV_PRISCV_RISCV_CPUCTL);

    return !gsp_io_no_value(v.raw) && !NV_PRISCV_RISCV_CPUCTL__ACTIVE_STAT(v);
}

void gsp_shared_rearm_by_mirror(struct gsp_hw *hw)
{
    gsp_io_write(&hw->io, hw->family->pci_mirror_base + NV_PCFG_MSI_REARM__OFFSET, MSI_REARM_VALUE);
}

void gsp_shared_retrigger(struct gsp_hw *hw)
{
    gsp_io_write(&hw->io, NV_PGSP_BASE + NV_PFALCON_FALCON_INTR_RETRIGGER__OFFSET,
                 NV_PFALCON_FALCON_INTR_RETRIGGER__with_TRIGGER(
                     (struct NV_PFALCON_FALCON_INTR_RETRIGGER){0}, 1)
                     .raw);
}
