/* SPDX-License-Identifier: MIT */
/* Remote procedure calls (rpc.h). */
#include "gsp/rpc.h"

#include <stdlib.h>
#include <string.h>

#include "arch/lockorder.h"
#include "arch/log.h"
#include "gsp/status.h"

static LOCK_CLASS(rpc_class, "gsp.rpc");

const char *gsp_rpc_name(uint32_t function)
{
    switch (function) {
    case GSP_RPC_ALLOC_MEMORY:
        return "ALLOC_MEMORY";
    case GSP_RPC_FREE:
        return "FREE";
    case GSP_RPC_DUP_OBJECT:
        return "DUP_OBJECT";
    case GSP_RPC_UNLOADING_GUEST_DRIVER:
        return "UNLOADING_GUEST_DRIVER";
    case GSP_RPC_SET_PAGE_DIRECTORY:
        return "SET_PAGE_DIRECTORY";
    case GSP_RPC_GET_GSP_STATIC_INFO:
        return "GET_GSP_STATIC_INFO";
    case GSP_RPC_UPDATE_BAR_PDE:
        return "UPDATE_BAR_PDE";
    case GSP_RPC_CONTINUATION_RECORD:
        return "CONTINUATION_RECORD";
    case GSP_RPC_GSP_SET_SYSTEM_INFO:
        return "GSP_SET_SYSTEM_INFO";
    case GSP_RPC_SET_REGISTRY:
        return "SET_REGISTRY";
    case GSP_RPC_GSP_RM_CONTROL:
        return "GSP_RM_CONTROL";
    case GSP_RPC_UNSET_PAGE_DIRECTORY:
        return "UNSET_PAGE_DIRECTORY";
    case GSP_RPC_GSP_RM_ALLOC:
        return "GSP_RM_ALLOC";
    default:
        return function >= GSP_RPC_FIRST_EVENT ? "event" : "function";
    }
}

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
    r->late_sequence = 0;
    r->closed = false;
}

static enum fl_err is_closed(struct fl_fail *fail)
{
    return FL_FAIL(fail, FL_ESTATE, "RPC", "the GSP is not running");
}

/* A reply of the call that timed out before: nobody waits for it any more. */
static bool is_late(struct gsp_rpc *r, const struct gsp_msg *m)
{
    if (r->late_sequence == 0 || m->function != r->late_function ||
        m->sequence != r->late_sequence) {
        return false;
    }
    log_warn("gsp", "late reply to %s (sequence %u) dropped", gsp_rpc_name(m->function),
             (unsigned)m->sequence);
    r->late++;
    r->late_sequence = 0;
    return true;
}

/* Takes one message. *reply: it is one that a caller may be waiting for. */
static enum fl_err take(struct gsp_rpc *r, struct gsp_msg *m, bool *got, bool *reply,
                        struct fl_fail *fail)
{
    enum fl_err err = gsp_queue_receive(&r->queue, r->staging, m, got, fail);

    *reply = false;
    if (err != FL_OK || !*got) {
        return err;
    }
    r->received++;
    if (r->host->trace != NULL) {
        r->host->trace(r->ctx, false, m->function, m->payload_size, m->result);
    }
    if (m->function >= GSP_RPC_FIRST_EVENT) {
        r->events++;
        return r->host->event(r->ctx, m, fail);
    }
    *reply = !is_late(r, m);
    return FL_OK;
}

static void unexpected(struct gsp_rpc *r, const struct gsp_msg *m)
{
    r->late++;
    log_warn("gsp",
             "%s (0x%x, sequence %u, result 0x%x) from the GSP that nobody waits for: dropped",
             gsp_rpc_name(m->function), (unsigned)m->function, (unsigned)m->sequence,
             (unsigned)m->result);
}

static enum fl_err pump_locked(struct gsp_rpc *r, struct fl_fail *fail)
{
    struct gsp_msg m;
    bool got, reply;

    do {
        const enum fl_err err = take(r, &m, &got, &reply, fail);
        if (err != FL_OK) {
            return err;
        }
        if (got && reply) {
            unexpected(r, &m);
        }
    } while (got);
    return FL_OK;
}

enum fl_err gsp_rpc_pump(struct gsp_rpc *r, struct fl_fail *fail)
{
    mutex_lock(&r->lock);
    const enum fl_err err = r->closed ? is_closed(fail) : pump_locked(r, fail);
    mutex_unlock(&r->lock);
    return err;
}

