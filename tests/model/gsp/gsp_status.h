/* SPDX-License-Identifier: MIT */
/* The queue of status messages, GSP to driver. */
#pragma once

#include "tests/model/gsp/gsp_state.h"

/* Hands a message to the driver, or keeps it until there is space. rpc.length says len; extra bytes
 * behind it lie in the slots all the same (OGKM does so with allocation parameters). */
void model_queue_send(struct gpu_model *m, uint32_t function, uint32_t result, uint32_t sequence,
                      const void *payload, uint32_t len, uint32_t extra);
void model_queue_flush(struct gpu_model *m); /* WORK_GSP_TX: retry what had no space */
void model_queue_check_status_slots(struct gpu_model *m);
