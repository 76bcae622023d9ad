/* SPDX-License-Identifier: MIT */
/*
 * The GPU's fiber, and what others tell it to do (gsp.h). One order at a time: it is checked when
 * it is given, taken when the fiber has done what it is at, and carried out by the same functions
 * that a program without orders would call.
 */
#include "arch/clock.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "gsp/attempts.h"
#include "gsp/boot/reset.h"
#include "gsp/gpu.h"

#define IDLE_STEP_US (250 * US_PER_MS) /* how soon gsp_run sees *stop while there is no GSP */

const char *gsp_order_name(enum gsp_order o)
{
    static const char *const names[] = {"boot", "unload", "reset"};
    return (unsigned)o < ARRAY_SIZE(names) ? names[o] : "?";
}

const char *gsp_reset_kind_name(enum gsp_reset_kind k)
{
    static const char *const names[] = {"auto", "function", "bus"};
    return (unsigned)k < ARRAY_SIZE(names) ? names[k] : "?";
}

/* ---- the GPU's fiber ---- */

/* Whoever gave the order hears how it ended, if he still waits. */
static void answer(struct gsp_gpu *g, enum fl_err err, const struct fl_fail *fail)
{
    struct gsp_order_wait *w = g->orders.giver;

    g->orders.given = g->orders.under_way = false;
    g->orders.giver = NULL;
    if (w != NULL) {
        w->err = err;
        w->fail = *fail;
        w->ended = true;
        event_signal(&w->done);
    }
}

static enum fl_err carry_out(struct gsp_gpu *g, struct fl_fail *fail)
{
    enum fl_err err;

    switch (g->orders.what) {
    case GSP_ORDER_BOOT:
        err = g->state != GSP_READY ? gsp_attempts_boot(g) : FL_ESTATE;
        break;
    case GSP_ORDER_UNLOAD:
        err = gsp_unload(g);
        break;
    case GSP_ORDER_RESET:
        return gsp_reset_run(g, g->orders.kind, fail);
    default:
        return FL_FAIL(fail, FL_EINVAL, "order", "there is no order %u", (unsigned)g->orders.what);
    }
    if (err == FL_ESTATE) {
        return FL_FAIL(fail, err, "order", "no %s: the GPU is %s by now",
                       gsp_order_name(g->orders.what), gsp_state_name(g->state));
    }
    if (err != FL_OK) {
        *fail = g->fail;
    }
    return err;
}

static void take_order(struct gsp_gpu *g)
{
    struct fl_fail fail = {0};

    g->orders.given = g->revive = false;
    g->orders.under_way = true;
    const enum fl_err err = carry_out(g, &fail);
    answer(g, err, &fail);
}

/* The GPU failed while it was ready. The reset first: what hangs there does not go by itself. A
 * card that has none is booted as it is. */
static void bring_back(struct gsp_gpu *g)
{
    struct fl_fail fail = {0};
    const struct fl_fail why = g->fail;

    g->revive = false;
    g->orders.under_way = true;
    g->orders.what = GSP_ORDER_BOOT;
    log_warn(g->hw.label, "brought up again, %u of %u: %s", (unsigned)g->revivals, GSP_REVIVALS_MAX,
             why.text);
    gsp_gpu_note(g, "brought up again: %s", why.text);
    const enum fl_err err = gsp_reset_run(g, GSP_RESET_AUTO, &fail);
    if ((err == FL_OK || err == FL_ENOTSUP) && !g->ending) {
        (void)!gsp_attempts_boot(g); /* its state and failure tell how that ended */
    }
    answer(g, FL_OK, &fail);
}

