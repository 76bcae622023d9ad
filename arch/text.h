/* SPDX-License-Identifier: MIT */
/*
 * Texts that are put together piece by piece. struct text lies in a buffer that somebody else has
 * and is cut at its end; struct text_buf has its own buffer, which grows. Both are written without
 * looking: what went wrong is kept (cut, failed), and the caller asks once, at the end. Nothing
 * here yields.
 *
 * The boot stub, which has no library, compiles text_fixed.c: all of struct text but text_fmt().
 */
#pragma once

#include <stdarg.h>

#include "arch/base.h"

struct text {
    char *buf;   /* borrowed; always NUL-terminated, unless size is 0 */
    size_t size; /* of buf, with the NUL */
    size_t used; /* characters in it, without the NUL */
    bool cut;    /* something did not fit; nothing is added any more */
};
/* Begins an empty text in buf; size 0 is allowed, and everything is cut then. */
struct text text_on(char *buf, size_t size);
void text_str(struct text *t, const char *s);
void text_dec(struct text *t, uint64_t v);
void text_hex(struct text *t, uint64_t v);      /* without 0x */
void text_size(struct text *t, uint64_t bytes); /* "60.6 MiB", "24.1 KiB" */
void text_fmt(struct text *t, const char *fmt, ...) FL_PRINTF(2, 3);
void text_vfmt(struct text *t, const char *fmt, va_list args) FL_PRINTF(2, 0);

/* --- texts that grow: a buffer that could not grow stays failed and takes nothing more --- */

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
/* Decimals by hand: printf costs ten times as much. */
#define TEXT_U64_MAX 20u /* digits */
void text_append_u64(struct text_buf *b, uint64_t v);
/* v / 10^decimals, with that many decimals, at most 19: 1500, 3 gives "1.500". */
void text_append_fixed(struct text_buf *b, uint64_t v, unsigned decimals);
/* Makes room for len more bytes and returns where to write them; NULL when that failed. The caller
 * then adds what it used to b->len. */
char *text_reserve(struct text_buf *b, size_t len);
