/* SPDX-License-Identifier: MIT */
/*
 * The shortest driver that boots the GPU model: straight-line code, no error handling, a hook
 * before each step so that a test can do one thing wrong. GA102 by default; Turing's and GA100's
 * way of loading falcons is in mini_turing.c, booting by the FSP in mini_fsp.c. It shares nothing
 * with gsp/ but the register list and the layouts, so the model's tests do not depend on the
 * appliance's driver.
 */
#pragma once

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/model.h"
#include "tests/synth/synth.h"

/* Guest memory, above 1 TiB so that the high address registers matter. */
#define MINI_RAM_BASE 0x10040000000ull
enum { MINI_RAM_BYTES = 12 << 20 };

/* Places where a test may interfere; the hook runs just before the step. */
enum mini_point {
    MINI_FRTS_RESET,   /* before the GSP is reset for FWSEC */
    MINI_FRTS_LOAD,    /* image patched, registers set up, before the transfers */
    MINI_FRTS_START,   /* loaded, before STARTCPU */
    MINI_GSP_MAILBOX,  /* GSP reset, before the mailboxes are written */
    MINI_META,         /* WprMeta, tables, arguments, queues filled in guest memory */
    MINI_BOOTER_LOAD,  /* before booter is loaded */
    MINI_BOOTER_START, /* before SEC2 is started */
    MINI_COMMANDS,     /* GSP runs, before commands 72 and 73 are queued */
    MINI_SEQ_OP,       /* before each sequencer command */
    MINI_RESUME_RESET, /* CORE_RESUME: the GSP is reset, before its mailboxes are written */
    MINI_RESUME,       /* CORE_RESUME: mailboxes written, before SEC2 is started */
    MINI_UP,           /* INIT_DONE seen */
    MINI_SB_START,
    MINI_UNLOAD_START,
    MINI_FSP_READY,    /* before the FSP's own start is waited for */
    MINI_FSP_MESSAGE,  /* chain of trust and boot parameters made, before they go to EMEM */
    MINI_FSP_SENT,     /* the FSP has the message */
    MINI_FSP_ANSWERED, /* its answer is taken, the FMC runs */
    MINI_POINTS,
};

struct mini;
typedef void mini_hook(struct mini *d, enum mini_point at); /* a function type */
/* After a transfer of the GPU's; what a read has brought may be changed. */
typedef void mini_dma_hook(struct mini *d, uint64_t addr, uint8_t *buf, size_t len,
                           enum model_dma_dir dir);

struct mini {
    struct gpu_model *m;
    const struct gsp_layout *l;
    uint8_t *ram;
    uint64_t ram_used;
    uint64_t now_ns;
    uint32_t irqs, last_vector;
    bool intx; /* the line */
    uint32_t intx_edges;
    mini_hook *hook;
    mini_dma_hook *dma_hook;
    unsigned hook_step; /* for hooks that act on the n-th call */
    void *hook_data;
    /* firmware and VBIOS */
    char dir[64]; /* synthetic firmware files; "" = none */
    const char *version;
    const char *chip;
    bool pio, fsp;                                          /* how it is booted */
    struct synth_blob gsp, boot, load, unload, loader, fmc; /* kept for the next mini */
    struct synth_blob vbios;                                /* owned */
    const struct synth_vbios_shape *shape;                  /* NULL: the small one */
    struct synth_vbios_map vmap;
    /* what was built, as bus addresses; the bytes are at mini_ptr() */
    uint64_t fwsec, booter, meta, radix3, image, bootloader, signature, libos, rmargs, shared, logs;
    uint64_t fb_size, frts;
    uint8_t *fwsec_dmem; /* in ram */
    uint32_t fwsec_command;
    uint64_t wpr_end;
    /* Turing and GA100: the loader's descriptor; code goes from fwsec, data from fwsec_data */
    uint8_t loader_desc[84];
    uint8_t loader_code[512];
    uint64_t fwsec_data;
    /* FSP */
    uint8_t cot[872]; /* the whole message */
    uint32_t cot_bytes;
    uint64_t fmc_image, params;
    uint32_t fsp_answer[5];
    uint32_t fsp_error, fmc_error, released_early; /* the last: bit 13 clear, mailbox not */
    /* queues */
    uint32_t cmd_write, cmd_seq, stat_read, stat_seq;
    uint8_t msg[65536];                         /* the last message received */
    uint32_t msg_function, msg_result, msg_len; /* payload bytes */
    uint32_t events, seq_skip_op;               /* seq_skip_op: opcode not to run, ~0u = none */
    bool skip_info;
};

