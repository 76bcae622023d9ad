/* SPDX-License-Identifier: MIT */
/* session.*: who owns objects, and when they go (session.h). */
#include "net/api/rpc/session.h"

#include <mbedtls/constant_time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/lockorder.h"
#include "arch/log.h"
#include "arch/machine.h"

static LOCK_CLASS(vram_class, "memory of a session");

struct session {
    char id[SESSION_ID_TEXT]; /* "": free */
    struct gsp_rm_session *rm;
    struct gsp_vram_client *vram; /* NULL: it has not used memory yet */
    struct mutex vram_lock;       /* one call on its memory at a time */
    uint32_t gpu_index;
    uint64_t idle_us; /* it ends when nobody has used it for so long */
    uint64_t last_us;
    uint32_t users; /* calls that are in it */
    bool closing;
};

static struct {
    struct session s[SESSIONS_MAX];
    uint32_t count;
    bool watched; /* a fiber looks for idle ones */
    struct event changed;
} sessions;

struct gsp_rm_session *session_rm(struct session *s) { return s->rm; }
uint32_t session_count(void) { return sessions.count; }

/* --- entering and leaving
 * ------------------------------------------------------------------------- */

static struct session *find(const char *id)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = &sessions.s[i];
        if (s->id[0] != '\0' && !s->closing && strlen(id) == SESSION_ID_TEXT - 1 &&
            mbedtls_ct_memcmp(id, s->id, SESSION_ID_TEXT - 1) == 0) {
            return s;
        }
    }
    return NULL;
}

struct session *session_enter(struct rpc_call *c, const char *id)
{
    struct session *s = find(id);
    if (s == NULL) {
        rpc_fail(c, RPC_NO_SESSION, "session: it has ended, or there never was one (session.open)");
        return NULL;
    }
    s->users++;
    c->gpu_index = s->gpu_index;
    c->gpu = api_context()->gpus[s->gpu_index].gpu;
    return s;
}

bool session_gpu(const char *id, uint32_t *gpu)
{
    const struct session *s = find(id);
    if (s != NULL) {
        *gpu = s->gpu_index;
    }
    return s != NULL;
}

/* Ends a session that nobody is in. Yields. */
static void end(struct session *s)
{
    s->closing = true;
    gsp_vram_close(s->vram);
    gsp_rm_close(s->rm);
    *s = (struct session){0};
    sessions.count--;
}

void session_leave(struct session *s)
{
    s->last_us = clock_now_us();
    s->users--;
    if (s->closing && s->users == 0) {
        end(s);
    }
    event_signal(&sessions.changed);
}

struct caller {
    const struct session *session;
    const struct http_later *later;
};

/* Neither has the session been closed, nor the connection that waits for the answer. */
static bool is_wanted(void *ctx)
{
    const struct caller *w = ctx;
    return !w->session->closing && (w->later == NULL || http_later_wanted(w->later));
}

void session_with_memory(struct rpc_call *c,
                         void (*fn)(struct rpc_call *c, struct gsp_vram_client *m))
{
    struct session *s = session_enter(c, c->arg[0].text);
    if (s == NULL) {
        return;
    }
    mutex_lock(&s->vram_lock);
    if (s->vram == NULL) {
        s->vram = gsp_vram_open(c->gpu, &c->fail);
    }
    if (s->vram != NULL) {
        struct caller caller = {s, c->later};
        gsp_vram_while(s->vram, is_wanted, &caller);
        fn(c, s->vram);
        gsp_vram_while(s->vram, NULL, NULL);
    } else {
        rpc_failed(c);
    }
    mutex_unlock(&s->vram_lock);
    session_leave(s);
}

void session_beside(struct rpc_call *c, void (*fn)(struct rpc_call *c, struct gsp_vram_client *m))
{
    struct session *s = session_enter(c, c->arg[0].text);
    if (s == NULL) {
        return;
    }
    if (s->vram != NULL) {
        fn(c, s->vram);
    } else {
        rpc_fail(c, RPC_FAILED,
                 "this session has used no memory yet: it has no fences and no jobs");
    }
    session_leave(s);
}

/* --- those that nobody uses
 * ----------------------------------------------------------------------- */

/* Ends those that are due; when the next one is. */
static uint64_t end_idle(void)
{
    uint64_t next_us = UINT64_MAX;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = &sessions.s[i];
        if (s->id[0] == '\0' || s->closing || s->users != 0) {
            continue;
        }
        const uint64_t due_us = s->last_us + s->idle_us;
        if (due_us <= clock_now_us()) {
            log_info("rpc", "a session on GPU %u ends: unused for %llu s", (unsigned)s->gpu_index,
                     (unsigned long long)(s->idle_us / US_PER_S));
            end(s);
        } else {
            next_us = min_u64(next_us, due_us);
        }
    }
    return next_us;
}

