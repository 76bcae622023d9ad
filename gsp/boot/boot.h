/* SPDX-License-Identifier: MIT */
/* The boot story's own interface; gsp_boot itself is in gsp.h. */
#pragma once

#include "arch/fail.h"

struct gsp_gpu;

/* Fills the list of stages, all pending. */
void gsp_boot_list_stages(struct gsp_gpu *g);
/* The stage that a resume has too: until the resource manager is up. Yields. */
FL_MUST_CHECK enum fl_err gsp_boot_init_done(struct gsp_gpu *g, struct fl_fail *fail);