/* cfg may be NULL. Creates files, model, memory; programs BARs and the command register. */
void mini_open(struct mini *d, const struct model_config *cfg, bool files);
void mini_close(struct mini *d);

uint32_t mini_rd(struct mini *d, uint32_t off);
void mini_wr(struct mini *d, uint32_t off, uint32_t v);
void *mini_ptr(struct mini *d, uint64_t bus);
uint64_t mini_alloc(struct mini *d, uint64_t bytes);
/* Lets time pass and the model work until (reg & mask) == value; false after limit_us. */
bool mini_poll(struct mini *d, uint32_t off, uint32_t mask, uint32_t value, uint64_t limit_us);
void mini_pass(struct mini *d, uint64_t us);

void mini_engine_reset(struct mini *d, uint32_t base);
void mini_falcon_setup(struct mini *d, uint32_t base); /* TRANSCFG, FBIF_CTL, DMACTL */
void mini_dma(struct mini *d, uint32_t base, uint64_t src, uint32_t src_off, uint32_t dst,
              uint32_t bytes, uint32_t cmd);
void mini_start(struct mini *d, uint32_t base);

void mini_hook_at(struct mini *d, enum mini_point at);
void mini_files(struct mini *d); /* makes the chip's synthetic files */
/* mini_turing.c, mini_fsp.c: called by the steps below. */
void mini_pio_reset(struct mini *d, uint32_t base);
bool mini_pio_fwsec(struct mini *d, uint32_t command);
bool mini_pio_booter(struct mini *d, bool load);
bool mini_fsp_start(struct mini *d);
bool mini_fsp_unload(struct mini *d);
void mini_fsp_meta(struct mini *d, uint8_t *meta);

/* The steps. Each returns false when the model did not do its part. */
bool mini_fwsec(struct mini *d, uint32_t command);
bool mini_prepare(struct mini *d);
bool mini_booter(struct mini *d, bool load);
bool mini_to_running(struct mini *d); /* FRTS, GSP reset, booter */
bool mini_boot(struct mini *d);       /* all, up to INIT_DONE */
bool mini_unload(struct mini *d);
/* Parts of these. */
void mini_find_end(struct mini *d); /* how much memory there is, where FRTS goes */
bool mini_riscv_runs(struct mini *d);
void mini_send_info(struct mini *d);     /* the two mandatory commands */
bool mini_run_sequencer(struct mini *d); /* the programme is the last message */

/* Queues. */
void mini_build(struct mini *d, uint8_t *msg, uint32_t function, const void *payload, uint32_t len);
void mini_post(struct mini *d, const uint8_t *msg, uint32_t bytes);
void mini_send(struct mini *d, uint32_t function, const void *payload, uint32_t len);
void mini_seal(struct mini *d, uint8_t *msg, uint32_t bytes); /* checksum */
/* Next message of function (any other is counted in events); false after 5 s. */
bool mini_wait(struct mini *d, uint32_t function);
bool mini_system_info(struct mini *d, uint8_t *info); /* fills GspSystemInfo, returns true */
uint32_t mini_control(struct mini *d, uint32_t client, uint32_t object, uint32_t cmd, void *params,
                      uint32_t size); /* status word; 0xdead when there was no answer */
/* RM objects: the status word, as above. params NULL: zeros. */
uint32_t mini_alloc_with(struct mini *d, uint32_t client, uint32_t parent, uint32_t object,
                         uint32_t cls, const void *params, uint32_t params_size);
uint32_t mini_alloc_object(struct mini *d, uint32_t client, uint32_t parent, uint32_t object,
                           uint32_t cls, uint32_t params_size);
/* Gives the GSP a page (0x20800afe) that it fills with sensors from then on; its bus address. */
uint64_t mini_give_sensor_page(struct mini *d);
/* Takes it back: the status. */
uint32_t mini_take_sensor_page(struct mini *d);

enum { MINI_CLIENT = 0x7fff0001 };
#define MINI_INTERNAL_CLIENT    0xc2000005u
#define MINI_INTERNAL_SUBDEVICE 0xabcd2080u
