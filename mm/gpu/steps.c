/* SPDX-License-Identifier: MIT */
/* The algebra of requests and mappings (steps.h). */
#include "mm/gpu/steps.h"

/* Where old and the request overlap, they lead to the same bytes in the same way. */
static bool same_there(const struct gpu_mapping *old, const struct gpu_want *want)
{
    /* Both offsets as if the mappings began at VA 0; a wrap on either side is the same wrap. */
    return old->object != NULL && old->object == want->object &&
           old->offset - old->va == want->offset - want->va && gpu_mapping_valid(old) &&
           gpu_map_how_same(&old->how, &want->how);
}

struct gpu_step gpu_step_for(struct gpu_mapping *old, const struct gpu_want *want, bool map)
{
    const uint64_t old_end = old->va + old->len;
    const uint64_t end = want->va + want->len;
    struct gpu_step step = {.kind = GPU_STEP_UNMAP,
                            .old = old,
                            .va = max_u64(old->va, want->va),
                            .keep = map && same_there(old, want)};

    step.len = min_u64(old_end, end) - step.va;
    if (old->va < want->va) {
        step.kind = GPU_STEP_REMAP;
        step.prev = (struct gpu_part){old->va, want->va - old->va, old->offset};
    }
    if (old_end > end) {
        step.kind = GPU_STEP_REMAP;
        step.next = (struct gpu_part){end, old_end - end, old->offset + (end - old->va)};
    }
    return step;
}

static enum fl_err each(const struct gpu_maps *s, const struct gpu_want *want, bool map,
                        gpu_step_fn *fn, void *ctx)
{
    enum fl_err err = FL_OK;
    struct gpu_mapping *next;

    for (struct gpu_mapping *m = gpu_maps_first_in(s, want->va, want->len);
         m != NULL && err == FL_OK; m = next) {
        next = gpu_maps_next_in(m, want->va, want->len); /* fn may take m out */
        const struct gpu_step step = gpu_step_for(m, want, map);
        err = fn(ctx, &step);
    }
    return err;
}

enum fl_err gpu_steps_map(const struct gpu_maps *s, const struct gpu_want *want, gpu_step_fn *fn,
                          void *ctx)
{
    const struct gpu_step last = {.kind = GPU_STEP_MAP, .va = want->va, .len = want->len};
    enum fl_err err = each(s, want, true, fn, ctx);

    return FL_THEN(err, fn(ctx, &last));
}

enum fl_err gpu_steps_unmap(const struct gpu_maps *s, uint64_t va, uint64_t len, gpu_step_fn *fn,
                            void *ctx)
{
    const struct gpu_want want = {.va = va, .len = len};

    return each(s, &want, false, fn, ctx);
}
