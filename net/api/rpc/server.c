/* SPDX-License-Identifier: MIT */
/* JSON-RPC requests: taken apart, run at once or in a fiber of their own, answered (rpc.h). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/fiber.h"
#include "net/api/access.h"
#include "net/api/rpc/session.h"
#include "net/http/json_in.h"

#define JOB_STACK_BYTES KIB(48)

/* A request that a fiber works on. */
struct job {
    struct http_later *later;
    json_t *root;
    bool authorised;
    uint32_t place; /* that it takes: a GPU's, or FENCES */
};
#define FENCES ((uint32_t)API_MAX_GPUS) /* the place of those that wait for a fence only */

static struct {
    struct rpc_stats stats;
    uint32_t jobs_of[API_MAX_GPUS + 1]; /* by place */
} rpc;

void rpc_get_stats(struct rpc_stats *out) { *out = rpc.stats; }

/* --- methods
 * --------------------------------------------------------------------------------------- */

static void discover(struct rpc_call *c) { rpc_discover(c->out, "result"); }

static const struct rpc_method own_methods[] = {
    {.name = "rpc.discover",
     .summary = "this description of all methods (OpenRPC)",
     .run = discover},
    {.name = NULL},
};

static const struct rpc_method *const tables[] = {
    own_methods,     rpc_gpu_methods,       rpc_rm_methods,      rpc_register_methods,
    rpc_pci_methods, rpc_appliance_methods, rpc_session_methods, rpc_memory_methods,
    rpc_vm_methods,  rpc_vm_job_methods,
};

const struct rpc_method *rpc_method_at(size_t i)
{
    for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
        for (const struct rpc_method *m = tables[t]; m->name != NULL; m++) {
            if (i-- == 0) {
                return m;
            }
        }
    }
    return NULL;
}

const struct rpc_method *rpc_method_find(const char *name)
{
    const struct rpc_method *m;
    for (size_t i = 0; (m = rpc_method_at(i)) != NULL; i++) {
        if (strcmp(m->name, name) == 0) {
            break;
        }
    }
    return m;
}

/* --- failures
 * -------------------------------------------------------------------------------------- */

void rpc_fail(struct rpc_call *c, enum rpc_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fl_fail_clear(&c->fail);
    vsnprintf(c->fail.text, sizeof(c->fail.text), fmt, ap);
    va_end(ap);
    c->code = code;
}

void rpc_failed(struct rpc_call *c) { c->code = c->fail.err == FL_EBUSY ? RPC_BUSY : RPC_FAILED; }

void rpc_refused(struct rpc_call *c, uint32_t nv_status, const char *what)
{
    rpc_fail(c, RPC_REFUSED, "the resource manager refuses %s: %s", what,
             gsp_status_name(nv_status));
    c->nv_status = nv_status;
}

/* --- one call
 * -------------------------------------------------------------------------------------- */

/* id: a string, an integer, or null; NULL stands for null. */
static void put_id(struct jw *j, const json_t *id)
{
    if (json_is_string(id)) {
        jw_str(j, "id", json_string_value(id));
    } else if (json_is_integer(id)) {
        jw_i64(j, "id", json_integer_value(id));
    } else {
        jw_null(j, "id");
    }
}

static void put_error(struct jw *j, const struct rpc_call *c)
{
    jw_object(j, "error");
    jw_i64(j, "code", c->code);
    jw_str(j, "message", c->fail.text);
    if (c->fail.err != FL_OK) {
        api_put_fail(j, "data", &c->fail);
    } else if (c->code == RPC_REFUSED) {
        jw_object(j, "data");
        jw_str(j, "nv_status", gsp_status_name(c->nv_status));
        jw_u64(j, "nv_status_code", c->nv_status);
        jw_end_object(j);
    }
    jw_end_object(j);
}

static void put_failure(struct jw *j, const json_t *id, const struct rpc_call *c)
{
    rpc.stats.errors++;
    jw_object(j, NULL);
    jw_str(j, "jsonrpc", "2.0");
    put_error(j, c);
    put_id(j, id);
    jw_end_object(j);
}

