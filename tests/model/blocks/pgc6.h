/* SPDX-License-Identifier: MIT */
/* PGC6: scratch that survives low power, where the board firmware says how far it is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pgc6_state {
    uint32_t secure_scratch_14; /* NV_PGC6_BSI_SECURE_SCRATCH_14: survives an FLR, measured.md 6 */
    bool gfw_done;              /* the board firmware has finished */
};

struct gpu_model;
/* What the register of confidential computing reads, wherever the family has it. */
uint32_t model_cc_mode(const struct gpu_model *m);
