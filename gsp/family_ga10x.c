/* SPDX-License-Identifier: MIT */
/*
 * GA10x: what its engines want. Source: spec boot.md 2, 3.4, 4, 9; registers.md 4-7, 11, 13
 * (nova-core's GA102 paths, OG570 *_GA102, nouveau ga102.c); readings of real boards in
 * measured.md.
 */
#include "arch/fiber.h"
#include "gsp/family.h"
#include "gsp/gpu.h"

static const struct gsp_wait wait_gfw_mask = {
    .what = "the board's firmware to open its progress register",
    .timeout_us = 4 * US_PER_S,
    .step_us = 100,
    .hint = "the GPU did not start its own firmware: check its power connectors, power-cycle the "
            "machine",
};
static const struct gsp_wait wait_gfw_done = {
    .what = "the board's firmware to finish (devinit)",
    .timeout_us = 4 * US_PER_S,
    .step_us = 100,
    .hint = "a board that stays at this point has a broken or corrupt VBIOS, or broken VRAM",
};
static const struct gsp_wait wait_core_select = {
    .what = "the falcon core to be selected",
    .timeout_us = 10 * US_PER_MS,
    .step_us = 5,
};
static const struct gsp_wait wait_scrub = {
    .what = "the falcon's memory to be scrubbed",
    .timeout_us = 20 * US_PER_MS,
    .step_us = 10,
};
static const struct gsp_wait wait_riscv = {
    .what = "the GSP's RISC-V core to run",
    .timeout_us = 5 * US_PER_S,
    .step_us = 50,
    .hint = "the booter accepted the image but the core does not start: see the log buffer init",
};

#define RESET_READY_US  150u /* OG570, nova: the longest it may take; real GA10x never show it */
#define MSI_REARM_VALUE 0u   /* any write re-arms (OGKM kbifRearmMSI_GM107, nouveau gp100) */

static enum fl_err wait_devinit(struct gsp_gpu *g, struct fl_fail *fail)
{
    const uint32_t mask =
        NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK__READ_PROTECTION_LEVEL0_MASK;
    /* The progress is only readable once the mask allows it. */
    const enum fl_err err =
        gsp_io_poll(&g->io, NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK__OFFSET, mask, mask,
                    &wait_gfw_mask, NULL, fail);

    return err != FL_OK
               ? err
               : gsp_io_poll(&g->io, NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT__OFFSET,
                             NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT__PROGRESS_MASK,
                             NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT__PROGRESS_COMPLETED,
                             &wait_gfw_done, NULL, fail);
}

static uint64_t vram_bytes(struct gsp_gpu *g)
{
    return MIB(NV_USABLE_FB_SIZE_IN_MB__VALUE(REG_READ(&g->io, NV_USABLE_FB_SIZE_IN_MB)));
}

static uint64_t vga_workspace(struct gsp_gpu *g, uint64_t fb_bytes)
{
    if (NV_FUSE_STATUS_OPT_DISPLAY__DISABLED(REG_READ(&g->io, NV_FUSE_STATUS_OPT_DISPLAY))) {
        return gsp_vga_workspace_start(fb_bytes, false, false, 0);
    }
    const struct NV_PDISP_VGA_WORKSPACE_BASE v = REG_READ(&g->io, NV_PDISP_VGA_WORKSPACE_BASE);
    return gsp_vga_workspace_start(fb_bytes, true,
                                   NV_PDISP_VGA_WORKSPACE_BASE__STATUS_VALID(v) != 0,
                                   (uint64_t)NV_PDISP_VGA_WORKSPACE_BASE__ADDR(v) << 16);
}

static void set_flush_page(struct gsp_gpu *g, struct bus_addr page)
{
    const struct NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI hi =
        NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI__with_ADR_63_40(
            (struct NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI){0}, (uint32_t)(page.raw >> 40));

    REG_WRITE(&g->io, NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI,
              hi); /* high first: the low word makes it valid */
    REG_WRITE(&g->io, NV_PFB_NISO_FLUSH_SYSMEM_ADDR,
              (struct NV_PFB_NISO_FLUSH_SYSMEM_ADDR){.raw = (uint32_t)(page.raw >> 8)});
}

static struct gsp_wpr2 wpr2(struct gsp_gpu *g)
{
    const uint32_t hi = REG_READ(&g->io, NV_PFB_PRI_MMU_WPR2_ADDR_HI).raw;

    if (!gsp_wpr2_decode(0, hi).up) {
        return gsp_wpr2_decode(0, hi); /* no need to look at LO */
    }
    return gsp_wpr2_decode(REG_READ(&g->io, NV_PFB_PRI_MMU_WPR2_ADDR_LO).raw, hi);
}

