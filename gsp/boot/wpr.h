/* SPDX-License-Identifier: MIT */
/*
 * The memory that the GSP boots from and talks through: page tables over its image, bootloader,
 * signature, log buffers, message rings, and the pages that say where all of that is (WPR metadata
 * for the booter, libos arguments and RM arguments for the GSP).
 *
 * The image itself is not copied: the GPU reads it where the boot stub put the file. Only what must
 * lie on page boundaries and does not is copied, and counted (copied_bytes).
 *
 * Source: spec boot.md 6, 7, 8; firmware.md 8.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_gpu;

/* Bytes of each part, and what it is for, in one call each. All: FL_ENOMEM, or what is wrong with
 * the image. Nothing yields but for long copies. */
FL_MUST_CHECK enum fl_err gsp_wpr_map_image(struct gsp_gpu *g, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_wpr_make_logs(struct gsp_gpu *g, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_wpr_make_queues(struct gsp_gpu *g, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_wpr_make_arguments(struct gsp_gpu *g, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_wpr_make_metadata(struct gsp_gpu *g, struct fl_fail *fail);

/* Path B: the two places that the running GSP-RM told (rm/static_info.h) go into the metadata, too
 * (rpc.md C3: a suspend needs them). */
void gsp_wpr_placed_by_firmware(struct gsp_gpu *g);

/* "LOGINIT" as the libos wants it: the characters big-endian in the low bytes of a word. */
uint64_t gsp_libos_id8(const char *name);
