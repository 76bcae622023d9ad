/* SPDX-License-Identifier: MIT */
/* The log buffers that the GSP writes. */
#pragma once

#include "tests/model/gpu.h"

void model_log_setup(struct gpu_model *m, uint32_t index, uint64_t pa, uint64_t size);
void model_log_write(struct gpu_model *m, uint32_t index, uint32_t entries);
/* The report of a task that died (measured.md 9). */
void model_log_crash(struct gpu_model *m, uint32_t cause);
