/* SPDX-License-Identifier: MIT */
/* Bind jobs, first stage and last: what is checked, allocated, and freed (jobs.h). */
#include "mm/gpu/jobs_priv.h"
#include "mm/heap.h"

/* ---- what is asked for ---- */

static enum fl_err refuse(const struct gpu_bind_op *op, enum fl_err err, const char *why,
                          struct fl_fail *fail)
{
    return FL_FAIL(fail, err, op->kind == GPU_BIND_MAP ? "map" : "unmap",
                   "VA 0x%llx, 0x%llx bytes: %s", (unsigned long long)op->want.va,
                   (unsigned long long)op->want.len, why);
}

/* NULL: the format can say it. */
static const char *memory_refused(const struct gpu_vm *vm, const struct gpu_want *want)
{
    for (uint64_t at = 0; at < want->len;) {
        const struct gpu_extent e =
            gpu_object_piece(want->object, want->offset + at, want->len - at);
        struct gpu_pte_attrs attrs = want->how.attrs;
        attrs.aperture = e.aperture;
        attrs.peer = e.peer;
        const char *why = gpu_format_refuses(gpu_tables_format(vm->tables), e.pa, e.len, &attrs);
        if (why != NULL) {
            return why;
        }
        if (e.aperture == GPU_VIDMEM && !range_ok(e.pa, e.len, vm->mem->vram_bytes)) {
            return "it reaches beyond video memory";
        }
        at += e.len;
    }
    return NULL;
}

static enum fl_err check_map(const struct gpu_vm *vm, const struct gpu_bind_op *op,
                             struct fl_fail *fail)
{
    const struct gpu_want *want = &op->want;
    const char *why = NULL;

    if (want->how.largest >= GPU_PAGE_COUNT) {
        why = "there is no such page size";
    } else if (want->how.attrs.aperture != 0 || want->how.attrs.peer != 0) {
        why = "aperture and peer are the object's";
    } else if (want->object == NULL) {
        why = want->offset != 0 ? "a sparse mapping has no offset" : NULL;
    } else if (!is_aligned_u64(want->offset, FL_PAGE_SIZE)) {
        why = "the offset is no multiple of 4 KiB";
    } else if (!range_ok(want->offset, want->len, want->object->len)) {
        why = "it reaches beyond the object";
    } else {
        why = memory_refused(vm, want);
    }
    return why == NULL ? FL_OK : refuse(op, FL_EINVAL, why, fail);
}

static enum fl_err check_op(const struct gpu_vm *vm, const struct gpu_bind_op *op,
                            struct fl_fail *fail)
{
    const struct gpu_want *want = &op->want;
    struct range taken;

    if (op->kind != GPU_BIND_MAP && op->kind != GPU_BIND_UNMAP) {
        return FL_FAIL(fail, FL_EINVAL, "bind", "operation %u is none", (unsigned)op->kind);
    }
    if (want->len == 0 || !is_aligned_u64(want->va | want->len, FL_PAGE_SIZE)) {
        return refuse(op, FL_EINVAL, "that is not pages of 4 KiB", fail);
    }
    if (!range_covers(vm->options.va, (struct range){want->va, want->len})) {
        return refuse(op, FL_EINVAL, "it is outside of the address space", fail);
    }
    if (gpu_tables_taken(vm->tables, want->va, &taken) && taken.base < want->va + want->len) {
        return refuse(op, FL_EBUSY, "something there is not ours", fail);
    }
    if (op->kind == GPU_BIND_MAP) {
        return check_map(vm, op, fail);
    }
    return want->object == NULL ? FL_OK : refuse(op, FL_EINVAL, "to unmap takes no object", fail);
}

static enum fl_err check(const struct gpu_vm *vm, const struct gpu_bind *bind, struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    if (bind->op_count == 0 || bind->op_count > GPU_BIND_OPS_MAX ||
        bind->in_count > GPU_BIND_IN_MAX) {
        return FL_FAIL(fail, FL_EINVAL, "bind",
                       "%u operations, %u in-fences; 1 to %u and at most %u are taken",
                       (unsigned)bind->op_count, (unsigned)bind->in_count, GPU_BIND_OPS_MAX,
                       GPU_BIND_IN_MAX);
    }
    for (uint32_t i = 0; i < bind->op_count && err == FL_OK; i++) {
        err = check_op(vm, &bind->ops[i], fail);
    }
    for (uint32_t i = 0; i < bind->in_count && err == FL_OK; i++) {
        if (bind->in[i] == NULL) {
            err = FL_FAIL(fail, FL_EINVAL, "bind", "in-fence %u is missing", (unsigned)i);
        }
    }
    return err;
}

