/* SPDX-License-Identifier: MIT */
/* Remote procedure calls (rpc.h). */
#include "gsp/rpc/rpc.h"

#include <stdlib.h>
#include <string.h>

#include "arch/lockorder.h"
#include "gsp/rpc/intake.h"
#include "gsp/rpc/status.h"

static LOCK_CLASS(rpc_class, "gsp.rpc");

/* What one look at the ring may take before the other fibers and the clock have their turn: a GSP
 * that keeps sending may not starve anybody. */
#define TURN_MESSAGES 256u
#define TURN_US       US_PER_MS

#define PUMP_WAIT_US (10 * US_PER_MS) /* for a call to end that handles events itself */

bool gsp_rpc_init(struct gsp_rpc *r, const struct gsp_rpc_host *host, void *ctx)
{
    *r = (struct gsp_rpc){.host = host, .ctx = ctx, .closed = true};
    mutex_init(&r->lock, &rpc_class);
    r->staging = malloc(GSP_MSG_MAX_BYTES);
    return r->staging != NULL;
}

void gsp_rpc_free(struct gsp_rpc *r)
{
    free(r->staging);
    r->staging = NULL;
}

void gsp_rpc_close(struct gsp_rpc *r)
{
    mutex_lock(&r->lock);
    r->closed = true;
    mutex_unlock(&r->lock);
}

void gsp_rpc_open(struct gsp_rpc *r)
{
    r->match = (struct gsp_rpc_match){0};
    r->closed = false;
    gsp_rpc_hear(r);
}

void gsp_rpc_interrupt(struct gsp_rpc *r) { r->interrupts++; }

/* One use of the rings, by one fiber. */
struct use {
    struct deadline d;
    uint32_t interrupts; /* when it began */
};

static struct use use_until(const struct gsp_rpc *r, struct deadline d)
{
    return (struct use){.d = d, .interrupts = r->interrupts};
}

/* May it go on? */
static enum fl_err check_open(const struct gsp_rpc *r, const struct use *u, struct fl_fail *fail)
{
    if (u->interrupts != r->interrupts) {
        return FL_FAIL(fail, FL_ECANCELED, "RPC", "given up: the GPU is being taken down");
    }
    return r->closed ? FL_FAIL(fail, FL_ESTATE, "RPC", "the GSP is not running") : FL_OK;
}

/* Takes the lock on FL_OK only. */
static enum fl_err begin(struct gsp_rpc *r, const struct use *u, const struct gsp_rpc_function *f,
                         struct fl_fail *fail)
{
    enum fl_err err = mutex_lock_until(&r->lock, u->d);

    if (err != FL_OK) {
        const uint64_t waited = deadline_waited_us(u->d);
        return FL_FAIL_MORE(fail, err, f->name, (FL_SAW(0, 0, waited)),
                            "waited %llu ms for other calls to end, %s was not sent",
                            (unsigned long long)(waited / US_PER_MS), f->name);
    }
    err = check_open(r, u, fail);
    if (err != FL_OK) {
        mutex_unlock(&r->lock);
    }
    return err;
}

/* A look at the ring. */
struct turn {
    uint32_t messages;
    uint64_t end_us;
};

static struct turn turn_start(void) { return (struct turn){.end_us = clock_now_us() + TURN_US}; }

/* One more message was handled. */
static bool turn_over(struct turn *t)
{
    return ++t->messages >= TURN_MESSAGES || clock_now_us() >= t->end_us;
}

/* Between two looks. more: the last one ended before the ring was empty. */
static enum fl_err next_look(struct gsp_rpc *r, const struct use *u, bool more, uint32_t *round,
                             struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    if (more) {
        *round = 0;
        fiber_yield();
    } else {
        err = r->host->idle(r->ctx, (*round)++, u->d, fail);
    }
    return err != FL_OK ? err : check_open(r, u, fail);
}

