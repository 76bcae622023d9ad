/* SPDX-License-Identifier: MIT */
/*
 * Path B, Hopper and Blackwell: the FSP checks the GSP's first program (FMC, first mutable code)
 * along the chain of trust and starts it; the FMC puts everything into place in VRAM and starts
 * GSP-RM. We send one message, wait until the GSP's registers are let go, and have nothing else to
 * do. Source: spec boot.md 11, 12.1 (nova gsp/hal/gh100.rs, nouveau gsp/gh100.c, OG570
 * kernel_gsp_gh100.c).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_gpu;

/* Makes the FMC's image and parameters in DMA memory and sends the chain-of-trust message. Yields.
 */
FL_MUST_CHECK enum fl_err gsp_fmc_start(struct gsp_gpu *g, struct fl_fail *fail);
/* Until the FMC has started GSP-RM and its registers are no longer locked. Yields. */
FL_MUST_CHECK enum fl_err gsp_fmc_wait_release(struct gsp_gpu *g, struct fl_fail *fail);
/* unload.h's take_down, path B: a GSP that said goodbye takes itself down, any other one is reset.
 * Yields.
 */
FL_MUST_CHECK enum fl_err gsp_fmc_take_down(struct gsp_gpu *g, bool stopped, struct fl_fail *fail);
/* Distance from the end of VRAM to the end of the FRTS region. */
uint64_t gsp_fmc_frts_distance(uint64_t non_wpr_heap_bytes, uint64_t pmu_reserved_bytes);
