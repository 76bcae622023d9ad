/* SPDX-License-Identifier: MIT */
/* GPU address spaces of clients: made and looked at (gsp/vram.h). */
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
    struct gpu_vm_options options = vram_vm_options("a part of BAR1");
    s->tables = v->bar1_tables;
    s->range = options.va = (struct range){s->bar1_node.va, s->bar1_node.len};
    options.beside = v->bar1; /* a queue of its own: the windows wait for nobody's fences */
    const enum fl_err made = gpu_va_init(&s->va, s->range);
    return FL_THEN(made, gpu_vm_create(&v->mem, s->tables, &options, &s->vm, fail));
}

static enum fl_err make_own(struct gsp_vram *v, struct vram_space *s, struct fl_fail *fail)
{
    const struct gpu_vm_options options = vram_vm_options("engines");
    enum fl_err err = gpu_tables_create(&v->mem, v->format, &v->source, 0, false, &s->tables, fail);

    err = FL_THEN(err, gpu_vm_create(&v->mem, s->tables, &options, &s->vm, fail));
    if (err != FL_OK) {
        return err;
    }
    s->range = (struct range){GPU_VA_GRAIN, gpu_tables_va_size(s->tables) - GPU_VA_GRAIN};
    err = gpu_va_init(&s->va, s->range); /* address 0 stays free: it is what a bug uses */
    err =
        FL_THEN(err, gpu_va_reserve(&s->va, VASPACE_SERVER_BASE, VASPACE_SERVER_BYTES, &s->server));
    err = FL_THEN(err, vaspace_tell(v->g, s->handle, s->tables, fail));
    s->told = err == FL_OK;
    return err;
}

static void drop(struct gsp_vram *v, struct vram_space *s)
{
    if (s->told && v->g != NULL) {
        vaspace_forget(v->g, s->handle);
    }
    gpu_vm_destroy(s->vm);
    if (s->kind == GSP_VM_ENGINES) {
        gpu_tables_destroy(s->tables);
    } else if (s->bar1_node.space != NULL) {
        const enum fl_err err = gpu_va_free(&v->bar1_va, &s->bar1_node);
        FL_ASSERT(err == FL_OK);
    }
    vram_places_drop(s);
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
