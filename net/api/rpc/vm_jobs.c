/* SPDX-License-Identifier: MIT */
/*
 * vm.jobs, vm.cancel and vm.fence.*: bind jobs that are queued, and the fences between them. All
 * but creating one runs beside other calls of the session: one that waits is what they are there
 * for.
 */
#include "net/api/rpc/vm.h"

#define WAIT_MS      5000u
#define WAIT_MS_MOST 60000u

/* ---- vm.jobs, .cancel ---- */

static void put_after(struct jw *j, const struct gsp_vm_job *job, const char *key, bool all)
{
    jw_array(j, key);
    for (uint32_t i = 0; i < job->after_count; i++) {
        if (all || !job->after[i].signalled) {
            jw_u64(j, NULL, job->after[i].fence);
        }
    }
    jw_end_array(j);
}

static void put_time(struct jw *j, const char *key, uint64_t us)
{
    if (us != 0) {
        jw_u64(j, key, us);
    } else {
        jw_null(j, key);
    }
}

static void put_job(struct jw *j, const struct gsp_vm_job *job)
{
    static const char *const states[] = {"queued", "waiting", "ready",    "running",
                                         "done",   "failed",  "cancelled"};
    jw_object(j, NULL);
    jw_u64(j, "job", job->job);
    jw_str(j, "op", job->unmaps ? "unmap" : "map");
    jw_str(j, "state", states[job->state]);
    jw_hex(j, "va", job->va);
    jw_hex(j, "bytes", job->len);
    jw_u64(j, "object", job->object);
    jw_hex(j, "offset", job->offset);
    put_after(j, job, "after", true);
    put_after(j, job, "waits_for", false);
    jw_u64(j, "behind", job->behind);
    jw_object(j, "steps");
    jw_u64(j, "map", job->maps);
    jw_u64(j, "unmap", job->unmapped);
    jw_u64(j, "remap", job->remaps);
    jw_u64(j, "kept", job->kept);
    jw_end_object(j);
    jw_u64(j, "submitted_us", job->submitted_us);
    put_time(j, "begun_us", job->begun_us);
    put_time(j, "ended_us", job->ended_us);
    if (job->fail.err != FL_OK) {
        api_put_fail(j, "error", &job->fail);
    } else {
        jw_null(j, "error");
    }
    jw_end_object(j);
}

static void jobs_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    const uint32_t vm = (uint32_t)c->arg[VM].u;
    struct gsp_vm_info info;
    struct gsp_vm_job job;
    uint32_t cursor = 0;
    if (gsp_vm_describe(m, vm, &info, &c->fail) != FL_OK) {
        rpc_failed(c);
        return;
    }
    jw_object(c->out, "result");
    vm_put_info(c, &info);
    jw_array(c->out, "queue");
    while (gsp_vm_job_next(m, vm, &cursor, &job)) {
        put_job(c->out, &job);
    }
    jw_end_array(c->out);
    jw_end_object(c->out);
}
static void jobs(struct rpc_call *c) { session_beside(c, jobs_in); }

/* The number of a job or a fence, behind the session. */
#define NUMBER 1

static void done(struct rpc_call *c, enum fl_err err, const char *key)
{
    if (err != FL_OK) {
        rpc_failed(c);
        return;
    }
    jw_object(c->out, "result");
    jw_bool(c->out, key, true);
    jw_end_object(c->out);
}

static void cancel_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    done(c, gsp_vm_cancel(m, (uint32_t)c->arg[NUMBER].u, &c->fail), "cancelled");
}
static void cancel(struct rpc_call *c) { session_beside(c, cancel_in); }

/* ---- vm.fence.* ---- */

static void create_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    uint32_t fence;
    if (gsp_vm_fence_create(m, &fence, &c->fail) != FL_OK) {
        rpc_failed(c);
        return;
    }
    jw_object(c->out, "result");
    jw_u64(c->out, "fence", fence);
    jw_end_object(c->out);
}
static void create(struct rpc_call *c) { session_with_memory(c, create_in); }

