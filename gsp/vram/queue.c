/* SPDX-License-Identifier: MIT */
/*
 * Queued jobs of clients: submitted, listed, cancelled, remembered (gsp/vram.h). The queue itself
 * is mm/gpu's. What a job that is over changes in our books, it changes at the client's next call.
 */
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

static struct vram_job *job_from(struct vram_fence *f)
{
    while (f != NULL && !f->is_job) {
        f = f->next;
    }
    return f != NULL ? CONTAINER_OF(f, struct vram_job, base) : NULL;
}
static struct vram_job *first_job(const struct gsp_vram_client *c) { return job_from(c->fences); }
static struct vram_job *next_job(const struct vram_job *j) { return job_from(j->base.next); }

/* ---- the end of a job ---- */

/* In the section of its signal: nothing is allocated here, and nothing waits. */
static void ended(struct fence_callback *cb, struct fence *f)
{
    struct vram_job *j = CONTAINER_OF(cb, struct vram_job, ended);

    (void)f;
    j->over = true;
    if (j->held != NULL) {
        vram_object_leave(j->held);
        j->held = NULL;
    }
}

void vram_job_free(struct vram_job *j)
{
    for (uint32_t i = 0; i < j->after_count; i++) {
        fence_put(j->after[i].fence);
    }
    fence_put(j->base.fence);
    vram_fence_put(&j->base);
}

static void settle(struct gsp_vram_client *c, struct vram_job *j)
{
    struct vram_space *s = c->spaces;
    const bool well = fence_error(j->base.fence) == FL_OK;

    while (s != NULL && s->handle != j->vm) {
        s = s->next;
    }
    if (s != NULL && well == (j->op.kind == GPU_BIND_UNMAP)) {
        vram_place_give_back(s, j->op.want.va, j->op.want.len);
    }
    j->settled = true;
}

void vram_jobs_settle(struct gsp_vram_client *c)
{
    unsigned over = 0;

    for (struct vram_job *j = first_job(c); j != NULL; j = next_job(j)) {
        if (j->over && !j->settled) {
            settle(c, j);
        }
        over += j->over;
    }
    while (over > GSP_VM_JOBS_KEPT) { /* the oldest ones are forgotten */
        struct vram_job *j = first_job(c);
        while (!j->over) {
            j = next_job(j);
        }
        vram_fence_take(c, &j->base);
        vram_job_free(j);
        over--;
    }
}

bool vram_jobs_claim(const struct gsp_vram_client *c, const struct vram_space *s,
                     struct range where, struct range *claimed)
{
    for (struct vram_job *j = first_job(c); j != NULL; j = next_job(j)) {
        const struct gpu_want *w = &j->op.want;
        const uint64_t from = max_u64(w->va, where.base);
        const uint64_t to = min_u64(w->va + w->len, where.base + where.size);
        if (!j->over && j->vm == s->handle && j->op.kind == GPU_BIND_MAP && from < to) {
            *claimed = (struct range){from, to - from};
            return true;
        }
    }
    return false;
}

/* ---- submitting ---- */

static enum fl_err find_fences(struct gsp_vram *v, const struct gsp_vm_when *when,
                               struct fence **in, struct fl_fail *fail)
{
    for (uint32_t i = 0; i < when->after_count; i++) {
        const struct vram_fence *f = vram_fence_find(v, when->after[i], fail);
        if (f == NULL) {
            return FL_ENOENT;
        }
        in[i] = f->fence;
    }
    return FL_OK;
}

static enum fl_err check_count(struct gsp_vram_client *c, const struct gsp_vm_when *when,
                               struct fl_fail *fail)
{
    unsigned waiting = 0;

    if (when->after_count > GSP_VM_AFTER_MAX) {
        return FL_FAIL(fail, FL_EINVAL, "bind", "it waits for %u fences; at most %u are taken",
                       (unsigned)when->after_count, GSP_VM_AFTER_MAX);
    }
    for (struct vram_job *j = first_job(c); j != NULL; j = next_job(j)) {
        waiting += !j->over;
    }
    if (when->queued && waiting >= GSP_VM_JOBS_MAX) {
        return FL_FAIL_MORE(fail, FL_ENOSPC, "bind", (.hint = "wait for some, or cancel some"),
                            "%u jobs of this session are not over, as many as may be", waiting);
    }
    return FL_OK;
}

/* Its report lies in the record, so there is one before there is a job. */
static enum fl_err queue(struct gsp_vram_client *c, struct vram_space *s,
                         const struct gpu_bind *bind, const struct gsp_vm_when *when,
                         struct vram_job **out, struct fl_fail *fail)
{
    struct vram_job *j = heap_zalloc(sizeof(*j) + bind->in_count * sizeof(j->after[0]));

    if (j == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "bind", "no memory for the books of a job");
    }
    struct gpu_bind with_report = *bind;
    with_report.report = &j->base.report;
    const enum fl_err err = gpu_vm_bind(s->vm, &with_report, &j->base.fence, fail);
    if (err != FL_OK) {
        heap_free(j);
        return err;
    }
    j->base.is_job = true;
    j->base.refs = 1;
    j->vm = s->handle;
    j->op = bind->ops[0];
    j->submitted_us = clock_now_us();
    j->after_count = bind->in_count;
    for (uint32_t i = 0; i < bind->in_count; i++) {
        j->after[i].handle = when->after[i];
        j->after[i].fence = fence_get(bind->in[i]);
    }
    fence_callback_init(&j->ended, ended);
    const enum fl_err added = fence_add_callback(j->base.fence, &j->ended);
    FL_ASSERT(added == FL_OK); /* nothing runs before we yield */
    vram_fence_add(c, &j->base);
    *out = j;
    return FL_OK;
}

