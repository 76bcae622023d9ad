/* SPDX-License-Identifier: MIT */
/*
 * What firmware versions differ in besides their structures (layout/), heap rules (fb_layout.c) and
 * event numbers (events.c): one row a version. Source: the open kernel modules of each tag; spec
 * rpc.md A4.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gsp_version {
    const char *name;          /* "570.144" */
    bool whole_slot_checksum;  /* a message's sum covers whole slots, else only the message */
    uint32_t resume_flags;     /* of its arguments: r570 preserving (1), power transition (4) */
    uint32_t gsp_engine_index; /* of the GSP in the resource manager's interrupt table */
};

/* The row of a version that has a layout; NULL for any other text. */
const struct gsp_version *gsp_version_find(const char *name);
