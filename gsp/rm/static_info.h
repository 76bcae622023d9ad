/* SPDX-License-Identifier: MIT */
/*
 * What the GSP tells about the GPU after its start: name, UUID, memory regions, internal handles.
 * Everything is checked before it is kept. Source: spec rpc.md C3, measured.md 8.5.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_gpu;

/* Asks (GET_GSP_STATIC_INFO) and keeps the answer. Yields. */
FL_MUST_CHECK enum fl_err gsp_static_info_get(struct gsp_gpu *g, struct fl_fail *fail);

/* Checks and keeps an answer of size bytes; apart, so that tests feed it. */
FL_MUST_CHECK enum fl_err gsp_static_info_take(struct gsp_gpu *g, const void *info, uint32_t size,
                                               struct fl_fail *fail);

/* The vector on which the GSP interrupts, from the resource manager's table. Yields. */
FL_MUST_CHECK enum fl_err gsp_static_info_vector(struct gsp_gpu *g, uint32_t *vector,
                                                 struct fl_fail *fail);
