/* SPDX-License-Identifier: MIT */
/*
 * What differs between GPU families, as data and tables of operations: the boot story calls these
 * and never asks which chip it has. Which stages of the story a family has is data too (parts). A
 * row without operations is a family that is known but whose bring-up is not in this build.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/gsp.h" /* struct gsp_cc */
#include "gsp/hw/fb_layout.h"
#include "gsp/hw/regs/regs.h"
#include "mm/dma.h"

struct gsp_falcon;
struct gsp_falcon_program;
struct gsp_hw;

/* Parts of the story that not every family has. */
enum gsp_part {
    GSP_PART_BOOTER = 1 << 0, /* path A: FWSEC from the VBIOS, booters on SEC2, CPU sequencer */
    GSP_PART_FRTS = 1 << 1,   /* ... and FWSEC makes WPR2 before the booter runs */
    GSP_PART_FSP = 1 << 2,    /* path B: the FSP starts the GSP's first code (FMC) */
    GSP_PART_PORT = 1 << 3,   /* A: falcons take no signed code by DMA, programs go in by port */
};

/* The operating system inside the GSP; fixes the size of its heap together with the version. */
enum gsp_libos {
    GSP_LIBOS2,     /* Turing, GA100 */
    GSP_LIBOS3,     /* GA10x, AD10x */
    GSP_LIBOS3_FSP, /* Hopper, Blackwell */
    GSP_LIBOS_COUNT,
};

/* Operations that only path A has are NULL on path B and the other way round. */
struct gsp_family_ops {
    /* Until the board's own firmware has set up clocks and VRAM. */
    enum fl_err (*wait_devinit)(struct gsp_hw *hw, struct fl_fail *fail);
    /* Confidential computing, as the board's own firmware set it up. NULL: the family has none. */
    struct gsp_cc (*cc_mode)(struct gsp_hw *hw);
    /* Usable VRAM in bytes. */
    uint64_t (*vram_bytes)(struct gsp_hw *hw);
    /* Start of the VGA workspace, or what to leave for it. */
    uint64_t (*vga_workspace)(struct gsp_hw *hw, uint64_t fb_bytes);
    /* The page to which the GPU's system-memory flushes go; 0 takes it away. */
    void (*set_flush_page)(struct gsp_hw *hw, struct bus_addr page);
    /* A: where WPR2 is. */
    struct gsp_wpr2 (*wpr2)(struct gsp_hw *hw);
    /* A: the fuse register that holds the burnt versions of a program (fwbin.h, vbios.h read it).
     */
    enum fl_err (*fuse_register)(struct gsp_hw *hw, uint32_t engine_mask, uint32_t ucode_id,
                                 uint32_t *value, struct fl_fail *fail);
    /* A: stops the engine and selects its falcon core, ready to be loaded. */
    enum fl_err (*falcon_reset)(struct gsp_hw *hw, const struct gsp_falcon *f,
                                struct fl_fail *fail);
    enum fl_err (*falcon_load)(struct gsp_hw *hw, const struct gsp_falcon *f,
                               const struct gsp_falcon_program *p, struct fl_fail *fail);
    /* A: stops the GSP and, where the CPU does that, selects its RISC-V core; the booter starts it.
     */
    enum fl_err (*gsp_reset_to_riscv)(struct gsp_hw *hw, struct fl_fail *fail);
    /* Until the RISC-V core runs. */
    enum fl_err (*wait_riscv_active)(struct gsp_hw *hw, struct fl_fail *fail);
    /* It has run, and does not any more. One read; false also when that tells nothing. */
    bool (*riscv_stopped)(struct gsp_hw *hw);
    /* B, where no WPR2 register tells of an earlier boot: it runs. One read. */
    bool (*riscv_runs)(struct gsp_hw *hw);
    /* Interrupts by MSI: after one message the next is sent only when re-armed. NULL: by the edge
     * of the subtree's enable, as with MSI-X. */
    void (*irq_rearm)(struct gsp_hw *hw);
    /* Causes that are still there are told again; NULL: the family cannot. */
    void (*irq_retrigger)(struct gsp_hw *hw);
};

struct gsp_family {
    enum chip_family family;
    const char *name; /* "Ampere (GA10x)" */
    uint32_t parts;   /* enum gsp_part */
    enum gsp_libos libos;
    uint64_t frts_bytes;
    uint64_t non_wpr_heap_bytes;
    uint64_t pmu_reserved_bytes;
    uint32_t cot_version;             /* of the message to the FSP; 0: there is none */
    uint32_t flush_page_bits;         /* of its address */
    uint32_t pci_mirror_base;         /* of config space in BAR0 */
    uint32_t intr_leaves;             /* of the interrupt tree */
    const struct gsp_family_ops *ops; /* NULL: not in this build */
};

/* The row of a family; never NULL for a family of a chip in chips.h. */
const struct gsp_family *gsp_family_find(enum chip_family family);

extern const struct gsp_family_ops gsp_family_ops_tu, gsp_family_ops_ga100, gsp_family_ops_ga10x,
    gsp_family_ops_gh100, gsp_family_ops_gb10x, gsp_family_ops_gb20x;
