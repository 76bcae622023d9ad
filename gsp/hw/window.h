/* SPDX-License-Identifier: MIT */
/*
 * PRAMIN: 1 MiB of BAR0 that shows a part of video memory. Where it shows is one register, shared
 * by all: it moves under a lock of its own class, its place is remembered so that neighbours cost
 * no access, and it is put back after use.
 *
 * The register is NV_PBUS_BAR0_WINDOW up to Ada and NV_XAL_EP_BAR0_WINDOW from Hopper on, which has
 * no target and fewer bits. Source: open-gpu-kernel-modules 570.144 dev_bus.h, pri_nv_xal_ep.h;
 * nouveau nvkm/subdev/instmem.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_hw;

void gsp_window_init(struct gsp_hw *hw);

/* Somebody else may have moved it, or the card was reset: its place is not known any more. */
void gsp_window_forget(struct gsp_hw *hw);

/* Somebody has written value to the register at offset off of BAR0 by hand: where that is the
 * window's, it is what is shown now, and what is put back. */
void gsp_window_written(struct gsp_hw *hw, uint32_t off, uint32_t value);

/* Around every use; may nest, then only the outermost costs accesses: a read of the register, and a
 * write where the window has moved. Neither yields. */
void gsp_window_begin(struct gsp_hw *hw);
void gsp_window_end(struct gsp_hw *hw);

/* Copies len bytes of video memory at addr, between begin and end: 8 bytes an access where both are
 * aligned, less at the edges. Does not yield: the caller keeps len small. FL_EINVAL: beyond what
 * the register can name; FL_ELINKLOST. */
FL_MUST_CHECK enum fl_err gsp_window_read(struct gsp_hw *hw, uint64_t addr, void *buf, uint64_t len,
                                          struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_window_write(struct gsp_hw *hw, uint64_t addr, const void *buf,
                                           uint64_t len, struct fl_fail *fail);
/* What was written through the window is in memory: one read of it, wherever it shows. */
FL_MUST_CHECK enum fl_err gsp_window_flush(struct gsp_hw *hw, struct fl_fail *fail);
