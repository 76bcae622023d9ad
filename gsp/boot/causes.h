/* SPDX-License-Identifier: MIT */
/*
 * What may be behind a boot that failed: a short list of causes, each weighed by what was seen up
 * to then, so that advice follows from evidence and never contradicts what an earlier stage has
 * established. Sources of the kinds: public reports of boards that do not come up, as docs/cases.md
 * lists them.
 */
#pragma once

#include "gsp/gsp.h"

struct gsp_gpu;

/* Weighs them all for g->fail, of the boot that has just failed in the stage that it names, and
 * keeps them (g->causes): the likely ones first, then those that were ruled out; a cause about
 * which nothing is known is not listed. A failure without advice gets that of the first one.
 * Configuration space is read, and the ROM once more where it is in doubt; else no register is
 * touched. Yields. */
void gsp_causes_weigh(struct gsp_gpu *g);
