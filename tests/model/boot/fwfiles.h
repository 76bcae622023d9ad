/* SPDX-License-Identifier: MIT */
/* Firmware files: what a driver hands over is compared with them. */
#pragma once

#include "gsp_layout.h"
#include "tests/model/gpu.h"

struct fw_blob { /* in the process-wide cache; never freed */
    const uint8_t *data;
    size_t size;
};
struct fw_booter {
    const uint8_t *payload, *sigs;
    uint32_t payload_size;
    uint32_t code_off, code_size; /* in the payload, like the following */
    uint32_t app_off, app_size, data_off, data_size;
    uint32_t patch_loc, sig_size, sig_count;
    uint32_t fuse_ver, engine_mask, ucode_id;
};
struct fw_fmc { /* what the FSP starts on the GSP */
    const uint8_t *image, *hash, *key, *sig;
    uint32_t image_size, key_size, sig_size;
};
struct fw_loader { /* Turing: loads FWSEC; one for all versions */
    const uint8_t *code;
    uint32_t code_size, start_tag, dmem_off;
};
struct fw_set {
    char version[32];
    const struct gsp_layout *layout;
    const uint8_t *image, *signature; /* .fwimage and the chip's signature section */
    uint64_t image_size;
    uint32_t signature_size;
    const uint8_t *bootloader;
    uint32_t bootloader_size;
    uint32_t boot_code_off, boot_data_off, boot_manifest_off, app_version;
    struct fw_booter load, unload;
    struct fw_fmc fmc;
};
enum { FW_SETS_MAX = 4 };
struct fw_files {
    struct fw_set set[FW_SETS_MAX];
    uint32_t count;
    char seen[64]; /* the firmware started last, and what told */
};
