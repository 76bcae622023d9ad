/* SPDX-License-Identifier: MIT */
/* The boot story's own interface; gsp_boot itself is in gsp.h. */
#pragma once

struct gsp_gpu;

/* Fills the list of stages, all pending. */
void gsp_boot_list_stages(struct gsp_gpu *g);
