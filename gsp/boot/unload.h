/* SPDX-License-Identifier: MIT */
/*
 * The way back: from any point of a boot to a GPU without WPR2 and without our memory. Armed before
 * the first step that must be undone; run by gsp_unload and after every failure. Source:
 * boot.md 12.1.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_gpu;

/* Makes everything ready that the way back needs. Yields. */
FL_MUST_CHECK enum fl_err gsp_unload_arm(struct gsp_gpu *g, struct fl_fail *fail);
/* Says goodbye to the resource manager, for good or for a suspend (it will be brought back), and
 * waits until its core has stopped. Yields. */
FL_MUST_CHECK enum fl_err gsp_unload_stop_rm(struct gsp_gpu *g, bool suspend, struct fl_fail *fail);
/* From a started GSP to one whose memory is free again and that can be booted again. stopped:
 * GSP-RM said that it has stopped. Yields. */
FL_MUST_CHECK enum fl_err gsp_unload_take_down(struct gsp_gpu *g, bool stopped,
                                               struct fl_fail *fail);
/* Undoes what g->undo says, in reverse; goes on after an error and returns the first. When the GPU
 * could not be stopped it is cut off from memory before the buffers are freed. Yields. */
FL_MUST_CHECK enum fl_err gsp_unload_run(struct gsp_gpu *g, struct fl_fail *fail);
