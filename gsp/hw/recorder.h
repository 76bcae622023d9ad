/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder: a ring of the last register accesses, DMA hand-overs and messages, always
 * on. Identical reads in a row (a poll) take one entry with a count, so that a long wait does not
 * push the cause out of the ring. Text is made only when somebody downloads it.
 *
 * One writer (the GPU's fiber and whoever sends messages under its lock); readers in other fibers
 * keep a cursor. Nothing here yields.
 */
#pragma once

#include "arch/base.h"

enum gsp_rec_kind {
    GSP_REC_READ, /* off: BAR0 offset */
    GSP_REC_WRITE,
    GSP_REC_DMA,   /* off: bytes, value: bus address, what: buffer */
    GSP_REC_SEND,  /* off: function, value: length of the RPC */
    GSP_REC_RECV,  /* off: function, value: length, low word of rpc_result << 32 */
    GSP_REC_STAGE, /* what: stage that begins */
};

struct gsp_rec_entry {
    uint64_t time_us;
    uint64_t value;
    const char *what; /* static text: stage, or the name of a buffer */
    uint32_t off;
    uint32_t repeat; /* how often more than once */
    uint8_t kind;    /* enum gsp_rec_kind */
};

#define GSP_REC_ENTRIES 8192u /* a power of two; a GA10x boot makes about 3000 */

struct gsp_recorder {
    struct gsp_rec_entry *ring; /* owned, GSP_REC_ENTRIES */
    uint64_t total;             /* entries ever begun; ring index = total mod GSP_REC_ENTRIES */
    const char *stage;          /* static; stamped on register accesses */
    uint32_t family;            /* enum chip_family bit, for names; F_ALL until known */
};

/* False when memory is exhausted. */
FL_MUST_CHECK bool gsp_recorder_init(struct gsp_recorder *r);
void gsp_recorder_free(struct gsp_recorder *r);

void gsp_recorder_add(struct gsp_recorder *r, enum gsp_rec_kind kind, uint32_t off, uint64_t value,
                      const char *what);
/* Names the stage that later accesses belong to. stage: static. */
void gsp_recorder_stage(struct gsp_recorder *r, const char *stage);

/* Whole lines of text from entry *cursor on (the oldest kept one when that is gone), at most
 * size - 1 bytes and a NUL. Moves *cursor on. Returns the bytes written, 0 at the end or when size
 * is too small for one line (GSP_REC_LINE_MAX always suffices). */
#define GSP_REC_LINE_MAX 512u
size_t gsp_recorder_text(const struct gsp_recorder *r, uint64_t *cursor, char *buf, size_t size);
