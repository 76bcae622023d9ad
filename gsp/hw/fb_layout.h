/* SPDX-License-Identifier: MIT */
/*
 * Where everything of the GSP lies at the top of VRAM. Arithmetic only: no registers, so that the
 * worked examples of real boards are its tests.
 *
 *   fb end    VGA workspace                            \
 *             FRTS (1 MiB, made by FWSEC)               |
 *             RISC-V bootloader                         | write-protected region 2,
 *             GSP-RM image                              | from wpr_start to wpr_end
 *             GSP-RM heap (in WPR)                      |
 *   wpr_start copy of the WPR metadata                 /
 *             GSP-RM heap (outside WPR)
 *
 * Source: spec boot.md section 5 (nova fb.rs, nouveau r535/r570 gsp.c, OG570 kernel_gsp_tu102.c),
 * confirmed line by line on three real boards (measured.md section 5).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

/* Start of the VGA workspace. valid and address: NV_PDISP_VGA_WORKSPACE_BASE, when there is a
 * display (has_display). */
uint64_t gsp_vga_workspace_start(uint64_t fb_bytes, bool has_display, bool valid, uint64_t address);

struct gsp_fb_request {
    uint64_t fb_bytes;
    uint64_t vga_start;
    uint64_t frts_bytes; /* 1 MiB; 0 on GA100 */
    uint64_t bootloader_bytes;
    uint64_t image_bytes; /* of .fwimage */
    uint64_t non_wpr_heap_bytes;
    uint64_t heap_bytes; /* in the WPR: gsp_heap_bytes() of rpc/version.h */
    uint64_t pmu_reserved_bytes;
    bool sizes_only; /* the firmware chooses the places (path B): sizes are checked, starts are 0 */
};

/* Offsets into VRAM, bytes. */
struct gsp_fb_layout {
    uint64_t fb_bytes;
    uint64_t vga_start, vga_bytes;
    uint64_t wpr_end;
    uint64_t frts_start, frts_bytes;
    uint64_t bootloader_start, bootloader_bytes;
    uint64_t image_start, image_bytes;
    uint64_t heap_start, heap_bytes;
    uint64_t wpr_start;
    uint64_t non_wpr_start, non_wpr_bytes;
    uint64_t pmu_reserved_bytes;
    bool placed; /* by us; else all starts and wpr_end are 0 until the firmware tells some */
};

/* FL_EBADDATA when the sizes are impossible or do not fit. */
FL_MUST_CHECK enum fl_err gsp_fb_layout_make(const struct gsp_fb_request *req,
                                             struct gsp_fb_layout *out, struct fl_fail *fail);

/* What the WPR2 registers mean, in bytes. HI names the last 128 KiB block inside the region, it is
 * not the end; "no region" is HI = 0 whatever LO says (measured.md section 4). */
#define GSP_WPR2_GRANULE KIB(128)
struct gsp_wpr2 {
    bool up;
    uint64_t start, end; /* end: exclusive */
};
struct gsp_wpr2 gsp_wpr2_decode(uint32_t lo_raw, uint32_t hi_raw);
