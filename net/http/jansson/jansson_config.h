/* SPDX-License-Identifier: MIT */
/* Our configuration of jansson, which includes this file by its name. One fiber at a time runs in
 * it, and nothing yields there: no atomics, no locale. */
#pragma once

#define JSON_INLINE               inline
#define JSON_INTEGER_IS_LONG_LONG 1
#define JSON_HAVE_LOCALECONV      0
#define JSON_HAVE_ATOMIC_BUILTINS 0
#define JSON_HAVE_SYNC_BUILTINS   0

/* Its parser calls itself for each level of arrays and objects, on a fiber's stack. */
#define JSON_PARSER_MAX_DEPTH 32
