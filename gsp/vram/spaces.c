/* SPDX-License-Identifier: MIT */
/* GPU address spaces of clients: made, mapped in, looked at (gsp/vram.h). */
#include "arch/log.h"
#include "arch/machine.h"
#include "gsp/vram/vaspace.h"
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

struct vram_space *vram_space_find(struct gsp_vram_client *c, uint32_t vm, struct fl_fail *fail)
{
    struct vram_space *s = c->spaces;

    while (s != NULL && s->handle != vm) {
        s = s->next;
    }
    if (s == NULL) {
        FL_FAIL(fail, FL_ENOENT, "GPU address space", "this session has no address space %u",
                (unsigned)vm);
    }
    return s;
}

/* ---- making one ---- */

/* Of BAR1's own: a range that nobody else has. */
static enum fl_err make_bar1(struct gsp_vram *v, struct vram_space *s, uint64_t bytes,
                             struct fl_fail *fail)
{
    const struct gpu_va_request want = {.len = align_up_u64(bytes, GPU_VA_GRAIN), .align = MIB(2)};
    const enum fl_err err = bytes == 0 || bytes > v->bar1_mmio.size
                                ? FL_ENOSPC
                                : gpu_va_alloc(&v->bar1_va, &want, &s->bar1_node);

    if (err != FL_OK) {
        return FL_FAIL(fail, FL_ENOSPC, "GPU address space",
                       "no room for 0x%llx bytes in BAR1; the largest gap has 0x%llx",
                       (unsigned long long)bytes,
                       (unsigned long long)gpu_va_largest_gap(&v->bar1_va));
    }
    s->tables = v->bar1_tables;
    s->vm = v->bar1;
    s->range = (struct range){s->bar1_node.va, s->bar1_node.len};
    return gpu_va_init(&s->va, s->range);
}

static enum fl_err make_own(struct gsp_vram *v, struct vram_space *s, struct fl_fail *fail)
{
    const struct gpu_vm_options options = {.name = "engines"};
    enum fl_err err = gpu_tables_create(&v->mem, v->format, &v->source, 0, false, &s->tables, fail);

    err = FL_THEN(err, gpu_vm_create(&v->mem, s->tables, &options, &s->vm, fail));
    if (err != FL_OK) {
        return err;
    }
    s->range = (struct range){GPU_VA_GRAIN, gpu_tables_va_size(s->tables) - GPU_VA_GRAIN};
    err = gpu_va_init(&s->va, s->range); /* address 0 stays free: it is what a bug uses */
    err =
        FL_THEN(err, gpu_va_reserve(&s->va, VASPACE_SERVER_BASE, VASPACE_SERVER_BYTES, &s->server));
    return FL_THEN(err, vaspace_tell(v->g, s->handle, s->tables, fail));
}

static void drop_places(struct vram_space *s)
{
    while (s->places != NULL) {
        struct vm_place *p = s->places;
        s->places = p->next;
        heap_free(p);
    }
}

/* Takes out all that is mapped in a part of BAR1. */
static void unmap_bar1(struct gsp_vram *v, struct vram_space *s)
{
    const struct gpu_bind_op op = {.kind = GPU_BIND_UNMAP,
                                   .want = {.va = s->range.base, .len = s->range.size}};
    struct fl_fail fail = {0};
    const enum fl_err err =
        gpu_vm_bind_sync(v->bar1, &(struct gpu_bind){.ops = &op, .op_count = 1}, &fail);

    if (err != FL_OK && v->g != NULL) {
        log_warn(v->g->hw.label, "a part of BAR1 stays mapped: %s", fail.text);
    }
}

static void drop(struct gsp_vram *v, struct vram_space *s)
{
    if (s->kind == GSP_VM_BAR1) {
        if (s->vm != NULL) {
            unmap_bar1(v, s);
            const enum fl_err err = gpu_va_free(&v->bar1_va, &s->bar1_node);
            FL_ASSERT(err == FL_OK);
        }
    } else {
        if (v->g != NULL) {
            vaspace_forget(v->g, s->handle);
        }
        gpu_vm_destroy(s->vm);
        gpu_tables_destroy(s->tables);
    }
    drop_places(s);
    heap_free(s);
}

enum fl_err gsp_vm_create(struct gsp_vram_client *c, enum gsp_vm_kind kind, uint64_t bytes,
                          uint32_t *vm, struct fl_fail *fail)
{
    struct gsp_vram *v = c->v;

    if (c->space_count >= GSP_VRAM_SPACES_MAX) {
        return FL_FAIL_MORE(fail, FL_ENOSPC, "GPU address space", (.hint = "destroy some"),
                            "this session has %u address spaces, as many as may be",
                            GSP_VRAM_SPACES_MAX);
    }
    struct vram_space *s = heap_zalloc(sizeof(*s));
    if (s == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "GPU address space", "no memory for one");
    }
    s->kind = kind;
    enum fl_err err = vram_enter(v, fail);
    if (err != FL_OK) {
        heap_free(s);
        return err;
    }
    struct gsp_gpu *g = v->g;
    s->handle = ++v->handles;
    c->space_count++;
    err = kind == GSP_VM_BAR1 ? make_bar1(v, s, bytes, fail) : make_own(v, s, fail);
    if (err == FL_OK) {
        s->next = c->spaces;
        c->spaces = s;
        *vm = s->handle;
    } else {
        c->space_count--;
        drop(v, s);
    }
    vram_leave(v, g);
    return err;
}

