/* SPDX-License-Identifier: MIT */
/*
 * Remote procedure calls over the message rings: one synchronous call at a time, replies told from
 * events, large payloads split into continuation records, waits that yield and have a deadline.
 * However much the GSP sends: after each millisecond, or 256 messages, of handling the others run
 * and the deadline is looked at.
 *
 * What happens while waiting and what events mean is the caller's (struct gsp_rpc_host), so that
 * this, too, runs in tests without a GPU. Source: spec rpc.md A5-A10, B1, B2.
 */
#pragma once

#include "arch/base.h"
#include "arch/clock.h"
#include "arch/fail.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "gsp/rpc/functions.h"
#include "gsp/rpc/history.h"
#include "gsp/rpc/queue.h"
#include "gsp/rpc/rpc_match.h"

struct gsp_rpc;
struct gsp_rpc_host {
    /* Nothing is there: sleep until something may be, at most until d. round counts from 0 within
     * one wait. Looks after the link: FL_ELINKLOST ends the wait. */
    enum fl_err (*idle)(void *ctx, uint32_t round, struct deadline d, struct fl_fail *fail);
    /* A message that is no reply. An error ends the wait that is going on. Must not call back.
     * until: when the handler has ended at the latest, well or badly. */
    enum fl_err (*event)(void *ctx, const struct gsp_msg *msg, struct deadline until,
                         struct fl_fail *fail);
    /* For the flight recorder; may be NULL. */
    void (*trace)(void *ctx, bool sent, uint32_t function, uint32_t bytes, uint32_t result);
};

struct gsp_rpc {
    struct gsp_queue queue;
    const struct gsp_rpc_host *host; /* borrowed */
    void *ctx;
    struct mutex lock; /* one user of the rings at a time: reply and event share a read pointer */
    uint8_t *staging;  /* GSP_MSG_MAX_BYTES, owned; the private copy of the message in hand */
    uint32_t sequence; /* of the last request; 0 is never used */
    struct gsp_rpc_match match;
    struct gsp_history history; /* of calls and events; kept over boots */
    bool closed;                /* the rings are gone: nobody may touch them */
    uint32_t interrupts;        /* times that all who were waiting were sent away */
    uint64_t sent, received, events, late;
    uint64_t wait_us;       /* total time callers waited for replies */
    uint64_t heard_us;      /* when the last message came, of whatever kind */
    uint64_t asked_us;      /* the first call since then was sent; 0: none was */
    struct log_limit limit; /* of lines about messages that nobody asked for */
};

/* A sign of life. */
static inline void gsp_rpc_hear(struct gsp_rpc *r)
{
    r->heard_us = clock_now_us();
    r->asked_us = 0;
}

/* Allocates the staging buffer; the queue is set up by gsp_queue_init. False without memory. */
FL_MUST_CHECK bool gsp_rpc_init(struct gsp_rpc *r, const struct gsp_rpc_host *host, void *ctx);
void gsp_rpc_free(struct gsp_rpc *r);

/* Sends away (FL_ECANCELED) everybody who is in a call or wait or queues for one; who comes after
 * this is served. A call in flight ends as soon as its fiber wakes up: at the next message or idle
 * step.
 */
void gsp_rpc_interrupt(struct gsp_rpc *r);
/* Waits for the call that is going on, then refuses all others (FL_ESTATE) until gsp_rpc_open. */
void gsp_rpc_close(struct gsp_rpc *r);
void gsp_rpc_open(struct gsp_rpc *r);

/* Sends without expecting an answer (sequence 0), waiting for room at most timeout_us. FL_EINVAL:
 * larger than a call may be, or smaller than the structure it begins with. Yields. */
FL_MUST_CHECK enum fl_err gsp_rpc_post(struct gsp_rpc *r, const struct gsp_rpc_function *f,
                                       const struct gsp_payload *p, uint64_t timeout_us,
                                       struct fl_fail *fail);

/* Sends p and waits for the answer, which replaces it: exactly p->size bytes when the answer has as
 * many or more, else FL_EPROTO below what f->least says (the rest is left as sent).
 * *result gets rpc_result; when result is NULL, anything but 0 is FL_EIO. Yields. FL_ETIMEDOUT
 * names function and time. The lock is taken for the whole call; waiting for it counts. */
FL_MUST_CHECK enum fl_err gsp_rpc_call(struct gsp_rpc *r, const struct gsp_rpc_function *f,
                                       struct gsp_payload *p, uint64_t timeout_us, uint32_t *result,
                                       struct fl_fail *fail);
/* The same for the whole answer, however long: p->data is from malloc() and may move to grow, never
 * to shrink (what a shorter answer does not replace is as it was sent); p->size is the answer's on
 * FL_OK. It ends at the length that it says itself (controls, allocations), at a message that is
 * not full, or at the request's size. FL_EPROTO: longer than GSP_RPC_PAYLOAD_MAX. */
FL_MUST_CHECK enum fl_err gsp_rpc_call_whole(struct gsp_rpc *r, const struct gsp_rpc_function *f,
                                             struct gsp_payload *p, uint64_t timeout_us,
                                             uint32_t *result, struct fl_fail *fail);

/* Handles the events that wait, for a turn at most. *more: the turn ended before the ring was
 * empty, or a call is going on, which handles them itself and may take as long as its caller likes;
 * yield and come again. Does not wait for messages. */
FL_MUST_CHECK enum fl_err gsp_rpc_pump(struct gsp_rpc *r, bool *more, struct fl_fail *fail);

/* Handles events until done(ctx) is true. what: for the message when it takes too long. Yields. */
FL_MUST_CHECK enum fl_err gsp_rpc_wait(struct gsp_rpc *r, bool (*done)(void *ctx),
                                       uint64_t timeout_us, const char *what, const char *hint,
                                       struct fl_fail *fail);
