/* SPDX-License-Identifier: MIT */
/*
 * The two ELF containers: the GSP-RM image (ELF64) and the FSP's first-mutable-code image (ELF32).
 * Only containers are read: NVIDIA's code inside is never looked at. Section data lies at any
 * alignment in these files.
 *
 * Sources: ELF specification; nova-core firmware.rs and firmware/{gsp,fsp}.rs, nouveau gsp/gh100.c,
 * open-gpu-kernel-modules kernel_gsp.c; real files decoded.
 *
 * All functions: `name` is the file's path for messages; results point into the file, which must
 * outlive them; FL_ETRUNCATED when the file is shorter than its own headers say (fail: seen and
 * expected size), FL_EBADDATA when malformed, FL_ENOENT when a needed section is missing. Nothing
 * yields. Names are compared whole; a wanted section that is there twice is malformed.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

#define FW_GSP_MAX_IMAGE       GIB(1) /* what the radix3 table can describe */
#define FW_GSP_SIGNATURE_BYTES 4096u

struct fw_gsp {
    const char *name;
    const uint8_t *image;     /* .fwimage */
    uint64_t image_offset;    /* in the file */
    uint64_t image_bytes;     /* exact, not page rounded */
    const uint8_t *signature; /* FW_GSP_SIGNATURE_BYTES, unaligned */
    char version[64];         /* .fwversion */
};
/* version: text that .fwversion must hold ("570.144"), NULL = any. signature_section: the chip's.
 */
FL_MUST_CHECK enum fl_err fw_gsp_parse(const void *file, size_t size, const char *name,
                                       const char *version, const char *signature_section,
                                       struct fw_gsp *out, struct fl_fail *fail);

/* Where .fwimage begins in a file that may be anything; 0: it is no GSP image. */
uint64_t fw_gsp_image_offset(const void *file, size_t size);
/* The text of .fwversion, with its NUL, in a file that may be anything. False: there is none. */
bool fw_gsp_version(const void *file, size_t size, char *out, size_t room);

#define FW_FMC_HASH_BYTES 48u

struct fw_fmc {
    const char *name;
    const uint8_t *image;
    uint32_t image_bytes;
    const uint8_t *hash; /* FW_FMC_HASH_BYTES: SHA-384 of the image (checked) */
    const uint8_t *key;
    uint32_t key_bytes;
    const uint8_t *signature;
    uint32_t signature_bytes;
};
/* signature_bytes, key_bytes: exactly what the chip wants (gsp_chip), at most 384. */
FL_MUST_CHECK enum fl_err fw_fmc_parse(const void *file, size_t size, const char *name,
                                       uint32_t signature_bytes, uint32_t key_bytes,
                                       struct fw_fmc *out, struct fl_fail *fail);