/* ---- what it needs ---- */

static enum fl_err give_nodes(struct job_op *op, struct fl_fail *fail)
{
    const uint32_t want = op->kind == GPU_BIND_MAP ? NODES_MAP : NODES_UNMAP;

    for (uint32_t i = 0; i < want; i++) {
        struct gpu_mapping *m = heap_zalloc(sizeof(*m));
        if (m == NULL) {
            return FL_FAIL(fail, FL_ENOMEM, "bind", "no memory for a mapping");
        }
        m->next = op->spare;
        op->spare = m;
    }
    return FL_OK;
}

static void fence_free(struct fence *f) { heap_free(f); }

static enum fl_err give(struct gpu_job *job, struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    for (uint32_t i = 0; i < job->op_count && err == FL_OK; i++) {
        struct job_op *op = &job->op[i];
        err = give_nodes(op, fail);
        err = FL_THEN(
            err, gpu_tables_prepare(job->vm->tables, op->want.va, op->want.len, &job->pool, fail));
    }
    if (err == FL_OK) {
        job->out = heap_zalloc(sizeof(*job->out));
        err = job->out != NULL ? FL_OK : FL_FAIL(fail, FL_ENOMEM, "bind", "no memory for a fence");
    }
    return err;
}

static void in_signalled(struct fence_callback *cb, struct fence *f)
{
    struct gpu_job *job = CONTAINER_OF(cb, struct job_in, cb)->job;

    job->pending--;
    job->in_err = job->in_err != FL_OK ? job->in_err : fence_error(f);
    event_signal(&job->vm->event);
}

static void arm(struct gpu_job *job, const struct gpu_bind *bind)
{
    for (uint32_t i = 0; i < bind->in_count; i++) {
        struct job_in *in = &job->in[i];
        in->job = job;
        in->fence = fence_get(bind->in[i]);
        fence_callback_init(&in->cb, in_signalled);
        if (fence_add_callback(in->fence, &in->cb) == FL_OK) {
            job->pending++;
        } else if (job->in_err == FL_OK) {
            job->in_err = fence_error(in->fence);
        }
    }
    job->in_count = bind->in_count;
}

enum fl_err gpu_job_new(struct gpu_vm *vm, const struct gpu_bind *bind, struct gpu_job **out,
                        struct fl_fail *fail)
{
    enum fl_err err = check(vm, bind, fail);

    if (err != FL_OK) {
        return err;
    }
    struct gpu_job *job = heap_zalloc(sizeof(*job) + bind->op_count * sizeof(job->op[0]) +
                                      bind->in_count * sizeof(job->in[0]));
    if (job == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "bind", "no memory for a job of %u operations",
                       (unsigned)bind->op_count);
    }
    job->vm = vm;
    job->op_count = bind->op_count;
    job->in = (struct job_in *)(void *)&job->op[bind->op_count];
    for (uint32_t i = 0; i < bind->op_count; i++) {
        job->op[i].kind = bind->ops[i].kind;
        job->op[i].want = bind->ops[i].want;
        (void)gpu_object_use(job->op[i].want.object);
    }
    err = give(job, fail);
    if (err != FL_OK) {
        gpu_job_free(job, false);
        return err;
    }
    fence_init(job->out, &vm->fences, fence_free);
    arm(job, bind);
    *out = job;
    return FL_OK;
}

/* ---- what is left ---- */

void gpu_nodes_free(struct gpu_vm *vm, struct gpu_mapping *list, bool park)
{
    while (list != NULL) {
        struct gpu_mapping *m = list;
        list = m->next;
        if (park && m->object != NULL) {
            m->next = vm->parked;
            vm->parked = m;
            vm->stats.parked++;
        } else {
            gpu_object_unuse(m->object);
            heap_free(m);
        }
    }
}

void gpu_job_free(struct gpu_job *job, bool park)
{
    for (uint32_t i = 0; i < job->op_count; i++) {
        struct job_op *op = &job->op[i];
        if (op->spare != NULL) { /* it may have got as far as entries, and not to a mapping */
            op->spare->object = gpu_object_use(op->want.object);
        }
        gpu_nodes_free(job->vm, op->spare, park);
        gpu_nodes_free(job->vm, op->taken, park);
        gpu_object_unuse(op->want.object);
    }
    for (uint32_t i = 0; i < job->in_count; i++) {
        (void)fence_remove_callback(&job->in[i].cb);
        fence_put(job->in[i].fence);
    }
    gpu_tables_release(job->vm->tables, &job->pool);
    if (job->out != NULL && job->out->refs > 0) {
        fence_put(job->out);
    } else {
        heap_free(job->out); /* never initialised */
    }
    heap_free(job);
}
