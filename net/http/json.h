/* SPDX-License-Identifier: MIT */
/*
 * Writes JSON into a growing text buffer. Commas and nesting are the writer's business; strings are
 * escaped and made valid UTF-8. A writer that ran out of memory stays so (text_buf.failed) and the
 * caller looks once, at the end.
 */
#pragma once

#include "arch/text.h"

#define JW_DEPTH 12
struct jw {
    struct text_buf *out; /* borrowed */
    unsigned depth;
    bool filled[JW_DEPTH]; /* something stands at this level: a comma comes first */
};
void jw_begin(struct jw *j, struct text_buf *out);
/* key NULL inside arrays and at the top; else static and plain: it is not escaped. */
void jw_object(struct jw *j, const char *key);
void jw_end_object(struct jw *j);
void jw_array(struct jw *j, const char *key);
void jw_end_array(struct jw *j);
void jw_str(struct jw *j, const char *key, const char *value); /* NULL gives null */
void jw_u64(struct jw *j, const char *key, uint64_t value);
void jw_i64(struct jw *j, const char *key, int64_t value);
/* Bytes as base64 (RFC 4648 4). */
void jw_base64(struct jw *j, const char *key, const void *data, size_t len);
/* Text that is one JSON value already. */
void jw_raw(struct jw *j, const char *key, const char *value);
void jw_hex(struct jw *j, const char *key, uint64_t value); /* a string, "0x1f" */
void jw_bool(struct jw *j, const char *key, bool value);
void jw_null(struct jw *j, const char *key);
void jw_fmt(struct jw *j, const char *key, const char *fmt, ...) FL_PRINTF(3, 4); /* a string */
/* value / 10^decimals with that many decimals: no floating point in the kernel. */
void jw_fixed(struct jw *j, const char *key, uint64_t value, unsigned decimals);
