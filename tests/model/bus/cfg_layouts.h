/* SPDX-License-Identifier: MIT */
/*
 * Configuration space by class of board, as data: where capabilities lie, which BARs there are, and
 * words that are the same on all boards of the class. Readings: measured.md 1.
 */
#pragma once

#include "tests/model/boards/boards.h"

struct cfg_word { /* value and the bits that a write changes */
    uint16_t off;
    uint8_t size; /* 2 or 4 */
    uint32_t value, writable;
};
struct cfg_cap { /* standard capability, chained in this order; id 0 is one that is hidden */
    uint8_t off, id;
};
struct cfg_ext { /* extended capability, chained in this order */
    uint16_t off, id;
    uint8_t version;
    uint8_t min_gen; /* only on links of this generation on */
    bool only_sriov; /* only on boards with virtual functions */
};
struct cfg_layout {
    const struct cfg_cap *caps;
    const struct cfg_ext *ext;
    const struct cfg_word *words;
    size_t cap_count, ext_count, word_count;
    uint16_t msi, msix, pcie, rebar, sriov; /* 0 = absent */
    uint16_t rearm;
    uint8_t vram_bar, inst_bar; /* registers are always BAR 0 */
    uint8_t regs_type;          /* low bits of BAR 0 */
    bool io_bar;                /* BAR 5, 128 bytes of I/O */
    bool rebar_all;             /* the resizable BAR capability lists all three memory BARs */
    uint16_t msi_control;       /* without the enable bit */
    uint32_t devcap, linkcap;   /* linkcap without the speed */
};
extern const struct cfg_layout model_cfg_layouts[CFG_LAYOUTS];
