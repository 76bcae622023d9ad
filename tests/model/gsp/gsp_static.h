/* SPDX-License-Identifier: MIT */
/* What the board is, as the GSP tells it. */
#pragma once

#include "tests/model/gpu.h"

void model_rm_fill_static_info(struct gpu_model *m, uint8_t *p, uint32_t len);
void model_rm_gid(const struct gpu_model *m, uint8_t gid[16]);
/* From now on it is noticed when a driver writes into what the static info calls reserved. */
void model_rm_guard_memory(struct gpu_model *m);
/* Root directory that the GSP gives BAR1 (0) or BAR2 (1); *inst: of the instance block. */
uint64_t model_rm_bar_root(const struct gpu_model *m, unsigned which, uint64_t *inst);
