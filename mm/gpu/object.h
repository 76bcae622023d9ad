/* SPDX-License-Identifier: MIT */
/*
 * Memory that can be mapped: an ordered list of extents, in video memory or elsewhere. This knows
 * where the bytes are and who needs them to stay there; whose they are is the caller's business. An
 * object cannot be freed while it is mapped or while a job names it, so memory that a GPU may still
 * reach is not given away.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "mm/gpu/format.h"

/* Contiguous memory. */
struct gpu_extent {
    uint64_t pa, len; /* multiples of 4 KiB, len > 0 */
    enum gpu_aperture aperture;
    uint8_t peer; /* 0 .. 7 with GPU_PEER, else 0 */
};

struct gpu_mapping;
struct gpu_backing; /* the extents, with their offsets */

struct gpu_object {
    const char *name; /* static, for people */
    uint64_t len;
    struct gpu_backing *backing;
    struct gpu_mapping *mappings; /* in every address space; maps.c's */
    uint64_t changes;             /* of that list, of the place and of whether it is evicted */
    uint64_t uses;                /* mappings, and operations of jobs that name it */
    uint64_t epoch;               /* counts its places; the first is 1 */
    bool evicted;                 /* its bytes are nowhere: it is mapped without entries */
};

/* An object of these extents, in this order; they are copied, the memory stays the caller's.
 * Allocates. FL_EINVAL: no extents, misaligned, empty, wrapping, an unknown aperture or peer;
 * FL_ENOMEM. name: static. */
FL_MUST_CHECK enum fl_err gpu_object_create(const char *name, const struct gpu_extent *extents,
                                            uint32_t count, struct gpu_object **out,
                                            struct fl_fail *fail);
/* FL_EBUSY while it is mapped or a job names it; nothing has changed then. NULL is fine. */
FL_MUST_CHECK enum fl_err gpu_object_free(struct gpu_object *o, struct fl_fail *fail);

/* Other extents for the same bytes, of the same length in all: a new epoch, so that no mapping is
 * valid (jobs.h: gpu_object_restore writes
 * the entries). Allocates before it changes anything. Errors as gpu_object_create; FL_EINVAL also
 * when the length differs. */
FL_MUST_CHECK enum fl_err gpu_object_move(struct gpu_object *o, const struct gpu_extent *extents,
                                          uint32_t count, struct fl_fail *fail);

/* The memory from offset on, at most len bytes: as far as one extent reaches. offset < o->len,
 * len > 0. O(log extents). */
struct gpu_extent gpu_object_piece(const struct gpu_object *o, uint64_t offset, uint64_t len);

static inline struct gpu_object *gpu_object_use(struct gpu_object *o) /* NULL is fine */
{
    if (o != NULL) {
        o->uses++;
    }
    return o;
}
void gpu_object_unuse(struct gpu_object *o); /* NULL is fine */
