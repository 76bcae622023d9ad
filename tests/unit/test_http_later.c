/* SPDX-License-Identifier: MIT */
/* Answers that come later, and answers that are made while they are sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/http/http_priv.h"

static struct {
    struct http_later *later;
    unsigned woken, ready;
    /* the stream */
    size_t at, total, step; /* bytes given, in all, at most at a time; step 0: nothing now */
    uint64_t length;
    unsigned closed;
    bool seekable, cut;
} t;

static void later(const struct http_request *req, struct http_response *res)
{
    t.later = http_defer(req, res);
}

static void at_once(const struct http_request *req, struct http_response *res)
{
    struct http_later *l = http_defer(req, res);
    text_printf(&http_later_response(l)->body, "at once");
    http_later_done(l);
}

static size_t give(void *ctx, void *buf, size_t size, bool *end)
{
    size_t n = min_u64(min_u64(size, t.step), t.total - t.at);
    assert_ptr_equal(ctx, &t);
    for (size_t i = 0; i < n; i++) {
        ((char *)buf)[i] = (char)('a' + (t.at + i) % 26);
    }
    t.at += n;
    *end = t.at == t.total || t.cut;
    return n;
}

static void seek(void *ctx, uint64_t offset)
{
    (void)ctx;
    t.at = (size_t)offset;
}

static void closed(void *ctx)
{
    (void)ctx;
    t.closed++;
}

static void stream(const struct http_request *req, struct http_response *res)
{
    (void)req;
    res->type = "text/plain";
    res->stream = (struct http_stream){.read = give,
                                       .seek = t.seekable ? seek : NULL,
                                       .close = closed,
                                       .ctx = &t,
                                       .length = t.length};
}

static const struct http_route routes[] = {
    {"/later", HTTP_METHOD_GET | HTTP_METHOD_POST, later, .summary = ""},
    {"/at-once", HTTP_METHOD_GET, at_once, .summary = ""},
    {"/stream", HTTP_METHOD_GET, stream, .summary = ""},
    {.path = NULL},
};

static void wake(void) { t.woken++; }
static void on_ready(void *ctx)
{
    assert_non_null(ctx);
    t.ready++;
}

static int setup(void **state)
{
    struct http_conn *c = http_conn_new();
    memset(&t, 0, sizeof(t));
    t.step = SIZE_MAX;
    http_conn_on_ready(c, on_ready, c);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct http_stats s;
    http_conn_free(*state);
    http_get_stats(&s);
    return s.memory_used == 0 && s.deferred == 0 ? 0 : -1;
}

static void ask(struct http_conn *c, const char *text)
{
    assert_int_equal(http_conn_input(c, text, strlen(text)), strlen(text));
}

/* What there is to be sent now, at most step bytes at a time. */
static char *drain(struct http_conn *c, size_t step)
{
    struct text_buf out = {0};
    size_t n;
    const void *p;
    text_printf(&out, "%s", "");
    while ((p = http_conn_output(c, &n)) != NULL) {
        n = min_u64(n, step);
        text_append(&out, p, n);
        http_conn_sent(c, n);
    }
    return out.data;
}

