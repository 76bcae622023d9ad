/* SPDX-License-Identifier: MIT */
/*
 * The GPU model as a library: a GPU seen from the bus. It owns configuration space, BARs, interrupt
 * and DMA behaviour of one GPU; whoever embeds it (the vfio-user server, a native test) brings the
 * bus. Single-threaded: every call comes from one thread. No call blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct gpu_model;

enum model_dma_dir { MODEL_DMA_READ, MODEL_DMA_WRITE }; /* as the GPU sees it */
enum model_dma_result {
    MODEL_DMA_DONE,
    MODEL_DMA_UNMAPPED, /* nothing is mapped there, or the direction is not allowed */
    MODEL_DMA_LOST,     /* mapped, but the memory is gone: its owner took it away */
};

/* The bus. All functions are called from inside model calls, on the same thread. */
struct model_bus {
    void *ctx;
    /* Copies *len bytes (not 0) between buf and guest memory at addr, shortening *len where the
     * mapping ends (at least 1). Guest memory is never handed out by pointer: it changes while the
     * model looks at it, so what is judged is always a copy. A write only reads buf. */
    enum model_dma_result (*dma)(void *ctx, uint64_t addr, void *buf, size_t *len,
                                 enum model_dma_dir dir);
    void (*irq)(void *ctx, unsigned vector); /* MSI or MSI-X vector */
    uint64_t (*now_ns)(void *ctx);           /* monotonic: PTIMER and delayed work */
    /* The INTx line rose or fell. NULL: it leads nowhere. */
    void (*intx)(void *ctx, bool asserted);
};

enum model_strict { MODEL_LENIENT, MODEL_STRICT, MODEL_STRICT_COVERAGE };

struct model_config {
    const char *chip;    /* "ga102"; NULL = ga102 */
    const char *board;   /* preset name, NULL = the chip's default */
    uint64_t vram_bytes; /* 0 = the board's; else the "marketing" size (the usable size is smaller
                            by the board's offset) */
    const char *firmware_dir; /* holds nvidia/<chip>/gsp/...; NULL: containers are checked, contents
                                 are not compared */
    const char *fw_version;   /* NULL = whatever the guest's image says */
    enum model_strict strict;
    uint64_t seed;
    FILE *trace;      /* decoded accesses, NULL = none; borrowed */
    bool trace_bars;  /* and those to BAR1 and BAR2, which are many */
    const char *name; /* board name shown by the GSP; NULL = the preset's */
    /* The VBIOS: NULL or "small", a synthetic one that is quick to read; "real", one of the shape
     * of the chip's boards, or the name of a shape (synth.h); or a file, of the PROM window or the
     * whole flash. */
    const char *vbios, *rom;
    const unsigned *fwsec_version; /* fused, 0 to 15; NULL = the board's */
    /* Bytes of this machine that video memory and the trace may take; 0 = MODEL_LIMIT_DEFAULT.
     * Beyond: a write to video memory that would need more is refused, the trace ends; both are
     * counted and reported. */
    uint64_t vram_limit, trace_limit;
    const char *const
        *faults; /* fault specs, see model_fault_help(); NULL-terminated, may be NULL */
    /* Counts how often somebody has pulled the card out; looked at before each access. A signal
     * handler may count. The next client has it plugged in again. Borrowed, may be NULL. */
    const volatile int *pulled;
};

#define MODEL_LIMIT_DEFAULT (UINT64_C(4) << 30)

/* NULL with a sentence in err when the configuration is wrong. */
struct gpu_model *model_create(const struct model_config *cfg, const struct model_bus *bus,
                               char *err, size_t err_size);
void model_destroy(struct gpu_model *m);

/* Configuration space: size 1, 2 or 4, off + size <= 4096, within a dword. */
uint32_t model_cfg_read(struct gpu_model *m, uint16_t off, unsigned size);
void model_cfg_write(struct gpu_model *m, uint16_t off, unsigned size, uint32_t value);

/* BARs by register index 0..5. */
struct model_bar {
    uint64_t size; /* 0 = absent */
    bool is_64bit, prefetchable, is_io;
};
void model_bar_info(const struct gpu_model *m, unsigned bar, struct model_bar *out);
/* size 1, 2, 4, 8, aligned, inside the BAR. */
uint64_t model_bar_read(struct gpu_model *m, unsigned bar, uint64_t off, unsigned size);
void model_bar_write(struct gpu_model *m, unsigned bar, uint64_t off, unsigned size,
                     uint64_t value);

