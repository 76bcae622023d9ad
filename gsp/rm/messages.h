/* SPDX-License-Identifier: MIT */
/* What the GSP's messages do to a GPU (rpc/events.h: which there are). */
#pragma once

#include "arch/base.h"
#include "arch/clock.h"
#include "arch/fail.h"
#include "gsp/rpc/queue.h"

struct gsp_gpu;

/* All register scripts of a minute together; a real boot's takes less than a second (measured on
 * AD104 and others), so that a script that comes at the end of a wait still has time. */
#define GSP_SEQ_BUDGET_US (10 * US_PER_S)
#define GSP_SEQ_WINDOW_US (60 * US_PER_S)

/* Handles one event of g. FL_OK also for those that are only counted. Errors end the wait in which
 * the event came: a sequencer that fails or takes too long (until, GSP_SEQ_BUDGET_US), a malformed
 * message. Yields (the sequencer). */
FL_MUST_CHECK enum fl_err gsp_message_handle(struct gsp_gpu *g, const struct gsp_msg *m,
                                             struct deadline until, struct fl_fail *fail);
