/* SPDX-License-Identifier: MIT */
/*
 * The generic bootloader: a small unsigned falcon program that fetches FWSEC by DMA and jumps into
 * it, where FWSEC's code is of two kinds (plain and signed) that no single transfer can load:
 * Turing and GA100. It is loaded by port to the end of IMEM and finds in DMEM what to fetch from
 * where.
 *
 * Source: spec boot.md 3.6, firmware.md 6.2 (nova fwsec/bootloader.rs, nouveau nvfw/flcn.h, OG570
 * kernel_gsp_frts_tu102.c); what it does is known from the outside only.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/files/fwbin.h"
#include "gsp/hw/falcon.h"
#include "mm/dma.h"

struct gsp_gpu;

/* Bytes that it needs behind FWSEC's image, a multiple of GSP_FALCON_BLOCK; 0 without a loader. */
uint64_t gsp_gen_bootloader_bytes(const struct fw_loader *l);

/* FWSEC as the loader by port wants it: puts loader and descriptor behind FWSEC in buf, which has
 * room of gsp_gen_bootloader_bytes() there. out->name, image, cpu and image_bytes are set. */
FL_MUST_CHECK enum fl_err gsp_gen_bootloader_program(struct gsp_gpu *g, const struct dma_buf *buf,
                                                     struct gsp_falcon_program *out,
                                                     struct fl_fail *fail);
