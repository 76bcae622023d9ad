/* SPDX-License-Identifier: MIT */
/*
 * One way to wait for something that nobody announces: look, sleep, look again, until it has come,
 * something else has happened or the deadline has passed. What comes with an event is waited for
 * with event_wait() (fiber.h).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

#define WAIT_STEP_MAX_US 1000u

struct wait {
    const char *what; /* for the message: "the falcon to halt" */
    const char *hint; /* what to try when it does not come; may be NULL */
    uint64_t timeout_us;
    uint32_t step_us;     /* first sleep between looks; doubles up to the longest */
    uint32_t step_max_us; /* the longest; 0: WAIT_STEP_MAX_US, or step_us where that is more */
};

/* What the last look saw, for the message. */
struct wait_report {
    char where[64]; /* register, queue, file */
    char text[160]; /* "CPUCTL reads 0x00000010, expected ..." */
    uint64_t seen, expected;
};

/* One look. FL_OK: it has come. FL_EBUSY: not yet. Anything else ends the wait, with words in *fail
 * where there are any. last: NULL but for the look after the deadline, which fills it in. Must not
 * yield. */
typedef enum fl_err wait_look(void *ctx, struct wait_report *last, struct fl_fail *fail);

/* Looks at once, and once more after the deadline: a fiber that was held up has not waited in vain.
 * FL_ETIMEDOUT with what was seen last, and how long it waited. Yields between looks. */
FL_MUST_CHECK enum fl_err wait_until(const struct wait *w, wait_look *look, void *ctx,
                                     struct fl_fail *fail);
