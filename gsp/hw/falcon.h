/* SPDX-License-Identifier: MIT */
/*
 * Falcons: the small cores on which FWSEC (on the GSP's falcon) and the booter (on SEC2) run.
 * Reset, load, start, wait for the halt, read the result. How a chip resets and loads is the
 * family's (family.h); this file has what all share.
 *
 * Source: spec boot.md 3.5, 4, 9.2; registers.md 7.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/hw/io.h"

struct gsp_hw;

struct gsp_falcon {
    const char *name;     /* "GSP falcon" */
    uint32_t base;        /* in BAR0 */
    uint32_t engine_mask; /* as in program headers and for the fuses */
};
extern const struct gsp_falcon gsp_falcon_gsp, gsp_falcon_sec2;
enum { GSP_ENGINE_SEC2 = 0x1, GSP_ENGINE_NVDEC = 0x4, GSP_ENGINE_GSP = 0x400 };

#define GSP_FALCON_BLOCK   256u    /* bytes per transfer and per IMEM tag */
#define GSP_FALCON_MEM_MAX KIB(64) /* IMEM and DMEM of every falcon we load */

/* A part of a program: `bytes` from offset `source` of the image to offset `target` of IMEM or
 * DMEM. Code has the virtual address `tag` (of its first byte). */
struct gsp_falcon_part {
    uint32_t source, target, tag, bytes;
};

/* A program in DMA memory, as its loader wants it: by DMA (GA10x, AD10x: signed code only, the boot
 * ROM checks it) or by port (Turing, GA100: plain code, then signed code). Code comes in whole
 * blocks; data too when it goes by DMA, else in whole words. The buffer is padded to blocks. */
struct gsp_falcon_program {
    const char *name;      /* "FWSEC-FRTS" */
    struct bus_addr image; /* 256-aligned */
    const uint8_t *cpu;    /* the same, for the ports */
    uint64_t image_bytes;  /* of the buffer */
    bool by_port;
    struct gsp_falcon_part plain; /* not signed; by port only */
    struct gsp_falcon_part imem;  /* signed ("secure") code */
    struct gsp_falcon_part dmem;
    bool fetches;         /* by port: the program itself reads memory, through GSP_CTX_FETCH */
    uint32_t boot_vector; /* virtual IMEM address */
    /* For the boot ROM. */
    uint32_t signature_addr; /* DMEM offset of the signature */
    uint32_t engine_mask;
    uint8_t ucode_id;
};

/* Checks ranges and alignment; a program that comes from files is only loaded after this. */
FL_MUST_CHECK enum fl_err gsp_falcon_program_check(const struct gsp_falcon_program *p,
                                                   struct fl_fail *fail);

/* Loads by DMA from system memory, hands signature and start address to the boot ROM (GA10x and
 * later). The falcon has been reset. Yields. */
FL_MUST_CHECK enum fl_err gsp_falcon_load_dma(struct gsp_hw *hw, const struct gsp_falcon *f,
                                              const struct gsp_falcon_program *p,
                                              struct fl_fail *fail);
/* Loads word by word through the falcon's ports (Turing, GA100). The falcon has been reset. Yields.
 */
FL_MUST_CHECK enum fl_err gsp_falcon_load_port(struct gsp_hw *hw, const struct gsp_falcon *f,
                                               const struct gsp_falcon_program *p,
                                               struct fl_fail *fail);

/* Transfers of context ctx go to coherent system memory, by physical address. */
enum { GSP_CTX_LOAD = 0, GSP_CTX_FETCH = 4 };
void gsp_falcon_context_sysmem(struct gsp_io *io, const struct gsp_falcon *f, uint32_t ctx);
/* Lets the falcon reach system memory by physical address without a context. */
void gsp_falcon_allow_physical(struct gsp_io *io, const struct gsp_falcon *f);
/* Pulse of the engine's reset line. */
void gsp_falcon_reset_pulse(struct gsp_io *io, const struct gsp_falcon *f);
/* Starts through CPUCTL or its alias, as CPUCTL says. */
void gsp_falcon_start(struct gsp_io *io, const struct gsp_falcon *f);
void gsp_falcon_set_mailboxes(struct gsp_io *io, const struct gsp_falcon *f, uint64_t value);
FL_MUST_CHECK enum fl_err gsp_falcon_wait_halted(struct gsp_io *io, const struct gsp_falcon *f,
                                                 const char *program, struct fl_fail *fail);

/* Reset, load, mailboxes, start, halt. *mailbox0: the program's result. Yields. */
FL_MUST_CHECK enum fl_err gsp_falcon_run(struct gsp_hw *hw, const struct gsp_falcon *f,
                                         const struct gsp_falcon_program *p, uint64_t mailboxes,
                                         uint32_t *mailbox0, struct fl_fail *fail);