/* Is it a request at all? */
static bool is_request(struct rpc_call *c, const json_t *request)
{
    const json_t *id = json_object_get(request, "id");
    const json_t *params = json_object_get(request, "params");
    const char *version = json_string_value(json_object_get(request, "jsonrpc"));
    const char *why = NULL;
    if (!json_is_object(request)) {
        why = "a request is an object";
    } else if (version == NULL || strcmp(version, "2.0") != 0) {
        why = "jsonrpc must be \"2.0\"";
    } else if (!json_is_string(json_object_get(request, "method"))) {
        why = "method must be a string";
    } else if (params != NULL && !json_is_object(params) && !json_is_array(params)) {
        why = "params must be an object or an array";
    } else if (id != NULL && !json_is_string(id) && !json_is_integer(id) && !json_is_null(id)) {
        why = "id must be a string, an integer or null";
    }
    if (why != NULL) {
        rpc_fail(c, RPC_INVALID_REQUEST, "%s", why);
    }
    return why == NULL;
}

static void run(struct rpc_call *c, const json_t *request, bool authorised)
{
    const char *name = json_string_value(json_object_get(request, "method"));
    c->method = rpc_method_find(name);
    if (c->method == NULL) {
        rpc_fail(c, RPC_METHOD_NOT_FOUND, "there is no method '%.60s' (rpc.discover)", name);
        return;
    }
    if ((c->method->flags & RPC_TOKEN) != 0 && !authorised) {
        rpc_fail(c, RPC_NEEDS_TOKEN, "%s needs the token (Authorization: Bearer ...)", name);
        return;
    }
    if (rpc_take_params(c, json_object_get(request, "params"))) {
        c->method->run(c);
    }
}

/* Runs one request and writes its answer, unless it is a notification. The code it ended with. */
static enum rpc_code serve(struct jw *j, const json_t *request, bool authorised,
                           const struct http_later *later)
{
    struct rpc_call *c = calloc(1, sizeof(*c)); /* too large for a stack */
    if (c == NULL) {
        j->out->failed = true;
        return RPC_INTERNAL_ERROR;
    }
    const struct jw before = *j;
    const size_t len = j->out->len;
    const json_t *id = json_object_get(request, "id");
    c->out = j;
    c->later = later;
    rpc.stats.calls++;
    if (!is_request(c, request)) {
        put_failure(j, json_is_string(id) || json_is_integer(id) ? id : NULL, c);
    } else {
        jw_object(j, NULL);
        jw_str(j, "jsonrpc", "2.0");
        run(c, request, authorised);
        put_id(j, id);
        jw_end_object(j);
        if (id == NULL || c->code != 0) { /* nothing of it stays */
            *j = before;
            j->out->len = len;
        }
        if (id == NULL) {
            rpc.stats.notifications++;
        } else if (c->code != 0) {
            put_failure(j, id, c);
        }
    }
    const enum rpc_code code = c->code;
    free(c);
    return code;
}

/* --- a request
 * ------------------------------------------------------------------------------------- */

static void one_failure(struct http_response *res, enum rpc_code code, const char *text)
{
    struct rpc_call *c = calloc(1, sizeof(*c));
    struct jw j;
    jw_begin(&j, &res->body);
    if (c == NULL) {
        res->body.failed = true;
        return;
    }
    rpc_fail(c, code, "%s", text);
    put_failure(&j, NULL, c);
    text_append(&res->body, "\n", 1);
    free(c);
}

static void finish(struct http_response *res)
{
    if (res->body.len == 0 && !res->body.failed) {
        res->status = 204; /* notifications only */
        return;
    }
    text_append(&res->body, "\n", 1);
}

/* root is a request, or an array of 1 to RPC_BATCH_MAX. */
static void serve_all(const json_t *root, bool authorised, const struct http_later *later,
                      struct http_response *res)
{
    struct jw j;
    jw_begin(&j, &res->body);
    if (!json_is_array(root)) {
        if (serve(&j, root, authorised, later) == RPC_NEEDS_TOKEN && res->body.len != 0) {
            res->status = 401;
            res->extra = "WWW-Authenticate: Bearer realm=\"firstlight\"\r\n";
        }
        finish(res);
        return;
    }
    jw_array(&j, NULL);
    const size_t empty = res->body.len;
    for (size_t i = 0; i < json_array_size(root); i++) {
        (void)serve(&j, json_array_get(root, i), authorised, later);
    }
    jw_end_array(&j);
    if (res->body.len == empty + 1 && !res->body.failed) { /* "[]" is no answer */
        text_free(&res->body);
    }
    finish(res);
}

/* --- in a fiber of its own
 * ------------------------------------------------------------------------- */

static void count(uint32_t place, int by)
{
    uint32_t *of_kind = place == FENCES ? &rpc.stats.fences : &rpc.stats.jobs;
    rpc.jobs_of[place] += (uint32_t)by;
    *of_kind += (uint32_t)by;
}