/* Takes one message. *reply: it is no event, somebody may be waiting for it. */
static enum fl_err take(struct gsp_rpc *r, const struct use *u, struct gsp_msg *m, bool *got,
                        bool *reply, struct fl_fail *fail)
{
    const enum fl_err err = gsp_queue_receive(&r->queue, r->staging, m, got, fail);

    *reply = false;
    if (err != FL_OK || !*got) {
        return err;
    }
    r->received++;
    gsp_rpc_hear(r);
    if (r->host->trace != NULL) {
        r->host->trace(r->ctx, false, m->function, m->payload_size, m->result);
    }
    if (m->function >= GSP_RPC_FIRST_EVENT) {
        r->events++;
        return r->host->event(r->ctx, m, u->d, fail);
    }
    *reply = true;
    return FL_OK;
}

/* A reply that answers nobody. */
static void dropped(struct gsp_rpc *r, const struct gsp_msg *m, enum gsp_rpc_fit fit)
{
    r->late++;
    log_limited(
        &r->limit, LOG_WARN, "gsp", "%s (0x%x, sequence %u, result 0x%x) from the GSP %s: dropped",
        gsp_rpc_name(m->function), (unsigned)m->function, (unsigned)m->sequence,
        (unsigned)m->result,
        fit == GSP_RPC_LATE ? "is the late reply to a call that was given up" : "answers nobody");
}

/* Handles events for one turn while nobody waits for a reply. *more: the ring may not be empty. */
static enum fl_err pump_turn(struct gsp_rpc *r, const struct use *u, bool *more,
                             struct fl_fail *fail)
{
    struct turn t = turn_start();
    struct gsp_msg m;
    bool reply;

    do {
        const enum fl_err err = take(r, u, &m, more, &reply, fail);
        if (err != FL_OK) {
            return err;
        }
        if (*more && reply) {
            dropped(r, &m, gsp_rpc_match_reply(&r->match, &m, 0, 0));
        }
    } while (*more && !turn_over(&t));
    return FL_OK;
}

enum fl_err gsp_rpc_pump(struct gsp_rpc *r, bool *more, struct fl_fail *fail)
{
    const struct use u = use_until(r, deadline_never());
    enum fl_err err;

    *more = mutex_lock_until(&r->lock, deadline_in_us(PUMP_WAIT_US)) != FL_OK;
    if (*more) {
        return FL_OK;
    }
    err = check_open(r, &u, fail);
    if (err == FL_OK) {
        err = pump_turn(r, &u, more, fail);
    }
    mutex_unlock(&r->lock);
    return err;
}

enum fl_err gsp_rpc_wait(struct gsp_rpc *r, bool (*done)(void *ctx), uint64_t timeout_us,
                         const char *what, const char *hint, struct fl_fail *fail)
{
    const struct use u = use_until(r, deadline_in_us(timeout_us));
    /* An event's handler has its own limits: it may end what came just in time. */
    const struct use handling = use_until(r, deadline_never());
    uint32_t round = 0;
    bool more = false;
    enum fl_err err;

    mutex_lock(&r->lock);
    lockorder_point(&lock_class_reply, "gsp_rpc_wait");
    err = check_open(r, &u, fail);
    while (err == FL_OK) {
        const bool late = deadline_passed(u.d);
        err = pump_turn(r, &handling, &more, fail);
        if (err != FL_OK || done(r->ctx)) {
            break;
        }
        if (late) {
            const uint64_t waited = deadline_waited_us(u.d);
            err = FL_FAIL_MORE(fail, FL_ETIMEDOUT, what, (FL_SAW(0, 0, waited), .hint = hint),
                               "waited %llu ms for %s; the GSP sent %llu messages until now%s",
                               (unsigned long long)(waited / US_PER_MS), what,
                               (unsigned long long)r->received,
                               r->queue.incomplete > 0 ? ", the last one incomplete" : "");
            break;
        }
        err = next_look(r, &u, more, &round, fail);
    }
    mutex_unlock(&r->lock);
    return err;
}

