/* SPDX-License-Identifier: MIT */
/*
 * Xids: the numbers by which NVIDIA's driver names what went wrong. Which there were, and what they
 * mean. Source: NVIDIA's Xid catalogue (docs.nvidia.com/deploy/xid-errors), OGKM nverror.h at
 * 570.144; the words are ours.
 */
#pragma once

#include "gsp/gsp.h"

struct gsp_xid_info {
    uint32_t number;
    const char *meaning; /* static: a few words */
    const char *action;  /* static: what to do about it */
    bool needs_action;   /* the GPU does not simply go on: somebody has to do it */
};
/* Never NULL: one that says so for a number that is not in the catalogue. */
const struct gsp_xid_info *gsp_xid_find(uint32_t number);
/* The rows of the catalogue, by number; NULL past the end. */
const struct gsp_xid_info *gsp_xid_at(size_t index);

/* Those of one number, since the GPU's object was made. */
struct gsp_xid {
    uint32_t number; /* GSP_XID_OTHERS: of all numbers that found no place */
    uint64_t count;
    uint64_t first_us, last_us; /* clock */
};
#define GSP_XID_OTHERS UINT32_MAX
#define GSP_XIDS_MAX   64u
#define GSP_XIDS_UNKNOWN_MAX                                                                       \
    8u /* of these are for numbers that the catalogue does not have: a firmware may send any */

/* Copies at most max of them, in the order of their first; returns how many. Any fiber. Does not
 * yield. */
uint32_t gsp_get_xids(struct gsp_gpu *g, struct gsp_xid *out, uint32_t max);
