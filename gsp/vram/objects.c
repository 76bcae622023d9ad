/* SPDX-License-Identifier: MIT */
/* Objects in video memory: who has which (gsp/vram.h). */
#include "arch/lockorder.h"
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

static LOCK_CLASS(returning_class, "an object that comes back");

struct vram_object *vram_object_of(struct gsp_vram *v, const struct gpu_object *gpu)
{
    for (struct gsp_vram_client *c = v->clients; c != NULL; c = c->next) {
        for (struct vram_object *o = c->objects; o != NULL; o = o->next) {
            if (o->gpu == gpu) {
                return o;
            }
        }
    }
    return NULL;
}

struct vram_object *vram_object_find(struct gsp_vram_client *c, uint32_t handle,
                                     struct fl_fail *fail)
{
    struct vram_object *o = c->objects;

    while (o != NULL && o->handle != handle) {
        o = o->next;
    }
    if (o == NULL) {
        FL_FAIL(fail, FL_ENOENT, "GPU memory", "this session has no object %u", (unsigned)handle);
    }
    return o;
}

static void drop(struct gsp_vram *v, struct vram_object *o)
{
    vram_evict_forget(v, o);
    vram_pool_give(v, o->extents, o->extent_count);
    heap_free(o);
}

/* Yields where others have to make room. */
static enum fl_err make(struct gsp_vram_client *c, const struct gsp_vram_request *want,
                        struct vram_object **out, struct fl_fail *fail)
{
    struct gsp_vram *v = c->v;
    struct vram_object *o = heap_zalloc(sizeof(*o));

    if (o == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "GPU memory", "no memory for the books of an object");
    }
    enum fl_err err = vram_room_for(v, want, &o->extents, &o->extent_count, fail);
    if (err != FL_OK) {
        heap_free(o);
        return err;
    }
    o->bytes = align_up_u64(want->bytes, FL_PAGE_SIZE);
    err = gpu_object_create("object", o->extents, o->extent_count, &o->gpu, fail);
    if (err != FL_OK) {
        drop(v, o);
        return err;
    }
    o->align = want->align;
    o->pinned = want->pinned;
    o->last = ++v->uses;
    mutex_init(&o->returning, &returning_class);
    o->handle = ++v->handles;
    o->next = c->objects;
    c->objects = o;
    c->object_count++;
    *out = o;
    return FL_OK;
}

enum fl_err gsp_vram_alloc(struct gsp_vram_client *c, const struct gsp_vram_request *want,
                           uint32_t *handle, struct fl_fail *fail)
{
    static const uint8_t zero = 0;
    struct vram_object *o;
    enum fl_err err = vram_alive(c->v, fail);

    if (err != FL_OK) {
        return err;
    }
    if (want->bytes == 0 || want->bytes > c->v->mem.vram_bytes) {
        return FL_FAIL(fail, FL_EINVAL, "GPU memory",
                       "an object of 0x%llx bytes; expected 1 to 0x%llx",
                       (unsigned long long)want->bytes, (unsigned long long)c->v->mem.vram_bytes);
    }
    if (c->object_count >= GSP_VRAM_OBJECTS_MAX) {
        return FL_FAIL_MORE(fail, FL_ENOSPC, "GPU memory", (.hint = "free some"),
                            "this session has %u objects, as many as may be", GSP_VRAM_OBJECTS_MAX);
    }
    err = make(c, want, &o, fail);
    if (err != FL_OK) {
        return err;
    }
    *handle = o->handle;
    if (want->clear) {
        const uint64_t bytes = o->bytes;
        uint64_t done;
        err = gsp_vram_fill(c, o->handle, 0, bytes, &zero, 1, GSP_VRAM_BAR1, GSP_VRAM_CLEAR_US,
                            &done, fail);
        if (err == FL_OK && done < bytes) {
            err = FL_FAIL_MORE(fail, FL_ETIMEDOUT, "GPU memory",
                               (FL_SAW(done, bytes, GSP_VRAM_CLEAR_US),
                                .hint = "allocate it without clear, and fill it in parts"),
                               "of 0x%llx bytes 0x%llx were cleared in time",
                               (unsigned long long)bytes, (unsigned long long)done);
        }
        if (err != FL_OK) {
            const enum fl_err freed = gsp_vram_free(c, *handle, NULL);
            (void)freed; /* of a life that is over it goes with the session */
        }
    }
    return err;
}

/* FL_EBUSY: it is mapped, or in use. */
static enum fl_err take_out(struct gsp_vram_client *c, struct vram_object *o, struct fl_fail *fail)
{
    struct vram_object **at = &c->objects;

    if (o->busy != 0) {
        return FL_FAIL(fail, FL_EBUSY, "GPU memory", "object %u is being used",
                       (unsigned)o->handle);
    }
    const enum fl_err err = gpu_object_free(o->gpu, fail);
    if (err != FL_OK) {
        return err;
    }
    while (*at != o) {
        at = &(*at)->next;
    }
    *at = o->next;
    c->object_count--;
    drop(c->v, o);
    return FL_OK;
}

enum fl_err gsp_vram_free(struct gsp_vram_client *c, uint32_t handle, struct fl_fail *fail)
{
    struct vram_object *o = vram_object_find(c, handle, fail);

    if (o == NULL) {
        return FL_ENOENT;
    }
    const enum fl_err err = vram_alive(c->v, fail);
    return FL_THEN(err, take_out(c, o, fail));
}

void vram_objects_drop(struct gsp_vram_client *c)
{
    mutex_lock(&c->v->evict_lock); /* another client may just send one of them away */
    while (c->objects != NULL) {
        const enum fl_err err = take_out(c, c->objects, NULL);
        FL_ASSERT(err == FL_OK); /* nothing of it is mapped, and nobody is in a call */
    }
    mutex_unlock(&c->v->evict_lock);
}

static void describe(const struct vram_object *o, struct gsp_vram_info *out)
{
    *out = (struct gsp_vram_info){.handle = o->handle,
                                  .bytes = o->bytes,
                                  .mappings = o->gpu->uses,
                                  .pinned = o->pinned,
                                  .evicted = o->saved != NULL,
                                  .extent_count = o->extent_count};
    for (uint32_t i = 0; i < o->extent_count && i < GSP_VRAM_EXTENTS_SHOWN; i++) {
        out->extent[i] = (struct range){o->extents[i].pa, o->extents[i].len};
    }
}

enum fl_err gsp_vram_describe(struct gsp_vram_client *c, uint32_t handle, struct gsp_vram_info *out,
                              struct fl_fail *fail)
{
    const struct vram_object *o = vram_object_find(c, handle, fail);

    if (o == NULL) {
        return FL_ENOENT;
    }
    describe(o, out);
    return FL_OK;
}

bool gsp_vram_list(struct gsp_gpu *g, uint32_t *cursor, struct gsp_vram_info *out)
{
    const struct vram_object *next = NULL;
    const struct gsp_vram_client *c = g->vram != NULL ? g->vram->clients : NULL;

    for (; c != NULL; c = c->next) {
        for (const struct vram_object *o = c->objects; o != NULL; o = o->next) {
            if (o->handle > *cursor && (next == NULL || o->handle < next->handle)) {
                next = o;
            }
        }
    }
    if (next == NULL) {
        return false;
    }
    *cursor = next->handle;
    describe(next, out);
    return true;
}
