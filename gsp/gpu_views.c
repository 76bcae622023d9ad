/* SPDX-License-Identifier: MIT */
/* A GPU as the RPC layer and the CPU sequencer see it (rpc.h, sequencer.h, gpu.h). */
#include "arch/clock.h"
#include "gsp/gpu.h"

#define PING_PERIOD_US     (250 * US_PER_MS) /* of the link, while a wait looks at memory only */
#define IDLE_STEP_FIRST_US 100u              /* without interrupts, or before the first one */
#define IDLE_STEP_MAX_US   1000u
#define IDLE_STEP_LIVE_US                                                                          \
    (10 * US_PER_MS) /* with interrupts: a lost one costs no more than this                        \
                      */

/* ---- the RPC layer's view ---- */

static enum fl_err idle(void *ctx, uint32_t round, struct deadline d, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    uint64_t step = (uint64_t)IDLE_STEP_FIRST_US << (round < 4 ? round : 4);

    step = g->intr.live ? IDLE_STEP_LIVE_US : min_u64(step, IDLE_STEP_MAX_US);
    struct deadline until = deadline_in_us(step);
    until.at_us = min_u64(until.at_us, d.at_us);
    if (gsp_intr_wait(g, until) == FL_ETIMEDOUT && g->intr.live &&
        gsp_queue_pending(&g->rpc.queue)) {
        g->intr.missed++;
    }
    if (!g->io.lost &&
        (g->intr.halts != g->halts_seen || clock_now_us() - g->last_ping_us >= PING_PERIOD_US)) {
        g->last_ping_us = clock_now_us();
        g->halts_seen = g->intr.halts;
        if (gsp_io_ping(&g->io) == FL_OK) {
            return gsp_gpu_check_core(g, fail);
        }
    }
    if (g->io.lost) {
        return FL_FAIL(fail, FL_ELINKLOST, "NV_PMC_BOOT_0",
                       "link lost: the device no longer answers");
    }
    return FL_OK;
}

static enum fl_err on_event(void *ctx, const struct gsp_msg *m, struct deadline until,
                            struct fl_fail *fail)
{
    return gsp_event_handle(ctx, m, until, fail);
}

static void trace(void *ctx, bool sent, uint32_t function, uint32_t bytes, uint32_t result)
{
    struct gsp_gpu *g = ctx;
    const struct gsp_event_info *e =
        function >= GSP_RPC_FIRST_EVENT ? gsp_event_find(g->layout->version, function) : NULL;

    gsp_recorder_add(&g->rec, sent ? GSP_REC_SEND : GSP_REC_RECV, function,
                     (uint64_t)result << 32 | bytes, e != NULL ? e->name : gsp_rpc_name(function));
}

const struct gsp_rpc_host gsp_gpu_rpc_host = {.idle = idle, .event = on_event, .trace = trace};

/* ---- the sequencer's view ---- */

#define SEC2_HANDOFF_TIMEOUT_US (2 * US_PER_S)

static uint32_t seq_read(void *ctx, uint32_t off)
{
    return gsp_io_read(&((struct gsp_gpu *)ctx)->io, off);
}
static void seq_write(void *ctx, uint32_t off, uint32_t value)
{
    gsp_io_write(&((struct gsp_gpu *)ctx)->io, off, value);
}

static enum fl_err seq_poll(void *ctx, uint32_t off, uint32_t mask, uint32_t value,
                            uint64_t timeout_us, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    const struct gsp_wait w = {
        .what = "a register of the GSP's script", .timeout_us = timeout_us, .step_us = 1};

    return gsp_io_poll(&g->io, off, mask, value, &w, NULL, fail);
}

static void seq_delay(void *ctx, uint32_t us)
{
    (void)ctx;
    fiber_sleep_us(us);
}

static enum fl_err seq_core_reset(void *ctx, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    const enum fl_err err = g->family->ops->falcon_reset(g, &gsp_falcon_gsp, fail);

    if (err == FL_OK) {
        gsp_falcon_allow_physical(&g->io, &gsp_falcon_gsp);
    }
    return err;
}

static enum fl_err seq_core_start(void *ctx, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;

    (void)fail;
    gsp_falcon_start(&g->io, &gsp_falcon_gsp);
    return gsp_io_check(&g->io);
}

static enum fl_err seq_core_wait_for_halt(void *ctx, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;

    return gsp_falcon_wait_halted(&g->io, &gsp_falcon_gsp, "the script's program on the GSP falcon",
                                  fail);
}

/* Back to the RISC-V core, with SEC2's help: the booter, still loaded, continues. */
static enum fl_err seq_core_resume(void *ctx, struct fl_fail *fail)
{
    static const struct gsp_wait handoff = {
        .what = "SEC2 to hand the GSP over",
        .timeout_us = SEC2_HANDOFF_TIMEOUT_US,
        .step_us = 100,
    };
    struct gsp_gpu *g = ctx;
    struct gsp_io *io = &g->io;
    enum fl_err err = g->family->ops->gsp_reset_to_riscv(g, fail);

    if (err != FL_OK) {
        return err;
    }
    gsp_falcon_set_mailboxes(io, &gsp_falcon_gsp, g->mem.libos_args.bus.raw);
    gsp_falcon_start(io, &gsp_falcon_sec2);
    err =
        gsp_io_poll(io, NV_PGC6_BSI_SECURE_SCRATCH_14__OFFSET,
                    NV_PGC6_BSI_SECURE_SCRATCH_14__BOOT_STAGE_3_HANDOFF_MASK,
                    NV_PGC6_BSI_SECURE_SCRATCH_14__BOOT_STAGE_3_HANDOFF_MASK, &handoff, NULL, fail);
    if (err != FL_OK) {
        return err;
    }
    const uint32_t mailbox = ENG_READ(io, NV_PSEC_BASE, NV_PFALCON_FALCON_MAILBOX0).raw;
    if (mailbox != 0) {
        FL_FAIL(fail, FL_EIO, "CORE_RESUME", "SEC2 reports 0x%08x on resuming the GSP, expected 0",
                (unsigned)mailbox);
        fl_fail_values(fail, mailbox, 0, 0);
        return FL_EIO;
    }
    ENG_WRITE(io, NV_PGSP_BASE, NV_PFALCON_FALCON_OS,
              (struct NV_PFALCON_FALCON_OS){.raw = g->fw.bootloader.app_version});
    return g->family->ops->wait_riscv_active(g, fail);
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
