/* SPDX-License-Identifier: MIT */
/* What the resource manager says of the board beyond the static info. Source: OGKM ctrl2080bios.h.
 */
#pragma once

struct gsp_gpu;

/* The VBIOS' version, where nothing has read it from the PROM: families from Hopper on boot without
 * it. A GSP that refuses, or says nothing, leaves it unknown. Yields, at most a second. */
void gsp_rm_ask_vbios(struct gsp_gpu *g);
