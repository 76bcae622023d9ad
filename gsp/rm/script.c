/* SPDX-License-Identifier: MIT */
/* A GPU as the CPU sequencer sees it (script.h, rpc/sequencer.h). */
#include "gsp/rm/script.h"

#include "arch/clock.h"
#include "arch/fiber.h"
#include "gsp/gpu.h"
#include "gsp/hw/falcon.h"

#define SEC2_HANDOFF_TIMEOUT_US (2 * US_PER_S)

static uint32_t seq_read(void *ctx, uint32_t off)
{
    return gsp_io_read(&((struct gsp_gpu *)ctx)->hw.io, off);
}
static void seq_write(void *ctx, uint32_t off, uint32_t value)
{
    gsp_io_write(&((struct gsp_gpu *)ctx)->hw.io, off, value);
}

static enum fl_err seq_poll(void *ctx, uint32_t off, uint32_t mask, uint32_t value,
                            uint64_t timeout_us, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    const struct wait w = {
        .what = "a register of the GSP's script", .timeout_us = timeout_us, .step_us = 1};

    return gsp_io_poll_program(&g->hw.io, off, mask, value, &w, fail);
}

static void seq_delay(void *ctx, uint32_t us)
{
    struct gsp_io *io = &((struct gsp_gpu *)ctx)->hw.io;
    const uint64_t start_us = clock_now_us();

    fiber_sleep_us(us);
    io->program_us += clock_now_us() - start_us;
}

static enum fl_err seq_core_reset(void *ctx, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    const enum fl_err err = g->hw.family->ops->falcon_reset(&g->hw, &gsp_falcon_gsp, fail);

    if (err == FL_OK) {
        gsp_falcon_allow_physical(&g->hw.io, &gsp_falcon_gsp);
    }
    return err;
}

static enum fl_err seq_core_start(void *ctx, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;

    (void)fail;
    gsp_falcon_start(&g->hw.io, &gsp_falcon_gsp);
    return gsp_io_check(&g->hw.io);
}

static enum fl_err seq_core_wait_for_halt(void *ctx, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;

    return gsp_falcon_wait_halted(&g->hw.io, &gsp_falcon_gsp,
                                  "the script's program on the GSP falcon", fail);
}

/* Back to the RISC-V core, with SEC2's help: the booter, still loaded, continues. */
static enum fl_err seq_core_resume(void *ctx, struct fl_fail *fail)
{
    static const struct wait handoff = {
        .what = "SEC2 to hand the GSP over",
        .timeout_us = SEC2_HANDOFF_TIMEOUT_US,
        .step_us = 100,
    };
    struct gsp_gpu *g = ctx;
    struct gsp_io *io = &g->hw.io;
    enum fl_err err = g->hw.family->ops->gsp_reset_to_riscv(&g->hw, fail);

    if (err != FL_OK) {
        return err;
    }
    gsp_falcon_set_mailboxes(io, &gsp_falcon_gsp, g->mem.libos_args.bus.raw);
    gsp_falcon_start(io, &gsp_falcon_sec2);
    err = gsp_io_poll_program(io, NV_PGC6_BSI_SECURE_SCRATCH_14__OFFSET,
                              NV_PGC6_BSI_SECURE_SCRATCH_14__BOOT_STAGE_3_HANDOFF_MASK,
                              NV_PGC6_BSI_SECURE_SCRATCH_14__BOOT_STAGE_3_HANDOFF_MASK, &handoff,
                              fail);
    if (err != FL_OK) {
        return err;
    }
    const uint32_t mailbox = ENG_READ(io, NV_PSEC_BASE, NV_PFALCON_FALCON_MAILBOX0).raw;
    if (mailbox != 0) {
        return FL_FAIL_MORE(fail, FL_EIO, "CORE_RESUME", (FL_SAW(mailbox, 0, 0)),
                            "SEC2 reports 0x%08x on resuming the GSP, expected 0",
                            (unsigned)mailbox);
    }
    ENG_WRITE(io, NV_PGSP_BASE, NV_PFALCON_FALCON_OS,
              (struct NV_PFALCON_FALCON_OS){.raw = g->fw.bootloader.app_version});
    return g->hw.family->ops->wait_riscv_active(&g->hw, fail);
}

const struct gsp_seq_ops gsp_gpu_seq_ops = {
    .read = seq_read,
    .write = seq_write,
    .poll = seq_poll,
    .delay_us = seq_delay,
    .core_reset = seq_core_reset,
    .core_start = seq_core_start,
    .core_wait_for_halt = seq_core_wait_for_halt,
    .core_resume = seq_core_resume,
};
