/* SPDX-License-Identifier: MIT */
/*
 * The VBIOS in the PROM window, as far as a GSP boot needs it: FWSEC, the signed falcon program
 * that sets up (and takes down) the write-protected region. Needed on Turing, Ampere and Ada;
 * Hopper and later boot through the FSP.
 *
 *   vbios_open         IFR header, chain of images, BIT, version text
 *   vbios_find_fwsec   falcon table, descriptor
 *   vbios_read_ucode   code and data of FWSEC into the caller's DMA buffer
 *   fwsec_find_command, fwsec_put_frts, fwsec_put_sb   the command buffer inside that copy
 *
 * A PROM read costs 2 us on a board and 12 to 30 us under QEMU, so the ROM is read lazily, dword by
 * dword, and no dword twice (a small cache keeps what was read). Everything in it is input: each
 * length, offset, pointer and count is checked.
 *
 * Sources: nova-core vbios.rs, firmware/fwsec.rs; nouveau subdev/bios, gsp/boot/fwsec.c;
 * open-gpu-kernel-modules kernel_gsp_vbios_tu102.c, kernel_gsp_fwsec.c; real dumps of GA102, AD104,
 * TU117. Where these walkers differ, what all of them accept is accepted here.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/hw/chips.h"

/* How the ROM is read. Offsets are from the start of the PROM window, multiples of 4, below
 * NV_PROM_SIZE. An error other than FL_OK ends the walk and is returned as it is (lost link, PRI
 * error). yield is called every VBIOS_READS_PER_YIELD reads; may be NULL. */
struct vbios_io {
    enum fl_err (*read32)(void *ctx, uint32_t off, uint32_t *value);
    void (*yield)(void *ctx);
    void *ctx;
};
#define VBIOS_READS_PER_YIELD 16u

#define VBIOS_MAX_IMAGES  16u
#define VBIOS_CACHE_SLOTS 1024u /* dwords; a walk over real ROMs touches about 200 */

struct vbios_image {
    uint32_t start, size; /* bytes, from the PCI ROM's start */
    uint8_t code_type;    /* 0x00 PCI-AT, 0x03 EFI, 0x70 NBSI, 0xe0 FWSEC */
};

/* An open VBIOS: caller-owned, about 9 KiB (heap, not a fiber's stack), no resources to free. */
struct vbios {
    struct vbios_io io;
    uint32_t rom_base;    /* where the PCI ROM starts in the window: behind an IFR header, else 0 */
    unsigned ifr_version; /* 0: no IFR header */
    struct vbios_image image[VBIOS_MAX_IMAGES];
    unsigned image_count;
    uint32_t at_start, at_size;      /* the PCI-AT image */
    uint32_t fwsec_start, fwsec_end; /* first FWSEC image to the end of the chain */
    uint32_t falcon_table;           /* pointer from BIT token 'p', not yet resolved */
    char version[24];                /* "94.02.26.48.70"; "" when the VBIOS does not say */
    uint32_t reads;                  /* dwords read from the device */
    struct {
        uint32_t key[VBIOS_CACHE_SLOTS]; /* offset + 1; 0 = free */
        uint32_t value[VBIOS_CACHE_SLOTS];
        uint32_t used;
    } cache;
};

/* Walks the headers. FL_EBADDATA with a sentence when the ROM is not what it must be. Yields
 * through io->yield. */
FL_MUST_CHECK enum fl_err vbios_open(struct vbios *v, const struct vbios_io *io,
                                     struct fl_fail *fail);

/* FWSEC: a program of imem_bytes of code and dmem_bytes of data, stored one behind the other. The
 * sizes are those of the ROM and need not be whole blocks: real Ada boards have 0xd80 bytes of
 * data, Turing's 0x3f0 to 0x420. */
