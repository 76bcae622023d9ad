/* SPDX-License-Identifier: MIT */
/* The end of a GPU's life, as far as its memory goes. */
#pragma once

struct gsp_gpu;

/* Nothing of this life's video memory is reached any more; clients keep their handles until they
 * close. Does nothing where nobody used it. */
void gsp_vram_down(struct gsp_gpu *g);
