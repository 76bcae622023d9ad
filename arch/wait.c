/* SPDX-License-Identifier: MIT */
/* Waiting by looking (wait.h). */
#include "arch/wait.h"

#include "arch/clock.h"
#include "arch/fiber.h"

static enum fl_err timed_out(const struct wait *w, const struct wait_report *r, struct deadline d,
                             struct fl_fail *fail)
{
    const uint64_t waited = deadline_waited_us(d);

    return FL_FAIL_MORE(
        fail, FL_ETIMEDOUT, r->where, (FL_SAW(r->seen, r->expected, waited), .hint = w->hint),
        "waited %llu ms for %s: %s", (unsigned long long)(waited / US_PER_MS), w->what, r->text);
}

enum fl_err wait_until(const struct wait *w, wait_look *look, void *ctx, struct fl_fail *fail)
{
    const struct deadline d = deadline_in_us(w->timeout_us);
    uint32_t step = w->step_us > 0 ? w->step_us : 1;
    const uint32_t max = w->step_max_us != 0       ? w->step_max_us
                         : step > WAIT_STEP_MAX_US ? step
                                                   : WAIT_STEP_MAX_US;

    for (;;) {
        struct wait_report report = {.where = "", .text = ""};
        const bool late = deadline_passed(d); /* the clock first, then the look */
        const enum fl_err err = look(ctx, late ? &report : NULL, fail);

        if (err != FL_EBUSY) {
            return err;
        }
        if (late) {
            return timed_out(w, &report, d, fail);
        }
        fiber_sleep_us(step);
        step = step * 2 < max ? step * 2 : max;
    }
}
