/* SPDX-License-Identifier: MIT */
/* Where a reply goes (intake.h). */
#include "gsp/rpc/intake.h"

#include <stdlib.h>
#include <string.h>

static enum fl_err too_long(const struct gsp_intake *in, uint64_t bytes, struct fl_fail *fail)
{
    return FL_FAIL_MORE(fail, FL_EPROTO, in->f->name, (FL_SAW(bytes, GSP_RPC_PAYLOAD_MAX, 0)),
                        "the reply to %s is to have %llu bytes; at most %u are taken", in->f->name,
                        (unsigned long long)bytes, (unsigned)GSP_RPC_PAYLOAD_MAX);
}

/* The first message may say how long the whole is. */
static enum fl_err find_end(struct gsp_intake *in, const struct gsp_msg *m, struct fl_fail *fail)
{
    const uint64_t said =
        in->whole ? gsp_rpc_bytes(in->f->number, in->layout, m->payload, m->payload_size) : 0;

    if (said > GSP_RPC_PAYLOAD_MAX) {
        return too_long(in, said, fail);
    }
    in->told = said != 0;
    in->end = in->told ? (uint32_t)said : in->p->size;
    return FL_OK;
}

/* Makes room for the first `need` bytes. */
static enum fl_err enlarge(struct gsp_intake *in, uint32_t need, struct fl_fail *fail)
{
    if (need <= in->room) {
        return FL_OK;
    }
    if (need > GSP_RPC_PAYLOAD_MAX) {
        return too_long(in, need, fail);
    }
    const uint32_t room = need > in->end ? need : in->end; /* all of it at once, if it is known */
    uint8_t *data = realloc(in->p->data, room);
    if (data == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, in->f->name, "no memory for a reply of %u bytes",
                       (unsigned)room);
    }
    in->p->data = data;
    in->room = room;
    return FL_OK;
}

enum fl_err gsp_intake_add(struct gsp_intake *in, const struct gsp_msg *m, struct fl_fail *fail)
{
    uint32_t part = m->payload_size;
    enum fl_err err = in->have == 0 ? find_end(in, m, fail) : FL_OK;

    if (err == FL_OK && in->whole) {
        err = enlarge(in, in->have + part, fail);
    } else if (part > in->room - in->have) {
        part = in->room - in->have;
    }
    if (err == FL_OK && part > 0) {
        memcpy(in->p->data + in->have, m->payload, part);
        in->have += part;
    }
    return err;
}
