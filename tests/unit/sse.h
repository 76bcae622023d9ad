/* SPDX-License-Identifier: MIT */
/*
 * Reads a stream of server-sent events as a browser does (WHATWG HTML 9.2.6), as far as ours goes:
 * lines end in LF, fields are id, event, data (one line) and retry, ":" begins a comment. Anything
 * else fails the test.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <cmocka.h>

#define SSE_MAX 4096u

struct sse_event {
    uint64_t id; /* 0: it has none */
    char name[16];
    json_t *data;
};
struct sse {
    struct sse_event event[SSE_MAX];
    size_t count;
    unsigned comments;
    unsigned retry_ms;
    uint64_t last_id; /* what a client would send when it comes back */
    /* what is being read */
    char line[8192];
    size_t len;
    struct sse_event now;
};

static inline void sse_line(struct sse *s)
{
    struct sse_event *e = &s->now;
    s->line[s->len] = '\0';
    if (s->len == 0) { /* dispatch; without data it is none */
        if (e->data != NULL) {
            assert_true(s->count < SSE_MAX);
            s->event[s->count++] = *e;
        }
        *e = (struct sse_event){0};
    } else if (s->line[0] == ':') {
        s->comments++;
    } else if (strncmp(s->line, "retry: ", 7) == 0) {
        s->retry_ms = (unsigned)strtoul(s->line + 7, NULL, 10);
    } else if (strncmp(s->line, "id: ", 4) == 0) {
        s->last_id = e->id = strtoull(s->line + 4, NULL, 10);
    } else if (strncmp(s->line, "event: ", 7) == 0) {
        snprintf(e->name, sizeof(e->name), "%s", s->line + 7);
    } else if (strncmp(s->line, "data: ", 6) == 0 && e->data == NULL) {
        e->data = json_loads(s->line + 6, 0, NULL);
        assert_non_null(e->data);
    } else {
        fail_msg("not a line of a stream: %s", s->line);
    }
    s->len = 0;
}

static inline void sse_take(struct sse *s, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        assert_true(text[i] != '\r' && text[i] != '\0' && s->len < sizeof(s->line) - 1);
        if (text[i] == '\n') {
            sse_line(s);
        } else {
            s->line[s->len++] = text[i];
        }
    }
}

static inline void sse_reset(struct sse *s)
{
    for (size_t i = 0; i < s->count; i++) {
        json_decref(s->event[i].data);
    }
    json_decref(s->now.data);
    memset(s, 0, sizeof(*s));
}

static inline size_t sse_count(const struct sse *s, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        n += strcmp(s->event[i].name, name) == 0;
    }
    return n;
}

/* The n-th of that name, from 0; fails when there is none. */
static inline const struct sse_event *sse_get(const struct sse *s, const char *name, size_t n)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->event[i].name, name) == 0 && n-- == 0) {
            return &s->event[i];
        }
    }
    fail_msg("there are only %zu of %s", sse_count(s, name), name);
    return NULL;
}

static inline const char *sse_text(const struct sse_event *e, const char *key)
{
    const char *text = json_string_value(json_object_get(e->data, key));
    return text != NULL ? text : "";
}

static inline uint64_t sse_number(const struct sse_event *e, const char *key)
{
    const json_t *v = json_object_get(e->data, key);
    assert_true(json_is_integer(v));
    return (uint64_t)json_integer_value(v);
}