static void an_answer_comes_later(void **state)
{
    struct http_conn *c = *state;
    size_t n;
    ask(c, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    assert_true(http_conn_working(c));
    assert_null(http_conn_output(c, &n));
    assert_int_equal(http_conn_input(c, "GET", 3), 0); /* its turn comes after that */
    assert_true(http_later_wanted(t.later));
    const struct http_request *req = http_later_request(t.later);
    assert_int_equal(req->body_len, 3);
    assert_memory_equal(req->body, "abc", 3);
    assert_string_equal(req->path, "/later");
    text_printf(&http_later_response(t.later)->body, "here it is");
    assert_int_equal(t.woken, 0);
    http_later_done(t.later);
    assert_int_equal(t.woken, 1);
    assert_false(http_conn_working(c));
    http_collect();
    assert_int_equal(t.ready, 1);
    http_collect();
    assert_int_equal(t.ready, 1); /* told once */
    char *out = drain(c, 7);
    assert_non_null(strstr(out, "HTTP/1.1 200 OK"));
    assert_non_null(strstr(out, "\r\n\r\nhere it is"));
    free(out);
    ask(c, "GET /at-once HTTP/1.1\r\nHost: h\r\n\r\n"); /* and the connection goes on */
    out = drain(c, 100);
    assert_non_null(strstr(out, "at once"));
    free(out);
}

/* Whoever works on an answer may find nobody there, and the answer goes with its memory. */
static void the_client_has_gone(void **state)
{
    struct http_conn *c = http_conn_new();
    struct http_stats s;
    (void)state;
    ask(c, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    http_get_stats(&s);
    assert_int_equal(s.deferred, 1);
    http_conn_free(c);
    assert_false(http_later_wanted(t.later));
    char *at = text_reserve(&http_later_response(t.later)->body, KIB(100));
    assert_non_null(at);
    http_later_response(t.later)->stream =
        (struct http_stream){.read = give, .close = closed, .ctx = &t};
    http_later_done(t.later);
    assert_int_equal(t.closed, 1);
    http_collect();
}

/* Answered, and gone before the network fiber looks. */
static void gone_when_ready(void **state)
{
    struct http_conn *c = http_conn_new();
    (void)state;
    http_conn_on_ready(c, on_ready, c);
    ask(c, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    http_later_done(t.later);
    http_conn_free(c);
    http_collect();
    assert_int_equal(t.ready, 0);
}

/* Chunked when the length is not known; without length or chunks to HTTP/1.0. */
static void a_stream(void **state)
{
    struct http_conn *c = *state;
    t.total = 10;
    t.step = 4;
    t.length = HTTP_LENGTH_UNKNOWN;
    ask(c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    char *out = drain(c, 3);
    assert_non_null(strstr(out, "Transfer-Encoding: chunked\r\n"));
    assert_null(strstr(out, "Content-Length"));
    assert_non_null(strstr(out, "\r\n\r\n4\r\nabcd\r\n4\r\nefgh\r\n2\r\nij\r\n0\r\n\r\n"));
    free(out);
    assert_int_equal(t.closed, 1);
    assert_false(http_conn_closing(c));
    t.at = 0;
    ask(c, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    out = drain(c, 100);
    assert_non_null(strstr(out, "Connection: close\r\n\r\nabcdefghij"));
    assert_null(strstr(out, "chunked"));
    free(out);
    assert_int_equal(t.closed, 2);
    assert_true(http_conn_closing(c));
}

static void a_stream_of_known_length(void **state)
{
    struct http_conn *c = *state;
    t.total = 10000; /* more than a piece */
    t.length = 10000;
    t.seekable = true;
    ask(c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    char *out = drain(c, 1000);
    assert_non_null(strstr(out, "Content-Length: 10000\r\nAccept-Ranges: bytes\r\n"));
    assert_int_equal(strlen(strstr(out, "\r\n\r\n")), 4 + 10000);
    free(out);
    t.at = 0;
    ask(c, "GET /stream HTTP/1.1\r\nHost: h\r\nRange: bytes=26-28\r\n\r\n");
    out = drain(c, 1000);
    assert_non_null(strstr(out, "Content-Range: bytes 26-28/10000\r\n"));
    assert_non_null(strstr(out, "\r\n\r\nabc"));
    free(out);
    assert_int_equal(t.closed, 2);
    t.seekable = false;
    t.at = 0;
    ask(c, "GET /stream HTTP/1.1\r\nHost: h\r\nRange: bytes=26-28\r\n\r\n");
    out = drain(c, 1000);
    assert_non_null(strstr(out, "HTTP/1.1 200 OK"));
    assert_null(strstr(out, "Accept-Ranges"));
    free(out);
    ask(c, "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    out = drain(c, 1000);
    assert_non_null(strstr(out, "Content-Length: 10000\r\n"));
    assert_string_equal(strstr(out, "\r\n\r\n"), "\r\n\r\n");
    free(out);
    assert_int_equal(t.closed, 4);
}

/* Nothing now, more later; another request waits for its end. */
static void a_stream_that_waits(void **state)
{
    struct http_conn *c = *state;
    t.total = 10;
    t.step = 0;
    t.length = HTTP_LENGTH_UNKNOWN;
    http_stream_ready(c); /* no stream there */
    http_collect();
    assert_int_equal(t.ready, 0);
    ask(c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    char *out = drain(c, 1000);
    assert_non_null(strstr(out, "\r\n\r\n"));
    free(out);
    assert_true(http_conn_working(c));
    assert_int_equal(http_conn_input(c, "GET", 3), 0);
    t.step = 10;
    http_stream_ready(c);
    http_collect();
    assert_int_equal(t.ready, 1);
    out = drain(c, 1000);
    assert_string_equal(out, "a\r\nabcdefghij\r\n0\r\n\r\n");
    free(out);
    assert_false(http_conn_working(c));
}

/* A stream that ends before its promised length breaks the connection: the client must notice. */
static void a_stream_cut_short(void **state)
{
    struct http_conn *c = *state;
    t.total = 10;
    t.length = 20;
    t.cut = true;
    ask(c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    free(drain(c, 1000));
    assert_true(http_conn_closing(c));
    assert_false(http_conn_working(c));
    assert_int_equal(t.closed, 1);
}

/* The client goes in the middle: the stream is closed. */
static void a_stream_given_up(void **state)
{
    struct http_conn *c = http_conn_new();
    (void)state;
    t.total = 100000;
    t.length = HTTP_LENGTH_UNKNOWN;
    ask(c, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    size_t n;
    http_conn_sent(c, http_conn_output(c, &n) != NULL ? n : 0);
    assert_non_null(http_conn_output(c, &n));
    http_conn_free(c);
    assert_int_equal(t.closed, 1);
}

int main(void)
{
    http_set_routes(routes);
    http_set_wake(wake);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_answer_comes_later),    T(the_client_has_gone),
        T(gone_when_ready),          T(a_stream),
        T(a_stream_of_known_length), T(a_stream_that_waits),
        T(a_stream_cut_short),       T(a_stream_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
