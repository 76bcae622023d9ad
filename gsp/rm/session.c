/* SPDX-License-Identifier: MIT */
/*
 * RM clients of others (session.h). A session belongs to one life of the resource manager: what it
 * made is gone with that, and what has the same handle in the next one is somebody else's.
 */
#include "gsp/rm/session.h"

#include <stdlib.h>

#include "arch/log.h"
#include "arch/machine.h"
#include "gsp/gpu.h"
#include "gsp/rm/rm.h"
#include "gsp/rpc/status.h"

/* Handles are the client's to choose. Of clients: beside our own, and outside of RM's internal
 * range from 0xc1e00000 on. Of objects: where tinygrad has its own (runtime/support/nv/ip.py). */
#define CLIENT_FIRST 0xc1d10000u
#define CLIENT_COUNT 0x10000u
#define OBJECT_FIRST 0xcf000001u

#define CLOSE_TIMEOUT_US (5 * US_PER_S)

struct gsp_rm_session {
    struct gsp_gpu *g;           /* NULL: destroyed */
    struct gsp_rm_session *next; /* of the GPU's */
    uint32_t client;
    uint32_t objects_made;
    uint64_t life;  /* of the resource manager */
    uint32_t users; /* fibers in a call */
    bool closing;
    struct event left;
};

uint32_t gsp_rm_client(const struct gsp_rm_session *s) { return s->client; }

/* Of an answering resource manager, and of the one that the client was made with. */
static bool alive(const struct gsp_rm_session *s)
{
    return s->g != NULL && s->life == s->g->rm_life && s->g->undo.rm;
}

/* ---- open and close ---- */

static bool client_is_open(const struct gsp_gpu *g, uint32_t client)
{
    const struct gsp_rm_session *s = g->sessions;

    while (s != NULL && s->client != client) {
        s = s->next;
    }
    return s != NULL;
}

/* They come back after 65536 sessions; by then no late reply can mean the first. */
static uint32_t new_client(struct gsp_gpu *g)
{
    uint32_t client;

    do {
        client = CLIENT_FIRST + g->clients_made++ % CLIENT_COUNT;
    } while (client_is_open(g, client));
    return client;
}

static void forget(struct gsp_rm_session *s)
{
    struct gsp_rm_session **at = &s->g->sessions;

    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
}

static struct gsp_rm_session *open_session(struct gsp_gpu *g, uint64_t timeout_us,
                                           struct fl_fail *fail)
{
    unsigned count = 0;

    for (const struct gsp_rm_session *o = g->sessions; o != NULL; o = o->next) {
        count++;
    }
    if (count >= GSP_RM_SESSIONS_MAX) {
        FL_FAIL_MORE(fail, FL_ENOSPC, "RM session", (.hint = "close one"),
                     "%u sessions are open on this GPU, as many as may be", count);
        return NULL;
    }
    if (g->state != GSP_READY || !g->undo.rm) {
        FL_FAIL(fail, FL_ESTATE, "RM session", "the GPU is %s, not ready",
                gsp_state_name(g->state));
        return NULL;
    }
    struct gsp_rm_session *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        FL_FAIL(fail, FL_ENOMEM, "RM session", "no memory for a session");
        return NULL;
    }
    *s = (struct gsp_rm_session){
        .g = g, .next = g->sessions, .client = new_client(g), .life = g->rm_life};
    event_init(&s->left);
    g->sessions = s; /* before the wait: it counts */
    if (gsp_rm_make_client(g, s->client, timeout_us, fail) != FL_OK) {
        forget(s);
        free(s);
        return NULL;
    }
    return s;
}

struct gsp_rm_session *gsp_rm_open(struct gsp_gpu *g, uint64_t timeout_us, struct fl_fail *fail)
{
    if (!gsp_gpu_enter(g)) {
        FL_FAIL(fail, FL_ESTATE, "RM session", "the GPU is being destroyed");
        return NULL;
    }
    struct gsp_rm_session *s = open_session(g, timeout_us, fail);
    gsp_gpu_leave(g);
    return s;
}