enum fl_err gsp_rpc_wait(struct gsp_rpc *r, bool (*done)(void *ctx), uint64_t timeout_us,
                         const char *what, const char *hint, struct fl_fail *fail)
{
    const struct deadline d = deadline_in_us(timeout_us);
    enum fl_err err;

    mutex_lock(&r->lock);
    lockorder_point(&lock_class_fence, "gsp_rpc_wait");
    for (uint32_t round = 0;; round++) {
        const bool late = deadline_passed(d);
        err = r->closed ? is_closed(fail) : pump_locked(r, fail);
        if (err != FL_OK || done(r->ctx)) {
            break;
        }
        if (late) {
            const uint64_t waited = deadline_waited_us(d);
            err = FL_FAIL(fail, FL_ETIMEDOUT, what,
                          "waited %llu ms for %s; the GSP sent %llu messages until now%s",
                          (unsigned long long)(waited / US_PER_MS), what,
                          (unsigned long long)r->received,
                          r->queue.incomplete > 0 ? ", the last one incomplete" : "");
            fl_fail_values(fail, 0, 0, waited);
            if (hint != NULL) {
                fl_fail_hint(fail, "%s", hint);
            }
            break;
        }
        err = r->host->idle(r->ctx, round, d, fail);
        if (err != FL_OK) {
            break;
        }
    }
    mutex_unlock(&r->lock);
    return err;
}

/* One message out, waiting for room. Events that arrive meanwhile are handled: the GSP may be
 * waiting for room in its own ring. */
static enum fl_err send_locked(struct gsp_rpc *r, uint32_t function, uint32_t sequence,
                               const void *data, uint32_t size, struct deadline d,
                               struct fl_fail *fail)
{
    const struct gsp_piece piece = {.data = data, .size = size};

    for (uint32_t round = 0;; round++) {
        const bool late = deadline_passed(d);
        enum fl_err err =
            gsp_queue_send(&r->queue, function, sequence, &piece, size > 0 ? 1 : 0, fail);
        if (err == FL_OK) {
            r->sent++;
            if (r->host->trace != NULL) {
                r->host->trace(r->ctx, true, function, size, 0);
            }
            return FL_OK;
        }
        if (err != FL_ENOSPC) {
            return err;
        }
        if (late) {
            const uint64_t waited = deadline_waited_us(d);
            FL_FAIL(fail, FL_ETIMEDOUT, "command queue",
                    "waited %llu ms for room to send %s: the GSP does not take messages (its read "
                    "pointer stays at %u)",
                    (unsigned long long)(waited / US_PER_MS), gsp_rpc_name(function),
                    (unsigned)r->queue.cmd_read);
            fl_fail_values(fail, r->queue.cmd_read, r->queue.cmd_write, waited);
            return FL_ETIMEDOUT;
        }
        err = pump_locked(r, fail);
        if (err == FL_OK) {
            err = r->host->idle(r->ctx, round, d, fail);
        }
        if (err != FL_OK) {
            return err;
        }
    }
}

/* A payload in as many messages as it needs: the first with the function, then continuations. */
static enum fl_err send_all(struct gsp_rpc *r, uint32_t function, uint32_t sequence,
                            const void *payload, uint32_t size, struct deadline d,
                            struct fl_fail *fail)
{
    const uint32_t max = gsp_queue_max_payload(&r->queue);
    const uint8_t *p = payload;
    uint32_t part = size < max ? size : max;
    enum fl_err err = send_locked(r, function, sequence, p, part, d, fail);

    for (uint32_t at = part; err == FL_OK && at < size; at += part) {
        part = size - at < max ? size - at : max;
        err = send_locked(r, GSP_RPC_CONTINUATION_RECORD, sequence, p + at, part, d, fail);
    }
    return err;
}

enum fl_err gsp_rpc_post(struct gsp_rpc *r, uint32_t function, const void *payload, uint32_t size,
                         uint64_t timeout_us, struct fl_fail *fail)
{
    if (size > GSP_RPC_PAYLOAD_MAX) {
        return FL_FAIL(fail, FL_EINVAL, gsp_rpc_name(function), "a payload of %u bytes; at most %u",
                       (unsigned)size, (unsigned)GSP_RPC_PAYLOAD_MAX);
    }
    mutex_lock(&r->lock);
    const enum fl_err err =
        r->closed ? is_closed(fail)
                  : send_all(r, function, 0, payload, size, deadline_in_us(timeout_us), fail);
    mutex_unlock(&r->lock);
    return err;
}

/* Waits for the next message that is a reply. It must be of the function expected: the ring keeps
 * its order, so anything else means that the two sides disagree about what was asked. */
