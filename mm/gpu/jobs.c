/* SPDX-License-Identifier: MIT */
/*
 * A vm's life and its queue (jobs.h). One core, cooperative fibers: between two waits the queue is
 * nobody else's, so it needs no lock; vm->running says that somebody is at the first job.
 */
#include "mm/gpu/jobs.h"

#include "arch/lockorder.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "mm/gpu/jobs_priv.h"
#include "mm/heap.h"

/* Taken in the run stage: never over an allocation or a wait for a fence. */
static LOCK_CLASS(vm_lock_class, "gpu vm");

/* ---- the queue ---- */

void gpu_vm_died(struct gpu_vm *vm, enum fl_err err, const struct fl_fail *fail)
{
    if (vm->dead.err == FL_OK) {
        vm->dead = *fail;
        (void)FL_FAIL(&vm->dead, err, vm->options.name, "the GPU's memory: %s", fl_err_name(err));
    }
}

static void log_failure(const struct gpu_vm *vm, const struct fl_fail *fail)
{
    char line[FL_FAIL_LINE_MAX];

    (void)fl_fail_format(fail, line, sizeof(line));
    log_warn("gpu vm", "%s: a job failed: %s", vm->options.name, line);
}

static void count(struct gpu_vm *vm, const struct gpu_job *job, enum fl_err err)
{
    vm->stats.done += err == FL_OK;
    vm->stats.cancelled += err == FL_ECANCELED;
    vm->stats.failed += err != FL_OK && err != FL_ECANCELED;
    vm->stats.maps += job->maps;
    vm->stats.unmaps += job->unmaps;
    vm->stats.remaps += job->remaps;
    vm->stats.kept += job->kept;
    vm->stats.waiting--;
}

static void report(const struct gpu_job *job)
{
    struct gpu_bind_report *r = job->report;

    if (r != NULL) {
        r->maps = job->maps;
        r->unmaps = job->unmaps;
        r->remaps = job->remaps;
        r->kept = job->kept;
        r->ended_us = clock_now_us();
    }
}

/* The first job is over: signals, in order, and cleans up. */
static void finish(struct gpu_vm *vm, struct gpu_job *job, enum fl_err err)
{
    const bool park = job->ran && err != FL_OK && vm->dead.err != FL_OK;

    vm->first = job->next;
    vm->last = job->next == NULL ? NULL : vm->last;
    count(vm, job, err);
    report(job);
    lockorder_noalloc_begin(FL_WHERE);
    lockorder_signal_begin(FL_WHERE);
    const enum fl_err signalled = fence_signal(job->out, err);
    lockorder_signal_end();
    lockorder_noalloc_end();
    FL_ASSERT(signalled == FL_OK);
    gpu_job_free(job, park);
    event_signal(&vm->event);
}

static void fill(struct fl_fail *to, const struct fl_fail *from)
{
    if (to != NULL && to->err == FL_OK) {
        *to = *from;
    }
}

static void run(struct gpu_vm *vm, struct gpu_job *job)
{
    const struct gpu_vm_options *o = &vm->options;
    struct fl_fail fail = {0};

    vm->running = job;
    if (job->report != NULL) {
        job->report->begun_us = clock_now_us();
    }
    void *begun = o->begin != NULL ? o->begin(vm->mem->ctx) : NULL;
    lockorder_noalloc_begin(FL_WHERE);
    lockorder_signal_begin(FL_WHERE);
    mutex_lock(vm->lock);
    const enum fl_err err = gpu_job_run(job, &fail);
    mutex_unlock(vm->lock);
    vm->running = NULL;
    if (err != FL_OK) {
        fill(job->fail, &fail);
    }
    lockorder_signal_end();
    lockorder_noalloc_end();
    if (o->end != NULL) {
        o->end(vm->mem->ctx, begun);
    }
    finish(vm, job, err);
    if (err != FL_OK) {
        log_failure(vm, &fail);
    }
}

/* Why the first job will not run; FL_OK: it will, when its fences are there. */
static enum fl_err given_up(const struct gpu_vm *vm, const struct gpu_job *job,
                            struct fl_fail *fail)
{
    if (vm->dead.err != FL_OK) {
        fill(fail, &vm->dead);
        return vm->dead.err;
    }
    if (job->cancelled || vm->ending) {
        return FL_FAIL(fail, FL_ECANCELED, vm->options.name, "the job was cancelled");
    }
    if (job->in_err != FL_OK) {
        return FL_FAIL(fail, job->in_err, vm->options.name,
                       "what the job waited for has failed (%s)", fl_err_name(job->in_err));
    }
    if (job->pending > 0 && clock_now_us() >= job->turn_until_us) {
        return FL_FAIL_MORE(fail, FL_ETIMEDOUT, vm->options.name,
                            (FL_SAW(job->pending, 0, vm->options.in_fence_us)),
                            "%u of its %u in-fences did not come", (unsigned)job->pending,
                            (unsigned)job->in_count);
    }
    return FL_OK;
}

