/* SPDX-License-Identifier: MIT */
/* The JSON writer. RFC 8259. */
#include "net/http/json.h"

#include <mbedtls/base64.h>
#include <string.h>

#include <stdarg.h>
#include <stdio.h>

/* Length of the valid UTF-8 sequence at s, 0 when it is none (overlong, surrogate, cut off). */
static size_t utf8_length(const unsigned char *s)
{
    static const struct {
        unsigned char mask, lead, length;
        uint32_t least;
    } forms[] = {{0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if ((s[0] & forms[i].mask) != forms[i].lead) {
            continue;
        }
        uint32_t code = s[0] & (unsigned char)~forms[i].mask;
        for (size_t k = 1; k < forms[i].length; k++) {
            if ((s[k] & 0xc0) != 0x80) { /* also stops at the NUL */
                return 0;
            }
            code = code << 6 | (s[k] & 0x3f);
        }
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        return code >= forms[i].least && code <= 0x10ffff && !surrogate ? forms[i].length : 0;
    }
    return 0;
}

/* Nearly all strings: nothing in them needs escaping. */
static bool put_plain(struct text_buf *b, const char *text)
{
    size_t n = 0;
    while (text[n] >= 0x20 && text[n] != 0x7f && text[n] != '"' && text[n] != '\\') {
        n++;
    }
    if (text[n] != '\0') {
        return false;
    }
    char *at = text_reserve(b, n + 2);
    if (at != NULL) {
        at[0] = '"';
        memcpy(at + 1, text, n);
        at[n + 1] = '"';
        at[n + 2] = '\0';
        b->len += n + 2;
    }
    return true;
}

static void put_string(struct text_buf *b, const char *text)
{
    if (put_plain(b, text)) {
        return;
    }
    text_append(b, "\"", 1);
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0';) {
        if (*s == '"' || *s == '\\') {
            char pair[2] = {'\\', (char)*s};
            text_append(b, pair, 2);
            s++;
        } else if (*s == '\n') {
            text_append(b, "\\n", 2);
            s++;
        } else if (*s < 0x20 || *s == 0x7f) {
            text_printf(b, "\\u%04x", *s);
            s++;
        } else if (*s < 0x80) {
            const unsigned char *start = s;
            while (*s >= 0x20 && *s < 0x7f && *s != '"' && *s != '\\') {
                s++;
            }
            text_append(b, start, (size_t)(s - start));
        } else {
            size_t n = utf8_length(s);
            if (n == 0) {
                text_append(b, "\\ufffd", 6);
                s++;
            } else {
                text_append(b, s, n);
                s += n;
            }
        }
    }
    text_append(b, "\"", 1);
}

/* Keys are literals of ours: nothing in them needs escaping. */
static void lead_in(struct jw *j, const char *key)
{
    const bool comma = j->filled[j->depth];
    const size_t n = key != NULL ? strlen(key) : 0;
    j->filled[j->depth] = true;
    char *at = text_reserve(j->out, n + 4), *start = at;
    if (at == NULL) {
        return;
    }
    if (comma) {
        *at++ = ',';
    }
    if (key != NULL) {
        *at++ = '"';
        memcpy(at, key, n);
        at += n;
        *at++ = '"';
        *at++ = ':';
    }
    *at = '\0';
    j->out->len += (size_t)(at - start);
}

void jw_begin(struct jw *j, struct text_buf *out) { *j = (struct jw){.out = out}; }

static void open_level(struct jw *j, const char *key, const char *bracket)
{
    lead_in(j, key);
    text_append(j->out, bracket, 1);
    if (j->depth + 1 < JW_DEPTH) {
        j->depth++;
    } else {
        j->out->failed = true;
    }
    j->filled[j->depth] = false;
}

static void close_level(struct jw *j, const char *bracket)
{
    text_append(j->out, bracket, 1);
    if (j->depth > 0) {
        j->depth--;
    }
}

void jw_object(struct jw *j, const char *key) { open_level(j, key, "{"); }
void jw_end_object(struct jw *j) { close_level(j, "}"); }
void jw_array(struct jw *j, const char *key) { open_level(j, key, "["); }
void jw_end_array(struct jw *j) { close_level(j, "]"); }

void jw_null(struct jw *j, const char *key)
{
    lead_in(j, key);
    text_append(j->out, "null", 4);
}

void jw_str(struct jw *j, const char *key, const char *value)
{
    if (value == NULL) {
        jw_null(j, key);
        return;
    }
    lead_in(j, key);
    put_string(j->out, value);
}

void jw_fmt(struct jw *j, const char *key, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    jw_str(j, key, text);
}

void jw_u64(struct jw *j, const char *key, uint64_t value)
{
    lead_in(j, key);
    text_append_u64(j->out, value);
}

void jw_i64(struct jw *j, const char *key, int64_t value)
{
    lead_in(j, key);
    if (value < 0) {
        text_append(j->out, "-", 1);
    }
    text_append_u64(j->out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void jw_base64(struct jw *j, const char *key, const void *data, size_t len)
{
    lead_in(j, key);
    text_append(j->out, "\"", 1);
    const size_t room = (len + 2) / 3 * 4 + 1; /* with the NUL that mbedTLS writes */
    char *at = text_reserve(j->out, room);
    size_t n = 0;
    if (at != NULL && mbedtls_base64_encode((unsigned char *)at, room, &n, data, len) == 0) {
        j->out->len += n;
    }
    text_append(j->out, "\"", 1);
}

void jw_raw(struct jw *j, const char *key, const char *value)
{
    lead_in(j, key);
    text_append(j->out, value, strlen(value));
}

void jw_hex(struct jw *j, const char *key, uint64_t value)
{
    jw_fmt(j, key, "0x%llx", (unsigned long long)value);
}

void jw_bool(struct jw *j, const char *key, bool value)
{
    lead_in(j, key);
    text_append(j->out, value ? "true" : "false", value ? 4 : 5);
}

void jw_fixed(struct jw *j, const char *key, uint64_t value, unsigned decimals)
{
    lead_in(j, key);
    text_append_fixed(j->out, value, decimals);
}