/* One message out, waiting for room. Events that arrive meanwhile are handled: the GSP may be
 * waiting for room in its own ring. */
static enum fl_err send_one(struct gsp_rpc *r, const struct use *u, uint32_t function,
                            uint32_t sequence, const void *data, uint32_t size,
                            struct fl_fail *fail)
{
    const struct gsp_piece piece = {.data = data, .size = size};
    uint32_t round = 0;
    bool more;

    for (;;) {
        const bool late = deadline_passed(u->d);
        enum fl_err err =
            gsp_queue_send(&r->queue, function, sequence, &piece, size > 0 ? 1 : 0, fail);
        if (err == FL_OK) {
            r->sent++;
            r->asked_us = sequence != 0 && r->asked_us == 0 ? clock_now_us() : r->asked_us;
            if (r->host->trace != NULL) {
                r->host->trace(r->ctx, true, function, size, 0);
            }
            return FL_OK;
        }
        if (err != FL_ENOSPC) {
            return err;
        }
        if (late) {
            const uint64_t waited = deadline_waited_us(u->d);
            return FL_FAIL_MORE(
                fail, FL_ETIMEDOUT, "command queue",
                (FL_SAW(r->queue.cmd_read, r->queue.cmd_write, waited)),
                "waited %llu ms for room to send %s: the GSP does not take messages (its read "
                "pointer stays at %u)",
                (unsigned long long)(waited / US_PER_MS), gsp_rpc_name(function),
                (unsigned)r->queue.cmd_read);
        }
        err = pump_turn(r, u, &more, fail);
        if (err == FL_OK) {
            err = next_look(r, u, more, &round, fail);
        }
        if (err != FL_OK) {
            return err;
        }
    }
}

/* A payload in as many messages as it needs: the first with the function, then continuations. */
static enum fl_err send_all(struct gsp_rpc *r, const struct use *u,
                            const struct gsp_rpc_function *f, uint32_t sequence,
                            const struct gsp_payload *p, struct fl_fail *fail)
{
    const uint32_t max = gsp_queue_max_payload(&r->queue);
    uint32_t part = p->size < max ? p->size : max;
    enum fl_err err = send_one(r, u, f->number, sequence, p->data, part, fail);

    for (uint32_t at = part; err == FL_OK && at < p->size; at += part) {
        part = p->size - at < max ? p->size - at : max;
        err = send_one(r, u, GSP_RPC_CONTINUATION_RECORD, sequence, p->data + at, part, fail);
    }
    return err;
}

/* A call that was given up before it was sent. A GSP that is not there is no event of its life. */
static void note_unsent(struct gsp_rpc *r, const struct use *u, const struct gsp_rpc_function *f,
                        const struct gsp_payload *p, enum fl_err err)
{
    if (err == FL_ETIMEDOUT || err == FL_ECANCELED) {
        const uint64_t n = gsp_history_begin(&r->history, f, r->queue.layout, p, u->d.start_us);
        gsp_history_end(&r->history, n, err, GSP_RPC_FAILED, 0, 0, 0);
    }
}

/* Begins a use for a call with this payload. On FL_OK *number is its record's. */
static enum fl_err begin_call(struct gsp_rpc *r, const struct use *u,
                              const struct gsp_rpc_function *f, const struct gsp_payload *p,
                              uint64_t *number, struct fl_fail *fail)
{
    enum fl_err err = begin(r, u, f, fail);

    if (err != FL_OK) {
        note_unsent(r, u, f, p, err);
        return err;
    }
    err = gsp_rpc_check_size(f, r->queue.layout, p, fail);
    if (err != FL_OK) {
        mutex_unlock(&r->lock);
        return err;
    }
    *number = gsp_history_begin(&r->history, f, r->queue.layout, p, u->d.start_us);
    return FL_OK;
}

