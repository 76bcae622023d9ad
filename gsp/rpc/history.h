/* SPDX-License-Identifier: MIT */
/*
 * The last calls and events of a GPU's RPC, for the report and whoever looks for a cause: kept
 * after a failure, until as many others have come. What each field means is in gsp.h. Nothing here
 * yields.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/gsp.h"
#include "gsp/rpc/functions.h"
#include "gsp/rpc/queue.h"

#define GSP_HISTORY_RECORDS 128u

#define GSP_RPC_FUNCTIONS 8u /* rows of functions.def */

struct gsp_history {
    struct gsp_rpc_record ring[GSP_HISTORY_RECORDS];   /* of number n: (n - 1) mod that */
    uint64_t total;                                    /* number of the last one */
    struct gsp_rpc_latency latency[GSP_RPC_FUNCTIONS]; /* of those that were called */
};

/* A call begins, asked for at start_us. Returns its number. */
uint64_t gsp_history_begin(struct gsp_history *h, const struct gsp_rpc_function *f,
                           const struct gsp_layout *l, const struct gsp_payload *p,
                           uint64_t start_us);
/* It has ended: err; as ended where that is FL_OK. bytes: of the whole reply; result: rpc_result;
 * status: NV_STATUS. The record may be gone by now. */
void gsp_history_end(struct gsp_history *h, uint64_t number, enum fl_err err,
                     enum gsp_rpc_end ended, uint32_t bytes, uint32_t result, uint32_t status);
/* An event has come and is about to be handled; name: static. Returns its number, for when that is
 * done. */
uint64_t gsp_history_event(struct gsp_history *h, const struct gsp_msg *m, const char *name);
void gsp_history_handled(struct gsp_history *h, uint64_t number);
/* The record with the smallest number from *cursor on; false: there is none yet (gsp.h). */
bool gsp_history_next(const struct gsp_history *h, uint64_t *cursor, struct gsp_rpc_record *out);
