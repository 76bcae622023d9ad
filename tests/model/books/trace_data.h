/* SPDX-License-Identifier: MIT */
/* What is handed over in memory, in the trace, field by field. Without a trace they do nothing. */
#pragma once

#include "gsp_layout.h"
#include "tests/model/gpu.h"

void model_trace_struct(struct gpu_model *m, const struct gsp_layout *l, const char *structure,
                        const void *bytes, size_t len);
void model_trace_value(struct gpu_model *m, const char *structure, const char *field,
                       uint64_t value);
/* avail: bytes that are there, which may be more than the message says. */
void model_trace_message(struct gpu_model *m, uint32_t function, const uint8_t *p, uint32_t len,
                         uint32_t avail);
const char *model_function_name(const struct gpu_model *m, uint32_t function);
