/* SPDX-License-Identifier: MIT */
/*
 * The booters: signed programs for SEC2. booter_load verifies the GSP's image, copies it into WPR2
 * and starts the GSP; booter_unload takes WPR2 down. Source: spec boot.md 9.2, 12.1; measured.md 6.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct fw_booter;
struct gsp_falcon_program;
struct gsp_gpu;

/* How the loader wants a booter: by DMA only the signed code is loaded, to the start of IMEM, and
 * the boot ROM starts it; by port plain code goes first and starts the signed code behind it. */
void gsp_booter_program_dma(const struct fw_booter *b, struct gsp_falcon_program *out);
void gsp_booter_program_port(const struct fw_booter *b, struct gsp_falcon_program *out);

/* Chooses the signatures by fuse and makes DMA copies of both. Yields. */
FL_MUST_CHECK enum fl_err gsp_booter_prepare(struct gsp_gpu *g, struct fl_fail *fail);
/* Runs booter_load on the WPR metadata. Yields. */
FL_MUST_CHECK enum fl_err gsp_booter_run_load(struct gsp_gpu *g, uint64_t meta,
                                              struct fl_fail *fail);
/* Runs booter_unload and checks that WPR2 is down. Yields. */
FL_MUST_CHECK enum fl_err gsp_booter_run_unload(struct gsp_gpu *g, uint64_t mailboxes,
                                                struct fl_fail *fail);
