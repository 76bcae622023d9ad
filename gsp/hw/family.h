/* SPDX-License-Identifier: MIT */
/*
 * What differs between GPU families, as data and tables of operations: the boot story calls these
 * and never asks which chip it has. Which stages of the story a family has is data too (parts). A
 * row without operations is a family that is known but whose bring-up is not in this build.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/files/fwbin.h"
#include "gsp/hw/falcon.h"
#include "gsp/hw/fb_layout.h"
#include "gsp/hw/regs/regs.h"
#include "mm/dma.h"

struct gsp_gpu;

/* Parts of the story that not every family has. */
enum gsp_part {
    GSP_PART_BOOTER = 1 << 0, /* path A: FWSEC from the VBIOS, booters on SEC2, CPU sequencer */
    GSP_PART_FRTS = 1 << 1,   /* ... and FWSEC makes WPR2 before the booter runs */
    GSP_PART_FSP = 1 << 2,    /* path B: the FSP starts the GSP's first code (FMC) */
};

/* Operations that only path A has are NULL on path B and the other way round. */
struct gsp_family_ops {
    /* Until the board's own firmware has set up clocks and VRAM. */
    enum fl_err (*wait_devinit)(struct gsp_gpu *g, struct fl_fail *fail);
    /* Usable VRAM in bytes. */
    uint64_t (*vram_bytes)(struct gsp_gpu *g);
    /* Start of the VGA workspace, or what to leave for it. */
    uint64_t (*vga_workspace)(struct gsp_gpu *g, uint64_t fb_bytes);
    /* The page to which the GPU's system-memory flushes go; 0 takes it away. */
    void (*set_flush_page)(struct gsp_gpu *g, struct bus_addr page);
    /* A: where WPR2 is. */
    struct gsp_wpr2 (*wpr2)(struct gsp_gpu *g);
    /* A: the fuse register that holds the burnt versions of a program (fwbin.h, vbios.h read it).
     */
    enum fl_err (*fuse_register)(struct gsp_gpu *g, uint32_t engine_mask, uint32_t ucode_id,
                                 uint32_t *value, struct fl_fail *fail);
    /* A: stops the engine and selects its falcon core, ready to be loaded. */
    enum fl_err (*falcon_reset)(struct gsp_gpu *g, const struct gsp_falcon *f,
                                struct fl_fail *fail);
    enum fl_err (*falcon_load)(struct gsp_gpu *g, const struct gsp_falcon *f,
                               const struct gsp_falcon_program *p, struct fl_fail *fail);
    /* A: how the loader wants a booter and FWSEC. out->name, image, cpu, image_bytes are set; buf
     * holds FWSEC and, behind it, room of gsp_gen_bootloader_bytes(). */
    void (*booter_program)(const struct fw_booter *b, struct gsp_falcon_program *out);
    enum fl_err (*fwsec_program)(struct gsp_gpu *g, const struct dma_buf *buf,
                                 struct gsp_falcon_program *out, struct fl_fail *fail);
    /* A: stops the GSP and, where the CPU does that, selects its RISC-V core; the booter starts it.
     */
    enum fl_err (*gsp_reset_to_riscv)(struct gsp_gpu *g, struct fl_fail *fail);
    /* Until the RISC-V core runs. */
    enum fl_err (*wait_riscv_active)(struct gsp_gpu *g, struct fl_fail *fail);
    /* It has run, and does not any more. One read; false also when that tells nothing. */
    bool (*riscv_stopped)(struct gsp_gpu *g);
    /* The way back from a started GSP: its memory is free again, it can be booted again. stopped:
     * GSP-RM said that it has stopped. Yields. */
    enum fl_err (*take_down)(struct gsp_gpu *g, bool stopped, struct fl_fail *fail);
    /* Interrupts by MSI: after one message the next is sent only when re-armed. NULL: by the edge
     * of the subtree's enable, as with MSI-X. */
    void (*irq_rearm)(struct gsp_gpu *g);
    /* Causes that are still there are told again; NULL: the family cannot. */
    void (*irq_retrigger)(struct gsp_gpu *g);
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