static void job_fiber(void *arg)
{
    struct job *job = arg;
    serve_all(job->root, job->authorised, job->later, http_later_response(job->later));
    json_decref(job->root);
    count(job->place, -1);
    http_later_done(job->later);
    free(job);
}

/* The place that a request would take while it waits; false: it never waits. */
static bool waits_for(const json_t *request, bool authorised, uint32_t *place)
{
    const char *name = json_string_value(json_object_get(request, "method"));
    const struct rpc_method *m = name != NULL ? rpc_method_find(name) : NULL;
    if (m == NULL || (m->flags & RPC_SLOW) == 0 || ((m->flags & RPC_TOKEN) != 0 && !authorised)) {
        return false;
    }
    struct rpc_call *c = calloc(1, sizeof(*c));
    bool waits = false;
    if (c != NULL) {
        c->method = m;
        waits = rpc_take_params(c, json_object_get(request, "params"));
        *place = c->gpu_index;
        for (unsigned i = 0; waits && m->params != NULL && m->params[i].name != NULL; i++) {
            if (rpc_given(c, i) && strcmp(m->params[i].name, "session") == 0) {
                waits = session_gpu(c->arg[i].text, place); /* else it fails at once */
            }
        }
        *place = (m->flags & RPC_FENCE) != 0 ? FENCES : *place;
        free(c);
    }
    return waits;
}

/* A batch takes the place of the first GPU that one of its calls waits for. */
static bool any_waits(const json_t *root, bool authorised, uint32_t *place)
{
    bool waits = false;
    if (!json_is_array(root)) {
        return waits_for(root, authorised, place);
    }
    *place = FENCES;
    for (size_t i = 0; i < json_array_size(root) && *place == FENCES; i++) {
        uint32_t one;
        if (waits_for(json_array_get(root, i), authorised, &one)) {
            waits = true;
            *place = one;
        }
    }
    return waits;
}

static void busy(struct http_response *res, const char *text)
{
    rpc.stats.busy++;
    one_failure(res, RPC_BUSY, text);
    res->status = 503;
    res->extra = "Retry-After: 1\r\n";
}

/* Takes root over. */
static void serve_later(const struct http_request *req, struct http_response *res, json_t *root,
                        bool authorised, uint32_t place)
{
    struct job *job = NULL;
    struct http_later *later = NULL;
    if (place == FENCES && rpc.stats.fences == RPC_FENCES_MAX) {
        busy(res, "too many requests wait for fences; try again");
    } else if (place != FENCES && rpc.stats.jobs == RPC_JOBS_MAX) {
        busy(res, "too many requests wait for GPUs; try again");
    } else if (place != FENCES && rpc.jobs_of[place] == RPC_JOBS_PER_GPU) {
        busy(res, "too many requests wait for this GPU; try again");
    } else if ((job = calloc(1, sizeof(*job))) == NULL) {
        busy(res, "no memory for a request that waits; try again");
    } else if ((later = http_defer(req, res)) != NULL) {
        *job = (struct job){.later = later, .root = root, .authorised = authorised, .place = place};
        if (fiber_spawn("rpc", job_fiber, job, JOB_STACK_BYTES) != NULL) {
            count(place, 1);
            return;
        }
        busy(http_later_response(later), "no memory for a fiber; try again");
        http_later_done(later);
    }
    json_decref(root);
    free(job);
}

void rpc_post(const struct http_request *req, struct http_response *res)
{
    char why[200];
    bool no_memory;
    uint32_t place = 0;
    rpc.stats.requests++;
    json_t *root =
        json_in(req->body != NULL ? req->body : "", req->body_len, why, sizeof(why), &no_memory);
    if (root == NULL) {
        if (no_memory) {
            busy(res, "no memory to read the request; try again");
        } else {
            one_failure(res, RPC_PARSE_ERROR, why);
        }
        return;
    }
    const size_t count = json_is_array(root) ? json_array_size(root) : 1;
    const bool authorised = access_has_token(req);
    if (count == 0 || count > RPC_BATCH_MAX) {
        one_failure(res, RPC_INVALID_REQUEST,
                    count == 0 ? "an empty batch" : "more than 64 calls in one request");
    } else if (any_waits(root, authorised, &place)) {
        serve_later(req, res, root, authorised, place);
        return;
    } else {
        serve_all(root, authorised, NULL, res);
    }
    json_decref(root);
}
