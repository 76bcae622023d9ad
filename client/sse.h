/* SPDX-License-Identifier: MIT */
/*
 * Reads a stream of server-sent events that may be anything, in pieces of any length. Source:
 * WHATWG HTML, 9.2.6 "Interpreting an event stream".
 */
#pragma once

#include "arch/base.h"

#define SSE_LINE_MAX  KIB(64) /* of one line; the appliance's events have some KiB at most */
#define SSE_DATA_MAX  KIB(64) /* of all lines of data of one event */
#define SSE_NAME_MAX  32u     /* of the names of events and of ids, with NUL */
#define SSE_RETRY_MAX 60000u  /* ms; longer is taken as this */

struct sse_event {
    const char *name; /* "message" when none was told */
    const char *id;   /* "": it has none of its own */
    const char *data; /* NUL-terminated behind len bytes; lines are parted by \n */
    size_t len;
};

struct sse {
    char line[SSE_LINE_MAX];
    char data[SSE_DATA_MAX];
    char name[SSE_NAME_MAX], id[SSE_NAME_MAX];
    size_t line_len, data_len;
    uint64_t retry_ms; /* as the stream wants it; 0: it did not say */
    bool has_data, after_cr, begun;
    bool broken; /* a line or an event was too long: nothing more is read */
};

/* Takes len bytes; calls take() for each event that is complete; what it is given is valid until it
 * returns. False: s->broken. A new stream begins with *s = (struct sse){0}. */
bool sse_put(struct sse *s, const char *bytes, size_t len,
             void (*take)(void *arg, const struct sse_event *e), void *arg);
