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
#include "gsp/io.h"

struct gsp_gpu;

struct gsp_falcon {
    const char *name;     /* "GSP falcon" */
    uint32_t base;        /* in BAR0 */
    uint32_t engine_mask; /* as in program headers and for the fuses */
};
extern const struct gsp_falcon gsp_falcon_gsp, gsp_falcon_sec2;
enum { GSP_ENGINE_SEC2 = 0x1, GSP_ENGINE_NVDEC = 0x4, GSP_ENGINE_GSP = 0x400 };

#define GSP_FALCON_BLOCK   256u    /* bytes per transfer and per IMEM tag */
#define GSP_FALCON_MEM_MAX KIB(64) /* IMEM and DMEM of every falcon we load */

/* A signed program in DMA memory. Offsets and sizes are multiples of GSP_FALCON_BLOCK; the buffer
 * is padded to that. */
struct gsp_falcon_program {
    const char *name;      /* "FWSEC-FRTS" */
    struct bus_addr image; /* 256-aligned */
    uint64_t image_bytes;  /* of the buffer */
    struct {
        uint32_t source; /* offset in the image */
        uint32_t target; /* offset in IMEM */
        uint32_t tag;    /* virtual address of the first block */
        uint32_t bytes;
    } imem;
    struct {
        uint32_t source, target, bytes;
    } dmem;
    uint32_t signature_addr; /* DMEM offset of the signature, for the boot ROM */
    uint32_t engine_mask;
    uint8_t ucode_id;
    uint32_t boot_vector; /* virtual IMEM address */
};

/* Checks ranges and alignment; a program that comes from files is only loaded after this. */
FL_MUST_CHECK enum fl_err gsp_falcon_program_check(const struct gsp_falcon_program *p,
                                                   struct fl_fail *fail);

/* Loads by DMA from system memory, hands signature and start address to the boot ROM (GA10x and
 * later). The falcon has been reset. Yields. */
FL_MUST_CHECK enum fl_err gsp_falcon_load_dma(struct gsp_gpu *g, const struct gsp_falcon *f,
                                              const struct gsp_falcon_program *p,
                                              struct fl_fail *fail);

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
FL_MUST_CHECK enum fl_err gsp_falcon_run(struct gsp_gpu *g, const struct gsp_falcon *f,
                                         const struct gsp_falcon_program *p, uint64_t mailboxes,
                                         uint32_t *mailbox0, struct fl_fail *fail);
