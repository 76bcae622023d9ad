/* SPDX-License-Identifier: MIT */
/* The last calls and events (history.h). */
#include "gsp/rpc/history.h"

#include "arch/clock.h"

const char *gsp_rpc_end_name(enum gsp_rpc_end e)
{
    static const char *const names[] = {"running",   "answered", "posted", "timed out",
                                        "cancelled", "failed",   "event"};
    return (unsigned)e < ARRAY_SIZE(names) ? names[e] : "?";
}

static struct gsp_rpc_record *at(struct gsp_history *h, uint64_t number)
{
    return &h->ring[(number - 1) % GSP_HISTORY_RECORDS];
}

static uint64_t add(struct gsp_history *h, struct gsp_rpc_record r)
{
    r.number = ++h->total;
    *at(h, r.number) = r;
    return r.number;
}

uint64_t gsp_history_begin(struct gsp_history *h, const struct gsp_rpc_function *f,
                           const struct gsp_layout *l, const struct gsp_payload *p,
                           uint64_t start_us)
{
    const struct gsp_rpc_said said = gsp_rpc_read(f->number, l, p);

    return add(h, (struct gsp_rpc_record){
                      .at_us = start_us,
                      .function = f->number,
                      .name = f->name,
                      .client = said.client,
                      .object = said.object,
                      .cmd = said.cmd,
                      .request_bytes = p->size,
                      .end = GSP_RPC_RUNNING,
                  });
}

static void count(struct gsp_history *h, const struct gsp_rpc_record *r)
{
    for (size_t i = 0; i < GSP_RPC_FUNCTIONS; i++) {
        struct gsp_rpc_latency *l = &h->latency[i];
        if (l->name == NULL || l->function == r->function) {
            l->name = r->name;
            l->function = r->function;
            latency_add(&l->took, r->us);
            return;
        }
    }
}

void gsp_history_end(struct gsp_history *h, uint64_t number, enum fl_err err,
                     enum gsp_rpc_end ended, uint32_t bytes, uint32_t result, uint32_t status)
{
    struct gsp_rpc_record *r = at(h, number);

    if (r->number != number) {
        return; /* so many events came meanwhile */
    }
    r->us = clock_now_us() - r->at_us;
    r->end = err == FL_OK          ? ended
             : err == FL_ETIMEDOUT ? GSP_RPC_TIMED_OUT
             : err == FL_ECANCELED ? GSP_RPC_CANCELLED
                                   : GSP_RPC_FAILED;
    r->reply_bytes = bytes;
    r->result = result;
    r->rm_status = status;
    if (r->end == GSP_RPC_ANSWERED) {
        count(h, r);
    }
}

uint64_t gsp_history_event(struct gsp_history *h, const struct gsp_msg *m, const char *name)
{
    return add(h, (struct gsp_rpc_record){
                      .at_us = clock_now_us(),
                      .function = m->function,
                      .name = name,
                      .event = true,
                      .reply_bytes = m->payload_size,
                      .result = m->result,
                      .end = GSP_RPC_EVENT,
                  });
}

void gsp_history_handled(struct gsp_history *h, uint64_t number)
{
    struct gsp_rpc_record *r = at(h, number);

    if (r->number == number) {
        r->us = clock_now_us() - r->at_us;
    }
}

bool gsp_history_next(const struct gsp_history *h, uint64_t *cursor, struct gsp_rpc_record *out)
{
    const uint64_t oldest = h->total > GSP_HISTORY_RECORDS ? h->total - GSP_HISTORY_RECORDS + 1 : 1;
    const uint64_t number = max_u64(*cursor, oldest);

    if (number > h->total) {
        return false;
    }
    *out = h->ring[(number - 1) % GSP_HISTORY_RECORDS];
    if (out->end == GSP_RPC_RUNNING) {
        out->us = clock_now_us() - out->at_us;
    }
    *cursor = number + 1;
    return true;
}
