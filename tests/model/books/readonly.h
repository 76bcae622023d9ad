/* SPDX-License-Identifier: MIT */
/* Registers that cannot be written, from the register list. */
#pragma once

#include "tests/model/gpu.h"

struct readonly_state {
    uint32_t *offset; /* owned: ascending, in BAR0 */
    size_t count;
};
void model_readonly_check(struct gpu_model *m, uint32_t off, uint32_t value); /* after a write */
