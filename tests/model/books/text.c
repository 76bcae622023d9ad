/* SPDX-License-Identifier: MIT */
/* Text that a guest gave (text.h). */
#include "tests/model/books/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool printable(uint8_t c) { return c >= ' ' && c <= '~'; }

void model_text_line(char *text)
{
    for (; *text != '\0'; text++) {
        if (!printable((uint8_t)*text)) {
            *text = '?';
        }
    }
}

void model_text_escape(char *out, size_t size, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char one[8];
        if (!printable(p[i])) {
            snprintf(one, sizeof(one), "\\x%02x", p[i]);
        } else {
            snprintf(one, sizeof(one), "%s%c", p[i] == '"' || p[i] == '\\' ? "\\" : "", p[i]);
        }
        if (n + strlen(one) >= size) {
            break;
        }
        memcpy(out + n, one, strlen(one));
        n += strlen(one);
    }
    out[n] = '\0';
}
