/* SPDX-License-Identifier: MIT */
/*
 * Everything in which firmware versions differ: one row a version. A new version is a layout table
 * (layout/) and a row here. Source: the open kernel modules of each tag; spec rpc.md A4, B3,
 * boot.md 5.1.
 */
#pragma once

#include "arch/base.h"
#include "gsp/hw/family.h"
#include "gsp/rpc/events.h"
#include "gsp_layout.h"

/* Parts of the GSP's heap in the WPR, bytes; max 0: the version does not run on that kind of GPU.
 */
struct gsp_heap_rule {
    uint64_t carveout, base, min, max;
};

struct gsp_version {
    const char *name; /* "570.144", as in the image */
    const struct gsp_layout *layout;
    struct gsp_heap_rule heap[GSP_LIBOS_COUNT];
    struct gsp_event_table events; /* beyond those that all versions have */
    bool whole_slot_checksum;      /* a message's sum covers whole slots, else only the message */
    uint32_t gsp_engine_index;     /* of the GSP in the resource manager's interrupt table */
    uint32_t pstate_control;       /* that gives the performance state, by RM's number */
    uint32_t resume_flags;         /* of its arguments: r570 preserving (1), power transition (4) */
};

/* The row of a version; NULL for any other text. */
const struct gsp_version *gsp_version_find(const char *name);
/* NULL when that firmware does not run on that kind of GPU. */
const struct gsp_heap_rule *gsp_version_heap(const struct gsp_version *v, enum gsp_libos libos);
/* Bytes of the heap for a GPU with that much VRAM. */
uint64_t gsp_heap_bytes(const struct gsp_heap_rule *rule, uint64_t fb_bytes);
