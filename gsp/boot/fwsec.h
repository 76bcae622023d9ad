/* SPDX-License-Identifier: MIT */
/*
 * FWSEC: the signed program from the VBIOS that makes the region WPR2 (command FRTS) and takes the
 * GPU back to where an operating system may start (command SB). It runs on the GSP's falcon.
 *
 * Source: spec boot.md 3 (nova fwsec.rs, nouveau gsp/boot/fwsec.c, OG570 kernel_gsp_fwsec.c).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct dma_buf;
struct gsp_falcon_program;
struct gsp_gpu;

/* FWSEC as the loader by DMA wants it (descriptor version 3). out->name, image, cpu and image_bytes
 * are set; buf holds FWSEC. */
FL_MUST_CHECK enum fl_err gsp_fwsec_program_dma(struct gsp_gpu *g, const struct dma_buf *buf,
                                                struct gsp_falcon_program *out,
                                                struct fl_fail *fail);

/* Finds it in the VBIOS. Yields. */
FL_MUST_CHECK enum fl_err gsp_fwsec_find(struct gsp_gpu *g, struct fl_fail *fail);
/* Reads it (once) and makes two programs of it, one with each command (only SB where there is no
 * FRTS). The layout is known. Yields. */
FL_MUST_CHECK enum fl_err gsp_fwsec_prepare(struct gsp_gpu *g, struct fl_fail *fail);
/* Runs FRTS and checks that WPR2 is where it should be. Yields. */
FL_MUST_CHECK enum fl_err gsp_fwsec_run_frts(struct gsp_gpu *g, struct fl_fail *fail);
/* Runs SB and checks its result. Yields. */
FL_MUST_CHECK enum fl_err gsp_fwsec_run_sb(struct gsp_gpu *g, struct fl_fail *fail);

/* Reads the VBIOS once more after the stage `stage` (vbios, unload-armed or frts) failed: false
 * when it comes out differently now, so that one of the two readings was wrong. True when nothing
 * can be said for lack of memory. Yields. */
FL_MUST_CHECK bool gsp_fwsec_reads_same(struct gsp_gpu *g, const char *stage);
