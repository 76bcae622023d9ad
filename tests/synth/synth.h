/* SPDX-License-Identifier: MIT */
/*
 * Synthetic VBIOS and firmware files: every container, right and wrong in every field, filled with
 * recognisable patterns. Host only. Buffers are malloc'ed; the caller frees them with free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct synth_blob {
    uint8_t *data; /* owned by the caller */
    size_t size;
};

/* What the VBIOS of a board looks like: its images and where things lie in them. Sizes in bytes, of
 * images in multiples of 512; places from the start of what is said. */
struct synth_vbios_shape {
    const char *name;
    const char *chips;     /* whose it is, apart by spaces; "" = nobody's by default */
    const char *source;    /* of the figures, and which of them are not read off a board */
    unsigned desc_version; /* of FWSEC: 2 (TU, GA100) or 3 (GA10x, AD10x) */
    /* Images in their order; the last, type 0x70, is there when it has a size. FWSEC 2 grows when
     * it is too small. */
    uint32_t at_bytes, efi_bytes, fwsec1_bytes, fwsec2_bytes, nbsi_bytes;
    uint32_t descriptor; /* from the start of FWSEC 2 */
    uint32_t
        table_from_end; /* falcon table, before the end of FWSEC 2; 0 = right behind the data */
    bool board_tables;  /* BIT and falcon table with all entries of real boards */
    bool bad_checksum;  /* of PCI-AT: a damaged flash */
    uint32_t imem_bytes, dmem_bytes;
    uint32_t plain_bytes; /* version 2: code that is not secure */
    uint32_t interface_offset, mapper, cmd_in, targets, pkc; /* in DMEM */
    uint8_t signature_count;                                 /* version 3 */
    uint16_t signature_versions, reserved;                   /* ... and what lies behind them */
    uint32_t ifr_fixed, ifr_total, ifr_status,
        ifr_rom; /* when there is an IFR header (version 3) */
};
extern const struct synth_vbios_shape synth_vbios_small; /* nobody's: quick to read */
/* Shapes of real boards; NULL past the end, of a name that is none, of a chip that has none. */
const struct synth_vbios_shape *synth_vbios_shape_at(size_t index);
const struct synth_vbios_shape *synth_vbios_shape_find(const char *name);
const struct synth_vbios_shape *synth_vbios_shape_of(const char *chip);
const char *synth_vbios_shape_list(void); /* their names, each after a comma and a space */

/* A VBIOS for the PROM window: PCI-AT + EFI + two FWSEC images (spec: NVIDIA's chain with BIT,
 * falcon table, FWSEC descriptor, application interface, DMEMMAPPER). */
struct synth_vbios_options {
    const struct synth_vbios_shape *shape; /* NULL = synth_vbios_small */
    unsigned desc_version;                 /* 0 = the shape's */
    uint16_t device_id;
    unsigned ifr_version;            /* 0 none, 1, 2, 3 */
    bool no_efi;                     /* leave the EFI image out */
    uint32_t imem_bytes, dmem_bytes; /* 0 = the shape's */
    unsigned signature_count;        /* v3; 0 = the shape's */
    uint16_t signature_versions;     /* 0 = the shape's; with a count (1 << count) - 1 */
    uint8_t ucode_id;                /* 0 = 9 */
    const char *version;             /* "94.02.26.48.70"; NULL = that */
    uint32_t seed;                   /* of the fillers */
};
struct synth_blob synth_vbios(const struct synth_vbios_options *opt);

/* Where things are in a VBIOS made by synth_vbios, so that tests can break one field at a time and
 * the model can check what arrived. Offsets from the start of the blob. */
struct synth_vbios_map {
    size_t pci_rom, pcir0, npde0, bit, token_p, falcon_table, fwsec_first, fwsec_end, descriptor,
        signatures, imem, dmem, interface, mapper, cmd_in;
    unsigned images;
    uint32_t imem_size, dmem_size, signature_count, pkc_data_offset;
};
void synth_vbios_locate(const struct synth_blob *vbios, const struct synth_vbios_options *opt,
                        struct synth_vbios_map *out);

enum synth_file {
    SYNTH_GSP,
    SYNTH_BOOTLOADER,
    SYNTH_BOOTER_LOAD,
    SYNTH_BOOTER_UNLOAD,
    SYNTH_GEN_BOOTLOADER,
    SYNTH_FMC,
    SYNTH_SCRUBBER,
    SYNTH_FILE_COUNT
};
const char *synth_file_name(enum synth_file f); /* "gsp", "bootloader", ... */

struct synth_fw_options {
    const char *chip;     /* "ga102" */
    const char *version;  /* "570.144"; NULL = that */
    uint64_t image_bytes; /* of .fwimage; 0 = 2 MiB + 64 KiB + 0x350: two level-2 pages, a partial
                             last page */
    uint32_t seed;
};
/* One container of the kind the chip needs, laid out as NVIDIA's files are; size 0 when that chip
 * has no such file. */
struct synth_blob synth_firmware(enum synth_file f, const struct synth_fw_options *opt);

/* Writes all files of a chip as DIR/nvidia/<chip>/gsp/<name>-<version>.bin. 0 or -1 with errno. */
int synth_firmware_write(const char *dir, const struct synth_fw_options *opt);
