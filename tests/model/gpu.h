/* SPDX-License-Identifier: MIT */
/*
 * The model at the bottom: which GPU it is, the bus it sits on, and where each part's state is. It
 * only names what it holds; what a state is, the part's own header says. State is allocated from
 * the list of blocks (blocks.h) when the model is made, and stays where it is.
 */
#pragma once

#include "arch/base.h"
#include "tests/model/model.h"

struct model_chip;
struct model_board;
struct block;

/* Delayed work (bus/work.h). */
enum work {
    WORK_GFW,
    WORK_GSP_FALCON,
    WORK_SEC2,
    WORK_GSP,
    WORK_GSP_RX,
    WORK_GSP_TX,
    WORK_FSP,
    WORK_HOST,
    WORK_FAULT,
    WORK_BAR_FAULT,
    WORK_BIND,
    WORK_INVALIDATE,
    WORK_UFLUSH,
    WORK_RUSD,
    WORK_COUNT
};

struct gpu_model {
    struct model_bus bus;
    const struct model_chip *chip;
    const struct model_board *board;
    enum model_strict strict_mode;
    uint64_t seed;
    char *title, *fw_version, *firmware_dir; /* owned, may be NULL (title is not) */
    FILE *trace_file;                        /* borrowed; NULL: no trace */
    bool trace_bars;                         /* accesses to BAR1 and BAR2 are in it */
    uint64_t access;                         /* number of the current register access */
    uint64_t unplug_at;                      /* access number, 0 = never */
    const volatile int *pulled;              /* borrowed; NULL: nobody pulls */
    int pulls_seen;
    bool unplugged;
    struct model_stats stats;
    const struct block *const *blocks; /* all of them, NULL at the end */

    /* books/ */
    struct trace_state *trace;
    struct strict_state *strict;
    struct coverage_state *coverage;
    struct readonly_state *readonly;
    struct fault_state *faults;
    /* bus/ */
    struct work_state *work;
    struct dispatch *dispatch;
    struct cfgspace *cfg;
    struct intr_state *intr;
    struct bar_state *bars;
    /* memory/ */
    struct vram *vram;
    struct wpr2 *wpr2;
    struct tlb_state *tlb;
    struct posted_state *posted;
    struct pramin_state *pramin;
    /* blocks/ */
    struct pmc_state *pmc;
    struct pbus_state *pbus;
    struct ptimer_state *ptimer;
    struct flush_page_state *flush_page;
    struct uflush_state *uflush;
    struct pgc6_state *pgc6;
    struct vga_state *vga;
    struct measures *measures;
    /* falcon/ */
    struct falcon *gsp_falcon, *sec2;
    /* boot/ */
    struct rom_state *rom;
    struct fwsec_info *fwsec;
    struct fw_files *fw;
    struct fw_loader *loader;
    struct fsp_state *fsp;
    struct sleep_state *sleep;
    /* gsp/ */
    struct gsp_state *gsp;
    struct gsp_buffers *buf;
    struct rusd_state *rusd;
    /* host/ */
    struct host_state *host;
};

static inline uint64_t model_now(struct gpu_model *m) { return m->bus.now_ns(m->bus.ctx); }