/* The PROM window, in BAR0: reads there have no effect, so a client may map what it reads instead
 * of asking for each word, unless somebody has to see those reads. model_prom_watched(): who, in
 * words; NULL: nobody. model_prom_show(): what all of it reads now. model_prom_check(): a client
 * leaves this in a mapping of its own; a difference breaks the rule that the PROM is not written.
 * To be called while the card is there, with bytes that may change meanwhile. */
enum { MODEL_PROM_BAR = 0, MODEL_PROM_OFFSET = 0x300000, MODEL_PROM_BYTES = 0x100000 };
const char *model_prom_watched(const struct gpu_model *m);
void model_prom_show(const struct gpu_model *m, uint8_t bytes[MODEL_PROM_BYTES]);
void model_prom_check(struct gpu_model *m, const uint8_t bytes[MODEL_PROM_BYTES]);

/* Number of MSI and MSI-X vectors (0 = capability absent). */
unsigned model_msi_count(const struct gpu_model *m);
unsigned model_msix_count(const struct gpu_model *m);

/* Function level reset / bus reset / power-on / the machine's own reset, which takes configuration
 * space and interrupts back to their beginning and leaves the rest, WPR2 and a running GSP too
 * (measured.md 6: "warm reboot keeps WPR2"). */
enum model_reset { MODEL_RESET_FLR, MODEL_RESET_BUS, MODEL_RESET_POWER, MODEL_RESET_WARM };
void model_reset(struct gpu_model *m, enum model_reset kind);

/* Work that is not the direct effect of an access (the GSP's side of the boot, replies, events).
 * model_run does what is due; model_next_ns says when to call again: 0 = at once, UINT64_MAX = not
 * before the next access. */
void model_run(struct gpu_model *m);
uint64_t model_next_ns(const struct gpu_model *m);

/* The first rule the driver broke; NULL when none. Strings live as long as the model. */
struct model_verdict {
    const char *rule;   /* id such as "falcon.start-without-reset" */
    const char *words;  /* what happened, with values */
    const char *source; /* where the rule comes from */
    uint64_t access;    /* number of the access */
};
const struct model_verdict *model_first_violation(const struct gpu_model *m);

struct model_stats {
    uint64_t reads, writes, dma_bytes, irqs;
    /* What faults count (--fault dma:n=, message:n=, command:n=): transfers, messages, commands. */
    uint64_t dmas, messages, commands;
    uint64_t dma_lost;      /* transfers refused because the memory was taken away */
    uint64_t vram_held;     /* bytes of this machine that video memory takes */
    uint64_t vram_refused;  /* writes that found vram_limit reached */
    uint64_t trace_dropped; /* lines behind trace_limit */
    /* What the driver had not freed when it unloaded the GSP, the most of all times. */
    uint32_t objects_left, channels_left;
    uint64_t unmodelled_reads, unmodelled_writes; /* accesses */
    uint32_t unmodelled_registers;                /* distinct */
    uint32_t registers_known, registers_touched;  /* of the chip's list; distinct ones of BAR0 */
    uint64_t refused; /* RM controls and classes answered NOT_SUPPORTED */
    uint64_t image_pages_checked;
    uint32_t gsp_boots, gsp_unloads, gsp_resumes;
    bool wpr2_up, gsp_running;
};
void model_get_stats(const struct gpu_model *m, struct model_stats *out);
/* The report for people: verdict, what was touched but not modelled (ranked), what was refused,
 * registers the driver spun on. */
void model_report(const struct gpu_model *m, FILE *out);
void model_report_json(const struct gpu_model *m, FILE *out); /* the same for programs */

/* Lists for --list-chips and --explain. */
const char *model_chip_name(size_t index);                     /* NULL past the end */
const char *model_board_name(size_t index, const char **chip); /* NULL past the end */
/* Every value of a board with what kind it is (reading, derived, guess) and where it comes from;
 * name NULL: of all boards. False: there is no such board. */
bool model_board_explain(const char *name, FILE *out);
const char *model_explain(const char *rule, const char **source); /* NULL: no such rule */
const char *model_rule_id(size_t index);                          /* NULL past the end */
const char *model_fault_help(void); /* the fault specs, one a line, with examples */

/* Test hooks: things a bus cannot do. */
void model_inject_event(struct gpu_model *m, uint32_t function, const void *payload, uint32_t size,
                        uint32_t rpc_result);
/* Every later read gives all-ones, writes vanish (surprise removal), until model_reset(POWER). */
void model_unplug(struct gpu_model *m);
bool model_unplugged(const struct gpu_model *m);
/* Cut the link at the n-th register access from now. */
void model_unplug_after(struct gpu_model *m, uint64_t accesses);

/* What --fault understands, as text of several lines. */
const char *model_fault_help(void);
