/* SPDX-License-Identifier: MIT */
/*
 * The booters: signed programs for SEC2. booter_load verifies the GSP's image, copies it into WPR2
 * and starts the GSP; booter_unload takes WPR2 down. Source: spec boot.md 9.2, 12.1; measured.md 6.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_gpu;

/* Chooses the signatures by fuse and makes DMA copies of both. Yields. */
FL_MUST_CHECK enum fl_err gsp_booter_prepare(struct gsp_gpu *g, struct fl_fail *fail);
/* Runs booter_load on the WPR metadata. Yields. */
FL_MUST_CHECK enum fl_err gsp_booter_run_load(struct gsp_gpu *g, struct fl_fail *fail);
/* Runs booter_unload and checks that WPR2 is down. Yields. */
FL_MUST_CHECK enum fl_err gsp_booter_run_unload(struct gsp_gpu *g, struct fl_fail *fail);
