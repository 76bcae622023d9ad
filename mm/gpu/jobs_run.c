/* SPDX-License-Identifier: MIT */
/*
 * Bind jobs, second stage: behind a published fence, so nothing is allocated here and nothing waits
 * for a fence (jobs.h). An operation first writes its entries, each VA once and upwards, while the
 * mappings still say what was there; then it changes the mappings, which cannot fail. What failed
 * is taken back from the last operation to the first: each one's mappings, then its entries from
 * the mappings, again each VA once and upwards. So an operation never needs more tables than one
 * per region that it touches, which is what was prepared for it.
 */
#include "mm/gpu/jobs_priv.h"

#include "arch/machine.h"

/* ---- entries ---- */

enum fl_err gpu_write_part(struct gpu_vm *vm, struct gpu_table_pool *pool,
                           const struct gpu_want *part, struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    if (part->object == NULL || part->object->evicted) {
        return gpu_tables_unmap(vm->tables, pool, part->va, part->len, part->object == NULL, fail);
    }
    for (uint64_t at = 0; at < part->len;) { /* the shadow takes all of it, whatever fails */
        const struct gpu_extent e =
            gpu_object_piece(part->object, part->offset + at, part->len - at);
        struct gpu_pte_attrs attrs = part->how.attrs;
        attrs.aperture = e.aperture;
        attrs.peer = e.peer;
        const enum fl_err now = gpu_tables_map(vm->tables, pool, part->va + at, e.pa, e.len,
                                               part->how.largest, &attrs, fail);
        err = err != FL_OK ? err : now;
        at += e.len;
    }
    return err;
}

/* One operation at work. */
struct work {
    struct gpu_job *job;
    struct job_op *op;
    uint64_t at; /* entries are right up to here */
    struct fl_fail *fail;
};

static enum fl_err write_to(struct work *w, uint64_t end)
{
    struct gpu_want part = w->op->want;

    part.offset += w->at - part.va;
    part.va = w->at;
    part.len = end - w->at;
    w->at = end;
    return part.len == 0 ? FL_OK : gpu_write_part(w->job->vm, &w->job->pool, &part, w->fail);
}

/* Entries may stay where no page of theirs can reach beyond the request: else a large page would
 * lie in two mappings, and taking out one of them would take a table that nobody prepared. */
static bool may_stay(const struct gpu_step *s)
{
    const uint64_t page = gpu_page_bytes(s->kind != GPU_STEP_MAP ? s->old->how.largest : 0);

    return s->keep && (s->prev.len == 0 || is_aligned_u64(s->va, page)) &&
           (s->next.len == 0 || is_aligned_u64(s->va + s->len, page));
}

static enum fl_err write_step(void *ctx, const struct gpu_step *s)
{
    struct work *w = ctx;

    if (s->kind == GPU_STEP_MAP) {
        return write_to(w, s->va + s->len);
    }
    if (w->op->kind == GPU_BIND_UNMAP) {
        return gpu_tables_unmap(w->job->vm->tables, &w->job->pool, s->va, s->len, false, w->fail);
    }
    if (!may_stay(s)) {
        return FL_OK; /* written over with the rest */
    }
    w->job->kept++;
    const enum fl_err err = write_to(w, s->va);
    w->at = s->va + s->len;
    return err;
}

/* ---- mappings ---- */

static struct gpu_mapping *take_spare(struct job_op *op)
{
    struct gpu_mapping *m = op->spare;

    FL_ASSERT(m != NULL && op->put_count < NODES_MAP);
    op->spare = m->next;
    m->next = NULL;
    op->put[op->put_count++] = m;
    return m;
}

static void put_in(struct gpu_vm *vm, struct gpu_mapping *m)
{
    const enum fl_err err = gpu_maps_insert(&vm->maps, m);
    FL_ASSERT(err == FL_OK);
}

static void put_part(struct work *w, const struct gpu_mapping *old, struct gpu_part part)
{
    if (part.len == 0) {
        return;
    }
    struct gpu_mapping *m = take_spare(w->op);
    m->va = part.va;
    m->len = part.len;
    m->offset = part.offset;
    m->object = gpu_object_use(old->object);
    m->how = old->how;
    m->epoch = old->epoch;
    m->owner = w->job->vm;
    put_in(w->job->vm, m);
}

static enum fl_err change_step(void *ctx, const struct gpu_step *s)
{
    struct work *w = ctx;
    const struct gpu_want *want = &w->op->want;

