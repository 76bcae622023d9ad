/* SPDX-License-Identifier: MIT */
/*
 * Confidential computing: a GPU whose mode is on encrypts its queues with keys from an attestation
 * (SPDM) that this appliance does not do. Source: spec vgpu-mig.md 7 (OG570, gpu-admin-tools).
 */
#pragma once

#include "arch/fail.h"

struct gsp_gpu;

/* Reads the mode, once the board's own firmware has set it, and keeps it (g->cc). FL_ENOTSUP, with
 * words: it is on. Devtools, an invalid mode and protected PCIe are warned of, nothing more.
 * FL_ELINKLOST: the GPU is gone. A family without the mode: FL_OK, no register is touched. Does not
 * yield. */
FL_MUST_CHECK enum fl_err gsp_cc_check(struct gsp_gpu *g, struct fl_fail *fail);
/* A bring-up failed (g->fail): names a mode other than off as its likely cause, before what the
 * failure says itself. Does not yield. */
void gsp_cc_blame(struct gsp_gpu *g);
