/* SPDX-License-Identifier: MIT */
/*
 * GA10x and Ada: what their engines want. Source: spec boot.md 3.4, 4, 9; registers.md 4-7, 11, 13
 * (nova-core's GA102 paths, OG570 *_GA102, nouveau ga102.c); readings of real boards in
 * measured.md.
 */
#include "arch/fiber.h"
#include "gsp/hw/falcon.h"
#include "gsp/hw/family_shared.h"
#include "gsp/hw/hw.h"

static const struct wait wait_core_select = {
    .what = "the falcon core to be selected",
    .timeout_us = 10 * US_PER_MS,
    .step_us = 5,
};
static const struct wait wait_scrub = {
    .what = "the falcon's memory to be scrubbed",
    .timeout_us = 20 * US_PER_MS,
    .step_us = 10,
};

#define RESET_READY_US 150u /* OG570, nova: the longest it may take; real GA10x never show it */

static uint64_t vga_workspace(struct gsp_hw *hw, uint64_t fb_bytes)
{
    const struct NV_FUSE_STATUS_OPT_DISPLAY fuse = REG_READ(&hw->io, NV_FUSE_STATUS_OPT_DISPLAY);

    return gsp_shared_vga_workspace(hw, fb_bytes, !NV_FUSE_STATUS_OPT_DISPLAY__DISABLED(fuse));
}

static enum fl_err fuse_register(struct gsp_hw *hw, uint32_t engine_mask, uint32_t ucode_id,
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
            *value = gsp_io_read(&hw->io,
                                 groups[i].offset +
                                     (ucode_id - 1) * NV_FUSE_OPT_FPF_GSP_UCODE1_VERSION__STRIDE);
            return gsp_io_check(&hw->io);
        }
    }
    return FL_FAIL(fail, FL_EBADDATA, "engine mask",
                   "a program is for engines 0x%x; known are SEC2, NVDEC and GSP",
                   (unsigned)engine_mask);
}

static enum fl_err wait_scrubbed(struct gsp_hw *hw, const struct gsp_falcon *f,
                                 struct fl_fail *fail)
{
    return gsp_io_poll(&hw->io, f->base + NV_PFALCON_FALCON_HWCFG2__OFFSET,
                       NV_PFALCON_FALCON_HWCFG2__MEM_SCRUBBING_MASK, 0, &wait_scrub, NULL, fail);
}

/* Engine reset, up to the end of the scrub: OG570, nouveau, nova and tinygrad touch neither core
 * select nor mailboxes before. READY before it is asked once and never insisted on: on real boards
 * it stays 0. */
static enum fl_err reset_engine(struct gsp_hw *hw, const struct gsp_falcon *f, struct fl_fail *fail)
{
    if (!NV_PFALCON_FALCON_HWCFG2__RESET_READY(
            ENG_READ(&hw->io, f->base, NV_PFALCON_FALCON_HWCFG2))) {
        fiber_sleep_us(RESET_READY_US);
    }
    gsp_falcon_reset_pulse(&hw->io, f);
    return wait_scrubbed(hw, f, fail);
}

static enum fl_err falcon_reset(struct gsp_hw *hw, const struct gsp_falcon *f, struct fl_fail *fail)
{
    struct gsp_io *io = &hw->io;
    enum fl_err err = reset_engine(hw, f, fail);

    if (err != FL_OK) {
        return err;
    }
    /* The core must be selected before falcon registers answer (0xbadf5620 until then, measured).
     */
    ENG_WRITE(
        io, f->base, NV_PRISCV_RISCV_BCR_CTRL,
        (struct NV_PRISCV_RISCV_BCR_CTRL){.raw = NV_PRISCV_RISCV_BCR_CTRL__CORE_SELECT_FALCON});
    err = gsp_io_poll(io, f->base + NV_PRISCV_RISCV_BCR_CTRL__OFFSET,
                      NV_PRISCV_RISCV_BCR_CTRL__VALID_MASK, NV_PRISCV_RISCV_BCR_CTRL__VALID_MASK,
                      &wait_core_select, NULL, fail);
    if (err == FL_OK) { /* once more for the core that is now selected (nouveau, nova) */
        err = wait_scrubbed(hw, f, fail);
    }
    if (err == FL_OK) {
        ENG_WRITE(io, f->base, NV_PFALCON_FALCON_RM,
                  (struct NV_PFALCON_FALCON_RM){.raw = hw->boot0});
    }
    return err;
}

static enum fl_err gsp_reset_to_riscv(struct gsp_hw *hw, struct fl_fail *fail)
{
    struct NV_PRISCV_RISCV_BCR_CTRL v = {0};
    const enum fl_err err = reset_engine(hw, &gsp_falcon_gsp, fail);

    if (err != FL_OK) {
        return err;
    }
    v = NV_PRISCV_RISCV_BCR_CTRL__with_VALID(v, 1);
    v = NV_PRISCV_RISCV_BCR_CTRL__with_CORE_SELECT(v, NV_PRISCV_RISCV_BCR_CTRL__CORE_SELECT_RISCV);
    v = NV_PRISCV_RISCV_BCR_CTRL__with_BRFETCH(v, 1);
    ENG_WRITE(&hw->io, NV_PGSP_BASE, NV_PRISCV_RISCV_BCR_CTRL, v);
    return gsp_io_check(&hw->io);
}

const struct gsp_family_ops gsp_family_ops_ga10x = {
    .wait_devinit = gsp_shared_wait_gfw,
    .vram_bytes = gsp_shared_vram_in_mib,
    .vga_workspace = vga_workspace,
    .set_flush_page = gsp_shared_flush_page_niso,
    .wpr2 = gsp_shared_wpr2,
    .fuse_register = fuse_register,
    .falcon_reset = falcon_reset,
    .falcon_load = gsp_falcon_load_dma,
    .gsp_reset_to_riscv = gsp_reset_to_riscv,
    .wait_riscv_active = gsp_shared_wait_riscv,
    .riscv_stopped = gsp_shared_riscv_stopped,
    .irq_rearm = gsp_shared_rearm_by_mirror,
    .irq_retrigger = gsp_shared_retrigger,
};
