/* SPDX-License-Identifier: MIT */
/* What chips differ in, as data. */
#pragma once

#include "gsp/hw/regs/regs.h"

/* Configuration space in BAR0: the first to Ada, the second from Hopper on. */
enum { MIRROR_XVE = 0x88000, MIRROR_EP = 0x92000 };

/* What booting by the FSP differs in. */
struct model_fsp_kind {
    uint32_t cot_version; /* of the chain-of-trust message */
    uint32_t key_bytes, sig_bytes;
    uint64_t frts_from_end;              /* end of memory to end of FRTS, boot.md 11.5 */
    uint64_t non_wpr_heap, pmu_reserved; /* what the WPR metadata must ask for, boot.md 5.2 */
};
/* A pair of registers that holds the flush page; hi 0: there is none. */
enum { FLUSH_PAIRS = 2 };
struct model_flush_reg {
    uint32_t lo, hi, hi_mask;
};

struct model_chip {
    const char *name;        /* "ga102" */
    const char *fw_dir;      /* where the files are when nvidia/<name>/ is missing */
    const char *sig_section; /* signature section of the GSP image */
    uint32_t family;         /* enum chip_family */
    uint32_t boot0, boot42;
    uint32_t hwcfg2_gsp, hwcfg2_sec2;
    uint32_t leaf_count;    /* of the interrupt tree */
    uint32_t dma_bits;      /* width of a bus address */
    uint32_t seq_dwords;    /* size of the CPU sequencer programme, u32s */
    uint32_t seq_transfers; /* falcon transfers in it */
    uint32_t mirror_base;   /* of configuration space in BAR0 */
    bool libos3;
    bool pio;      /* Turing's falcons: loaded by port, scrub bits and RISC-V state of their own */
    bool fb_range; /* memory size is in LOCAL_MEMORY_RANGE, not in USABLE_FB_SIZE */
    bool frts;     /* FWSEC makes WPR2; false (GA100): booter does */
    bool notices;  /* the GSP sends lockdown notices while it starts (measured.md 8.1) */
    const struct model_fsp_kind *fsp;          /* NULL: FWSEC and booter start the GSP */
    uint32_t fsp_ready;                        /* register that tells that the FSP is there */
    struct model_flush_reg flush[FLUSH_PAIRS]; /* lo 0: unused */
    uint32_t window_mask; /* of the register that places the PRAMIN window (XAL, from Hopper on) */
};

const struct model_chip *model_chip_find(const char *name); /* NULL: not modelled */