/* Finishes the first job if that needs no wait. */
static bool step(struct gpu_vm *vm)
{
    struct gpu_job *job = vm->first;

    if (job == NULL || vm->running != NULL) {
        return false;
    }
    if (job->turn_until_us == 0) {
        job->turn_until_us = deadline_in_us(vm->options.in_fence_us).at_us;
    }
    const enum fl_err err = given_up(vm, job, job->fail);
    if (err != FL_OK) {
        finish(vm, job, err);
    } else if (job->pending == 0) {
        run(vm, job);
    } else {
        return false;
    }
    return true;
}

/* Whether it has come or its time is over: who waits looks again. */
static void wait_for_event(struct gpu_vm *vm, struct deadline d)
{
    const enum fl_err err = event_wait(&vm->event, d);
    FL_ASSERT(err == FL_OK || err == FL_ETIMEDOUT);
}

/* After step() said no: until something has changed. */
static void wait_for_change(struct gpu_vm *vm)
{
    struct deadline d = deadline_never();

    if (vm->first != NULL && vm->running == NULL) {
        lockorder_point(&lock_class_fence, FL_WHERE); /* its in-fences */
        d.at_us = vm->first->turn_until_us;
    }
    wait_for_event(vm, d);
}

static void worker(void *arg)
{
    struct gpu_vm *vm = arg;

    while (vm->first != NULL) {
        if (!step(vm)) {
            wait_for_change(vm);
        }
    }
    vm->worker_there = false;
    event_signal(&vm->event);
}

/* Before there is a job for it: then a fiber that cannot be had changes nothing. */
static enum fl_err call_worker(struct gpu_vm *vm, struct fl_fail *fail)
{
    if (vm->options.worker && !vm->worker_there) {
        vm->worker_there = fiber_spawn("gpu vm", worker, vm, FIBER_STACK_DEFAULT) != NULL;
        if (!vm->worker_there) {
            return FL_FAIL(fail, FL_ENOMEM, vm->options.name, "no memory for a fiber");
        }
    }
    return FL_OK;
}

uint32_t gpu_vm_run(struct gpu_vm *vm)
{
    uint32_t count = 0;

    while (step(vm)) {
        count++;
    }
    return count;
}

/* ---- jobs ---- */

static enum fl_err check_open(const struct gpu_vm *vm, struct fl_fail *fail)
{
    if (vm->dead.err != FL_OK) {
        fill(fail, &vm->dead);
        return vm->dead.err;
    }
    return !vm->ending
               ? FL_OK
               : FL_FAIL(fail, FL_ESTATE, vm->options.name, "the address space is being given up");
}

static enum fl_err submit(struct gpu_vm *vm, const struct gpu_bind *bind, struct fence **out,
                          struct fl_fail *wait_fail, struct fl_fail *fail)
{
    struct gpu_job *job = NULL;
    const enum fl_err err = gpu_job_new(vm, bind, &job, fail);

    if (err != FL_OK) {
        return err;
    }
    job->report = bind->report;
    job->fail = wait_fail != NULL ? wait_fail : bind->report != NULL ? &bind->report->fail : NULL;
    if (vm->last != NULL) {
        vm->last->next = job;
    } else {
        vm->first = job;
    }
    vm->last = job;
    vm->stats.submitted++;
    vm->stats.waiting++;
    if (out != NULL) {
        *out = fence_get(job->out);
    }
    event_signal(&vm->event);
    return FL_OK;
}

enum fl_err gpu_vm_bind(struct gpu_vm *vm, const struct gpu_bind *bind, struct fence **out,
                        struct fl_fail *fail)
{
    enum fl_err err = check_open(vm, fail);

    err = FL_THEN(err, call_worker(vm, fail));
    return FL_THEN(err, submit(vm, bind, out, NULL, fail));
}

enum fl_err gpu_vm_bind_sync(struct gpu_vm *vm, const struct gpu_bind *bind, struct fl_fail *fail)
{
    struct fence *out = NULL;
    enum fl_err err = check_open(vm, fail);

    err = FL_THEN(err, submit(vm, bind, &out, fail, fail));
    if (err != FL_OK) {
        return err;
    }
    lockorder_point(&lock_class_fence, FL_WHERE);
    while (!fence_signalled(out)) {
        if (!step(vm)) {
            wait_for_change(vm);
        }
    }
    err = fence_error(out);
    fence_put(out);
    return err;
}

enum fl_err gpu_vm_cancel(struct gpu_vm *vm, const struct fence *out)
{
    for (struct gpu_job *job = vm->first; job != NULL; job = job->next) {
        if (job->out != out) {
            continue;
        }
        if (job == vm->running) {
            return FL_EBUSY;
        }
        job->cancelled = true;
        event_signal(&vm->event);
        return FL_OK;
    }
    return FL_ENOENT;
}

