/* SPDX-License-Identifier: MIT */
/*
 * Firmware files with NVIDIA's "nvfw" header: the booters (HS header v2), the RISC-V bootloader and
 * the falcon loader for FWSEC. Parsing only: everything is checked against the file's real size
 * before it is believed, nothing is copied, nothing points outside the file. Words in these files
 * may lie at any alignment.
 *
 * Sources: nova-core firmware.rs, firmware/booter.rs, firmware/riscv.rs; nouveau nvfw/fw.h, hs.h;
 * open-gpu-kernel-modules extract-firmware-nouveau.py, rmRiscvUcode.h; real files decoded.
 *
 * All functions: `name` is the file's path for messages. FL_ETRUNCATED: the file is shorter than
 * its header says (fail: seen and expected size); FL_EBADDATA: malformed. Results point into the
 * file, which must outlive them. Nothing yields.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

/* Container A: the header of all of them. */
struct fw_bin {
    const uint8_t *file; /* borrowed */
    size_t size;
    const char *name; /* borrowed */
    uint32_t header_offset;
    uint32_t data_offset, data_size;
    const uint8_t *data; /* data_size bytes */
};
FL_MUST_CHECK enum fl_err fw_bin_parse(const void *file, size_t size, const char *name,
                                       struct fw_bin *out, struct fl_fail *fail);

/* Container B: a signed falcon program for SEC2 (booter_load, booter_unload, scrubber). Offsets are
 * within the payload; code and data parts are multiples of 256 bytes, do not overlap, and each fits
 * a 64 KiB falcon memory. */
struct fw_booter {
    const char *name;
    const uint8_t *payload; /* payload_size bytes, signature slot still empty */
    uint32_t payload_size;
    const uint8_t *signatures; /* sig_count times sig_bytes */
    uint32_t sig_bytes, sig_count;
    uint32_t patch_loc;       /* where the chosen signature goes; inside the data part */
    uint32_t pkc_data_offset; /* the same from the start of the data part: for BROM_PARAADDR */
    uint32_t fuse_ver, engine_mask, ucode_id; /* for the fuse look-up and the boot ROM */
    uint32_t ns_offset, ns_size;     /* non-secure code: PIO loading only, starts at ns_offset */
    uint32_t app_offset, app_size;   /* secure code; its offset is also its virtual address */
    uint32_t data_offset, data_size; /* data, to DMEM 0 */
};
/* sig_bytes: what the chip wants (gsp_chip.booter_sig_bytes). */
FL_MUST_CHECK enum fl_err fw_booter_parse(const void *file, size_t size, const char *name,
                                          uint32_t sig_bytes, struct fw_booter *out,
                                          struct fl_fail *fail);

/* Version that a fuse register (NV_FUSE_OPT_FPF_*_UCODE1_VERSION) holds: index of the highest set
 * bit of 15:0 plus 1; 0 when none is set. */
unsigned fw_fuse_version(uint32_t fuse_register);

/* Which signature a part with that fuse register takes: fused 0 the last, else fuse_ver - fused.
 * Turing and GA100 pass 0. FL_EBADDATA when the part has a higher version fused than the file
 * (revoked). Source: nova, nouveau. */
FL_MUST_CHECK enum fl_err fw_booter_signature(const struct fw_booter *b, uint32_t fuse_register,
                                              unsigned *index, struct fl_fail *fail);
/* Copies the payload to dst (payload_size bytes) with signature `index` in its place. */
FL_MUST_CHECK enum fl_err fw_booter_fill(const struct fw_booter *b, unsigned index, void *dst,
                                         size_t dst_size);

/* Container C: the RISC-V bootloader. Offsets are within the payload and go to the WPR metadata. */
struct fw_riscv {
    const char *name;
    const uint8_t *payload;
    uint32_t payload_size; /* a multiple of 4096 */
    uint32_t version;      /* 4: Turing, GA100; 5: later */
    uint32_t app_version;  /* for the falcon OS register */
    uint32_t bootloader_offset, bootloader_size;
    uint32_t param_offset, param_size;
    uint32_t manifest_offset, manifest_size;
    uint32_t data_offset, data_size; /* "monitor" data */
    uint32_t code_offset, code_size; /* "monitor" code */
    uint32_t fb_reserved_size;       /* version 5 */
};
FL_MUST_CHECK enum fl_err fw_riscv_parse(const void *file, size_t size, const char *name,
                                         struct fw_riscv *out, struct fl_fail *fail);

/* The small unsigned falcon program that loads FWSEC on Turing and GA100 (gen_bootloader, acr/bl).
 */
struct fw_loader {
    const char *name;
    const uint8_t *code; /* code_size bytes, go to the end of the 64 KiB IMEM, non-secure */
    uint32_t code_size;
    uint32_t start_tag;     /* tag of its first block; starts at start_tag << 8 */
    uint32_t dmem_load_off; /* where its descriptor goes in DMEM */
};
/* Bytes of the descriptor that the driver writes for it to DMEM. */
#define FW_LOADER_DESC_BYTES 84u
FL_MUST_CHECK enum fl_err fw_loader_parse(const void *file, size_t size, const char *name,
                                          struct fw_loader *out, struct fl_fail *fail);

/* Last component of a path: what fits a failure's "what". */
const char *fw_base_name(const char *path);
