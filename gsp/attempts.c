/* SPDX-License-Identifier: MIT */
/* Boots in several attempts (attempts.h), and the record of each. */
#include "gsp/attempts.h"

#include "arch/clock.h"
#include "arch/log.h"
#include "arch/text.h"
#include "gsp/boot/boot.h"
#include "gsp/gpu.h"
#include "gsp/hw/card.h"

#define ATTEMPTS_DEFAULT 3u

static void keep(struct gsp_gpu *g, const struct gsp_attempt *a)
{
    struct gsp_feed_entry e = {.kind = GSP_FEED_ATTEMPT,
                               .name = "",
                               .attempt = {.number = a->number,
                                           .most = g->attempts.most,
                                           .result = a->result,
                                           .was_reset = a->was_reset,
                                           .reset = a->reset_before}};
    struct text t = text_on(e.text, sizeof(e.text));

    text_fmt(&t, "attempt %u of %u: %s", (unsigned)a->number, (unsigned)g->attempts.most,
             a->result == FL_OK ? "ok" : a->fail.text);
    g->attempts.record[g->attempts.total % GSP_MAX_ATTEMPTS] = *a;
    g->attempts.total++;
    gsp_gpu_tell(g, &e);
}

/* One attempt, the number-th; how: the reset that came before, AUTO for none. */
static enum fl_err attempt(struct gsp_gpu *g, uint32_t number, enum gsp_reset_kind how)
{
    struct gsp_attempt a = {.number = number,
                            .start_us = clock_now_us(),
                            .reset_before = how,
                            .was_reset = how != GSP_RESET_AUTO};

    g->attempts.number = number;
    a.result = gsp_boot_once(g);
    a.us = clock_now_us() - a.start_us;
    if (a.result != FL_OK) {
        a.fail = g->fail;
    }
    keep(g, &a);
    return a.result;
}

/* Causes that stay, whatever the card does. */
static bool reset_changes_nothing(const struct gsp_gpu *g, enum fl_err err)
{
    switch (err) {
    case FL_ENOMEM:
    case FL_ENOENT:
    case FL_EINVAL:
    case FL_ENOTSUP:
    case FL_ESTATE:
    case FL_ECANCELED:
    case FL_EBUSY: /* what an earlier boot left is there even after a reset */
        return true;
    case FL_OK:
    case FL_ETIMEDOUT:
    case FL_ELINKLOST:
    case FL_ETRUNCATED:
    case FL_EBADDATA:
    case FL_EIO:
    case FL_EPROTO:
    case FL_ENOSPC:
        break;
    }
    return gsp_boot_failed_by_files(g);
}

/* The card is reset for the next attempt; false: there is none. */
static bool prepare_next(struct gsp_gpu *g, enum fl_err err, enum gsp_reset_kind *how)
{
    struct fl_fail why = {0};

    if (reset_changes_nothing(g, err)) {
        log_info(g->hw.label, "no further attempt: a reset changes nothing about that");
        return false;
    }
    if (gsp_card_reset_kind(&g->hw, GSP_RESET_AUTO, how, &why) != FL_OK) {
        log_warn(g->hw.label, "no further attempt: %s", why.text);
        return false;
    }
    log_warn(g->hw.label, "attempt %u of %u failed; the card is reset (%s) for the next one",
             (unsigned)g->attempts.number, (unsigned)g->attempts.most, gsp_reset_kind_name(*how));
    g->busy = true;
    gsp_gpu_set_state(g, GSP_BOOTING); /* as one who looks from outside sees it */
    gsp_io_begin(&g->hw.io, &g->fail);
    gsp_recorder_stage(&g->hw.rec, "card-reset");
    err = gsp_card_reset(&g->hw, GSP_RESET_AUTO, how, &why);
    g->busy = false;
    if (err == FL_OK && !g->ending) {
        return true;
    }
    if (err != FL_OK) {
        log_error(g->hw.label, "no further attempt: the reset failed: %s", why.text);
    }
    gsp_gpu_set_state(g, GSP_FAILED);
    return false;
}

enum fl_err gsp_attempts_boot(struct gsp_gpu *g)
{
    const uint32_t asked = g->opt.attempts != 0 ? g->opt.attempts : ATTEMPTS_DEFAULT;
    enum gsp_reset_kind how = GSP_RESET_AUTO;

    g->attempts.most = asked < GSP_MAX_ATTEMPTS ? asked : GSP_MAX_ATTEMPTS;
    for (uint32_t number = 1;; number++) {
        const enum fl_err err = attempt(g, number, how);

        if (err == FL_OK || number == g->attempts.most || !prepare_next(g, err, &how)) {
            return err;
        }
    }
}

enum fl_err gsp_boot(struct gsp_gpu *g)
{
    if (!gsp_gpu_enter(g)) {
        return FL_ESTATE;
    }
    enum fl_err err = FL_ESTATE;
    if (!g->busy && g->state != GSP_READY) {
        g->attempts.most = 1;
        err = attempt(g, 1, GSP_RESET_AUTO);
    }
    gsp_gpu_leave(g);
    return err;
}

uint32_t gsp_get_attempts(struct gsp_gpu *g, struct gsp_attempt *out, uint32_t max, uint64_t *total)
{
    const uint64_t all = g->attempts.total;
    const uint32_t n = (uint32_t)min_u64(min_u64(all, GSP_MAX_ATTEMPTS), max);

    for (uint32_t i = 0; i < n; i++) {
        out[i] = g->attempts.record[(all - n + i) % GSP_MAX_ATTEMPTS];
    }
    if (total != NULL) {
        *total = all;
    }
    return n;
}