enum gpu_job_state gpu_vm_job_state(const struct gpu_vm *vm, const struct fence *out)
{
    const struct gpu_job *job = vm->first;

    while (job != NULL && job->out != out) {
        job = job->next;
    }
    return job == NULL          ? GPU_JOB_OVER
           : job == vm->running ? GPU_JOB_RUNNING
           : job != vm->first   ? GPU_JOB_QUEUED
           : job->pending > 0   ? GPU_JOB_WAITING
                                : GPU_JOB_READY;
}

void gpu_vm_kill(struct gpu_vm *vm, const struct fl_fail *why)
{
    gpu_vm_died(vm, why->err, why);
    event_signal(&vm->event);
}

/* ---- a vm comes and goes ---- */

static void unpark(struct gpu_vm *vm)
{
    gpu_nodes_free(vm, vm->parked, false);
    vm->parked = NULL;
    vm->stats.parked = 0;
}

static void vm_free(struct gpu_vm *vm)
{
    for (struct gpu_mapping *m = gpu_maps_from(&vm->maps, 0); m != NULL;
         m = gpu_maps_from(&vm->maps, 0)) {
        gpu_maps_remove(&vm->maps, m);
        m->next = NULL;
        gpu_nodes_free(vm, m, false);
    }
    unpark(vm);
    heap_free(vm);
}

enum fl_err gpu_vm_create(const struct gpu_mem *mem, struct gpu_tables *tables,
                          const struct gpu_vm_options *options, struct gpu_vm **out,
                          struct fl_fail *fail)
{
    const struct range all = {0, gpu_tables_va_size(tables)};
    const struct range va = options->va.size != 0 ? options->va : all;

    if (!is_aligned_u64(va.base | va.size, FL_PAGE_SIZE) || !range_covers(all, va)) {
        return FL_FAIL(fail, FL_EINVAL, options->name,
                       "VA 0x%llx, 0x%llx bytes is not in the address space of 0x%llx bytes",
                       (unsigned long long)va.base, (unsigned long long)va.size,
                       (unsigned long long)all.size);
    }
    struct gpu_vm *vm = heap_zalloc(sizeof(*vm));
    if (vm == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, options->name, "no memory for an address space");
    }
    vm->mem = mem;
    vm->tables = tables;
    vm->options = *options;
    vm->options.va = va;
    if (vm->options.in_fence_us == 0) {
        vm->options.in_fence_us = GPU_BIND_IN_FENCE_US;
    }
    mutex_init(&vm->own_lock, &vm_lock_class);
    vm->lock = options->beside != NULL ? options->beside->lock : &vm->own_lock;
    event_init(&vm->event);
    fence_context_init(&vm->fences, options->name);
    *out = vm;
    return FL_OK;
}

/* As far as the GPU can be written; nothing is split, so no table is needed. */
static void unmap_all(struct gpu_vm *vm)
{
    struct gpu_table_pool pool = {0};
    enum fl_err err = FL_OK;

    mutex_lock(vm->lock);
    for (const struct gpu_mapping *m = gpu_maps_from(&vm->maps, 0); m != NULL;
         m = gpu_maps_next(m)) {
        const enum fl_err now = gpu_tables_unmap(vm->tables, &pool, m->va, m->len, false, NULL);
        FL_ASSERT(now != FL_ESTATE);
        err = err != FL_OK ? err : now;
    }
    err = FL_THEN(err, gpu_tables_commit(vm->tables, NULL));
    mutex_unlock(vm->lock);
    gpu_tables_release(vm->tables, &pool);
    if (err != FL_OK) {
        log_warn("gpu vm", "%s: the GPU could not be told that nothing is mapped (%s)",
                 vm->options.name, fl_err_name(err));
    }
}

void gpu_vm_destroy(struct gpu_vm *vm)
{
    if (vm == NULL) {
        return;
    }
    vm->ending = true;
    while (vm->first != NULL || vm->guests > 0) {
        if (!step(vm)) {
            wait_for_event(vm, deadline_never());
        }
    }
    event_signal(&vm->event);
    while (vm->worker_there) {
        wait_for_event(vm, deadline_never());
    }
    unmap_all(vm);
    vm_free(vm);
}

enum fl_err gpu_vm_revive(struct gpu_vm *vm, struct fl_fail *fail)
{
    if (vm->dead.err == FL_OK) {
        return FL_OK;
    }
    (void)gpu_vm_run(vm); /* what waits has the old error */
    mutex_lock(vm->lock);
    const enum fl_err err = gpu_tables_commit(vm->tables, fail);
    mutex_unlock(vm->lock);
    if (err == FL_OK) {
        fl_fail_clear(&vm->dead);
        unpark(vm);
    }
    return err;
}

enum fl_err gpu_vm_dead(const struct gpu_vm *vm, struct fl_fail *fail)
{
    fill(fail, &vm->dead);
    return vm->dead.err;
}
