/* SPDX-License-Identifier: MIT */
/* The trace: one line of text for each access and each thing the GPU does. */
#pragma once

#include "tests/model/gpu.h"

struct trace_state {
    char last[256];
    uint64_t repeats;
    uint64_t bytes, limit;
};
/* A register access, decoded. Only with a trace (m->trace_file). */
void model_trace_reg(struct gpu_model *m, bool write, uint32_t off, uint32_t value);
/* Without a trace: nothing. */
void model_trace_text(struct gpu_model *m, const char *fmt, ...) FL_PRINTF(2, 3);
void model_trace_flush(struct gpu_model *m);
