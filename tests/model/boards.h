/* SPDX-License-Identifier: MIT */
/* What boards differ in, as data. */
#pragma once

#include "tests/model/chips.h"

/* Configuration space by class of board, measured.md 1.1 (P5, the SoC, is not modelled). */
enum model_cfg_layout { CFG_P1, CFG_P2, CFG_P3, CFG_P4, CFG_LAYOUTS };

struct model_board {
    const char *name; /* "rtx3090" */
    const char *chip;
    const char *title, *short_title; /* as the GSP shows them */
    enum model_cfg_layout layout;
    uint16_t device, subvendor, subdevice;
    uint32_t class_code;
    uint64_t vram_bytes; /* marketing size */
    uint64_t vram_less;  /* usable size is smaller by this */
    /* Registers, video memory, instance memory; BARs 0, 1, 3 or, from the layout, 0, 2, 4. */
    uint32_t bar0_mib, bar1_mib, bar3_mib;
    uint32_t bar1_sizes;          /* resizable BAR capability word: bit 4 + n = 2^n MiB */
    uint32_t link_gen;            /* PCI Express generation */
    bool endpoint;                /* Endpoint, not Legacy Endpoint (measured.md 1.2) */
    bool no_flr;                  /* T4 (measured.md 1.2) */
    uint32_t vf_count, vf_device; /* SR-IOV; 0: none */
    uint32_t vbios_ifr;           /* version of the IFR header before the PCI ROM; 0: none */
    uint64_t lock_bytes;    /* GA100: top of memory that the lock range keeps; 0: no valid range */
    bool display;           /* false: fused off */
    uint32_t vga_workspace; /* NV_PDISP_VGA_WORKSPACE_BASE */
    uint32_t ram_type, bus_width, fbp_mask, l2_bytes;
    uint32_t gpc_mask, tpc_mask;
    const char *vbios_version;
    uint32_t fuse_gsp_fwsec;   /* fuse register of FWSEC's ucode id, when not told otherwise */
    uint32_t fuse_sec2_booter; /* fuse register of SEC2 ucode 3 */
    uint32_t msi_vectors, msix_vectors;
};

/* name NULL: the chip's default, or of its family. NULL: there is no such board of the chip. */
const struct model_board *model_board_find(const struct model_chip *chip, const char *name);
