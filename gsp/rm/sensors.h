/* SPDX-License-Identifier: MIT */
/*
 * The sampler of a GPU: when what is asked, and what is known. The GPU's own fiber does all of it
 * while it serves (serve.c), one question at a time, so that events and other callers never wait
 * for more than one.
 *
 * r570: the GSP gets a page of ours (0x20800afe) and fills it twice in a period; the page is read,
 * and only what it lacks is asked for by controls. It stays the GSP's until it is down. r535 has no
 * such page: controls only. Order of the page: OGKM gpu_user_shared_data.c at 570.144.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/sensors.h"

struct gsp_gpu;

#define SENSORS_PERIOD_US   US_PER_S          /* the page is looked at */
#define SENSORS_POLL_MS     500u              /* the GSP fills it (OGKM's default; 100 to 1000) */
#define SENSORS_FIRST_US    (100 * US_PER_MS) /* it is looked at until something is there */
#define SENSORS_ASK_US      (5 * US_PER_S)    /* temperature, P-state, throughput by control */
#define SENSORS_COUNTERS_US (30 * US_PER_S)   /* PCIe and ECC counters */
#define SENSORS_ROWS_US     (60 * US_PER_S)   /* remapped rows: a message of 6 KiB */
#define SENSORS_PERIODS_MAX 3u                /* a value older than so many is not known */
#define SENSORS_REFUSED_US  (60 * US_PER_S)   /* until a control that was refused is asked again */
#define SENSORS_TIMEOUT_US  US_PER_S          /* of a question */
#define SENSORS_GOODBYE_US  (500 * US_PER_MS) /* of each of those that give the page back */

/* Does the next thing that is due: at most one question, and none unless may_ask (a GSP that floods
 * us is not asked as well). *more: there is another one at once.
 * FL_EIO, FL_ELINKLOST, with words: the GSP has crashed, or is gone; a refusal, or no answer, is no
 * error. Yields. */
FL_MUST_CHECK enum fl_err gsp_sensors_step(struct gsp_gpu *g, bool may_ask, bool *more,
                                           struct fl_fail *fail);
/* When there is something to do, as clock_now_us() counts. */
uint64_t gsp_sensors_due_us(const struct gsp_gpu *g);

/* The GSP is told to leave the page alone, while it still answers; others may not have been sent
 * away yet. The page itself is kept until the GSP is down. Yields. */
void gsp_sensors_goodbye(struct gsp_gpu *g);
/* Nothing is known any more, and nothing is sampled until the next serving. */
void gsp_sensors_down(struct gsp_gpu *g);
/* The end of the GPU. */
void gsp_sensors_free(struct gsp_gpu *g);
