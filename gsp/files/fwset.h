/* SPDX-License-Identifier: MIT */
/*
 * The set of firmware files with which a chip is booted: chosen among what the boot stub loaded,
 * parsed and checked before anything touches the GPU.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/handoff.h"
#include "gsp/files/fwbin.h"
#include "gsp/files/fwelf.h"
#include "gsp/hw/chips.h"

struct gsp_fwset {
    const struct gsp_chip *chip;
    const char *version; /* the one chosen; static */
    /* The files by kind, borrowed; NULL for kinds the chip does not need. */
    const struct fl_file *file[GSP_FW_KIND_COUNT];
    uint64_t total_bytes; /* of all of them */
    struct fw_gsp gsp;
    struct fw_riscv bootloader;
    struct fw_booter booter_load, booter_unload; /* Turing..Ada */
    struct fw_loader loader;                     /* Turing, GA100 */
    struct fw_fmc fmc;                           /* Hopper, Blackwell */
    bool image_page_aligned; /* .fwimage starts on a page: the GPU can read it where it is */
    struct fl_fail newer; /* why a newer version that is there was passed over; empty: none was */
};

/* Picks the newest version for which we have a layout and whose files are complete and well-formed;
 * with force_version only that one (NULL or "": any). files are what the stub found, in any order;
 * paths are compared without letter case, a leading '/' or "firmware/".
 *
 * On failure *fail names the first file that is wrong or missing, with the size seen and wanted:
 * FL_ENOENT missing, FL_ETRUNCATED, FL_EBADDATA, FL_ENOMEM or FL_EIO as the stub reported,
 * FL_ENOTSUP when there is no layout for force_version. *out is valid on FL_OK only and points into
 * files. Hashes an FMC (a few ms); does not yield. */
FL_MUST_CHECK enum fl_err gsp_fwset_select(const struct gsp_chip *chip, const struct fl_file *files,
                                           size_t count, const char *force_version,
                                           struct gsp_fwset *out, struct fl_fail *fail);
