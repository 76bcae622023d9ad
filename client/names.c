/* SPDX-License-Identifier: MIT */
/* The name that somebody may have meant (names.h). */
#include "client/names.h"

#include <string.h>

#include "arch/base.h"

#define LETTERS_MAX 32u

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Optimal string alignment: Levenshtein's distance with neighbours that changed places as one. */
size_t names_distance(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    size_t d[LETTERS_MAX + 1][LETTERS_MAX + 1];
    if (n > LETTERS_MAX || m > LETTERS_MAX) {
        return n + m;
    }
    for (size_t i = 0; i <= n; i++) {
        d[i][0] = i;
    }
    for (size_t j = 0; j <= m; j++) {
        d[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
                            d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }
    return d[n][m];
}

const char *names_nearest(const char *wrong, const void *first, size_t count, size_t stride)
{
    const char *best = NULL;
    size_t best_distance = strlen(wrong) / 2 + 1; /* half of it wrong: something else is meant */
    for (size_t i = 0; i < count; i++) {
        const char *name;
        memcpy(&name, (const char *)first + i * stride, sizeof(name));
        const size_t d = names_distance(wrong, name);
        if (d < best_distance) {
            best = name;
            best_distance = d;
        }
    }
    return best;
}
