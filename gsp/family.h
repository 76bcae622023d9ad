/* SPDX-License-Identifier: MIT */
/*
 * What differs between GPU families, as tables of operations: the boot story calls these and never
 * asks which chip it has. A row without operations is a family that is known but whose bring-up is
 * not in this build.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/falcon.h"
#include "gsp/fb_layout.h"
#include "gsp/regs/regs.h"

struct gsp_gpu;

struct gsp_family_ops {
    /* Until the board's own firmware has set up clocks and VRAM. */
    enum fl_err (*wait_devinit)(struct gsp_gpu *g, struct fl_fail *fail);
    /* Usable VRAM in bytes. */
    uint64_t (*vram_bytes)(struct gsp_gpu *g);
    /* Start of the VGA workspace, or what to leave for it. */
    uint64_t (*vga_workspace)(struct gsp_gpu *g, uint64_t fb_bytes);
    /* The page to which the GPU's system-memory flushes go; 0 takes it away. */
    void (*set_flush_page)(struct gsp_gpu *g, struct bus_addr page);
    struct gsp_wpr2 (*wpr2)(struct gsp_gpu *g);
    /* The fuse register that holds the burnt versions of a program (fwbin.h and vbios.h read it).
     */
    enum fl_err (*fuse_register)(struct gsp_gpu *g, uint32_t engine_mask, uint32_t ucode_id,
                                 uint32_t *value, struct fl_fail *fail);
    /* Stops the engine and selects its falcon core, ready to be loaded. */
    enum fl_err (*falcon_reset)(struct gsp_gpu *g, const struct gsp_falcon *f,
                                struct fl_fail *fail);
    enum fl_err (*falcon_load)(struct gsp_gpu *g, const struct gsp_falcon *f,
                               const struct gsp_falcon_program *p, struct fl_fail *fail);
    /* Stops the GSP and selects its RISC-V core; the booter starts it. */
    enum fl_err (*gsp_reset_to_riscv)(struct gsp_gpu *g, struct fl_fail *fail);
    /* Until the RISC-V core runs. */
    enum fl_err (*wait_riscv_active)(struct gsp_gpu *g, struct fl_fail *fail);
    /* Interrupts: after one message the next is sent only when re-armed; and causes that are still
     * there are told again. */
    void (*irq_rearm)(struct gsp_gpu *g);
    void (*irq_retrigger)(struct gsp_gpu *g);
};

struct gsp_family {
    enum chip_family family;
    const char *name; /* "Ampere (GA10x)" */
    enum gsp_libos libos;
    uint64_t frts_bytes;
    uint64_t non_wpr_heap_bytes;
    uint32_t pci_mirror_base;         /* of config space in BAR0 */
    uint32_t intr_leaves;             /* of the interrupt tree */
    const struct gsp_family_ops *ops; /* NULL: not in this build */
};

/* The row of a family; never NULL for a family of a chip in chips.h. */
const struct gsp_family *gsp_family_find(enum chip_family family);

extern const struct gsp_family_ops gsp_family_ops_ga10x;
