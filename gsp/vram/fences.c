/* SPDX-License-Identifier: MIT */
/*
 * Fences with numbers (gsp/vram.h). A client's own is a promise of a person or a program on the
 * network, which may never be kept: so nothing of ours waits for one without a deadline, and nobody
 * waits for one while holding anything that others need.
 */
#include "arch/lockorder.h"
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

struct own_fence {
    struct vram_fence base;
    struct fence fence;
    struct fence_context timeline; /* its own: it is signalled in no order */
};

/* ---- the list of a client ---- */

void vram_fence_put(struct vram_fence *f)
{
    if (--f->refs == 0) {
        heap_free(f);
    }
}

struct vram_fence *vram_fence_find(struct gsp_vram *v, uint32_t handle, struct fl_fail *fail)
{
    for (struct gsp_vram_client *c = v->clients; c != NULL; c = c->next) {
        struct vram_fence *f = vram_fence_of(c, handle, NULL);
        if (f != NULL) {
            return f;
        }
    }
    FL_FAIL_MORE(fail, FL_ENOENT, "fence",
                 (.hint = "of jobs that are over the last ones are known"),
                 "there is no fence %u of this GPU", (unsigned)handle);
    return NULL;
}

struct vram_fence *vram_fence_of(struct gsp_vram_client *c, uint32_t handle, struct fl_fail *fail)
{
    struct vram_fence *f = c->fences;

    while (f != NULL && f->handle != handle) {
        f = f->next;
    }
    if (f == NULL) {
        FL_FAIL(fail, FL_ENOENT, "fence", "this session has no fence or job %u", (unsigned)handle);
    }
    return f;
}

void vram_fence_add(struct gsp_vram_client *c, struct vram_fence *f)
{
    struct vram_fence **at = &c->fences;

    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = f;
    f->handle = ++c->v->handles;
}

void vram_fence_take(struct gsp_vram_client *c, struct vram_fence *f)
{
    struct vram_fence **at = &c->fences;

    while (*at != f) {
        at = &(*at)->next;
    }
    *at = f->next;
}

/* ---- a client's own ---- */

static void released(struct fence *f)
{
    vram_fence_put(&CONTAINER_OF(f, struct own_fence, fence)->base);
}

static void signal(struct vram_fence *f, const struct fl_fail *why)
{
    if (why != NULL) {
        f->report.fail = *why;
    }
    lockorder_noalloc_begin(FL_WHERE);
    lockorder_signal_begin(FL_WHERE);
    const enum fl_err err = fence_signal(f->fence, why != NULL ? why->err : FL_OK);
    lockorder_signal_end();
    lockorder_noalloc_end();
    FL_ASSERT(err == FL_OK); /* it was pending, and is alone on its timeline */
}

enum fl_err gsp_vm_fence_create(struct gsp_vram_client *c, uint32_t *fence, struct fl_fail *fail)
{
    enum fl_err err = vram_alive(c->v, fail);
    unsigned count = 0;

    if (err != FL_OK) {
        return err;
    }
    for (const struct vram_fence *f = c->fences; f != NULL; f = f->next) {
        count += !f->is_job;
    }
    if (count >= GSP_VM_FENCES_MAX) {
        return FL_FAIL_MORE(fail, FL_ENOSPC, "fence", (.hint = "destroy some (vm.fence.destroy)"),
                            "this session has %u fences, as many as may be", count);
    }
    struct own_fence *f = heap_zalloc(sizeof(*f));
    if (f == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "fence", "no memory for one");
    }
    fence_context_init(&f->timeline, "a client's fence");
    fence_init(&f->fence, &f->timeline, released);
    f->base.fence = &f->fence;
    f->base.refs = 2; /* the list's, and that of what lies in here */
    vram_fence_add(c, &f->base);
    *fence = f->base.handle;
    return FL_OK;
}

/* It was made by a call, not by a job. */
static enum fl_err find_own(struct gsp_vram_client *c, uint32_t fence, struct vram_fence **out,
                            struct fl_fail *fail)
{
    *out = vram_fence_of(c, fence, fail);
    if (*out == NULL) {
        return FL_ENOENT;
    }
    return !(*out)->is_job
               ? FL_OK
               : FL_FAIL(fail, FL_EINVAL, "fence",
                         "%u is the fence of a job, which signals it (vm.cancel)", (unsigned)fence);
}

enum fl_err gsp_vm_fence_signal(struct gsp_vram_client *c, uint32_t fence, struct fl_fail *fail)
{
    struct vram_fence *f;
    const enum fl_err err = find_own(c, fence, &f, fail);

    if (err != FL_OK) {
        return err;
    }
    if (fence_signalled(f->fence)) {
        return FL_FAIL(fail, FL_ESTATE, "fence", "fence %u is signalled already (%s)",
                       (unsigned)fence, fl_err_name(fence_error(f->fence)));
    }
    signal(f, NULL);
    return FL_OK;
}

static void drop(struct gsp_vram_client *c, struct vram_fence *f)
{
    vram_fence_take(c, f);
    fence_put(f->fence);
    vram_fence_put(f);
}

enum fl_err gsp_vm_fence_destroy(struct gsp_vram_client *c, uint32_t fence, struct fl_fail *fail)
{
    struct fl_fail why = {0};
    struct vram_fence *f;
    const enum fl_err err = find_own(c, fence, &f, fail);

    if (err != FL_OK) {
        return err;
    }
    if (!fence_signalled(f->fence)) {
        (void)FL_FAIL(&why, FL_ECANCELED, "fence", "fence %u was destroyed before it was signalled",
                      (unsigned)fence);
        signal(f, &why);
    }
    drop(c, f);
    return FL_OK;
}

void vram_fences_abandon(struct gsp_vram_client *c, const struct fl_fail *why)
{
    for (struct vram_fence *f = c->fences; f != NULL; f = f->next) {
        if (!f->is_job && !fence_signalled(f->fence)) {
            signal(f, why);
        }
    }
}

void vram_fences_drop(struct gsp_vram_client *c)
{
    while (c->fences != NULL) {
        struct vram_fence *f = c->fences;
        if (f->is_job) {
            vram_fence_take(c, f);
            vram_job_free(CONTAINER_OF(f, struct vram_job, base));
        } else {
            drop(c, f);
        }
    }
}

/* ---- waiting ---- */

enum fl_err gsp_vm_fence_wait(struct gsp_vram_client *c, uint32_t fence, uint64_t timeout_us,
                              struct fl_fail *fail)
{
    struct vram_fence *f = vram_fence_find(c->v, fence, fail);

    if (f == NULL) {
        return FL_ENOENT;
    }
    f->refs++; /* its client may go meanwhile, and so may the job */
    struct fence *waited = fence_get(f->fence);
    enum fl_err err = fence_wait(waited, deadline_in_us(timeout_us));
    if (err != FL_OK) {
        err = FL_FAIL_MORE(fail, err, "fence",
                           (FL_SAW(0, 1, timeout_us), .hint = "vm.jobs says what a job waits for"),
                           "fence %u was not signalled within %llu ms", (unsigned)fence,
                           (unsigned long long)(timeout_us / US_PER_MS));
    } else if (fence_error(waited) != FL_OK) {
        err = fence_error(waited);
        if (fail != NULL) {
            *fail = f->report.fail;
        }
    }
    fence_put(waited);
    vram_fence_put(f);
    return err;
}
