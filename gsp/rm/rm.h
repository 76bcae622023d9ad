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
/* A client. processID and such are those of no process. Yields. */
FL_MUST_CHECK enum fl_err gsp_rm_make_client(struct gsp_gpu *g, uint32_t client,
                                             uint64_t timeout_us, struct fl_fail *fail);

/* All of these: FL_ESTATE while no resource manager answers. *rm_status gets the NV_STATUS; a
 * refusal is FL_OK. FL_EIO: refused by the RPC layer. Each yields. */

/* GSP_RM_ALLOC; params in and out. */
FL_MUST_CHECK enum fl_err gsp_rm_alloc_on(struct gsp_gpu *g, uint32_t client, uint32_t parent,
                                          uint32_t object, uint32_t cls, void *params,
                                          uint32_t size, uint64_t timeout_us, uint32_t *rm_status,
                                          struct fl_fail *fail);
/* FREE of an object and all below it. */
FL_MUST_CHECK enum fl_err gsp_rm_free_on(struct gsp_gpu *g, uint32_t client, uint32_t object,
                                         uint64_t timeout_us, uint32_t *rm_status,
                                         struct fl_fail *fail);
/* DUP_OBJECT: another handle for an object. */
FL_MUST_CHECK enum fl_err gsp_rm_dup_on(struct gsp_gpu *g, uint32_t client, uint32_t parent,
                                        uint32_t object, uint32_t client_src, uint32_t object_src,
                                        uint64_t timeout_us, uint32_t *rm_status,
                                        struct fl_fail *fail);
/* GSP_RM_CONTROL on any client. Any rpc_result is FL_EIO. */
FL_MUST_CHECK enum fl_err gsp_rm_control_on(struct gsp_gpu *g, uint32_t client, uint32_t object,
                                            uint32_t cmd, void *params, uint32_t size,
                                            uint64_t timeout_us, uint32_t *rm_status,
                                            struct fl_fail *fail);
/* A control on our own subdevice, by one who can do without: a refusal, be it the resource
 * manager's or the RPC layer's, is FL_OK with its code in rm_status. */
struct gsp_rm_answer {
    uint32_t rm_status;
    uint32_t bytes; /* of the parameters that came; of a short reply the rest is as it was sent */
};
FL_MUST_CHECK enum fl_err gsp_rm_ask(struct gsp_gpu *g, uint32_t cmd, void *params, uint32_t size,
                                     uint64_t timeout_us, struct gsp_rm_answer *answer,
                                     struct fl_fail *fail);
/* The same on the GSP's own client: for internal controls, which others are refused. */
FL_MUST_CHECK enum fl_err gsp_rm_ask_internal(struct gsp_gpu *g, uint32_t cmd, void *params,
                                              uint32_t size, uint64_t timeout_us,
                                              struct gsp_rm_answer *answer, struct fl_fail *fail);
