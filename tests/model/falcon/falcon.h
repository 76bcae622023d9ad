/* SPDX-License-Identifier: MIT */
/*
 * A falcon engine: its memories, the DMA engine that fills them, reset, start and halt. What a
 * started program does is somebody else's, and happens as delayed work.
 */
#pragma once

#include "tests/model/books/strict.h"
#include "tests/model/gpu.h"

enum {
    FALCON_MEM_BYTES = 0x10000, /* IMEM and DMEM each; registers.md 7.2 */
    FALCON_BLOCK = 256,
    FALCON_BLOCKS = FALCON_MEM_BYTES / FALCON_BLOCK,
};
enum { IMEM_LOADED = 1, IMEM_SECURE = 2 };

/* What the two engines differ in. */
struct falcon_kind {
    const char *name;
    uint32_t base;
    uint32_t vector; /* of its host-routed causes */
    bool is_gsp;     /* else SEC2 */
    enum work work;  /* what a started program does */
    /* NULL: nobody is told. */
    void (*engine_reset)(struct gpu_model *m);
    void (*doorbell)(struct gpu_model *m, uint32_t queue, uint32_t value);
};

struct falcon {
    const struct falcon_kind *kind;
    uint8_t imem[FALCON_MEM_BYTES], dmem[FALCON_MEM_BYTES];
    uint16_t imem_tag[FALCON_BLOCKS];
    uint8_t imem_flags[FALCON_BLOCKS];
    uint32_t imem_top, dmem_top; /* bytes that may differ from zero */
    uint32_t mailbox[2], os, rm, itfen, bootvec, dmactl, debuginfo;
    uint32_t irqstat, irqmask, irqdest, irqmode;
    uint32_t trf_base, trf_base1, trf_moffs, trf_fboffs;
    uint32_t transcfg[8], fbif_ctl;
    uint32_t mod_sel, ucode_id, engidmask, paraaddr[4];
    uint32_t imemc[4], imemt[4], dmemc[8];
    uint32_t common_scratch[16], mailbox_ext[4];
    uint32_t queue_head[8], queue_tail[8];
    uint32_t bcr_ctrl; /* as last written, without VALID */
    uint32_t riscv_irqmask, riscv_irqdest;
    bool in_reset; /* ENGINE.RESET is 1 */
    bool running;  /* the falcon core */
    bool riscv_active;
    bool host_irq; /* host-routed cause set is non-empty */
    bool loaded;   /* IMEM holds something since the last reset */
    bool reset_since_run;
    bool trf_unchecked; /* a transfer was started and IDLE not read since */
    bool locked;        /* knob: registers hidden until the core is selected */
    bool lockdown;      /* HWCFG2.RISCV_BR_PRIV_LOCKDOWN; GSP, from Hopper on */
    bool masked;        /* knob: the FSP keeps the engine to itself, reads give 0xbadf41xx */
    uint64_t scrub_until_ns;
    uint32_t resets;
};

void model_falcon_power_on(struct gpu_model *m, struct falcon *f, const struct falcon_kind *kind);
/* Physical transfers through a context are set up; otherwise a rule is broken. */
bool model_falcon_context_ok(struct gpu_model *m, struct falcon *f, uint32_t ctx);
void model_falcon_transfer(struct gpu_model *m, struct falcon *f, uint32_t command);
void model_falcon_start(struct gpu_model *m, struct falcon *f);
void model_falcon_engine(struct gpu_model *m, struct falcon *f, uint32_t value);
bool model_falcon_scrubbing(struct gpu_model *m, const struct falcon *f);
/* Something that must wait for the scrub was written: the rule is broken if it did not. */
void model_falcon_no_scrub(struct gpu_model *m, const struct falcon *f, enum model_rule rule,
                           const char *what, uint32_t value);
bool model_falcon_may_load(struct gpu_model *m, struct falcon *f, const char *how);
void model_falcon_halt(struct gpu_model *m, struct falcon *f); /* the program ended */
/* The falcon's host-routed causes changed. */
void model_falcon_causes(struct gpu_model *m, struct falcon *f);
/* IMEM bytes [off, off+len) equal src, are loaded, have the security flag and tags from tag on.
 * False: *at gets the first differing offset and *why says what differs. */
bool model_falcon_imem_is(const struct falcon *f, uint32_t off, const uint8_t *src, uint32_t len,
                          bool secure, uint32_t tag, uint32_t *at, const char **why);