/* What is below the client goes with it; where nobody answers it has gone, or goes with the GSP. */
static void free_client(struct gsp_rm_session *s)
{
    struct fl_fail fail = {0};
    uint32_t status = NV_OK;

    if (!alive(s)) {
        return;
    }
    const enum fl_err err =
        gsp_rm_free_on(s->g, s->client, s->client, CLOSE_TIMEOUT_US, &status, &fail);
    if (err == FL_OK && status != NV_OK) {
        log_limited(&s->g->chatter, LOG_WARN, s->g->hw.label,
                    "the RM client 0x%08x was not freed: 0x%x (%s)", (unsigned)s->client,
                    (unsigned)status, gsp_status_name(status));
    } else if (err != FL_OK) {
        log_limited(&s->g->chatter, LOG_WARN, s->g->hw.label,
                    "the RM client 0x%08x was not freed: %s", (unsigned)s->client, fail.text);
    }
}

void gsp_rm_close(struct gsp_rm_session *s)
{
    if (s == NULL) {
        return;
    }
    s->closing = true;
    while (s->users > 0) {
        const enum fl_err err = event_wait(&s->left, deadline_never());
        FL_ASSERT(err == FL_OK);
    }
    if (s->g != NULL && gsp_gpu_enter(s->g)) {
        free_client(s);
        gsp_gpu_leave(s->g);
    }
    if (s->g != NULL) {
        forget(s);
    }
    free(s);
}

void gsp_rm_orphan_sessions(struct gsp_gpu *g)
{
    for (struct gsp_rm_session *s = g->sessions; s != NULL; s = s->next) {
        s->g = NULL;
    }
    g->sessions = NULL;
}

/* ---- calls ---- */

/* A fiber comes into a call, and goes. */
static enum fl_err enter(struct gsp_rm_session *s, struct fl_fail *fail)
{
    if (s->closing) {
        return FL_FAIL(fail, FL_ESTATE, "RM session", "the session is being closed");
    }
    if (!alive(s) || !gsp_gpu_enter(s->g)) {
        return FL_FAIL_MORE(fail, FL_ESTATE, "RM session", (.hint = "open a new one"),
                            "the session is over: the GPU was unloaded, reset or failed");
    }
    s->users++;
    return FL_OK;
}

static void leave(struct gsp_rm_session *s)
{
    gsp_gpu_leave(s->g);
    if (--s->users == 0) {
        event_signal(&s->left);
    }
}

static uint32_t parent_of(const struct gsp_rm_session *s, const struct gsp_rm_call *c)
{
    return c->parent != 0 ? c->parent : s->client;
}

static uint32_t new_object(struct gsp_rm_session *s) { return OBJECT_FIRST + s->objects_made++; }

enum fl_err gsp_rm_session_control(struct gsp_rm_session *s, struct gsp_rm_call *c,
                                   struct fl_fail *fail)
{
    enum fl_err err = enter(s, fail);

    if (err == FL_OK) {
        err = gsp_rm_control_on(s->g, s->client, c->object != 0 ? c->object : s->client,
                                c->cls_or_cmd, c->params, c->size, c->timeout_us, &c->rm_status,
                                fail);
        leave(s);
    }
    return err;
}

enum fl_err gsp_rm_session_alloc(struct gsp_rm_session *s, struct gsp_rm_call *c,
                                 struct fl_fail *fail)
{
    enum fl_err err = enter(s, fail);

    if (err == FL_OK) {
        c->object = c->object != 0 ? c->object : new_object(s);
        err = gsp_rm_alloc_on(s->g, s->client, parent_of(s, c), c->object, c->cls_or_cmd, c->params,
                              c->size, c->timeout_us, &c->rm_status, fail);
        leave(s);
    }
    return err;
}

enum fl_err gsp_rm_session_free(struct gsp_rm_session *s, uint32_t object, uint64_t timeout_us,
                                uint32_t *rm_status, struct fl_fail *fail)
{
    if (object == 0 || object == s->client) {
        return FL_FAIL(fail, FL_EINVAL, "RM free", "the client is freed by closing the session");
    }
    enum fl_err err = enter(s, fail);

    if (err == FL_OK) {
        err = gsp_rm_free_on(s->g, s->client, object, timeout_us, rm_status, fail);
        leave(s);
    }
    return err;
}

enum fl_err gsp_rm_session_dup(struct gsp_rm_session *s, uint32_t client_src, uint32_t object_src,
                               struct gsp_rm_call *c, struct fl_fail *fail)
{
    enum fl_err err = enter(s, fail);

    if (err == FL_OK) {
        c->object = c->object != 0 ? c->object : new_object(s);
        err = gsp_rm_dup_on(s->g, s->client, parent_of(s, c), c->object, client_src, object_src,
                            c->timeout_us, &c->rm_status, fail);
        leave(s);
    }
    return err;
}
