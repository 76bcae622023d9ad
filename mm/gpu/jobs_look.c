/* SPDX-License-Identifier: MIT */
/* Questions to a vm: what is mapped, how it went, whether everything agrees (jobs.h). */
#include "mm/gpu/jobs_priv.h"
#include "mm/gpu/walk.h"

static bool tell(const struct gpu_mapping *m, struct gpu_mapped *out)
{
    if (m != NULL) {
        *out = (struct gpu_mapped){.va = m->va,
                                   .len = m->len,
                                   .object = m->object,
                                   .offset = m->offset,
                                   .how = m->how,
                                   .valid = gpu_mapping_valid(m)};
    }
    return m != NULL;
}

bool gpu_vm_find(const struct gpu_vm *vm, uint64_t va, struct gpu_mapped *out)
{
    return tell(gpu_maps_find(&vm->maps, va), out);
}

bool gpu_vm_find_from(const struct gpu_vm *vm, uint64_t va, struct gpu_mapped *out)
{
    return tell(gpu_maps_from(&vm->maps, va), out);
}

void gpu_vm_get_stats(const struct gpu_vm *vm, struct gpu_vm_stats *out)
{
    *out = vm->stats;
    out->mappings = gpu_maps_count(&vm->maps);
}

/* ---- does it agree? ---- */

struct compared {
    const struct gpu_vm *vm;
    uint64_t bytes; /* that the tables map, of ours */
    bool same;
};

/* What the tables say of [run->va, + run->len), all of it in m. */
static bool same_run(const struct gpu_mapping *m, const struct gpu_run *run)
{
    if (m->object == NULL) {
        return run->end == GPU_WALK_SPARSE;
    }
    if (run->end != GPU_WALK_MAPPED || !gpu_mapping_valid(m) || run->page > m->how.largest) {
        return false;
    }
    const uint64_t offset = m->offset + (run->va - m->va);
    for (uint64_t at = 0; at < run->len;) {
        const struct gpu_extent e = gpu_object_piece(m->object, offset + at, run->len - at);
        const struct gpu_map_how how = {.attrs = run->attrs, .largest = m->how.largest};
        if (e.pa != run->pa + at || e.aperture != run->attrs.aperture ||
            e.peer != run->attrs.peer || !gpu_map_how_same(&how, &m->how)) {
            return false;
        }
        at += e.len;
    }
    return true;
}

static bool compare_run(void *ctx, const struct gpu_run *run)
{
    struct compared *c = ctx;
    struct range taken;

    if (gpu_tables_taken(c->vm->tables, run->va, &taken) && taken.base <= run->va) {
        return true; /* somebody else's */
    }
    for (uint64_t at = 0; at < run->len && c->same;) {
        const struct gpu_mapping *m = gpu_maps_find(&c->vm->maps, run->va + at);
        struct gpu_run part = *run;
        c->same = m != NULL;
        if (m != NULL) {
            part.va += at;
            part.pa += at;
            part.len = min_u64(run->len - at, m->va + m->len - part.va);
            c->same = same_run(m, &part);
            at += part.len;
        }
    }
    c->bytes += run->len;
    return c->same;
}

bool gpu_vm_check(const struct gpu_vm *vm)
{
    struct compared c = {.vm = vm, .same = true};
    uint64_t bytes = 0;

    for (const struct gpu_mapping *m = gpu_maps_from(&vm->maps, 0); m != NULL;
         m = gpu_maps_next(m)) {
        bytes += gpu_mapping_valid(m) ? m->len : 0;
    }
    const enum fl_err err = gpu_tables_walk_range(vm->tables, 0, gpu_tables_va_size(vm->tables),
                                                  UINT64_MAX, compare_run, &c, NULL);
    return err == FL_OK && c.same && c.bytes == bytes && gpu_maps_check(&vm->maps);
}
