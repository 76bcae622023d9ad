/* SPDX-License-Identifier: MIT */
/* What is mapped in the address spaces of clients: asked for, checked, submitted (gsp/vram.h). */
#include "gsp/vram/vram_priv.h"

enum fl_err vram_space_holds(const struct vram_space *s, uint64_t va, uint64_t len,
                             struct fl_fail *fail)
{
    if (len > 0 && va >= s->range.base && range_ok(va - s->range.base, len, s->range.size)) {
        return FL_OK;
    }
    return FL_FAIL(fail, FL_EINVAL, "GPU address space",
                   "0x%llx bytes at 0x%llx; expected within 0x%llx to 0x%llx",
                   (unsigned long long)len, (unsigned long long)va,
                   (unsigned long long)s->range.base,
                   (unsigned long long)(s->range.base + s->range.size));
}

static enum fl_err check_map(const struct gsp_vm_map *m, const struct vram_object *o,
                             struct fl_fail *fail)
{
    if (m->len != 0 && m->len % GPU_VA_GRAIN == 0 && m->offset % GPU_VA_GRAIN == 0 &&
        (o == NULL || range_ok(m->offset, m->len, o->bytes))) {
        return FL_OK;
    }
    return FL_FAIL(fail, FL_EINVAL, "GPU address space",
                   "0x%llx bytes from 0x%llx of the object; expected multiples of 4 KiB within "
                   "its 0x%llx bytes",
                   (unsigned long long)m->len, (unsigned long long)m->offset,
                   (unsigned long long)(o != NULL ? o->bytes : 0));
}

enum fl_err gsp_vm_map(struct gsp_vram_client *c, uint32_t vm, struct gsp_vm_map *m,
                       struct gsp_vm_when *when, struct fl_fail *fail)
{
    struct vram_space *s = vram_space_find(c, vm, fail);
    struct vram_object *o = NULL;

    if (s == NULL || (m->object != 0 && (o = vram_object_find(c, m->object, fail)) == NULL)) {
        return FL_ENOENT;
    }
    vram_jobs_settle(c);
    enum fl_err err = check_map(m, o, fail);
    if (err == FL_OK) {
        err = m->va == GSP_VM_ANYWHERE ? vram_place_choose(c, s, m, fail)
                                       : vram_space_holds(s, m->va, m->len, fail);
    }
    if (err != FL_OK) {
        return err;
    }
    const struct gpu_bind_op op = {
        .kind = GPU_BIND_MAP,
        .want = {
            .va = m->va,
            .len = m->len,
            .object = o != NULL ? o->gpu : NULL,
            .offset = m->offset,
            .how = {.largest = m->largest, .attrs = {.read_only = m->read_only, .kind = m->kind}}}};
    err = vram_submit(c, s, o, &op, when, fail);
    if (err != FL_OK) {
        vram_place_give_back(s, m->va, m->len);
    }
    return err;
}

enum fl_err gsp_vm_unmap(struct gsp_vram_client *c, uint32_t vm, uint64_t va, uint64_t len,
                         struct gsp_vm_when *when, struct fl_fail *fail)
{
    struct vram_space *s = vram_space_find(c, vm, fail);

    if (s == NULL) {
        return FL_ENOENT;
    }
    vram_jobs_settle(c);
    const struct gpu_bind_op op = {.kind = GPU_BIND_UNMAP, .want = {.va = va, .len = len}};
    enum fl_err err = vram_space_holds(s, va, len, fail);
    err = FL_THEN(err, vram_submit(c, s, NULL, &op, when, fail));
    if (err == FL_OK && (when == NULL || !when->queued)) {
        vram_place_give_back(s, va, len);
    }
    return err;
}