void gsp_run(struct gsp_gpu *g, const volatile bool *stop)
{
    struct fl_fail gone = {0};

    if (!gsp_gpu_enter(g)) {
        return;
    }
    FL_ASSERT(!g->orders.served);
    g->revive = false;
    g->orders = (struct gsp_orders){.served = true, .given = true, .what = GSP_ORDER_BOOT};
    while (!g->ending && !*stop) {
        if (g->orders.given) {
            take_order(g);
        } else if (g->revive) {
            bring_back(g);
        } else if (g->state == GSP_READY && !g->busy) {
            gsp_serve(g, stop);
        } else if (event_wait(&g->hw.intr.ev, deadline_in_us(IDLE_STEP_US)) == FL_OK) {
            fiber_yield_if_long(); /* an interrupt of a GPU that nobody serves */
        }
    }
    g->orders.served = false;
    FL_FAIL(&gone, FL_ECANCELED, "order", "given up: the GPU's fiber has ended");
    answer(g, FL_ECANCELED, &gone);
    gsp_gpu_leave(g);
}

/* ---- the others ---- */

/* Does it make sense now? */
static enum fl_err check(const struct gsp_gpu *g, enum gsp_order o, enum gsp_reset_kind k,
                         struct fl_fail *fail)
{
    const char *name = gsp_order_name(o);

    if ((unsigned)o > GSP_ORDER_RESET || (unsigned)k > GSP_RESET_BUS) {
        return FL_FAIL(fail, FL_EINVAL, "order", "there is no such order or kind of reset");
    }
    if (!g->orders.served) {
        return FL_FAIL(fail, FL_ESTATE, "order", "no %s: the GPU's fiber does not run", name);
    }
    if (g->orders.given || g->orders.under_way) {
        return FL_FAIL_MORE(fail, FL_EBUSY, "order", (.hint = "wait for its end and ask again"),
                            "no %s now: %s %s is under way", name,
                            g->orders.what == GSP_ORDER_UNLOAD ? "an" : "a",
                            gsp_order_name(g->orders.what));
    }
    if ((o == GSP_ORDER_BOOT && g->state == GSP_READY) ||
        (o == GSP_ORDER_UNLOAD && g->state != GSP_READY)) {
        return FL_FAIL(fail, FL_ESTATE, "order", "no %s: the GPU is %s%s", name,
                       gsp_state_name(g->state),
                       o == GSP_ORDER_BOOT ? " already" : ", there is nothing to unload");
    }
    return FL_OK;
}

static enum fl_err give(struct gsp_gpu *g, enum gsp_order o, enum gsp_reset_kind k,
                        struct deadline d, struct fl_fail *fail)
{
    struct gsp_order_wait w = {.ended = false};
    const enum fl_err err = check(g, o, k, fail);

    if (err != FL_OK) {
        return err;
    }
    event_init(&w.done);
    g->orders.given = true;
    g->orders.what = o;
    g->orders.kind = k;
    g->orders.giver = &w;
    log_info(g->hw.label, "ordered: %s", gsp_order_name(o));
    gsp_gpu_note(g, "ordered: %s", gsp_order_name(o));
    event_signal(&g->hw.intr.ev); /* where its fiber waits, in whatever state */
    if (event_wait(&w.done, d) != FL_OK && !w.ended) {
        g->orders.giver = NULL;
        const uint64_t waited = deadline_waited_us(d);
        return FL_FAIL_MORE(fail, FL_ETIMEDOUT, "order",
                            (FL_SAW(0, 0, waited), .hint = "the GPU's status tells how it ends"),
                            "waited %llu ms for the %s: it goes on",
                            (unsigned long long)(waited / US_PER_MS), gsp_order_name(o));
    }
    if (w.err != FL_OK && fail != NULL && fail->err == FL_OK) {
        *fail = w.fail;
    }
    return w.err;
}

enum fl_err gsp_order(struct gsp_gpu *g, enum gsp_order o, enum gsp_reset_kind k, struct deadline d,
                      struct fl_fail *fail)
{
    if (!gsp_gpu_enter(g)) {
        return FL_FAIL(fail, FL_ESTATE, "order", "the GPU is being destroyed");
    }
    const enum fl_err err = give(g, o, k, d, fail);
    gsp_gpu_leave(g);
    return err;
}
