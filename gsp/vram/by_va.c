/* SPDX-License-Identifier: MIT */
/* Bytes at addresses of an address space: through BAR1 itself, or page by page by what the tables
 * say; what is not mapped is a fault with a name (gsp/vram.h). */
#include <string.h>

#include "gsp/vram/vram_priv.h"

static enum fl_err fault(const struct gpu_walk *w, uint64_t va, bool write, uint64_t seen,
                         struct fl_fail *fail)
{
    const struct gpu_walk_level *l = w->levels > 0 ? &w->level[w->levels - 1] : NULL;

    return FL_FAIL_MORE(fail, FL_EIO, "MMU fault",
                        (FL_SAW(seen, 0, 0), .hint = "map it first (vm.map), or look at vm.walk"),
                        "%s of 0x%llx: %s, at %s", write ? "write" : "read", (unsigned long long)va,
                        w->end == GPU_WALK_MAPPED ? "the page is read-only" : w->reason,
                        l != NULL ? l->name : "the root");
}

/* The object behind va, in video memory until vram_object_leave(); *o NULL: there is none of a
 * client. */
static enum fl_err enter_behind(struct gsp_vram *v, const struct vram_space *s, uint64_t va,
                                struct vram_object **o, struct fl_fail *fail)
{
    struct gpu_mapped m;

    *o = gpu_vm_find(s->vm, va, &m) ? vram_object_of(v, m.object) : NULL;
    return *o != NULL ? vram_object_enter(v, *o, fail) : FL_OK;
}

/* As much of [va, ...) as one entry maps; by the shadow, for the CPU wrote it. */
static enum fl_err piece(struct gsp_vram *v, const struct vram_space *s, uint64_t va,
                         struct vram_copy *part, struct fl_fail *fail)
{
    struct gpu_walk w;
    uint8_t probe[4] = {0};
    uint32_t seen;
    enum fl_err err = gpu_tables_walk(s->tables, va, &w, fail);

    if (err != FL_OK) {
        return err;
    }
    part->len = min_u64(part->len, w.left);
    const bool denied = part->from != NULL && w.end == GPU_WALK_MAPPED && w.attrs.read_only;
    if ((w.end == GPU_WALK_MAPPED && !denied) || w.end == GPU_WALK_SPARSE) {
        if (s->kind == GSP_VM_BAR1) {
            return vram_bar1_raw(v, va, part, fail);
        }
        return w.end == GPU_WALK_MAPPED ? vram_copy_at(v, w.pa, part, GSP_VRAM_BAR1, fail) : FL_OK;
    }
    if (s->kind == GSP_VM_BAR1) { /* the GPU is asked all the same, and notes its fault */
        struct vram_copy ask = {.len = sizeof(probe)};
        ask.to = part->to != NULL ? probe : NULL;
        ask.from = part->to != NULL ? NULL : probe;
        err = vram_bar1_raw(v, align_down_u64(va, sizeof(probe)), &ask, fail);
        if (err != FL_OK) {
            return err;
        }
    }
    memcpy(&seen, probe, sizeof(seen));
    return fault(&w, va, part->from != NULL, seen, fail);
}

static enum fl_err transfer(struct gsp_vram_client *c, uint32_t vm, uint64_t va,
                            const struct vram_copy *copy, struct fl_fail *fail)
{
    struct gsp_vram *v = c->v;
    const struct vram_space *s = vram_space_find(c, vm, fail);
    uint64_t left = copy->len;
    struct vram_copy part = *copy;

    if (s == NULL) {
        return FL_ENOENT;
    }
    enum fl_err err = vram_space_holds(s, va, copy->len, fail);
    err = FL_THEN(err, vram_enter(v, fail));
    if (err != FL_OK) {
        return err;
    }
    struct gsp_gpu *g = v->g;
    while (left > 0 && err == FL_OK) {
        part.len = left;
        if (part.to != NULL && s->kind == GSP_VM_ENGINES) {
            memset(part.to, 0, part.len); /* sparse reads as zero */
        }
        struct vram_object *o;
        err = enter_behind(v, s, va, &o, fail);
        if (err == FL_OK) {
            err = piece(v, s, va, &part, fail);
            if (o != NULL) {
                vram_object_leave(o);
            }
        }
        part.to = part.to != NULL ? part.to + part.len : NULL;
        part.from = part.from != NULL ? part.from + part.len : NULL;
        va += part.len;
        left -= part.len;
    }
    vram_leave(v, g);
    return err;
}

enum fl_err gsp_vm_read(struct gsp_vram_client *c, uint32_t vm, uint64_t va, void *buf,
                        uint64_t len, struct fl_fail *fail)
{
    return transfer(c, vm, va, &(struct vram_copy){.to = buf, .len = len}, fail);
}

enum fl_err gsp_vm_write(struct gsp_vram_client *c, uint32_t vm, uint64_t va, const void *buf,
                         uint64_t len, struct fl_fail *fail)
{
    return transfer(c, vm, va, &(struct vram_copy){.from = buf, .len = len}, fail);
}
