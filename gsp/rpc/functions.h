/* SPDX-License-Identifier: MIT */
/*
 * The functions of the GSP that we call: number, name, what a payload begins with, and where in it
 * the client, the object and the NV_STATUS are. Source: functions.def.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp_layout.h"

/* What a good reply has at least. */
enum gsp_rpc_least { GSP_RPC_NOTHING, GSP_RPC_HEAD, GSP_RPC_WHOLE };

/* A function of the GSP (functions.def). */
struct gsp_rpc_function {
    uint32_t number;
    enum gsp_rpc_least least;
    const char *name;
    size_t head; /* where struct gsp_layout has the size of the structure that a payload begins
                    with; 0: it begins with none */
};
/* gsp_rpc_FREE, gsp_rpc_GSP_RM_CONTROL, ... */
#define GSP_RPC(name, number, request, least) extern const struct gsp_rpc_function gsp_rpc_##name;
#include "gsp/rpc/functions.def"
#undef GSP_RPC

enum {
    GSP_RPC_CONTINUATION_RECORD = 71,
    GSP_RPC_FIRST_EVENT = 0x1000, /* from here on: events, GSP to CPU */
};
const char *gsp_rpc_name(uint32_t number); /* never NULL; for events see events.h */

/* What a call carries, and its reply in the same place. */
struct gsp_payload {
    uint8_t *data; /* the caller's */
    uint32_t size; /* bytes */
};

/* The most one call may carry, continuation records together. */
#define GSP_RPC_PAYLOAD_MAX MIB(1)

/* Bytes of the structure that a payload begins with, in the firmware's version; 0: none. */
uint32_t gsp_rpc_head_bytes(const struct gsp_rpc_function *f, const struct gsp_layout *l);
/* FL_EINVAL with words when the payload cannot be one of this function. */
FL_MUST_CHECK enum fl_err gsp_rpc_check_size(const struct gsp_rpc_function *f,
                                             const struct gsp_layout *l,
                                             const struct gsp_payload *p, struct fl_fail *fail);

/* What a payload says of the resource manager's objects; 0 where it says nothing. */
struct gsp_rpc_said {
    uint32_t client, object;
    uint32_t cmd;    /* of a control; the class of an allocation */
    uint32_t status; /* NV_STATUS, in a reply */
};
struct gsp_rpc_said gsp_rpc_read(uint32_t function, const struct gsp_layout *l,
                                 const struct gsp_payload *p);
/* How long a payload says that it is, all its messages together, in the first `size` bytes of it;
 * 0: it does not say. */
uint64_t gsp_rpc_bytes(uint32_t function, const struct gsp_layout *l, const uint8_t *data,
                       uint32_t size);
