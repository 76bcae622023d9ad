/* SPDX-License-Identifier: MIT */
/*
 * Delayed work: what the GPU does by itself, never inside an access. Each kind has one slot with a
 * due time; the block that it belongs to does it (struct block), model_run() when.
 */
#pragma once

#include "tests/model/gpu.h"

struct work_state {
    uint64_t due[WORK_COUNT]; /* bus time, ns; UINT64_MAX: not scheduled */
    void (*run[WORK_COUNT])(struct gpu_model *m);
};

/* Due in delay_ns from now, whatever was scheduled before. */
void model_schedule(struct gpu_model *m, enum work w, uint64_t delay_ns);
void model_cancel(struct gpu_model *m, enum work w);
bool model_scheduled(const struct gpu_model *m, enum work w);
