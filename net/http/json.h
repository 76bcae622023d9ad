/* SPDX-License-Identifier: MIT */
/*
 * Writes JSON into a growing text buffer. Commas and nesting are the writer's business; strings are
 * escaped and made valid UTF-8. A writer that ran out of memory stays so (text_buf.failed) and the
 * caller looks once, at the end.
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
    char *data; /* owned, malloc; NUL-terminated when not NULL */
    size_t len, room;
    bool failed;
    struct text_budget *budget; /* borrowed; NULL: TEXT_BUF_MAX is the only limit */
};
/* Empty again, and not failed; the budget stays. */
void text_free(struct text_buf *b);
/* Gives back what is not used. */
void text_trim(struct text_buf *b);
void text_append(struct text_buf *b, const void *data, size_t len);
void text_printf(struct text_buf *b, const char *fmt, ...) FL_PRINTF(2, 3);
/* Makes room for len more bytes and returns where to write them; NULL when that failed. The caller
 * then adds what it used to b->len. */
char *text_reserve(struct text_buf *b, size_t len);

#define JW_DEPTH 12
struct jw {
    struct text_buf *out; /* borrowed */
    unsigned depth;
    bool filled[JW_DEPTH]; /* something stands at this level: a comma comes first */
};
void jw_begin(struct jw *j, struct text_buf *out);
/* key NULL inside arrays and at the top. */
void jw_object(struct jw *j, const char *key);
void jw_end_object(struct jw *j);
void jw_array(struct jw *j, const char *key);
void jw_end_array(struct jw *j);
void jw_str(struct jw *j, const char *key, const char *value); /* NULL gives null */
void jw_u64(struct jw *j, const char *key, uint64_t value);
void jw_bool(struct jw *j, const char *key, bool value);
void jw_null(struct jw *j, const char *key);
void jw_fmt(struct jw *j, const char *key, const char *fmt, ...) FL_PRINTF(3, 4); /* a string */
/* value / 10^decimals with that many decimals: no floating point in the kernel. */
void jw_fixed(struct jw *j, const char *key, uint64_t value, unsigned decimals);