/* Yields. */
static void take_out(struct gsp_vram_client *c, struct vram_space *s)
{
    struct vram_space **at = &c->spaces;

    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next; /* before it yields: nobody else finds it */
    c->space_count--;
    drop(c->v, s);
}

enum fl_err gsp_vm_destroy(struct gsp_vram_client *c, uint32_t vm, struct fl_fail *fail)
{
    struct vram_space *s = vram_space_find(c, vm, fail);

    if (s == NULL) {
        return FL_ENOENT;
    }
    const enum fl_err err = vram_alive(c->v, fail);
    if (err == FL_OK) {
        take_out(c, s);
    }
    return err;
}

void vram_spaces_drop(struct gsp_vram_client *c)
{
    while (c->spaces != NULL) {
        take_out(c, c->spaces);
    }
}

enum fl_err gsp_vm_describe(struct gsp_vram_client *c, uint32_t vm, struct gsp_vm_info *out,
                            struct fl_fail *fail)
{
    const struct vram_space *s = vram_space_find(c, vm, fail);
    struct gpu_table_stats t;
    struct gpu_vm_stats j;

    if (s == NULL) {
        return FL_ENOENT;
    }
    const enum fl_err err = vram_alive(c->v, fail);
    if (err != FL_OK) {
        return err;
    }
    gpu_tables_get_stats(s->tables, &t);
    gpu_vm_get_stats(s->vm, &j);
    *out = (struct gsp_vm_info){.vm = s->handle,
                                .kind = s->kind,
                                .base = s->range.base,
                                .bytes = s->range.size,
                                .root = gpu_tables_root(s->tables),
                                .format = gpu_format_name(c->v->format),
                                .mappings = j.mappings,
                                .table_bytes = t.bytes,
                                .jobs_submitted = j.submitted,
                                .jobs_done = j.done,
                                .jobs_failed = j.failed,
                                .jobs_cancelled = j.cancelled,
                                .jobs_waiting = j.waiting};
    return FL_OK;
}

/* ---- mapping ---- */

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

/* Somebody said where, and did so in a range that seemed free: from now on it is a place, too.
 * False: nothing is mapped there. */
static bool learn(struct vram_space *s, struct vm_place *p)
{
    const struct range chosen = {p->node.va, p->node.len};
    struct gpu_mapped m;
    enum fl_err err;

    if (!gpu_vm_find_from(s->vm, chosen.base, &m) || m.va >= chosen.base + chosen.size) {
        return false;
    }
    const uint64_t from = max_u64(m.va, chosen.base);
    const uint64_t to = min_u64(m.va + m.len, chosen.base + chosen.size);
    err = gpu_va_free(&s->va, &p->node);
    err = FL_THEN(err, gpu_va_reserve(&s->va, from, to - from, &p->node));
    FL_ASSERT(err == FL_OK);
    p->next = s->places;
    s->places = p;
    return true;
}

/* Chooses an address; the place is kept until the space goes or it is unmapped as a whole. Each
 * round but the last learns of a mapping. */
static enum fl_err choose(struct vram_space *s, struct gsp_vm_map *m, struct fl_fail *fail)
{
    const struct gpu_va_request want = {.len = m->len,
                                        .prefer = min_u64(gpu_page_bytes(m->largest), MIB(2))};
    struct vm_place *p;

    do {
        p = heap_zalloc(sizeof(*p));
        if (p == NULL) {
            return FL_FAIL(fail, FL_ENOMEM, "GPU address space", "no memory for a place in it");
        }
        const enum fl_err err = gpu_va_alloc(&s->va, &want, &p->node);
        if (err != FL_OK) {
            heap_free(p);
            return FL_FAIL(fail, err, "GPU address space",
                           "no free place of 0x%llx bytes; the largest gap has 0x%llx",
                           (unsigned long long)m->len,
                           (unsigned long long)gpu_va_largest_gap(&s->va));
        }
    } while (learn(s, p));
    m->va = p->node.va;
    p->next = s->places;
    s->places = p;
    return FL_OK;
}

static void give_back(struct vram_space *s, uint64_t va, uint64_t len)
{
    struct vm_place **at = &s->places;

    while (*at != NULL) {
        struct vm_place *p = *at;
        if (p->node.va >= va && p->node.va + p->node.len <= va + len) {
            const enum fl_err err = gpu_va_free(&s->va, &p->node);
            FL_ASSERT(err == FL_OK);
            *at = p->next;
            heap_free(p);
        } else {
            at = &p->next;
        }
    }
}

