/* SPDX-License-Identifier: MIT */
/* The queue of commands, driver to GSP, and the setting up of both. */
#pragma once

#include "tests/model/gsp/gsp_state.h"

/* False when the shared region is unusable. */
bool model_queue_init(struct gpu_model *m, uint64_t shared_pa, uint32_t pages, uint64_t cmd_off,
                      uint64_t stat_off);
void model_queue_free(struct gpu_model *m);
/* Copies the next command to m->buf->msg (header and all) without taking it: its length there, 0
 * when the queue is empty, -1 when it is broken beyond use. */
int model_queue_peek(struct gpu_model *m);
/* False: the ring of commands is there and holds none. */
bool model_queue_command_waits(struct gpu_model *m);
/* Looks at the copied command once more, then takes it: its slots are the driver's again. */
void model_queue_take(struct gpu_model *m);
