/* SPDX-License-Identifier: MIT */
/* A client of /api/v1/events on the HTTP engine, without a network, in virtual time. */
#pragma once

#include "arch/clock.h"
#include "gsp/gpu.h"
#include "net/api/api.h"
#include "net/api/event_ring.h"
#include "net/api/events.h"
#include "net/http/http.h"
#include "tests/unit/rig_assert.h"
#include "tests/unit/sse.h"

#define BOOT_UNIX_S 1790000000ull
#define BASE        (BOOT_UNIX_S * 1000)

static struct api_context ctx;
static const char *notes[4];

/* ---- a client ---- */

struct client {
    struct http_conn *conn;
    char head[1024];
    size_t head_len;
    struct sse sse;
    bool held;      /* reads nothing */
    unsigned wakes; /* times that it was told there is something */
};
static struct client one;

static inline void drain(void *arg);
static inline void on_ready(void *arg)
{
    struct client *c = arg;
    c->wakes++;
    drain(c);
}

static inline void drain(void *arg)
{
    struct client *c = arg;
    size_t n;
    const char *p;
    while (!c->held && (p = http_conn_output(c->conn, &n)) != NULL) {
        size_t at = 0;
        while (at < n && (c->head_len < 4 || strcmp(c->head + c->head_len - 4, "\r\n\r\n") != 0)) {
            assert_true(c->head_len < sizeof(c->head) - 1);
            c->head[c->head_len++] = p[at++];
            c->head[c->head_len] = '\0';
        }
        if (strstr(c->head, "text/event-stream") != NULL) {
            sse_take(&c->sse, p + at, n - at);
        }
        http_conn_sent(c->conn, n);
    }
}

static inline void leave(struct client *c)
{
    http_conn_free(c->conn);
    sse_reset(&c->sse);
    memset(c, 0, sizeof(*c));
}

/* HTTP/1.0: nothing frames the stream. */
static inline void ask(struct client *c, const char *query, const char *fields)
{
    char request[2048];
    c->conn = http_conn_new();
    assert_non_null(c->conn);
    http_conn_on_ready(c->conn, on_ready, c);
    snprintf(request, sizeof(request), "GET /api/v1/events%s HTTP/1.0\r\nHost: localhost\r\n%s\r\n",
             query, fields);
    assert_int_equal(http_conn_input(c->conn, request, strlen(request)), strlen(request));
    drain(c);
}

static inline void listens(struct client *c, const char *query, const char *fields)
{
    ask(c, query, fields);
    assert_non_null(strstr(c->head, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"));
    assert_non_null(strstr(c->head, "Cache-Control: no-store\r\n"));
    assert_int_equal(c->sse.retry_ms, 2000);
}

static inline void poll_once(void)
{
    events_poll();
    http_poll();
}

static inline void pass_us(uint64_t us)
{
    host_clock_advance(us * NS_PER_US);
    poll_once();
}

/* As the network fiber sleeps: until there is something to do, or the time has come. Returns how
 * often it woke up before. */
static inline unsigned sleep_until(uint64_t at_us)
{
    unsigned wakes = 0;
    poll_once();
    for (; clock_now_us() < at_us; wakes++) {
        pass_us(min_u64(at_us, max_u64(events_due_us(), clock_now_us())) - clock_now_us());
        assert_true(wakes < 100000);
    }
    return wakes - 1;
}

static inline struct event_stats stats(void)
{
    struct event_stats s;
    events_get_stats(&s);
    return s;
}

/* The whole answer to a GET, body included; to be freed. */
static inline struct text_buf fetch(const char *path)
{
    char request[256];
    size_t n;
    const char *p;
    struct text_buf all = {0};
    struct http_conn *c = http_conn_new();
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    assert_int_equal(http_conn_input(c, request, strlen(request)), strlen(request));
    while ((p = http_conn_output(c, &n)) != NULL) {
        text_append(&all, p, n);
        http_conn_sent(c, n);
    }
    http_conn_free(c);
    return all;
}

static inline json_t *fetch_json(const char *path)
{
    struct text_buf all = fetch(path);
    assert_non_null(strstr(all.data, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"));
    json_t *v = json_loads(strstr(all.data, "\r\n\r\n") + 4, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(v);
    text_free(&all);
    return v;
}

static inline json_t *list(const char *query)
{
    char path[128];
    snprintf(path, sizeof(path), "/api/v1/events%s", query);
    return fetch_json(path);
}

static inline uint64_t number(const json_t *v, const char *key)
{
    assert_true(json_is_integer(json_object_get(v, key)));
    return (uint64_t)json_integer_value(json_object_get(v, key));
}

static inline int fresh(void **state)
{
    (void)state;
    host_reset();
    host_clock_set_step(0);
    host_clock_advance(5 * US_PER_S * NS_PER_US);
    host_clock_set_unix(BOOT_UNIX_S);
    memset(notes, 0, sizeof(notes));
    ctx = (struct api_context){.version = "x", .notes = notes};
    api_init(&ctx);
    return 0;
}

static inline void add(const char *text)
{
    char data[EVENT_BYTES_MAX + 8];
    snprintf(data, sizeof(data), "{\"text\":\"%s\"}", text);
    assert_true(event_ring_add("note", data, strlen(data)));
}
