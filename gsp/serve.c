/* SPDX-License-Identifier: MIT */
/* A GPU that is ready: its events are served until it fails or is told to stop (gsp.h). */
#include "arch/clock.h"
#include "arch/log.h"
#include "gsp/boot/unload.h"
#include "gsp/gpu.h"
#include "gsp/hw/intr.h"
#include "gsp/rm/host.h"
#include "gsp/rm/sensors.h"
#include "gsp/watch.h"

#define SERVE_STEP_US (250 * US_PER_MS) /* how soon gsp_serve sees *stop */
#define SERVE_POLL_US (10 * US_PER_MS)  /* without interrupts */
#define SERVE_PING_US US_PER_S

static bool serving(const struct gsp_gpu *g)
{
    return g->state == GSP_READY && !g->busy && !g->ending && !g->orders.given;
}

/* What hangs or crashed may be brought up again, some times an hour; not a card that is gone. */
static bool may_revive(struct gsp_gpu *g, enum fl_err err)
{
    const uint64_t now_us = clock_now_us();

    if (!g->opt.revive || err == FL_ELINKLOST || g->hw.io.lost) {
        return false;
    }
    if (g->revivals == 0 || now_us - g->revived_us >= GSP_REVIVALS_WITHIN_US) {
        g->revivals = 0;
        g->revived_us = now_us;
    }
    if (g->revivals == GSP_REVIVALS_MAX) {
        gsp_gpu_note(g, "not brought up again: that was done %u times within an hour",
                     GSP_REVIVALS_MAX);
        log_warn(g->hw.label, "not brought up again: that was done %u times within an hour",
                 GSP_REVIVALS_MAX);
        return false;
    }
    g->revivals++;
    return true;
}

/* A GPU that was ready is not any more. */
static void fall_over(struct gsp_gpu *g, enum fl_err err, const struct fl_fail *why)
{
    struct fl_fail second = {0};

    if (g->hw.io.lost) {
        gsp_gpu_xid(g, GSP_XID_OFF_THE_BUS, "the GPU has fallen off the bus");
    }
    if (g->fail.err == FL_OK) {
        g->fail = *why;
    }
    FL_FAIL(&g->fail, err, "serve", "the GPU failed while running: %s", fl_err_name(err));
    fl_fail_stage(&g->fail, "ready");
    log_error(g->hw.label, "%s failed while running: %s", g->hw.chip->name, g->fail.text);
    g->busy = true;
    g->undo.rm = false; /* it is not asked any more */
    if (gsp_unload_run(g, &second) != FL_OK && second.text[0] != '\0') {
        log_warn(g->hw.label, "cleaning up after that failed too: %s", second.text);
    }
    g->busy = false;
    g->revive = may_revive(g, err);
    gsp_gpu_set_state(g, GSP_FAILED);
}

/* Now and then: is it still there, does its core run, were lines left out? */
static enum fl_err look_after(struct gsp_gpu *g, struct fl_fail *fail)
{
    const uint64_t now_us = clock_now_us();
    const bool due = now_us - g->last_ping_us >= SERVE_PING_US;

    if (!due && g->hw.intr.halts == g->halts_seen) {
        return FL_OK;
    }
    if (due) {
        gsp_gpu_flush_log(g);
    }
    g->last_ping_us = now_us;
    g->halts_seen = g->hw.intr.halts;
    enum fl_err err = gsp_io_ping(&g->hw.io);
    err = err != FL_OK ? err : gsp_core_check(g, fail);
    if (due && err == FL_OK) {
        gsp_gpu_look_at_link(g);
        err = gsp_watch_step(g, fail);
    }
    return err;
}

void gsp_serve(struct gsp_gpu *g, const volatile bool *stop)
{
    bool more = false;

    if (!gsp_gpu_enter(g)) {
        return;
    }
    while (serving(g) && !*stop) {
        struct fl_fail why = {0};
        enum fl_err err;

        if (more) { /* it goes on sending: the others first */
            fiber_yield();
            gsp_intr_service(&g->hw);
        } else {
            struct deadline d = deadline_in_us(g->hw.intr.enabled ? SERVE_STEP_US : SERVE_POLL_US);
            d.at_us = min_u64(d.at_us, gsp_sensors_due_us(g));
            err = gsp_intr_wait(&g->hw, d);
        }
        if (!serving(g)) {
            break; /* taken down by somebody else meanwhile */
        }
        more = false;
        err = gsp_queue_pending(&g->rpc.queue) ? gsp_rpc_pump(&g->rpc, &more, &why) : FL_OK;
        err = err != FL_OK ? err : look_after(g, &why);
        err = err != FL_OK ? err : gsp_io_check(&g->hw.io);
        if (err == FL_OK && serving(g)) {
            bool asking;
            err = gsp_sensors_step(g, !more, &asking, &why);
            more |= asking;
        }
        if (err != FL_OK && serving(g)) {
            fall_over(g, err, &why);
        }
    }
    gsp_gpu_leave(g);
}
