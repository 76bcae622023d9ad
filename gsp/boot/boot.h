/* SPDX-License-Identifier: MIT */
/* The boot story's own interface. */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_gpu;

/* The whole bring-up, once (gsp.h tells of gsp_boot). FL_ESTATE when the GPU is ready or busy.
 * Yields. */
FL_MUST_CHECK enum fl_err gsp_boot_once(struct gsp_gpu *g);
/* The stage that failed looked at files, not at the card. */
bool gsp_boot_failed_by_files(const struct gsp_gpu *g);
/* Fills the list of stages, all pending. */
void gsp_boot_list_stages(struct gsp_gpu *g);
/* The stage that a resume has too: until the resource manager is up. Yields. */
FL_MUST_CHECK enum fl_err gsp_boot_init_done(struct gsp_gpu *g, struct fl_fail *fail);
