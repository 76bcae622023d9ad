/* SPDX-License-Identifier: MIT */
/*
 * The chips this build knows: identity, family, and where their firmware lies. A chip differs from
 * its family only by data in this table. Freestanding (the boot stub links it too): no libc.
 *
 * Sources: chip ids nova gpu.rs, nouveau engine/device/base.c, OG nv_arch.h; which real file serves
 * which chip: the symlinks of linux-firmware (Debian firmware-nvidia-graphics 20260916-1);
 * signature sections: as they are in the real GSP images (nova's .fwsignature_gh10x is in none of
 * them).
 */
#pragma once

#include "arch/base.h"
#include "gsp/hw/regs/regs.h" /* enum chip_family */

/* The kinds of firmware file. The order is the order in which they are needed. */
enum gsp_fw_kind {
    GSP_FW_GSP,            /* GSP-RM image, ELF64 */
    GSP_FW_BOOTLOADER,     /* RISC-V bootloader */
    GSP_FW_BOOTER_LOAD,    /* SEC2 program that starts the GSP; Turing..Ada */
    GSP_FW_BOOTER_UNLOAD,  /* SEC2 program that takes WPR2 down; Turing..Ada */
    GSP_FW_GEN_BOOTLOADER, /* falcon loader for FWSEC; Turing and GA100 */
    GSP_FW_FMC,            /* first-mutable-code image for the FSP; Hopper, Blackwell */
    GSP_FW_KIND_COUNT,
};
/* "gsp", "bootloader", "booter_load", ...: the file name's stem; never NULL. */
const char *gsp_fw_kind_name(enum gsp_fw_kind kind);
/* The alternatives of one kind, best first, that gsp_fw_path() can give at most. */
#define GSP_FW_PATH_CANDIDATES 8u
/* What NVIDIA's own driver package calls GSP images; no version in the name, it is in the file.
 * The first is that of Turing and GA100, the second that of all later chips. Source: OGKM
 * nv-firmware.h, nv_firmware_path(). */
#define GSP_FW_OWN_NAMES "gsp_tu10x.bin", "gsp_ga10x.bin"

struct gsp_chip {
    const char *name;   /* lower case, "ga104" */
    const char *fw_dir; /* the chip's own directory; equals name */
    const char *
        fw_dirs[3]; /* every directory that may hold one of its files, own one first; NULL-padded */
    uint16_t chip_id; /* NV_PMC_BOOT_42 bits 29:20 = architecture << 4 | implementation */
    enum chip_family family;
    const char *signature_section; /* of the GSP ELF: ".fwsignature_ga10x" */
    /* Directories that hold the real files when the chip's own directory only links to them. */
    const char *gsp_dir, *bootloader_dir, *booter_dir,
        *fmc_dir;              /* NULL: the chip has no such file */
    uint32_t fw_kinds;         /* bit per enum gsp_fw_kind that a boot needs */
    uint16_t booter_sig_bytes; /* one signature in booter files: 16 or 384; 0 = no booter */
    uint8_t
        fwsec_desc_version; /* FWSEC descriptor in the VBIOS: 2 or 3; 0 = no FWSEC (FSP chips) */
    bool falcon_dma; /* falcon programs go in by DMA and start in the boot ROM (GA10x, AD10x);
                        false: by PIO (Turing, GA100). Meaningless on FSP chips */
    bool has_frts;   /* FWSEC-FRTS runs before the booter (not on GA100) */
    uint16_t fmc_sig_bytes, fmc_key_bytes; /* sections of the FMC; 0 = no FMC */
};

/* The chip whose NV_PMC_BOOT_42 reads boot42; NULL when unknown (all-ones and PRI errors too). */
const struct gsp_chip *gsp_chip_find(uint32_t boot42);
/* By name, letter case ignored; NULL when unknown or name is NULL. */
const struct gsp_chip *gsp_chip_by_name(const char *name);
/* The i-th chip; NULL past the end. */
const struct gsp_chip *gsp_chip_at(size_t i);

/* The name of the chip's GSP image in NVIDIA's own package. */
const char *gsp_fw_own_name(const struct gsp_chip *c);

/* The chip needs files of this kind. */
static inline bool gsp_chip_needs(const struct gsp_chip *c, enum gsp_fw_kind kind)
{
    return (c->fw_kinds >> kind & 1u) != 0;
}

/* Path of candidate i (0 = best) of a kind below the directory that holds "nvidia", such as
 * "nvidia/ga104/gsp/gsp-570.144.bin", then "nvidia/ga102/gsp/gsp-570.144.bin". Returns the length
 * written without the NUL, 0 when there is no such candidate (also: the chip has no such file) or
 * buf is too small. version is such as "570.144"; the last candidates of a GSP image are NVIDIA's
 * own names, without one (gsp_fw_own_name()). */
size_t gsp_fw_path(const struct gsp_chip *c, enum gsp_fw_kind kind, const char *version, unsigned i,
                   char *buf, size_t size);
