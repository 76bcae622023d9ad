/* SPDX-License-Identifier: MIT */
/*
 * RM's side of an address space of engines: an object of class FERMI_VASPACE_A that is externally
 * owned, and told once where its page directory is. Source: nouveau nvkm/subdev/gsp/rm/r535/vmm.c;
 * open-gpu-kernel-modules 570.144 nvos.h, ctrl0080dma.h.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "mm/gpu/tables.h"

struct gsp_gpu;

/* What RM may keep for buffers of its own, in every address space (nouveau's choice of place). */
#define VASPACE_SERVER_BASE  UINT64_C(0x100000000)
#define VASPACE_SERVER_BYTES UINT64_C(0x20000000)

/* number: of the space, for its handle. FL_EIO: refused, with the NV_STATUS in words; nothing is
 * left then. Yields. */
FL_MUST_CHECK enum fl_err vaspace_tell(struct gsp_gpu *g, uint32_t number,
                                       const struct gpu_tables *t, struct fl_fail *fail);
/* RM forgets it; what goes wrong is in the log. Yields. */
void vaspace_forget(struct gsp_gpu *g, uint32_t number);
