/* SPDX-License-Identifier: MIT */
/* PTIMER: nanoseconds, which a driver may set. */
#pragma once

#include "tests/model/gpu.h"

struct ptimer_state {
    uint64_t offset; /* to the bus's time */
    uint32_t numerator, denominator, intr, intr_en, alarm;
};
uint64_t model_ptimer_now(struct gpu_model *m);
