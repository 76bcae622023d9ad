/* SPDX-License-Identifier: MIT */
/*
 * Resets of a GPU: on request, and of what an earlier boot left behind (a run that was killed, a
 * warm reboot): WPR2 that is up, a GSP that still runs. It cannot be booted over, only taken down.
 * Source: boot.md 12.1, 13; measured.md 6 (a function level or a bus reset clears WPR2, a warm
 * reboot keeps it).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/gsp.h"

/* Looks for leftovers and resets them away, once; then the GPU may be bus master. Where the card
 * has no reset and unload programs exist, g->left_up is set instead, and the GPU is kept from the
 * bus until gsp_reset_unload_leftover() has run them. Yields. */
FL_MUST_CHECK enum fl_err gsp_reset_leftover(struct gsp_gpu *g, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_reset_unload_leftover(struct gsp_gpu *g, struct fl_fail *fail);
/* On request, from any state to UNLOADED: nobody says goodbye to the GSP, who waits for it is sent
 * away, all memory of the boot is freed but the logs. FL_ENOTSUP: the card has no such reset, and
 * nothing has happened. Any other failure ends in FAILED, with the GPU cut off from memory. The
 * words are in *fail. Yields. */
FL_MUST_CHECK enum fl_err gsp_reset_run(struct gsp_gpu *g, enum gsp_reset_kind kind,
                                        struct fl_fail *fail);