enum fl_err gsp_rpc_post(struct gsp_rpc *r, const struct gsp_rpc_function *f,
                         const struct gsp_payload *p, uint64_t timeout_us, struct fl_fail *fail)
{
    const struct use u = use_until(r, deadline_in_us(timeout_us));
    uint64_t number;
    enum fl_err err = begin_call(r, &u, f, p, &number, fail);

    if (err != FL_OK) {
        return err;
    }
    err = send_all(r, &u, f, 0, p, fail);
    gsp_history_end(&r->history, number, err, GSP_RPC_POSTED, 0, 0, 0);
    mutex_unlock(&r->lock);
    return err;
}

/* Waits for the next message of the reply to call r->sequence: index 0 is the first one, then come
 * its continuation records. */
static enum fl_err await(struct gsp_rpc *r, const struct use *u, const struct gsp_rpc_function *f,
                         uint32_t index, struct gsp_msg *m, struct fl_fail *fail)
{
    uint32_t round = 0;

    for (;;) {
        const bool late = deadline_passed(u->d);
        struct turn t = turn_start();
        bool got, reply;
        enum fl_err err;

        do {
            err = take(r, u, m, &got, &reply, fail);
            if (err != FL_OK) {
                return err;
            }
            if (got && reply) {
                const enum gsp_rpc_fit fit =
                    index > 0 && m->function == GSP_RPC_CONTINUATION_RECORD
                        ? gsp_rpc_match_record(&r->match, m, r->sequence, index)
                        : gsp_rpc_match_reply(&r->match, m, index == 0 ? f->number : 0,
                                              r->sequence);
                if (fit == GSP_RPC_OURS) {
                    return FL_OK;
                }
                dropped(r, m, fit);
            }
        } while (got && !turn_over(&t));
        if (late) {
            const uint64_t waited = deadline_waited_us(u->d);
            return FL_FAIL_MORE(
                fail, FL_ETIMEDOUT, f->name,
                (FL_SAW(0, r->sequence, waited),
                 .hint = "the GSP may have crashed: see its logs (rm, init)"),
                "waited %llu ms for the reply to %s (sequence %u)%s",
                (unsigned long long)(waited / US_PER_MS), f->name, (unsigned)r->sequence,
                r->queue.incomplete > 0 ? "; a message was announced but never completed" : "");
        }
        err = next_look(r, u, got, &round, fail);
        if (err != FL_OK) {
            return err;
        }
    }
}

/* A reply, whatever became of it. */
struct reply {
    bool whole;     /* all of it is wanted */
    bool answered;  /* its first message has come */
    uint32_t bytes; /* of all of them */
    uint32_t result;
};

/* Puts the reply, of one or more messages, into p. */
static enum fl_err receive_all(struct gsp_rpc *r, const struct use *u,
                               const struct gsp_rpc_function *f, struct gsp_payload *p,
                               struct reply *reply, struct fl_fail *fail)
{
    const uint32_t max = gsp_queue_max_payload(&r->queue);
    const uint32_t least = f->least == GSP_RPC_WHOLE  ? p->size
                           : f->least == GSP_RPC_HEAD ? gsp_rpc_head_bytes(f, r->queue.layout)
                                                      : 0;
    struct gsp_intake in = {
        .f = f, .layout = r->queue.layout, .p = p, .whole = reply->whole, .room = p->size};
    struct gsp_msg m;
    enum fl_err err = await(r, u, f, 0, &m, fail);
    uint32_t index = 0;

