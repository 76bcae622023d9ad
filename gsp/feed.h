/* SPDX-License-Identifier: MIT */
/*
 * What happened to a GPU, in order: changes of its state, stages, attempts, Xids, events of its
 * firmware, its link. A ring that is written where it happens and kept over boots; readers come
 * with a cursor and are told when there is something new (gsp_options.wake), so nobody polls.
 *
 * A firmware may send what and as much as it likes: equal events within GSP_FEED_SPAN_US become one
 * entry with a count, and of different ones no more than GSP_FEED_LIMIT are kept in that time; how
 * many were left out is an entry of its own.
 */
#pragma once

#include "gsp/gsp.h"

#define GSP_FEED_ENTRIES 256u
#define GSP_FEED_TEXT    256u
#define GSP_FEED_SPAN_US US_PER_S
#define GSP_FEED_LIMIT   32u

enum gsp_feed_kind {
    GSP_FEED_STAGE,
    GSP_FEED_STATE,
    GSP_FEED_ATTEMPT,
    GSP_FEED_XID,
    GSP_FEED_EVENT, /* of the firmware */
    GSP_FEED_LINK,  /* of PCI Express: there again, lost, another width */
    GSP_FEED_NOTE,  /* a sentence, no more */
};

struct gsp_feed_entry {
    uint64_t number; /* from 1, one by one, for the life of the GPU's object */
    uint64_t at_us;  /* of the last one, where it stands for several */
    enum gsp_feed_kind kind;
    uint32_t count;   /* so many equal ones; 1 or more */
    const char *name; /* static: of the stage, of the firmware's event; else "" */
    union {           /* by kind */
        struct {
            enum gsp_stage_state state;
            uint64_t us;
        } stage;
        struct {
            enum gsp_state now, previous;
        } state;
        struct {
            uint32_t number, most;
            enum fl_err result;
            bool was_reset;
            enum gsp_reset_kind reset; /* when was_reset */
        } attempt;
        uint32_t xid;
        uint32_t event;       /* the firmware's number */
        struct pci_link link; /* not valid: lost */
    };
    char text[GSP_FEED_TEXT]; /* a sentence; of a firmware's own text printable ASCII only */
};

/* Copies the entry with the smallest number >= *cursor (start with 0) and sets *cursor to its
 * number + 1; false: there is none yet. *lost (may be NULL) gets how many were overwritten before
 * this reader came to them. Any fiber. Does not yield. */
bool gsp_feed_read(struct gsp_gpu *g, uint64_t *cursor, struct gsp_feed_entry *out, uint64_t *lost);