static void watch_fiber(void *arg)
{
    (void)arg;
    while (sessions.count > 0) {
        const uint64_t next_us = end_idle();
        const uint64_t now_us = clock_now_us();
        const struct deadline d = next_us == UINT64_MAX
                                      ? deadline_never()
                                      : deadline_in_us(next_us > now_us ? next_us - now_us : 0);
        if (sessions.count > 0) {
            (void)!event_wait(&sessions.changed, d);
        }
    }
    sessions.watched = false;
}

/* --- the methods
 * ---------------------------------------------------------------------------------- */

enum { OPEN_GPU, OPEN_IDLE };

/* A free place with a new id, taken. */
static struct session *take_place(struct rpc_call *c)
{
    uint8_t raw[SESSION_ID_BYTES];
    struct session *s = NULL;
    for (size_t i = 0; i < SESSIONS_MAX && s == NULL; i++) {
        s = sessions.s[i].id[0] == '\0' ? &sessions.s[i] : NULL;
    }
    if (s == NULL) {
        rpc_fail(c, RPC_BUSY, "there are %u sessions already: close one", SESSIONS_MAX);
        return NULL;
    }
    if (machine_random(raw, sizeof(raw)) != FL_OK) {
        rpc_fail(c, RPC_INTERNAL_ERROR,
                 "this machine gives no random numbers: no session can be "
                 "named safely");
        return NULL;
    }
    for (size_t i = 0; i < sizeof(raw); i++) {
        snprintf(s->id + 2 * i, 3, "%02x", raw[i]);
    }
    s->closing = true; /* nobody finds it yet */
    sessions.count++;
    return s;
}

static void give_up(struct session *s)
{
    *s = (struct session){0};
    sessions.count--;
}

static void open_session(struct rpc_call *c)
{
    struct session *s = take_place(c);
    if (s == NULL) {
        return;
    }
    if (!sessions.watched) {
        event_init(&sessions.changed);
        sessions.watched = fiber_spawn("sessions", watch_fiber, NULL, FIBER_STACK_DEFAULT) != NULL;
        if (!sessions.watched) {
            give_up(s);
            rpc_fail(c, RPC_BUSY, "no memory for the fiber that ends sessions");
            return;
        }
    }
    s->rm = gsp_rm_open(c->gpu, SESSION_RM_TIMEOUT_US, &c->fail);
    if (s->rm == NULL) {
        give_up(s);
        rpc_failed(c);
        return;
    }
    mutex_init(&s->vram_lock, &vram_class);
    s->gpu_index = c->gpu_index;
    s->idle_us = c->arg[OPEN_IDLE].u * US_PER_S;
    s->last_us = clock_now_us();
    s->closing = false;
    event_signal(&sessions.changed);
    jw_object(c->out, "result");
    jw_str(c->out, "session", s->id);
    jw_u64(c->out, "gpu", s->gpu_index);
    jw_fmt(c->out, "client", "0x%08x", (unsigned)gsp_rm_client(s->rm));
    jw_u64(c->out, "idle_s", c->arg[OPEN_IDLE].u);
    jw_end_object(c->out);
}

static void close_session(struct rpc_call *c)
{
    struct session *s = session_enter(c, c->arg[0].text);
    if (s == NULL) {
        return;
    }
    s->closing = true;         /* whoever is still in it ends it on leaving */
    gsp_vram_give_up(s->vram); /* and waits for nothing any more */
    session_leave(s);
    jw_object(c->out, "result");
    jw_bool(c->out, "closed", true);
    jw_end_object(c->out);
}

static const struct rpc_param open_params[] = {
    RPC_PARAM_GPU,
    {.name = "idle_s",
     .type = RPC_UINT,
     .most = SESSION_IDLE_S_MOST,
     .fallback = SESSION_IDLE_S,
     .summary = "it ends when nobody has used it for so many seconds"},
    {.name = NULL},
};
static const struct rpc_param close_params[] = {
    {.name = "session",
     .type = RPC_TEXT,
     .required = true,
     .most = SESSION_ID_TEXT,
     .summary = "what session.open gave"},
    {.name = NULL},
};

const struct rpc_method rpc_session_methods[] = {
    {.name = "session.open",
     .summary = "a client of the resource manager, to own objects",
     .params = open_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = "{\"type\":\"object\",\"required\":[\"session\"],\"properties\":{\"session\":{"
               "\"type\":\"string\"}}}",
     .run = open_session},
    {.name = "session.close",
     .summary = "ends it, and all that was made in it",
     .params = close_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .run = close_session},
    {.name = NULL},
};
