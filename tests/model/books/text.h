/* SPDX-License-Identifier: MIT */
/*
 * Text that a guest gave, on its way to a terminal, a trace or a report: whatever bytes it holds,
 * what is printed is one line of printable ASCII.
 */
#pragma once

#include <stddef.h>

/* In place: any other byte becomes '?'. For lines that are put together. */
void model_text_line(char *text);
/* len bytes with "\xNN" for what is not printable, '\"' and '\\' with a backslash before; cut at
 * the size of out, between two characters. */
void model_text_escape(char *out, size_t size, const void *bytes, size_t len);
