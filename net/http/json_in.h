/* SPDX-License-Identifier: MIT */
/*
 * JSON that arrives: jansson's reader with our memory limits. What it makes is read with jansson's
 * own functions and given back with json_decref(). RFC 8259.
 */
#pragma once

#include <jansson.h>

#include "arch/base.h"

/* Bytes that everything read and not yet given back may take together. */
#define JSON_IN_MEMORY MIB(4)

/* Reads len bytes of text that are one value of any kind. Objects with a key twice are refused, for
 * two readers could take different ones; so are \u0000 and more than 32 levels. NULL with a
 * sentence in why when it is none, or when there is no memory (*no_memory). */
json_t *json_in(const char *text, size_t len, char *why, size_t why_size, bool *no_memory);
/* Bytes taken now. */
size_t json_in_memory(void);
