/* SPDX-License-Identifier: MIT */
/* Formatting into texts, and texts that grow, with their budget. text_fixed.c has the rest. */
#include "arch/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_vfmt(struct text *t, const char *fmt, va_list args)
{
    const size_t room = t->size - t->used;
    if (t->cut || room == 0) {
        t->cut = true;
        return;
    }
    int n = vsnprintf(t->buf + t->used, room, fmt, args);
    if (n < 0) { /* the text as it was */
        t->buf[t->used] = '\0';
    }
    t->cut = n < 0 || (size_t)n >= room;
    t->used += n < 0 ? 0 : (size_t)min_u64((uint64_t)n, room - 1);
}

void text_fmt(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    text_vfmt(t, fmt, args);
    va_end(args);
}

/* What a buffer with so much room takes of the shared memory. */
static size_t shared_part(const struct text_budget *g, size_t room)
{
    return room > g->own_bytes ? room - g->own_bytes : 0;
}

static bool may_have(const struct text_buf *b, size_t room)
{
    const struct text_budget *g = b->budget;
    return g == NULL ||
           g->shared_used - shared_part(g, b->room) + shared_part(g, room) <= g->shared_bytes;
}

/* data is the buffer with its new room. */
static void now_has(struct text_buf *b, char *data, size_t room)
{
    struct text_budget *g = b->budget;
    if (g != NULL) {
        g->shared_used = g->shared_used - shared_part(g, b->room) + shared_part(g, room);
        g->shared_peak = (size_t)max_u64(g->shared_peak, g->shared_used);
    }
    b->data = data;
    b->room = room;
}

static bool grow(struct text_buf *b, size_t need)
{
    size_t room = b->room == 0 ? 1024 : b->room;
    while (room < need) {
        room *= 2;
    }
    if (!may_have(b, room)) {
        room = need;
    }
    char *grown = may_have(b, room) ? realloc(b->data, room) : NULL;
    if (grown == NULL) {
        if (b->budget != NULL) {
            b->budget->refusals++;
        }
        return false;
    }
    now_has(b, grown, room);
    return true;
}

void text_free(struct text_buf *b)
{
    free(b->data);
    now_has(b, NULL, 0);
    b->len = 0;
    b->failed = false;
}

void text_trim(struct text_buf *b)
{
    char *small = b->room > b->len + 1 ? realloc(b->data, b->len + 1) : NULL;
    if (small != NULL) {
        now_has(b, small, b->len + 1);
    }
}

char *text_reserve(struct text_buf *b, size_t len)
{
    if (b->failed || len > TEXT_BUF_MAX - b->len - 1) {
        b->failed = true;
        return NULL;
    }
    if (b->len + len + 1 > b->room && !grow(b, b->len + len + 1)) {
        b->failed = true;
        return NULL;
    }
    return b->data + b->len;
}

void text_append(struct text_buf *b, const void *data, size_t len)
{
    char *at = text_reserve(b, len);
    if (at == NULL) {
        return;
    }
    if (len > 0) {
        memcpy(at, data, len);
    }
    at[len] = '\0';
    b->len += len;
}

/* Printed once, into the room that there is; a second time only when it was too small. */
static void text_vprintf(struct text_buf *b, const char *fmt, va_list ap)
{
    char *at = text_reserve(b, 0);
    if (at == NULL) {
        return;
    }
    const size_t room = b->room - b->len;
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(at, room, fmt, ap);
    if (n >= 0 && (size_t)n >= room) {
        *at = '\0';
        at = text_reserve(b, (size_t)n);
        n = at != NULL ? vsnprintf(at, (size_t)n + 1, fmt, again) : -1;
    }
    va_end(again);
    if (n >= 0) {
        b->len += (size_t)n;
    } else {
        b->failed = true;
    }
}

void text_printf(struct text_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    text_vprintf(b, fmt, ap);
    va_end(ap);
}

void text_append_u64(struct text_buf *b, uint64_t v)
{
    char digits[TEXT_U64_MAX];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    text_append(b, digits + at, sizeof(digits) - at);
}

void text_append_fixed(struct text_buf *b, uint64_t v, unsigned decimals)
{
    char digits[TEXT_U64_MAX + 2];
    size_t at = sizeof(digits);
    decimals = decimals < TEXT_U64_MAX ? decimals : TEXT_U64_MAX - 1;
    for (unsigned i = 0; i < decimals; i++) {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    }
    if (decimals > 0) {
        digits[--at] = '.';
    }
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    text_append(b, digits + at, sizeof(digits) - at);
}
