/* SPDX-License-Identifier: MIT */
/*
 * Where a reply goes, message by message: into the request's place as far as there is room, or
 * whole into memory that grows. How long the whole is stands in no header: controls and allocations
 * say it in their first message (spec rpc.md A9), others end with a message that is not full.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/rpc/functions.h"
#include "gsp/rpc/queue.h"

struct gsp_intake {
    const struct gsp_rpc_function *f;
    const struct gsp_layout *layout;
    struct gsp_payload *p;
    bool whole;    /* p->data is from malloc() and grows */
    uint32_t room; /* of p->data; at first the request's size */
    uint32_t have; /* bytes taken */
    uint32_t end;  /* bytes at which nothing follows; known with the first message */
    bool told;     /* it said so; else that is the request's size, which it may jump over */
};

/* Nothing follows the messages taken, as far as their length tells. */
static inline bool gsp_intake_complete(const struct gsp_intake *in)
{
    return in->have == in->end || (in->told && in->have > in->end);
}
/* Takes one more message. FL_EPROTO: the whole is longer than GSP_RPC_PAYLOAD_MAX. FL_ENOMEM. */
FL_MUST_CHECK enum fl_err gsp_intake_add(struct gsp_intake *in, const struct gsp_msg *m,
                                         struct fl_fail *fail);