static enum fl_err await(struct gsp_rpc *r, uint32_t call, uint32_t expected, struct gsp_msg *m,
                         struct deadline d, struct fl_fail *fail)
{
    uint32_t round = 0;

    for (;;) {
        const bool late = deadline_passed(d);
        bool got, reply;
        enum fl_err err = take(r, m, &got, &reply, fail);
        if (err != FL_OK) {
            return err;
        }
        if (got && reply && m->function == expected) {
            return FL_OK;
        }
        if (got && reply) {
            unexpected(r, m);
        }
        if (got) {
            round = 0;
            continue;
        }
        if (late) {
            const uint64_t waited = deadline_waited_us(d);
            FL_FAIL(fail, FL_ETIMEDOUT, gsp_rpc_name(call),
                    "waited %llu ms for the reply to %s (sequence %u)%s",
                    (unsigned long long)(waited / US_PER_MS), gsp_rpc_name(call),
                    (unsigned)r->sequence,
                    r->queue.incomplete > 0 ? "; a message was announced but never completed" : "");
            fl_fail_values(fail, 0, r->sequence, waited);
            fl_fail_hint(fail, "the GSP may have crashed: see its logs (rm, init)");
            return FL_ETIMEDOUT;
        }
        err = r->host->idle(r->ctx, round++, d, fail);
        if (err != FL_OK) {
            return err;
        }
    }
}

/* Puts the reply, of one or more messages, into payload. */
static enum fl_err receive_all(struct gsp_rpc *r, uint32_t function, uint8_t *payload,
                               uint32_t size, uint32_t min_reply, uint32_t *result,
                               struct deadline d, struct fl_fail *fail)
{
    const uint32_t max = gsp_queue_max_payload(&r->queue);
    struct gsp_msg m;
    enum fl_err err = await(r, function, function, &m, d, fail);
    uint32_t have = 0;

    while (err == FL_OK) {
        const uint32_t part = m.payload_size < size - have ? m.payload_size : size - have;
        if (part > 0) {
            memcpy(payload + have, m.payload, part);
        }
        have += part;
        *result = m.result;
        if (have == size || m.payload_size < max || m.result != 0) {
            break; /* complete, or a message that is not full: nothing follows */
        }
        err = await(r, function, GSP_RPC_CONTINUATION_RECORD, &m, d, fail);
    }
    if (err == FL_OK && have < min_reply && *result == 0) {
        FL_FAIL(fail, FL_EPROTO, gsp_rpc_name(function),
                "the reply to %s has %u bytes, expected %u", gsp_rpc_name(function), (unsigned)have,
                (unsigned)min_reply);
        fl_fail_values(fail, have, min_reply, 0);
        return FL_EPROTO;
    }
    return err;
}

enum fl_err gsp_rpc_call(struct gsp_rpc *r, uint32_t function, void *payload, uint32_t size,
                         uint32_t min_reply, uint64_t timeout_us, uint32_t *result,
                         struct fl_fail *fail)
{
    uint32_t rpc_result = 0;

    if (size > GSP_RPC_PAYLOAD_MAX) {
        return FL_FAIL(fail, FL_EINVAL, gsp_rpc_name(function), "a payload of %u bytes; at most %u",
                       (unsigned)size, (unsigned)GSP_RPC_PAYLOAD_MAX);
    }
    mutex_lock(&r->lock);
    lockorder_point(&lock_class_fence, "gsp_rpc_call");
    const struct deadline d = deadline_in_us(timeout_us);
    r->sequence = r->sequence + 1 != 0 ? r->sequence + 1 : 1;
    enum fl_err err =
        r->closed ? is_closed(fail) : send_all(r, function, r->sequence, payload, size, d, fail);
    if (err == FL_OK) {
        err = receive_all(r, function, payload, size, min_reply, &rpc_result, d, fail);
        if (err == FL_ETIMEDOUT) {
            r->late_function = function;
            r->late_sequence = r->sequence;
        }
    }
    r->wait_us += deadline_waited_us(d);
    mutex_unlock(&r->lock);
    if (err != FL_OK) {
        return err;
    }
    if (result != NULL) {
        *result = rpc_result;
        return FL_OK;
    }
    if (rpc_result != 0) {
        FL_FAIL(fail, FL_EIO, gsp_rpc_name(function), "the GSP answers %s with 0x%x (%s)",
                gsp_rpc_name(function), (unsigned)rpc_result, gsp_status_name(rpc_result));
        fl_fail_values(fail, rpc_result, 0, 0);
        return FL_EIO;
    }
    return FL_OK;
}
