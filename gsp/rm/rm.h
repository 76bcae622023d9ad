/* SPDX-License-Identifier: MIT */
/*
 * The resource manager's objects and controls: our client, device and subdevice, and calls on them.
 * Source: spec rpc.md C4, D1 (nouveau r535/rm, OGKM rpc.c).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_gpu;

/* Allocates client, device and subdevice of our own. Yields. */
FL_MUST_CHECK enum fl_err gsp_rm_make_objects(struct gsp_gpu *g, struct fl_fail *fail);
/* GSP_RM_ALLOC; params in and out. FL_EIO with the NV_STATUS in words when it is refused. */
FL_MUST_CHECK enum fl_err gsp_rm_alloc(struct gsp_gpu *g, uint32_t client, uint32_t parent,
                                       uint32_t object, uint32_t cls, void *params, uint32_t size,
                                       struct fl_fail *fail);
/* FREE of an object and all below it. */
FL_MUST_CHECK enum fl_err gsp_rm_free(struct gsp_gpu *g, uint32_t client, uint32_t object,
                                      struct fl_fail *fail);
/* GSP_RM_CONTROL on any client. *rm_status gets the NV_STATUS. */
FL_MUST_CHECK enum fl_err gsp_rm_control_on(struct gsp_gpu *g, uint32_t client, uint32_t object,
                                            uint32_t cmd, void *params, uint32_t size,
                                            uint64_t timeout_us, uint32_t *rm_status,
                                            struct fl_fail *fail);
