/* SPDX-License-Identifier: MIT */
/* Reads server-sent events (sse.h). */
#include "client/sse.h"

#include <string.h>

typedef void take_fn(void *arg, const struct sse_event *e);

/* Copies a name or an id. One that is too long is none: a piece of it would be another. */
static void take_name(char out[SSE_NAME_MAX], const char *value, size_t len)
{
    if (len >= SSE_NAME_MAX || memchr(value, '\0', len) != NULL) {
        len = 0;
    }
    memcpy(out, value, len);
    out[len] = '\0';
}

static void take_data(struct sse *s, const char *value, size_t len)
{
    const size_t parting = s->has_data ? 1 : 0;
    if (s->data_len + parting + len + 1 > sizeof(s->data)) {
        s->broken = true;
        return;
    }
    if (parting != 0) {
        s->data[s->data_len++] = '\n';
    }
    memcpy(s->data + s->data_len, value, len);
    s->data_len += len;
    s->data[s->data_len] = '\0';
    s->has_data = true;
}

static void take_retry(struct sse *s, const char *value, size_t len)
{
    uint64_t ms = 0;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return;
        }
        ms = ms * 10 + (uint64_t)(value[i] - '0');
        ms = ms > SSE_RETRY_MAX ? SSE_RETRY_MAX : ms;
    }
    s->retry_ms = ms;
}

/* "field: value", with or without the blank. */
static void take_field(struct sse *s)
{
    const char *colon = memchr(s->line, ':', s->line_len);
    const size_t n = colon != NULL ? (size_t)(colon - s->line) : s->line_len;
    size_t at = colon != NULL ? n + 1 : n;
    at += at < s->line_len && s->line[at] == ' ';
    const char *value = s->line + at;
    const size_t len = s->line_len - at;
    if (n == 4 && memcmp(s->line, "data", n) == 0) {
        take_data(s, value, len);
    } else if (n == 5 && memcmp(s->line, "event", n) == 0) {
        take_name(s->name, value, len);
    } else if (n == 2 && memcmp(s->line, "id", n) == 0) {
        take_name(s->id, value, len);
    } else if (n == 5 && memcmp(s->line, "retry", n) == 0 && len > 0) {
        take_retry(s, value, len);
    }
}

static void end_line(struct sse *s, take_fn *take, void *arg)
{
    static const char mark[] = "\xef\xbb\xbf"; /* the byte order mark, once */
    const size_t n = sizeof(mark) - 1;
    if (!s->begun && s->line_len >= n && memcmp(s->line, mark, n) == 0) {
        s->line_len -= n;
        memmove(s->line, s->line + n, s->line_len);
    }
    s->begun = true;
    if (s->line_len > 0) {
        take_field(s); /* a comment is a field without a name */
    } else {
        if (s->has_data) {
            take(arg, &(struct sse_event){.name = s->name[0] != '\0' ? s->name : "message",
                                          .id = s->id,
                                          .data = s->data,
                                          .len = s->data_len});
        }
        s->has_data = false;
        s->data_len = 0;
        s->name[0] = s->id[0] = '\0';
    }
    s->line_len = 0;
}

bool sse_put(struct sse *s, const char *bytes, size_t len, take_fn *take, void *arg)
{
    for (size_t i = 0; i < len && !s->broken; i++) {
        const char b = bytes[i];
        const bool second = b == '\n' && s->after_cr; /* of a pair */
        s->after_cr = b == '\r';
        if (second) {
            continue;
        }
        if (b == '\r' || b == '\n') {
            end_line(s, take, arg);
        } else if (s->line_len == sizeof(s->line)) {
            s->broken = true;
        } else {
            s->line[s->line_len++] = b;
        }
    }
    return !s->broken;
}