static enum fl_err bind(struct gsp_vram *v, struct vram_space *s, const struct gpu_bind_op *op,
                        struct fl_fail *fail)
{
    enum fl_err err = vram_enter(v, fail);

    if (err != FL_OK) {
        return err;
    }
    struct gsp_gpu *g = v->g;
    err = gpu_vm_bind_sync(s->vm, &(struct gpu_bind){.ops = op, .op_count = 1}, fail);
    vram_leave(v, g);
    return err;
}

/* The object comes back first, where it is evicted. */
static enum fl_err bind_object(struct gsp_vram *v, struct vram_space *s, struct vram_object *o,
                               const struct gpu_bind_op *op, struct fl_fail *fail)
{
    enum fl_err err = o != NULL ? vram_alive(v, fail) : FL_OK;

    if (o == NULL || err != FL_OK) {
        return o == NULL ? bind(v, s, op, fail) : err;
    }
    err = vram_object_enter(v, o, fail);
    if (err == FL_OK) {
        err = bind(v, s, op, fail);
        vram_object_leave(o);
    }
    return err;
}

enum fl_err gsp_vm_map(struct gsp_vram_client *c, uint32_t vm, struct gsp_vm_map *m,
                       struct fl_fail *fail)
{
    struct vram_space *s = vram_space_find(c, vm, fail);
    struct vram_object *o = NULL;
    const bool anywhere = m->va == GSP_VM_ANYWHERE;
    enum fl_err err = FL_OK;

    if (s == NULL || (m->object != 0 && (o = vram_object_find(c, m->object, fail)) == NULL)) {
        return FL_ENOENT;
    }
    if (m->len == 0 || m->len % GPU_VA_GRAIN != 0 || m->offset % GPU_VA_GRAIN != 0 ||
        (o != NULL && !range_ok(m->offset, m->len, o->bytes))) {
        return FL_FAIL(fail, FL_EINVAL, "GPU address space",
                       "0x%llx bytes from 0x%llx of the object; expected multiples of 4 KiB within "
                       "its 0x%llx bytes",
                       (unsigned long long)m->len, (unsigned long long)m->offset,
                       (unsigned long long)(o != NULL ? o->bytes : 0));
    }
    err = anywhere ? choose(s, m, fail) : vram_space_holds(s, m->va, m->len, fail);
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
    err = bind_object(c->v, s, o, &op, fail);
    if (err != FL_OK && anywhere) {
        give_back(s, m->va, m->len);
    }
    return err;
}

enum fl_err gsp_vm_unmap(struct gsp_vram_client *c, uint32_t vm, uint64_t va, uint64_t len,
                         struct fl_fail *fail)
{
    struct vram_space *s = vram_space_find(c, vm, fail);

    if (s == NULL) {
        return FL_ENOENT;
    }
    const struct gpu_bind_op op = {.kind = GPU_BIND_UNMAP, .want = {.va = va, .len = len}};
    enum fl_err err = vram_space_holds(s, va, len, fail);
    err = FL_THEN(err, bind(c->v, s, &op, fail));
    if (err == FL_OK) {
        give_back(s, va, len);
    }
    return err;
}

/* ---- looking ---- */

static bool same_end(const struct gpu_walk *a, const struct gpu_walk *b)
{
    return a->end == b->end &&
           (a->end != GPU_WALK_MAPPED || (a->pa == b->pa && a->page == b->page));
}

enum fl_err gsp_vm_walk(struct gsp_vram_client *c, uint32_t vm, uint64_t va, struct gpu_walk *out,
                        bool *agrees, struct fl_fail *fail)
{
    struct gsp_vram *v = c->v;
    const struct vram_space *s = vram_space_find(c, vm, fail);
    struct gpu_walk shadow;

    if (s == NULL) {
        return FL_ENOENT;
    }
    enum fl_err err = vram_enter(v, fail);
    if (err != FL_OK) {
        return err;
    }
    struct gsp_gpu *g = v->g;
    err = gpu_walk(&v->mem, v->format, gpu_tables_root(s->tables), va, out, fail);
    if (err == FL_OK && agrees != NULL) {
        err = gpu_tables_walk(s->tables, va, &shadow, fail);
        *agrees = err == FL_OK && same_end(out, &shadow);
    }
    vram_leave(v, g);
    return err;
}

enum fl_err gsp_vm_dump(struct gsp_vram_client *c, uint32_t vm, uint64_t va, uint64_t len,
                        uint64_t budget, gpu_run_fn *fn, void *ctx, struct fl_fail *fail)
{
    const struct vram_space *s = vram_space_find(c, vm, fail);

    if (s == NULL) {
        return FL_ENOENT;
    }
    enum fl_err err = vram_space_holds(s, va, len, fail);
    err = FL_THEN(err, vram_alive(c->v, fail));
    return FL_THEN(err, gpu_tables_walk_range(s->tables, va, len, budget, fn, ctx, fail));
}
