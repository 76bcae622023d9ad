/* SPDX-License-Identifier: MIT */
/* The board's VBIOS, parsed. */
#pragma once

#include "tests/model/gpu.h"

struct rom_state {
    uint8_t *bytes; /* owned: what the PROM window shows */
    size_t size;
    char version[16];    /* as it says itself */
    uint32_t fuse_fwsec; /* fuse register of FWSEC's ucode id */
};
struct fwsec_info {                          /* parsed from the model's own VBIOS */
    const uint8_t *imem, *dmem, *signatures; /* into the VBIOS */
    uint32_t imem_size, dmem_size;
    uint32_t imem_phys, imem_virt, dmem_phys;
    uint32_t interface_off, mapper_off, cmd_in_off, cmd_in_size; /* in DMEM */
    uint32_t pkc_off, signature_count, signature_versions;
    uint32_t ucode_id, engine_mask, version;
    uint32_t sec_base, sec_size; /* version 2: the secure part of IMEM */
    bool sb_ran;                 /* FWSEC-SB, since WPR2 was made or filled */
};
/* Walks it to FWSEC; fills m->fwsec and the version. False with a sentence. */
bool model_rom_parse(struct gpu_model *m, char *err, size_t err_size);
/* Where the PCI ROM starts: behind an IFR header, else 0. */
bool model_rom_start(const uint8_t *rom, size_t size, size_t *start, char *err, size_t err_size);

/* Version that a fuse register of signatures means: the place of its highest bit plus one; 0 for an
 * empty register. */
static inline uint32_t model_fuse_version(uint32_t fuse)
{
    uint32_t v = 0;
    for (; fuse != 0; fuse >>= 1) {
        v++;
    }
    return v;
}