    reply->answered = err == FL_OK;
    while (err == FL_OK) {
        err = gsp_intake_add(&in, &m, fail);
        reply->bytes += m.payload_size;
        reply->result = m.result;
        if (err != FL_OK || gsp_intake_complete(&in) || m.payload_size < max || m.result != 0) {
            break; /* complete, or a message that is not full: nothing follows */
        }
        err = await(r, u, f, ++index, &m, fail);
    }
    if (err == FL_OK && reply->whole) {
        p->size = in.have;
    }
    if (err == FL_OK && in.have < least && reply->result == 0) {
        return FL_FAIL_MORE(fail, FL_EPROTO, f->name, (FL_SAW(in.have, least, 0)),
                            "the reply to %s has %u bytes, expected %u", f->name, (unsigned)in.have,
                            (unsigned)least);
    }
    return err;
}

/* The call itself, with the lock held. */
static enum fl_err exchange(struct gsp_rpc *r, const struct use *u,
                            const struct gsp_rpc_function *f, struct gsp_payload *p,
                            struct reply *reply, struct fl_fail *fail)
{
    const uint64_t sent = r->sent;

    if (gsp_rpc_match_full(&r->match)) {
        return FL_FAIL_MORE(
            fail, FL_EPROTO, f->name, (.hint = "boot the GPU again"),
            "the GSP has left %u calls unanswered and does not number its replies: the next "
            "one could not be told from those",
            GSP_RPC_LATE_MAX);
    }
    r->sequence = r->sequence + 1 != 0 ? r->sequence + 1 : 1;
    enum fl_err err = send_all(r, u, f, r->sequence, p, fail);
    if (err == FL_OK) {
        err = receive_all(r, u, f, p, reply, fail);
    }
    if (r->sent != sent && !reply->answered) {
        gsp_rpc_match_give_up(&r->match, f->number, r->sequence);
    }
    return err;
}

/* The NV_STATUS in a reply; 0 where there is none. */
static uint32_t status_in(const struct gsp_rpc *r, const struct gsp_rpc_function *f,
                          const struct gsp_payload *p, const struct reply *reply)
{
    const struct gsp_payload came = {.data = p->data,
                                     .size = reply->bytes < p->size ? reply->bytes : p->size};

    return gsp_rpc_read(f->number, r->queue.layout, &came).status;
}

static enum fl_err call(struct gsp_rpc *r, const struct gsp_rpc_function *f, struct gsp_payload *p,
                        bool whole, uint64_t timeout_us, uint32_t *result, struct fl_fail *fail)
{
    const struct use u = use_until(r, deadline_in_us(timeout_us));
    struct reply reply = {.whole = whole};
    uint64_t number;
    enum fl_err err = begin_call(r, &u, f, p, &number, fail);

    if (err != FL_OK) {
        return err;
    }
    lockorder_point(&lock_class_reply, "gsp_rpc_call");
    err = exchange(r, &u, f, p, &reply, fail);
    gsp_history_end(&r->history, number, err, GSP_RPC_ANSWERED, reply.bytes, reply.result,
                    status_in(r, f, p, &reply));
    r->wait_us += deadline_waited_us(u.d);
    mutex_unlock(&r->lock);
    if (err != FL_OK) {
        return err;
    }
    if (result != NULL) {
        *result = reply.result;
        return FL_OK;
    }
    if (reply.result != 0) {
        return FL_FAIL_MORE(fail, FL_EIO, f->name, (FL_SAW(reply.result, 0, 0)),
                            "the GSP answers %s with 0x%x (%s)", f->name, (unsigned)reply.result,
                            gsp_status_name(reply.result));
    }
    return FL_OK;
}

enum fl_err gsp_rpc_call(struct gsp_rpc *r, const struct gsp_rpc_function *f, struct gsp_payload *p,
                         uint64_t timeout_us, uint32_t *result, struct fl_fail *fail)
{
    return call(r, f, p, false, timeout_us, result, fail);
}

enum fl_err gsp_rpc_call_whole(struct gsp_rpc *r, const struct gsp_rpc_function *f,
                               struct gsp_payload *p, uint64_t timeout_us, uint32_t *result,
                               struct fl_fail *fail)
{
    return call(r, f, p, true, timeout_us, result, fail);
}
