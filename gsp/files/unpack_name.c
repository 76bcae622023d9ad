/* SPDX-License-Identifier: MIT */
/* By whose name a file is a packed one. Freestanding: the boot stub links it too. */
#include "gsp/files/unpack.h"

static const struct {
    char end[5];
    enum unpack_format format;
} formats[] = {{".zst", UNPACK_ZSTD}, {".xz", UNPACK_XZ}};

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}

enum unpack_format unpack_format(const char *path, size_t *plain)
{
    const size_t length = length_of(path);
    enum unpack_format format = UNPACK_NONE;
    size_t end_length = 0;

    for (size_t k = 0; k < ARRAY_SIZE(formats) && format == UNPACK_NONE; k++) {
        const size_t n = length_of(formats[k].end);
        size_t same = 0;
        while (n <= length && same < n &&
               ascii_lower(path[length - n + same]) == formats[k].end[same]) {
            same++;
        }
        if (same == n) {
            format = formats[k].format;
            end_length = n;
        }
    }
    if (plain != NULL) {
        *plain = length - end_length;
    }
    return format;
}
