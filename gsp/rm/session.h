/* SPDX-License-Identifier: MIT */
/* RM clients of others; what they may do is in gsp.h. */
#pragma once

struct gsp_gpu;

/* The GPU is about to go: its sessions lose it, and live on until each is closed. Nobody is inside
 * of a call. */
void gsp_rm_orphan_sessions(struct gsp_gpu *g);