/* The object is in video memory, and stays there until the change is made. */
static enum fl_err submit(struct gsp_vram_client *c, struct vram_space *s, struct vram_object *o,
                          const struct gpu_bind_op *op, struct gsp_vm_when *when,
                          struct fl_fail *fail)
{
    struct fence *in[GSP_VM_AFTER_MAX];
    const struct gpu_bind bind = {
        .ops = op, .op_count = 1, .in = in, .in_count = when->after_count};
    struct vram_job *j;
    enum fl_err err = find_fences(c->v, when, in, fail);

    err = FL_THEN(err, vram_alive(c->v, fail));
    if (err == FL_OK && !when->queued) {
        err = gpu_vm_bind_sync(s->vm, &bind, fail);
    } else if (err == FL_OK) {
        err = queue(c, s, &bind, when, &j, fail);
        if (err == FL_OK) {
            j->held = o;
            j->object = o != NULL ? o->handle : 0;
            when->job = j->base.handle;
            return FL_OK;
        }
    }
    if (o != NULL) {
        vram_object_leave(o);
    }
    return err;
}

enum fl_err vram_submit(struct gsp_vram_client *c, struct vram_space *s, struct vram_object *o,
                        const struct gpu_bind_op *op, struct gsp_vm_when *when,
                        struct fl_fail *fail)
{
    struct gsp_vm_when now = {0};
    when = when != NULL ? when : &now;
    enum fl_err err = vram_alive(c->v, fail);

    err = FL_THEN(err, check_count(c, when, fail));
    if (err == FL_OK && o != NULL) {
        err = vram_object_enter(c->v, o, fail);
    }
    return FL_THEN(err, submit(c, s, o, op, when, fail));
}

/* ---- looking, and cancelling ---- */

static enum gsp_vm_job_state state_of(const struct vram_space *s, const struct vram_job *j)
{
    static const enum gsp_vm_job_state live[] = {[GPU_JOB_QUEUED] = GSP_VM_JOB_QUEUED,
                                                 [GPU_JOB_WAITING] = GSP_VM_JOB_WAITING,
                                                 [GPU_JOB_READY] = GSP_VM_JOB_READY,
                                                 [GPU_JOB_RUNNING] = GSP_VM_JOB_RUNNING};
    if (j->over) {
        const enum fl_err err = fence_error(j->base.fence);
        return err == FL_OK          ? GSP_VM_JOB_DONE
               : err == FL_ECANCELED ? GSP_VM_JOB_CANCELLED
                                     : GSP_VM_JOB_FAILED;
    }
    return live[gpu_vm_job_state(s->vm, j->base.fence)];
}

static void describe(const struct vram_space *s, const struct vram_job *j, struct gsp_vm_job *out)
{
    const struct gpu_bind_report *r = &j->base.report;

    *out = (struct gsp_vm_job){.job = j->base.handle,
                               .unmaps = j->op.kind == GPU_BIND_UNMAP,
                               .state = state_of(s, j),
                               .object = j->object,
                               .offset = j->op.want.offset,
                               .va = j->op.want.va,
                               .len = j->op.want.len,
                               .after_count = j->after_count,
                               .maps = r->maps,
                               .unmapped = r->unmaps,
                               .remaps = r->remaps,
                               .kept = r->kept,
                               .submitted_us = j->submitted_us,
                               .begun_us = r->begun_us,
                               .ended_us = r->ended_us,
                               .fail = r->fail};
    for (uint32_t i = 0; i < j->after_count; i++) {
        out->after[i].fence = j->after[i].handle;
        out->after[i].signalled = fence_signalled(j->after[i].fence);
    }
}

bool gsp_vm_job_next(struct gsp_vram_client *c, uint32_t vm, uint32_t *cursor,
                     struct gsp_vm_job *out)
{
    const struct vram_space *s = vram_space_find(c, vm, NULL);
    uint32_t before = 0;

    if (s == NULL) {
        return false;
    }
    for (struct vram_job *j = first_job(c); j != NULL; j = next_job(j)) {
        if (j->vm != vm) {
            continue;
        }
        if (j->base.handle > *cursor) {
            describe(s, j, out);
            out->behind = out->state == GSP_VM_JOB_QUEUED ? before : 0;
            *cursor = j->base.handle;
            return true;
        }
        before = j->over ? 0 : j->base.handle;
    }
    return false;
}

enum fl_err gsp_vm_cancel(struct gsp_vram_client *c, uint32_t job, struct fl_fail *fail)
{
    struct vram_fence *f = vram_fence_of(c, job, NULL);

    if (f == NULL || !f->is_job) {
        return FL_FAIL(fail, FL_ENOENT, "bind", "this session has no job %u", (unsigned)job);
    }
    const struct vram_job *j = CONTAINER_OF(f, struct vram_job, base);
    if (j->over) {
        return FL_FAIL(fail, FL_ESTATE, "bind", "job %u is over (%s)", (unsigned)job,
                       fl_err_name(fence_error(f->fence)));
    }
    const struct vram_space *s = vram_space_find(c, j->vm, NULL);
    const enum fl_err err = s != NULL ? gpu_vm_cancel(s->vm, f->fence) : FL_EBUSY;
    return err == FL_OK
               ? FL_OK
               : FL_FAIL(fail, FL_EBUSY, "bind", "job %u runs, and will finish", (unsigned)job);
}