static void signal_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    done(c, gsp_vm_fence_signal(m, (uint32_t)c->arg[NUMBER].u, &c->fail), "signalled");
}
static void signal(struct rpc_call *c) { session_beside(c, signal_in); }

static void destroy_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    done(c, gsp_vm_fence_destroy(m, (uint32_t)c->arg[NUMBER].u, &c->fail), "destroyed");
}
static void destroy(struct rpc_call *c) { session_beside(c, destroy_in); }

enum { WAIT_SESSION, WAIT_FENCE, WAIT_TIMEOUT };

static void wait_in(struct rpc_call *c, struct gsp_vram_client *m)
{
    done(c,
         gsp_vm_fence_wait(m, (uint32_t)c->arg[WAIT_FENCE].u, c->arg[WAIT_TIMEOUT].u * US_PER_MS,
                           &c->fail),
         "signalled");
}
static void wait(struct rpc_call *c) { session_beside(c, wait_in); }

/* ---- the tables ---- */

#define PARAM_NUMBER(text, what)                                                                   \
    {.name = (text), .type = RPC_UINT, .required = true, .most = UINT32_MAX, .summary = (what)}

static const struct rpc_param jobs_params[] = {PARAM_SESSION, PARAM_VM, {.name = NULL}};
static const struct rpc_param cancel_params[] = {
    PARAM_SESSION, PARAM_NUMBER("job", "what a queued vm.map or vm.unmap gave"), {.name = NULL}};
static const struct rpc_param create_params[] = {PARAM_SESSION, {.name = NULL}};
static const struct rpc_param fence_params[] = {
    PARAM_SESSION, PARAM_NUMBER("fence", "what vm.fence.create gave"), {.name = NULL}};
static const struct rpc_param wait_params[] = {
    PARAM_SESSION,
    PARAM_NUMBER("fence", "what vm.fence.create gave, in any session of this GPU, or a job"),
    {.name = "timeout_ms",
     .type = RPC_UINT,
     .most = WAIT_MS_MOST,
     .fallback = WAIT_MS,
     .summary = "how long"},
    {.name = NULL},
};

#define FENCE_SCHEMA                                                                               \
    "{\"type\":\"object\",\"required\":[\"fence\"],\"properties\":{\"fence\":{\"type\":"           \
    "\"integer\"}}}"
#define JOBS_SCHEMA                                                                                \
    "{\"type\":\"object\",\"required\":[\"vm\",\"kind\",\"jobs\",\"queue\"],\"properties\":{"      \
    "\"queue\":{"                                                                                  \
    "\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"job\",\"op\",\"state\","    \
    "\"va\","                                                                                      \
    "\"bytes\",\"after\",\"waits_for\",\"steps\",\"error\"]}}}}"

const struct rpc_method rpc_vm_job_methods[] = {
    {.name = "vm.jobs",
     .summary =
         "an address space and its queued jobs: where each stands, what it waits for, how it "
         "ended; the last 64 that are over are remembered",
     .params = jobs_params,
     .flags = RPC_TOKEN,
     .result = JOBS_SCHEMA,
     .run = jobs},
    {.name = "vm.cancel",
     .summary = "a queued job will not run; -32003 when it runs already",
     .params = cancel_params,
     .flags = RPC_TOKEN,
     .run = cancel},
    {.name = "vm.fence.create",
     .summary = "a fence, to be signalled once; jobs and calls of all sessions may wait for it",
     .params = create_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = FENCE_SCHEMA,
     .run = create},
    {.name = "vm.fence.signal",
     .summary = "keeps what the fence promised; answers at once, also while others wait",
     .params = fence_params,
     .flags = RPC_TOKEN,
     .run = signal},
    {.name = "vm.fence.wait",
     .summary = "answers when the fence is signalled; its error, or the deadline, is an error",
     .params = wait_params,
     .flags = RPC_TOKEN | RPC_SLOW | RPC_FENCE,
     .run = wait},
    {.name = "vm.fence.destroy",
     .summary = "forgets it; who waits for it is told that it will not come",
     .params = fence_params,
     .flags = RPC_TOKEN,
     .run = destroy},
    {.name = NULL},
};
