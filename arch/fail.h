/* SPDX-License-Identifier: MIT */
/*
 * Results and failure records.
 *
 * Functions return enum fl_err (0 = ok, negative otherwise). Where a person will read the
 * outcome, they also take a struct fl_fail *, which says in words what happened: the stage, what
 * was looked at, what was seen, what was expected, how long it waited and what to try. A record
 * keeps its FIRST failure: later calls on a filled record change nothing, so that the cause is
 * never overwritten by its echo. Strings are copied; file names point to constants.
 */
#pragma once

#include "arch/base.h"

enum fl_err {
    FL_OK = 0,
    FL_ETIMEDOUT = -1,  /* deadline passed, the link was alive */
    FL_ELINKLOST = -2,  /* the device answers all-ones: it is gone or firewalled */
    FL_ENOMEM = -3,     /* an allocator is exhausted */
    FL_EINVAL = -4,     /* the caller's argument is wrong */
    FL_ENOENT = -5,     /* a file, section or object is not there */
    FL_ETRUNCATED = -6, /* input is shorter than it says or must be */
    FL_EBADDATA = -7,   /* input is malformed */
    FL_EBUSY = -8,      /* the resource is in use */
    FL_EIO = -9,        /* the device reported an error */
    FL_ENOTSUP = -10,   /* not supported on this chip, version or machine */
    FL_EPROTO = -11,    /* the other side broke the protocol */
    FL_ESTATE = -12,    /* wrong state for this operation */
    FL_ECANCELED = -13, /* given up on request */
    FL_ENOSPC = -14,    /* no room in a fixed buffer or queue */
};

/* A chain of steps: err = FL_THEN(err, step(...)); takes the step unless one before it failed. The
 * step, and what it is given, is not even looked at after a failure. */
#define FL_THEN(err, ...) ((err) != FL_OK ? (err) : (__VA_ARGS__))

/* Short lower-case name of an error, e.g. "timed out"; never NULL. */
const char *fl_err_name(enum fl_err err);

#define FL_FAIL_TEXT 192
#define FL_FAIL_HINT 160

struct fl_fail {
    enum fl_err err;         /* FL_OK: empty record */
    char stage[24];          /* stage or room the failure belongs to */
    char what[64];           /* register, message, file */
    char text[FL_FAIL_TEXT]; /* a full sentence with seen and expected */
    char hint[FL_FAIL_HINT]; /* what to try; may be empty */
    uint64_t seen;           /* value seen, where there is one (has_values) */
    uint64_t expected;
    uint64_t waited_us;
    uint64_t at_us; /* clock_now_us() when recorded */
    bool has_values;
    const char *site_file;
    int site_line;
};

/* Details of a failure. */
struct fl_more {
    bool values; /* seen, expected and waited_us mean something */
    uint64_t seen, expected, waited_us;
    const char *hint; /* what to try; copied; may be NULL */
};

/* Fills *f unless it already holds a failure (f may be NULL). Returns err, so that
 * `return FL_FAIL(f, FL_EIO, "booter", ...)` works. fmt: what was seen and expected. */
enum fl_err fl_fail_set(struct fl_fail *f, enum fl_err err, const char *what,
                        const struct fl_more *more, const char *file, int line, const char *fmt,
                        ...) FL_PRINTF(7, 8);
#define FL_FAIL(f, err, what, ...)                                                                 \
    fl_fail_set((f), (err), (what), NULL, __FILE__, __LINE__, __VA_ARGS__)

/* The same with details, in parentheses: what was seen, expected, how long it waited, what to try.
 *     return FL_FAIL_MORE(fail, FL_EIO, "FMC", (FL_SAW(mailbox, 0, 0), .hint = "..."), "...");
 */
#define FL_FAIL_MORE(f, err, what, more, ...)                                                      \
    fl_fail_set((f), (err), (what), &(const struct fl_more){FL_BARE more}, __FILE__, __LINE__,     \
                __VA_ARGS__)
#define FL_BARE(...)       __VA_ARGS__
#define FL_SAW(s, e, w_us) .values = true, .seen = (s), .expected = (e), .waited_us = (w_us)

/* Advice of the caller for a failure that came without: no effect on an empty record or one that
 * has a hint. */
void fl_fail_hint(struct fl_fail *f, const char *fmt, ...) FL_PRINTF(2, 3);
void fl_fail_stage(struct fl_fail *f, const char *stage);

/* One line for people: "stage: text (waited 12.3 ms; try: hint) [file:line]". "" for an empty
 * record. Always terminated when size > 0; returns the length, < size. */
size_t fl_fail_format(const struct fl_fail *f, char *buf, size_t size);
#define FL_FAIL_LINE_MAX 512 /* room for any record */

static inline void fl_fail_clear(struct fl_fail *f)
{
    f->err = FL_OK;
    f->stage[0] = f->what[0] = f->text[0] = f->hint[0] = '\0';
    f->has_values = false;
    f->waited_us = 0;
}
