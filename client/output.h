/* SPDX-License-Identifier: MIT */
/*
 * What people read. Everything that came from outside goes through here: control characters, text
 * that is no UTF-8 and marks that turn the direction of writing come out as \x1b, and the token
 * never does. Sources: ECMA-48 (control characters), RFC 3629, Unicode UAX 9 (directions).
 */
#pragma once

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "arch/base.h"

/* Memory that is there, or the program ends and says so. */
FL_NORETURN void out_no_memory(void);
void *out_alloc(void *old, size_t bytes);
/* What printf makes of it; the caller frees it. */
char *out_format(const char *fmt, ...) FL_PRINTF(1, 2);
char *out_vformat(const char *fmt, va_list args) FL_PRINTF(1, 0);

/* From now on this text is shown as <token>; borrowed; NULL: none. Shorter than 8 characters it
 * is not looked for: it would be found in innocent words. */
void out_hide(const char *secret);

/* len bytes made harmless; lines and tabs stay if so asked. The caller frees it. */
char *out_escape(const char *text, size_t len, bool keep_lines);
/* Writes text; lines and tabs stay as they are. */
void out_text(FILE *f, const char *text, size_t len);
/* The same, with what printf makes of it. */
void out_printf(FILE *f, const char *fmt, ...) FL_PRINTF(2, 3);

/* A JSON value and the end of the line, on standard output; indented for people. */
void out_json(const json_t *value, bool indented);
/* What a value says in one line: a string's text, a number, else JSON; "-" for null and for none.
 * The caller frees it. Not yet harmless: for out_printf() and tables. */
char *out_value(const json_t *value);

/* "key       value" with two blanks in front; nothing when the value is absent, null or "". */
void out_pair(FILE *f, const char *key, const json_t *value);

/* Columns as wide as their widest cell. */
#define OUT_COLUMNS_MAX 8u
struct out_table {
    size_t columns, cells, room;
    char **cell; /* row by row; owned */
};
/* Adds a cell; text is copied and made harmless; NULL: "-". */
void out_cell(struct out_table *t, const char *text);
void out_cell_value(struct out_table *t, const json_t *value);
/* Writes all rows with two blanks in front, and empties it. */
void out_table_end(FILE *f, struct out_table *t);
/* Microseconds in words: "12 us", "1.5 ms", "2.031 s"; "-" when it is no number. In buf. */
const char *out_us(const json_t *us, char buf[32]);
