/* SPDX-License-Identifier: MIT */
/*
 * Whether the firmware of a GPU that is ready is alive. A core that runs says nothing about that: a
 * GSP can hang with its core active, and the first sign would be the next call of somebody. So it
 * is asked a cheap question when it has said nothing for a while; any message is a sign of life, a
 * refusal too.
 */
#pragma once

#include "arch/base.h"
#include "arch/clock.h"
#include "arch/fail.h"

struct gsp_gpu;

#define GSP_WATCH_PERIOD_US (5 * US_PER_S)  /* of silence, until it is asked; then every period */
#define GSP_WATCH_ANSWER_US (2 * US_PER_S)  /* that its own fiber waits for that answer */
#define GSP_HUNG_US         (20 * US_PER_S) /* a call unanswered, and no other message since */
/* So a hang is noticed at most that long after the last sign of life. */
#define GSP_HUNG_NOTICED_US (GSP_WATCH_PERIOD_US + GSP_HUNG_US + 2 * GSP_WATCH_ANSWER_US + US_PER_S)

/* For the fiber that serves the GPU, again and again. FL_ETIMEDOUT: it hangs, with words in *fail;
 * FL_ELINKLOST, FL_EIO: found out while asking. Yields. */
FL_MUST_CHECK enum fl_err gsp_watch_step(struct gsp_gpu *g, struct fl_fail *fail);
