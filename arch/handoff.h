/* SPDX-License-Identifier: MIT */
/*
 * The hand-off: what the boot stub gives to the kernel. One versioned structure in identity-mapped
 * memory that the kernel never frees. All pointers are physical addresses (identity mapped). The
 * stub is built by another compiler for another ABI, hence fixed-size types only.
 */
#pragma once

#include "arch/base.h"

#define FL_HANDOFF_MAGIC   0x4c54535249464c46ull /* "FLFIRSTL" */
#define FL_HANDOFF_VERSION 2u

enum fl_mem_kind {
    FL_MEM_FREE = 1, /* usable at once */
    FL_MEM_BOOT =
        2, /* firmware boot services: usable once our page tables, GDT, IDT, stack are live */
    FL_MEM_ACPI = 3,     /* tables: read, then usable (we keep them) */
    FL_MEM_RESERVED = 4, /* never touch */
    FL_MEM_MMIO = 5,
    FL_MEM_LOADER = 6, /* stub, kernel, hand-off, files: in use */
};
struct fl_mem_range {
    uint64_t base;
    uint64_t size;
    uint32_t kind; /* enum fl_mem_kind */
    uint32_t pad;
};

enum fl_file_state {
    FL_FILE_OK = 0,
    FL_FILE_MISSING = 1,
    FL_FILE_TRUNCATED = 2, /* read fewer bytes than the directory entry says */
    FL_FILE_NOMEM = 3,     /* no memory to read it into */
    FL_FILE_IO = 4,        /* the firmware reported a read error; see uefi_status */
    FL_FILE_PACKED = 5,    /* the kernel's word: it came packed and could not be unpacked */
};
#define FL_FILE_NAME_MAX 96
struct fl_file {
    char path[FL_FILE_NAME_MAX]; /* as on the volume, '/' separated, NUL-terminated */
    uint64_t address;            /* first byte; 0 when not loaded */
    uint64_t size;               /* bytes loaded */
    uint64_t dir_size;           /* size in the directory entry */
    uint64_t uefi_status;
    uint32_t state;     /* enum fl_file_state */
    uint32_t gpu_devid; /* PCI device id it was loaded for, 0 = none */
    uint64_t load_us;
    uint64_t room; /* bytes of memory reserved from `address` on, page rounded */
};
/* GSP images (.bin ELF64) are placed so that their .fwimage section starts on a page boundary: the
 * GPU reads it from here, there is no second copy. */

struct fl_framebuffer {
    uint64_t base; /* 0: no screen */
    uint32_t width, height;
    uint32_t pitch_bytes;
    uint32_t format; /* 0: BGRX 8888, 1: RGBX 8888 */
};

struct fl_message { /* what went wrong in the stub, for the log, the screen and the API */
    char text[160];
};

struct fl_handoff {
    uint64_t magic;
    uint32_t version;
    uint32_t size; /* sizeof(struct fl_handoff) as the stub knows it */

    uint64_t tsc_entry;   /* TSC at EFI entry */
    uint64_t tsc_exit;    /* TSC after ExitBootServices */
    uint64_t unix_time_s; /* firmware's clock, 0 = unknown */

    uint64_t rsdp; /* ACPI 2.0 root pointer, 0 = none */
    uint64_t smbios;
    struct fl_framebuffer fb;

    uint64_t mem; /* struct fl_mem_range[], sorted by base, not overlapping */
    uint32_t mem_count;
    uint32_t file_count;
    uint64_t files;  /* struct fl_file[] */
    uint64_t config; /* text of /firstlight.conf, NUL-terminated; 0 = none */
    uint64_t config_size;

    uint64_t kernel_phys; /* where the kernel's segments were put, one block */
    uint64_t kernel_size;
    uint64_t stub_page_table; /* for the curious; the kernel makes its own */

    uint64_t efi_runtime; /* EFI_RUNTIME_SERVICES *, physical, 0 = none */
    uint32_t message_count;
    uint32_t seed_bytes; /* 0: the firmware has no random source */
    struct fl_message messages[8];
    uint8_t seed[64]; /* from EFI_RNG_PROTOCOL; the kernel wipes it */
};
