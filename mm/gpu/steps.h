/* SPDX-License-Identifier: MIT */
/*
 * What a request to map or unmap does to the mappings that are there: the algebra of Linux's GPUVM
 * (drm_gpuvm_sm_map, drm_gpuvm_sm_unmap). Each mapping that has something of the range is unmapped
 * as a whole, or remapped: what lies before and behind the range stays as a mapping of its own. A
 * request to map ends with one new mapping.
 *
 * Nothing here allocates, yields or changes a mapping.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "mm/gpu/maps.h"

/* The caller has checked it: len > 0, va + len and offset + len do not wrap. */
struct gpu_want {
    uint64_t va, len;
    struct gpu_object *object; /* NULL: sparse */
    uint64_t offset;
    struct gpu_map_how how;
};

enum gpu_step_kind {
    GPU_STEP_UNMAP, /* old goes */
    GPU_STEP_REMAP, /* old goes; prev, next or both stay */
    GPU_STEP_MAP,   /* the new mapping comes: the last step of a request to map */
};

/* A part of a mapping that stays. len 0: there is none. */
struct gpu_part {
    uint64_t va, len, offset;
};

struct gpu_step {
    enum gpu_step_kind kind;
    struct gpu_mapping *old; /* UNMAP, REMAP */
    uint64_t va, len;        /* the part of old inside of the request; MAP: the request */
    struct gpu_part prev, next;
    /* The entries of [va, va + len) already say what the request wants: same bytes of the same
     * object in the same way, and valid. They may stay as they are. */
    bool keep;
};

/* What a request does to old, which has something of it. map: want's object, offset and how count;
 * else it is a request to unmap. */
struct gpu_step gpu_step_for(struct gpu_mapping *old, const struct gpu_want *want, bool map);

/* Calls fn for every step of a request, by address, the MAP last. fn may take step->old out of the
 * mappings and put prev and next in. Stops at an error of fn and returns it. O(log n + k). */
typedef enum fl_err gpu_step_fn(void *ctx, const struct gpu_step *step);
FL_MUST_CHECK enum fl_err gpu_steps_map(const struct gpu_maps *s, const struct gpu_want *want,
                                        gpu_step_fn *fn, void *ctx);
FL_MUST_CHECK enum fl_err gpu_steps_unmap(const struct gpu_maps *s, uint64_t va, uint64_t len,
                                          gpu_step_fn *fn, void *ctx);
