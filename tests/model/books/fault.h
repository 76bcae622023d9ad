/* SPDX-License-Identifier: MIT */
/*
 * Things that go wrong on purpose. A spec is words separated by colons: what, which, how
 * (fault_parse.c reads it and explains it, model_fault_help()). What a fault does is in fault.c
 * when it meets an access, a message or a transfer, and in gsp/gsp_faults.c when it comes by
 * itself.
 *
 * Every fault that strikes is noted: in the trace, and in the report as a spec that makes it strike
 * again.
 */
#pragma once

#include "tests/model/gpu.h"

enum fault_kind {
    FAULT_READ,
    FAULT_WRITE,
    FAULT_LINK,
    FAULT_DMA,
    FAULT_MSG,     /* GSP to driver */
    FAULT_COMMAND, /* driver to GSP */
    FAULT_INIT_RESULT,
    FAULT_GSP_HANG,
    FAULT_BOOTER_MAILBOX,
    FAULT_FWSEC_ERROR,
    FAULT_GFW_STUCK,
    FAULT_MIG_MODE, /* MIG is in this mode */
    FAULT_CC_MODE,  /* confidential computing is in this mode */
    FAULT_LOCKED_RESET,
    FAULT_RESET_READY,
    FAULT_SEQUENCER,
    FAULT_NO_IRQ,
    FAULT_FSP_ERROR,
    FAULT_FSP_SILENT,
    FAULT_FMC_ERROR,
    FAULT_FMC_LOCKED,
    FAULT_FMC_MASKED,
    FAULT_FALCON_HANG,
    FAULT_STUCK,
    FAULT_CRASH,
    FAULT_XID,
    FAULT_ECC,
    FAULT_THERMAL,
    FAULT_BUSY,    /* something that is waited for never ends */
    FAULT_CONTROL, /* a control is answered otherwise */
    FAULT_RUSD,    /* the shared page of sensors */
    FAULT_RANDOM,
};
enum fault_action { FACT_VALUE, FACT_XOR, FACT_DROP, FACT_DUP, FACT_DELAY, FACT_POLLS };
/* Where in the GSP's life. */
enum fault_point {
    POINT_START,     /* it has read its arguments */
    POINT_RISCV,     /* its core is to run: it does not */
    POINT_SEQUENCER, /* the CPU is to run its programme */
    POINT_INIT,      /* GSP_INIT_DONE is to be sent */
    POINT_UP,        /* GSP_INIT_DONE is sent */
    POINT_COMMAND,   /* a command after that */
    POINT_UNLOAD,    /* it is to go down */
};
enum fault_busy { BUSY_INVALIDATE, BUSY_FLUSH, BUSY_BIND };
enum fault_rusd {
    RUSD_REFUSED,
    RUSD_TORN,
    RUSD_STUCK,
    RUSD_STALE,
    RUSD_BACKWARDS,
    RUSD_RANGE,
    RUSD_LATE, /* written once more after it was taken back */
};
enum fault_ecc { ECC_CORRECTABLE, ECC_UNCORRECTABLE };

enum { FAULT_SPEC_MAX = 200, FAULT_TEXT_MAX = 128 };
struct fault {
    enum fault_kind kind;
    enum fault_action action;
    bool any_register, skip_prom;
    uint32_t off;      /* BAR0 offset; messages: byte offset in the message */
    uint64_t n, count; /* n-th occurrence, 0 = every one; count = seen so far */
    uint32_t value;    /* also: milliseconds or polls of a delay, degrees, an enum of the kind */
    uint32_t function; /* messages: only of this one; 0 = any */
    bool by_address;   /* DMA: of a range */
    uint64_t address, size;
    enum fault_point point;
    uint64_t after_ns; /* model time after the point */
    uint32_t channel, cause, errors;
    uint32_t status; /* of a control */
    bool cut;        /* its reply is too short */
    uint32_t chance; /* random: out of FAULT_CHANCE */
    uint64_t due_ns; /* when it comes by itself; 0: not yet known */
    bool done;
    char text[FAULT_TEXT_MAX];
    char spec[FAULT_SPEC_MAX];
};
enum { FAULTS_MAX = 32, FAULT_NOTES_MAX = 32, FAULT_NOTE_BYTES = 200 };
#define FAULT_CHANCE 0x80000000u /* certainty */

struct fault_state {
    struct fault fault[FAULTS_MAX];
    uint32_t count;
    uint64_t reads, writes, dmas, messages, commands; /* what has been seen; for random ones */
    uint64_t random;                                  /* state of the generator */
    uint64_t struck;
    char note[FAULT_NOTES_MAX][FAULT_NOTE_BYTES];
    uint64_t hold_until_ns, hold_polls; /* the status queue is held back */
    struct command_fault {
        bool judged, drop, twice, changed, flip;
        uint32_t off, value;
    } command; /* what happens to the command that is about to be taken */
    uint32_t ecc_correctable, ecc_uncorrectable;
    uint32_t celsius; /* 0: as ever */
    bool dma_refused; /* in this piece of work: what follows from it is not the driver's doing */
};

const struct fault *model_fault_get(const struct gpu_model *m, enum fault_kind kind);
/* A fault has struck; the words are a spec that does it again. */
void model_fault_note(struct gpu_model *m, const char *fmt, ...) FL_PRINTF(2, 3);
/* How this control is to be answered now; NULL: as ever. */
const struct fault *model_fault_control(struct gpu_model *m, uint32_t cmd);
/* A round of the shared page begins; and whether its writer goes wrong in this way. */
void model_fault_rusd_round(struct gpu_model *m);
bool model_fault_rusd(const struct gpu_model *m, enum fault_rusd how);

/* ---- at accesses ---- */
bool model_fault_access(struct gpu_model *m); /* counts an access; true: the link is lost at it */
uint32_t model_fault_read(struct gpu_model *m, uint32_t off, uint32_t value);
bool model_fault_write(struct gpu_model *m, uint32_t off, uint32_t *value); /* false: vanishes */
/* A transfer by the GPU; true: the bus refuses it. */
bool model_fault_dma(struct gpu_model *m, uint64_t addr, size_t len);
/* A status message just before it is laid into the queue; false: drop it. *twice: send it twice. */
bool model_fault_message(struct gpu_model *m, uint32_t function, uint8_t *msg, size_t len,
                         bool *twice);
/* A command as the GSP is about to take it, asked until it says 0: how long it lies there. */
uint64_t model_fault_command_delay(struct gpu_model *m, uint32_t function, size_t len);
/* ... as it takes it; false: it never sees it. *twice: it sees it twice. */
bool model_fault_command(struct gpu_model *m, uint8_t *msg, size_t len, bool *twice);
/* The queue to the driver is held back now; *ns: until when (UINT64_MAX: until it polls). */
bool model_fault_holds(struct gpu_model *m, uint64_t *ns);
/* The next one of these is never done. */
bool model_fault_never_done(struct gpu_model *m, enum fault_busy what);
/* The next start of this falcon ends in a program that never halts. */
bool model_fault_falcon_hangs(struct gpu_model *m, bool sec2);
