/* SPDX-License-Identifier: MIT */
/*
 * A text (or bytes) that grows in a buffer of its own, and the memory that several such buffers may
 * have together. A buffer that could not grow stays failed (text_buf.failed) and takes nothing
 * more; the caller looks once, at the end. Never yields.
 */
#pragma once

#include "arch/base.h"

#define TEXT_BUF_MAX MIB(2) /* nothing the API answers is larger */

/* Memory that buffers share. Each has own_bytes to itself; what is beyond that comes out of
 * shared_bytes, for all of them together. */
struct text_budget {
    size_t own_bytes, shared_bytes;
    size_t shared_used, shared_peak;
    uint64_t refusals; /* times that a buffer could not grow: no budget, or no memory */
};

struct text_buf {
    char *data; /* owned, malloc; NULL or NUL-terminated, but for what text_reserve() lent */
    size_t len, room;
    bool failed;
    struct text_budget *budget; /* borrowed; NULL: TEXT_BUF_MAX is the only limit */
};
/* Empty again, and not failed; the budget stays. */
void text_free(struct text_buf *b);
/* Gives back what is not used. */
void text_trim(struct text_buf *b);
/* data may be NULL when len is 0; then there is a buffer, with an empty string. */
void text_append(struct text_buf *b, const void *data, size_t len);
void text_printf(struct text_buf *b, const char *fmt, ...) FL_PRINTF(2, 3);
/* Makes room for len more bytes and returns where to write them; NULL when that failed. The caller
 * then adds what it used to b->len. */
char *text_reserve(struct text_buf *b, size_t len);
