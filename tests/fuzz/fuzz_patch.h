/* SPDX-License-Identifier: MIT */
/*
 * Structure-aware fuzzing without a corpus: the input is a list of edits to a well-formed file from
 * the synthetic builder, so that every run starts deep inside the parser.
 *
 * An edit is 7 bytes: place (u16), width (0..3: 1 to 4 bytes), value (u32). Places are taken modulo
 * the size, from the start or, with bit 7 of the width set, from the end of the file.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "arch/base.h"

#define FUZZ_EDIT_BYTES 7u

static inline FL_UNUSED void fuzz_edit(uint8_t *file, size_t size, const uint8_t *edits,
                                       size_t bytes)
{
    for (; bytes >= FUZZ_EDIT_BYTES && size != 0;
         edits += FUZZ_EDIT_BYTES, bytes -= FUZZ_EDIT_BYTES) {
        size_t at = get_le16(edits) % size;
        size_t width = (edits[2] & 3u) + 1u;
        if ((edits[2] & 0x80u) != 0) {
            at = size - 1 - at;
        }
        for (size_t i = 0; i < width && at + i < size; i++) {
            file[at + i] = edits[3 + i];
        }
    }
}

/* A copy on the heap of exactly this size, so that the sanitizer sees the first byte too far. */
static inline FL_UNUSED uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
    uint8_t *p = malloc(size != 0 ? size : 1);
    if (p == NULL) {
        abort();
    }
    if (size != 0) {
        memcpy(p, data, size);
    }
    return p;
}

/* Reads every byte of a range that a parser handed out. */
static inline FL_UNUSED void fuzz_touch(const void *p, size_t size)
{
    static volatile uint8_t sink;
    const uint8_t *b = p;
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + b[i]);
    }
    sink = sum;
    (void)sink;
}

/* Ends the run with a finding when a promise of the code under test does not hold. */
#define FUZZ_REQUIRE(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
