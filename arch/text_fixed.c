/* SPDX-License-Identifier: MIT */
/* Texts in a buffer of fixed size. Calls no library: the boot stub compiles this file as well. */
#include "arch/text.h"

struct text text_on(char *buf, size_t size)
{
    if (size > 0) {
        buf[0] = '\0';
    }
    return (struct text){.buf = buf, .size = size};
}

void text_str(struct text *t, const char *s)
{
    for (; *s != '\0' && !t->cut; s++) {
        if (t->size - t->used <= 1) {
            t->cut = true;
            return;
        }
        t->buf[t->used++] = *s;
        t->buf[t->used] = '\0';
    }
}

static void text_number(struct text *t, uint64_t v, unsigned base)
{
    char digits[21]; /* 2^64 has 20 decimal digits */
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v != 0);
    text_str(t, digits + at);
}

void text_dec(struct text *t, uint64_t v) { text_number(t, v, 10); }

void text_hex(struct text *t, uint64_t v) { text_number(t, v, 16); }

void text_size(struct text *t, uint64_t bytes)
{
    const uint64_t unit = bytes < MIB(1) ? KIB(1) : MIB(1);
    text_dec(t, bytes / unit);
    text_str(t, ".");
    text_dec(t, bytes % unit * 10 / unit);
    text_str(t, bytes < MIB(1) ? " KiB" : " MiB");
}
