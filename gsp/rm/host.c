/* SPDX-License-Identifier: MIT */
/* A GPU as the RPC layer sees it while somebody waits (host.h, rpc/rpc.h). */
#include "gsp/rm/host.h"

#include "arch/clock.h"
#include "gsp/gpu.h"
#include "gsp/hw/intr.h"
#include "gsp/rm/messages.h"
#include "gsp/rpc/logs.h"

#define PING_PERIOD_US     (250 * US_PER_MS) /* of the link, while a wait looks at memory only */
#define CORE_SILENT_US     (100 * US_PER_MS) /* of its log, beside a core that does not run */
#define IDLE_STEP_FIRST_US 100u              /* without interrupts, or before the first one */
#define IDLE_STEP_MAX_US   1000u
#define IDLE_STEP_LIVE_US                                                                          \
    (10 * US_PER_MS) /* with interrupts: a lost one costs no more than this                        \
                      */

/* A crash shows as a core that has stopped, and as the cause HALT of an interrupt. That cause alone
 * is no crash: programs on the same engine's falcon leave it behind too. */
enum fl_err gsp_core_check(struct gsp_gpu *g, struct fl_fail *fail)
{
    if (!g->undo.core || g->ev.lockdown || g->hw.io.lost ||
        !g->hw.family->ops->riscv_stopped(&g->hw)) {
        return gsp_io_check(&g->hw.io);
    }
    g->undo.core = g->undo.rm = false; /* there is nobody to say goodbye to */
    const uint64_t init_words =
        gsp_logs_put(&g->log[GSP_LOG_INIT]); /* once: it may go on counting */
    FL_FAIL_MORE(
        fail, FL_EIO, "GSP",
        (FL_SAW(init_words, 0, 0),
         .hint = "the log buffers init and rm hold its report; a boot brings it back"),
        "the GSP crashed: its core has stopped by itself; its log buffer init has %llu words, "
        "rm %llu",
        (unsigned long long)init_words, (unsigned long long)gsp_logs_put(&g->log[GSP_LOG_RM]));
    gsp_gpu_xid(g, GSP_XID_GSP_CRASH, "the GSP crashed: its core has stopped by itself");
    return FL_EIO;
}

/* A core that wrote to its log has run: one that does not run any more, and has written nothing for
 * a while, has crashed, and nobody has to wait for it. */
static enum fl_err crashed_already(void *ctx, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    const uint64_t words = gsp_logs_put(&g->log[GSP_LOG_INIT]);

    if (words == 0 || words != g->core_words) {
        g->core_words = words;
        g->core_words_us = clock_now_us();
        return FL_OK;
    }
    if (clock_now_us() - g->core_words_us < CORE_SILENT_US) {
        return FL_OK;
    }
    g->undo.core = true;
    return gsp_core_check(g, fail);
}

void gsp_core_beside(struct gsp_gpu *g, bool on)
{
    g->hw.io.beside = on ? crashed_already : NULL;
    g->hw.io.beside_ctx = g;
    g->core_words = 0;
}

static enum fl_err idle(void *ctx, uint32_t round, struct deadline d, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    uint64_t step = (uint64_t)IDLE_STEP_FIRST_US << (round < 4 ? round : 4);

    step = g->hw.intr.live ? IDLE_STEP_LIVE_US : min_u64(step, IDLE_STEP_MAX_US);
    struct deadline until = deadline_in_us(step);
    until.at_us = min_u64(until.at_us, d.at_us);
    if (gsp_intr_wait(&g->hw, until) == FL_ETIMEDOUT && g->hw.intr.live &&
        gsp_queue_pending(&g->rpc.queue)) {
        g->hw.intr.missed++;
    }
    if (!g->hw.io.lost &&
        (g->hw.intr.halts != g->halts_seen || clock_now_us() - g->last_ping_us >= PING_PERIOD_US)) {
        g->last_ping_us = clock_now_us();
        g->halts_seen = g->hw.intr.halts;
        if (gsp_io_ping(&g->hw.io) == FL_OK) {
            return gsp_core_check(g, fail);
        }
    }
    if (g->hw.io.lost) {
        return FL_FAIL(fail, FL_ELINKLOST, "NV_PMC_BOOT_0",
                       "link lost: the device no longer answers");
    }
    return FL_OK;
}

static const char *name_of(const struct gsp_gpu *g, uint32_t function)
{
    const struct gsp_event_info *e =
        function >= GSP_RPC_FIRST_EVENT ? gsp_event_find(&g->version->events, function) : NULL;

    return e != NULL ? e->name : gsp_rpc_name(function);
}

static enum fl_err on_event(void *ctx, const struct gsp_msg *m, struct deadline until,
                            struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    const uint64_t n = gsp_history_event(&g->rpc.history, m, name_of(g, m->function));
    const enum fl_err err = gsp_message_handle(g, m, until, fail);

    gsp_history_handled(&g->rpc.history, n);
    return err;
}

static void trace(void *ctx, bool sent, uint32_t function, uint32_t bytes, uint32_t result)
{
    struct gsp_gpu *g = ctx;

    gsp_recorder_add(&g->hw.rec, sent ? GSP_REC_SEND : GSP_REC_RECV, function,
                     (uint64_t)result << 32 | bytes, name_of(g, function));
}

const struct gsp_rpc_host gsp_gpu_rpc_host = {.idle = idle, .event = on_event, .trace = trace};