    if (s->kind == GPU_STEP_MAP) {
        struct gpu_mapping *m = take_spare(w->op);
        m->va = want->va;
        m->len = want->len;
        m->offset = want->offset;
        m->object = gpu_object_use(want->object);
        m->how = want->how;
        m->epoch = want->object != NULL && !want->object->evicted ? want->object->epoch : 0;
        m->owner = w->job->vm;
        put_in(w->job->vm, m);
        w->job->maps++;
        return FL_OK;
    }
    gpu_maps_remove(&w->job->vm->maps, s->old);
    s->old->next = w->op->taken;
    w->op->taken = s->old;
    put_part(w, s->old, s->prev);
    put_part(w, s->old, s->next);
    w->job->unmaps += s->kind == GPU_STEP_UNMAP;
    w->job->remaps += s->kind == GPU_STEP_REMAP;
    return FL_OK;
}

/* ---- an operation, there and back ---- */

static enum fl_err steps(struct work *w, gpu_step_fn *fn)
{
    const struct gpu_want *want = &w->op->want;
    const struct gpu_maps *maps = &w->job->vm->maps;

    return w->op->kind == GPU_BIND_MAP ? gpu_steps_map(maps, want, fn, w)
                                       : gpu_steps_unmap(maps, want->va, want->len, fn, w);
}

static enum fl_err run_op(struct gpu_job *job, struct job_op *op, struct fl_fail *fail)
{
    struct work w = {.job = job, .op = op, .at = op->want.va, .fail = fail};
    enum fl_err err = steps(&w, write_step);

    return FL_THEN(err, steps(&w, change_step));
}

/* The shadow takes a change even when the GPU's memory does not. Anything else that can go wrong is
 * ours. */
static void must_be_in_shadow(enum fl_err err)
{
    FL_ASSERT(err != FL_ESTATE && err != FL_EINVAL && err != FL_EBUSY);
}

static void write_gap(struct gpu_job *job, uint64_t va, uint64_t end)
{
    if (va < end) {
        must_be_in_shadow(gpu_tables_unmap(job->vm->tables, &job->pool, va, end - va, false, NULL));
    }
}

/* Entries of the range say again what the mappings say. */
static void rewrite(struct gpu_job *job, uint64_t va, uint64_t len)
{
    const uint64_t end = va + len;
    uint64_t at = va;

    for (const struct gpu_mapping *m = gpu_maps_first_in(&job->vm->maps, va, len); m != NULL;
         m = gpu_maps_next_in(m, va, len)) {
        const uint64_t from = max_u64(m->va, va);
        const uint64_t to = min_u64(m->va + m->len, end);
        const struct gpu_want part = {.va = from,
                                      .len = to - from,
                                      .object = m->object,
                                      .offset = m->offset + (from - m->va),
                                      .how = m->how};
        write_gap(job, at, from);
        if (gpu_mapping_valid(m)) {
            must_be_in_shadow(gpu_write_part(job->vm, &job->pool, &part, NULL));
        } else {
            write_gap(job, from, to);
        }
        at = to;
    }
    write_gap(job, at, end);
}

static void undo_op(struct gpu_job *job, struct job_op *op)
{
    struct gpu_mapping *back = op->taken;

    op->taken = NULL;
    while (op->put_count > 0) {
        struct gpu_mapping *m = op->put[--op->put_count];
        gpu_maps_remove(&job->vm->maps, m);
        m->next = op->taken;
        op->taken = m;
    }
    while (back != NULL) {
        struct gpu_mapping *m = back;
        back = m->next;
        m->next = NULL;
        put_in(job->vm, m);
    }
    rewrite(job, op->want.va, op->want.len);
}

enum fl_err gpu_job_run(struct gpu_job *job, struct fl_fail *fail)
{
    struct gpu_vm *vm = job->vm;
    enum fl_err err = FL_OK;
    uint32_t begun = 0;

    job->ran = true;

    while (begun < job->op_count && err == FL_OK) {
        err = run_op(job, &job->op[begun++], fail);
    }
    err = FL_THEN(err, gpu_tables_commit(vm->tables, fail));
    if (err == FL_OK) {
        return FL_OK;
    }
    while (begun > 0) {
        undo_op(job, &job->op[--begun]);
    }
    job->maps = job->unmaps = job->remaps = job->kept = 0;
    if (gpu_tables_commit(vm->tables, NULL) != FL_OK || err == FL_ELINKLOST) {
        gpu_vm_died(vm, err, fail);
    }
    return err;
}