struct vbios_fwsec {
    unsigned desc_version;   /* 2: Turing, GA100; 3: GA10x, AD10x */
    uint32_t rom_offset;     /* of the code, from the PCI ROM's start; for vbios_read_ucode */
    uint32_t imem_bytes;     /* not 0; in whole blocks at most 64 KiB */
    uint32_t imem_phys_base; /* where the code goes in IMEM; 0 in version 2 */
    uint32_t imem_virt_base;
    uint32_t dmem_bytes;       /* likewise */
    uint32_t dmem_phys_base;   /* 0 in version 2 */
    uint32_t interface_offset; /* of the application interface table, in DMEM */
    /* Version 2: parts of the code, no block of which is in both. sec_offset is from the start of
     * the code and a multiple of 256. */
    uint32_t ns_bytes, sec_offset, sec_bytes;
    uint32_t entry;
    /* Version 3: signature and boot ROM parameters. */
    uint32_t pkc_data_offset; /* DMEM offset of the signature's slot */
    uint16_t engine_mask;     /* contains 0x400, the GSP */
    uint8_t ucode_id;         /* 1..16: fuse register index + 1 */
    uint8_t signature_count;
    uint16_t signature_versions; /* bit per fuse version; one signature per set bit, ascending */
    uint32_t signatures;         /* from the PCI ROM's start */
};
#define FWSEC_SIGNATURE_BYTES 384u
#define FWSEC_BLOCK           256u /* what a falcon takes at a time */

/* How it lies in memory: code from 0 on, data from the next whole block on, and the rest of
 * either's last block is 0. Transfers are rounded up to whole blocks, as nova-core, nouveau and
 * open-gpu-kernel-modules do, and read nothing but this. */
static inline uint32_t fwsec_whole(uint32_t bytes)
{
    return (uint32_t)align_up_u64(bytes, FWSEC_BLOCK);
}
static inline uint32_t fwsec_data_at(const struct vbios_fwsec *f)
{
    return fwsec_whole(f->imem_bytes);
}
static inline uint32_t fwsec_image_bytes(const struct vbios_fwsec *f)
{
    return fwsec_data_at(f) + fwsec_whole(f->dmem_bytes);
}

/* Resolves the falcon table and checks the production FWSEC's descriptor for this chip. Yields. */
FL_MUST_CHECK enum fl_err vbios_find_fwsec(struct vbios *v, const struct gsp_chip *chip,
                                           struct vbios_fwsec *out, struct fl_fail *fail);

/* Version 3: which signature a part with that fuse register (NV_FUSE_OPT_FPF_GSP_UCODE1_VERSION of
 * ucode_id - 1) takes. FL_EBADDATA when there is none for it. */
FL_MUST_CHECK enum fl_err vbios_fwsec_signature(const struct vbios_fwsec *f, uint32_t fuse_register,
                                                unsigned *index, struct fl_fail *fail);

/* Reads code and data to dst, which has room for fwsec_image_bytes(); in version 3 signature
 * `index` goes into its slot (version 2: index is ignored, the code carries its own). Yields; about
 * imem_bytes / 4 reads. */
FL_MUST_CHECK enum fl_err vbios_read_ucode(struct vbios *v, const struct vbios_fwsec *f,
                                           unsigned index, void *dst, size_t dst_size,
                                           struct fl_fail *fail);

/* Where FWSEC takes its command, in the RAM copy of its data. */
struct fwsec_command {
    uint32_t mapper_offset;      /* DMEMMAPPER */
    uint32_t in_offset, in_size; /* command buffer */
};
/* dmem: f->dmem_bytes bytes, the data part of the copy. Pure. */
FL_MUST_CHECK enum fl_err fwsec_find_command(const struct vbios_fwsec *f, const void *dmem,
                                             struct fwsec_command *out, struct fl_fail *fail);

/* Writes the command FRTS (make WPR2 with the region at frts_addr, frts_bytes long; multiples of
 * 4 KiB) or SB (take down, restart what runs before an OS) into the copy. */
void fwsec_put_frts(const struct fwsec_command *c, void *dmem, uint64_t frts_addr,
                    uint64_t frts_bytes);
void fwsec_put_sb(const struct fwsec_command *c, void *dmem);