static enum fl_err fuse_register(struct gsp_gpu *g, uint32_t engine_mask, uint32_t ucode_id,
                                 uint32_t *value, struct fl_fail *fail)
{
    static const struct {
        uint32_t engine, offset;
    } groups[] = {
        /* the three arrays have the same shape */
        {GSP_ENGINE_SEC2, NV_FUSE_OPT_FPF_SEC2_UCODE1_VERSION__OFFSET},
        {GSP_ENGINE_NVDEC, NV_FUSE_OPT_FPF_NVDEC_UCODE1_VERSION__OFFSET},
        {GSP_ENGINE_GSP, NV_FUSE_OPT_FPF_GSP_UCODE1_VERSION__OFFSET},
    };

    if (ucode_id < 1 || ucode_id > NV_FUSE_OPT_FPF_GSP_UCODE1_VERSION__COUNT) {
        return FL_FAIL(fail, FL_EBADDATA, "ucode id",
                       "a program names itself ucode %u; fuses exist for 1 to %u",
                       (unsigned)ucode_id, (unsigned)NV_FUSE_OPT_FPF_GSP_UCODE1_VERSION__COUNT);
    }
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        if (engine_mask & groups[i].engine) {
            *value = gsp_io_read(&g->io,
                                 groups[i].offset +
                                     (ucode_id - 1) * NV_FUSE_OPT_FPF_GSP_UCODE1_VERSION__STRIDE);
            return gsp_io_check(&g->io);
        }
    }
    return FL_FAIL(fail, FL_EBADDATA, "engine mask",
                   "a program is for engines 0x%x; known are SEC2, NVDEC and GSP",
                   (unsigned)engine_mask);
}

/* Engine reset. READY before it is asked once and never insisted on: on real boards it stays 0. */
static void reset_engine(struct gsp_gpu *g, const struct gsp_falcon *f)
{
    if (!NV_PFALCON_FALCON_HWCFG2__RESET_READY(
            ENG_READ(&g->io, f->base, NV_PFALCON_FALCON_HWCFG2))) {
        fiber_sleep_us(RESET_READY_US);
    }
    gsp_falcon_reset_pulse(&g->io, f);
}

static enum fl_err falcon_reset(struct gsp_gpu *g, const struct gsp_falcon *f, struct fl_fail *fail)
{
    struct gsp_io *io = &g->io;
    enum fl_err err;

    reset_engine(g, f);
    /* The core must be selected before falcon registers answer (0xbadf5620 until then, measured).
     */
    ENG_WRITE(
        io, f->base, NV_PRISCV_RISCV_BCR_CTRL,
        (struct NV_PRISCV_RISCV_BCR_CTRL){.raw = NV_PRISCV_RISCV_BCR_CTRL__CORE_SELECT_FALCON});
    err = gsp_io_poll(io, f->base + NV_PRISCV_RISCV_BCR_CTRL__OFFSET,
                      NV_PRISCV_RISCV_BCR_CTRL__VALID_MASK, NV_PRISCV_RISCV_BCR_CTRL__VALID_MASK,
                      &wait_core_select, NULL, fail);
    if (err == FL_OK) {
        err = gsp_io_poll(io, f->base + NV_PFALCON_FALCON_HWCFG2__OFFSET,
                          NV_PFALCON_FALCON_HWCFG2__MEM_SCRUBBING_MASK, 0, &wait_scrub, NULL, fail);
    }
    if (err == FL_OK) {
        ENG_WRITE(io, f->base, NV_PFALCON_FALCON_RM,
                  (struct NV_PFALCON_FALCON_RM){.raw = g->boot0});
    }
    return err;
}

static enum fl_err gsp_reset_to_riscv(struct gsp_gpu *g, struct fl_fail *fail)
{
    struct NV_PRISCV_RISCV_BCR_CTRL v = {0};

    (void)fail;
    reset_engine(g, &gsp_falcon_gsp);
    v = NV_PRISCV_RISCV_BCR_CTRL__with_VALID(v, 1);
    v = NV_PRISCV_RISCV_BCR_CTRL__with_CORE_SELECT(v, NV_PRISCV_RISCV_BCR_CTRL__CORE_SELECT_RISCV);
    v = NV_PRISCV_RISCV_BCR_CTRL__with_BRFETCH(v, 1);
    ENG_WRITE(&g->io, NV_PGSP_BASE, NV_PRISCV_RISCV_BCR_CTRL, v);
    return gsp_io_check(&g->io);
}

static enum fl_err wait_riscv_active(struct gsp_gpu *g, struct fl_fail *fail)
{
    return gsp_io_poll(&g->io, NV_PGSP_BASE + NV_PRISCV_RISCV_CPUCTL__OFFSET,
                       NV_PRISCV_RISCV_CPUCTL__ACTIVE_STAT_MASK,
                       NV_PRISCV_RISCV_CPUCTL__ACTIVE_STAT_MASK, &wait_riscv, NULL, fail);
}

static void irq_rearm(struct gsp_gpu *g)
{
    gsp_io_write(&g->io, g->family->pci_mirror_base + NV_PCFG_MSI_REARM__OFFSET, MSI_REARM_VALUE);
}

static void irq_retrigger(struct gsp_gpu *g)
{
    gsp_io_write(&g->io, NV_PGSP_BASE + NV_PFALCON_FALCON_INTR_RETRIGGER__OFFSET,
                 NV_PFALCON_FALCON_INTR_RETRIGGER__with_TRIGGER(
                     (struct NV_PFALCON_FALCON_INTR_RETRIGGER){0}, 1)
                     .raw);
}

const struct gsp_family_ops gsp_family_ops_ga10x = {
    .wait_devinit = wait_devinit,
    .vram_bytes = vram_bytes,
    .vga_workspace = vga_workspace,
    .set_flush_page = set_flush_page,
    .wpr2 = wpr2,
    .fuse_register = fuse_register,
    .falcon_reset = falcon_reset,
    .falcon_load = gsp_falcon_load_dma,
    .gsp_reset_to_riscv = gsp_reset_to_riscv,
    .wait_riscv_active = wait_riscv_active,
    .irq_rearm = irq_rearm,
    .irq_retrigger = irq_retrigger,
};
