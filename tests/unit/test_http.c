/* SPDX-License-Identifier: MIT */
/* The HTTP engine: requests whole, byte by byte and pipelined; limits; what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/http/http.h"

static unsigned calls;

static void hello(const struct http_request *req, struct http_response *res)
{
    calls++;
    res->type = "text/plain";
    text_printf(&res->body, "hello %s?%s %.*s", req->path, req->query, (int)req->body_len,
                req->body != NULL ? req->body : "");
}

static void big(const struct http_request *req, struct http_response *res)
{
    (void)req;
    static const char block[100000] = {'x'};
    res->static_body = block;
    res->static_len = sizeof(block);
}

static size_t heap_bytes;

static void heap(const struct http_request *req, struct http_response *res)
{
    (void)req;
    char *at = text_reserve(&res->body, heap_bytes);
    if (at != NULL) {
        memset(at, 'h', heap_bytes);
        res->body.len += heap_bytes;
    }
}

static const struct http_route routes[] = {
    {"/heap", HTTP_METHOD_GET, heap, ""},
    {"/hello", HTTP_METHOD_GET | HTTP_METHOD_POST, hello, ""},
    {"/tree/*", HTTP_METHOD_GET, hello, ""},
    {"/big", HTTP_METHOD_GET, big, ""},
    {NULL, 0, NULL, NULL},
};

/* Feeds text in pieces of step bytes and drains the output at most max bytes at a time. */
static char *talk(struct http_conn *c, const char *text, size_t len, size_t step, size_t max)
{
    struct text_buf out = {0};
    text_append(&out, "", 0);
    size_t at = 0, idle = 0;
    while (idle < 2) {
        size_t n = 0;
        const void *p;
        while ((p = http_conn_output(c, &n)) != NULL) {
            n = n < max ? n : max;
            text_append(&out, p, n);
            http_conn_sent(c, n);
        }
        size_t used = 0;
        if (at < len && !http_conn_closing(c)) {
            used = http_conn_input(c, text + at, len - at < step ? len - at : step);
            at += used;
        }
        idle = used == 0 ? idle + 1 : 0;
    }
    return out.data;
}

static char *once(const char *text)
{
    struct http_conn *c = http_conn_new();
    char *out = talk(c, text, strlen(text), 1000000, 1000000);
    http_conn_free(c);
    return out;
}

static void expect(const char *request, const char *start, const char *contains)
{
    char *out = once(request);
    if (strncmp(out, start, strlen(start)) != 0 || strstr(out, contains) == NULL) {
        fail_msg("request:\n%s\nanswer:\n%s\nexpected start '%s', containing '%s'", request, out,
                 start, contains);
    }
    free(out);
}

static void test_simple(void **state)
{
    (void)state;
    expect("GET /hello?a=b HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n",
           "\r\n\r\nhello /hello?a=b ");
    expect("GET /tree/of/life HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n",
           "hello /tree/of/life");
    expect("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200",
           "hello /hello? abc");
    expect("POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
           "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
           "HTTP/1.1 200", "hello /hello? abc");
    expect("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found",
           "nothing is at /nothing");
    expect("POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405",
           "Allow: GET, HEAD\r\n");
    expect("DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405",
           "Allow: GET, HEAD, POST\r\n");
    expect("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
           "h2c\r\n\r\n",
           "HTTP/1.1 200", "hello");
}

static void test_head(void **state)
{
    (void)state;
    char *out = once("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(out, "Content-Length: 14\r\n"));
    assert_null(strstr(out, "hello"));
    free(out);
}

static void test_split_everywhere(void **state)
{
    (void)state;
    const char *text = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nPOST /hello "
                       "HTTP/1.1\r\nContent-Length: 2\r\n\r\nzzGET /big HTTP/1.1\r\n\r\n";
    char *whole = NULL;
    for (size_t step = 1; step < strlen(text); step += 7) {
        struct http_conn *c = http_conn_new();
        char *out = talk(c, text, strlen(text), step, 1 + step * 13);
        assert_false(http_conn_closing(c));
        http_conn_free(c);
        if (whole == NULL) {
            whole = out;
            unsigned answers = 0;
            for (const char *p = whole; (p = strstr(p, "HTTP/1.1 200 OK")) != NULL; p++) {
                answers++;
            }
            assert_int_equal(answers, 3);
        } else {
            assert_string_equal(out, whole);
            free(out);
        }
    }
    free(whole);
}

static void test_close(void **state)
{
    (void)state;
    expect("GET /hello HTTP/1.0\r\n\r\n", "HTTP/1.1 200", "Connection: close\r\n");
    expect("GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
           "Connection: close\r\n");
    struct http_conn *c = http_conn_new();
    const char *two = "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\nGET /hello HTTP/1.1\r\n\r\n";
    calls = 0;
    free(talk(c, two, strlen(two), 10, 100000));
    assert_int_equal(calls, 1);
    assert_true(http_conn_closing(c));
    http_conn_free(c);
}

static void test_refused(void **state)
{
    (void)state;
    expect("\x16\x03\x01\x02", "HTTP/1.1 400",
           "not an HTTP/1.1 request"); /* TLS on the plain port */
    expect("GET /hello HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
           "HTTP/1.1 400", "close");
    expect("POST /hello HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
           "HTTP/1.1 400", "close");

    static char text[HTTP_HEADERS_MAX + 1000];
    memset(text, 'a', sizeof(text));
    memcpy(text, "GET /", 5);
    memcpy(text + 5 + HTTP_PATH_MAX, " HTTP/1.1\r\n\r\n", 14);
    expect(text, "HTTP/1.1 414", "longer than 255");

    memset(text, 'a', sizeof(text));
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    memcpy(text + sizeof(text) - 5, "\r\n\r\n", 5);
    expect(text, "HTTP/1.1 431", "8 KiB");

    struct text_buf b = {0};
    text_printf(&b, "POST /hello HTTP/1.1\r\nContent-Length: %d\r\n\r\n", HTTP_BODY_MAX + 1);
    char *room = text_reserve(&b, HTTP_BODY_MAX + 1);
    memset(room, 'b', HTTP_BODY_MAX + 1);
    room[HTTP_BODY_MAX + 1] = '\0';
    expect(b.data, "HTTP/1.1 413", "64 KiB");
    text_free(&b);
}

/* Feeds in pieces until the answer begins; how many bytes were taken before it, and the status. */
static size_t taken_before_answer(const char *start, char fill, size_t step, int *status)
{
    struct http_conn *c = http_conn_new();
    static char text[4 * HTTP_CHUNKED_MAX];
    memset(text, fill, sizeof(text));
    memcpy(text, start, strlen(start));
    size_t at = 0, n;
    const char *out;
    while ((out = http_conn_output(c, &n)) == NULL && at < sizeof(text)) {
        at += http_conn_input(c, text + at, min_u64(step, sizeof(text) - at));
    }
    *status = out != NULL ? atoi(out + strlen("HTTP/1.1 ")) : 0;
    assert_true(http_conn_closing(c));
    http_conn_free(c);
    return at;
}

/* Every byte up to the end of the headers counts, of whatever it is part, in whatever pieces. */
static void test_head_limit(void **state)
{
    (void)state;
    static const struct {
        const char *start;
        char fill;
        int status;
    } heads[] = {{"GET /", 'a', 414},
                 {"", '\n', 431}, /* empty lines before a request are allowed, in moderation */
                 {"GET / HTTP/1.1\r\n", 'a', 431},
                 {"GET / HTTP/1.1\r\nX:", ' ', 431},
                 {"GET / HTTP/1.1\r\nX: ", 'a', 431}};
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        for (size_t step = 1; step < 3000; step += 999) {
            int status;
            size_t taken = taken_before_answer(heads[i].start, heads[i].fill, step, &status);
            assert_int_equal(status, heads[i].status);
            assert_in_range(taken, HTTP_HEADERS_MAX, HTTP_HEADERS_MAX + step);
        }
    }
    /* a head of exactly so many bytes is fine, and its body does not count */
    static char text[HTTP_HEADERS_MAX + 10];
    memset(text, 'a', sizeof(text));
    memcpy(text, "POST /hello HTTP/1.1\r\nContent-Length: 3\r\nX: ", 44);
    memcpy(text + HTTP_HEADERS_MAX - 4, "\r\n\r\nabc", 8);
    expect(text, "HTTP/1.1 200", "hello /hello? abc");
    memcpy(text + HTTP_HEADERS_MAX - 4, "a\r\n\r\nabc", 9);
    expect(text, "HTTP/1.1 431", "8 KiB");
}

/* A body that is all framing: extensions and trailers are limited, too. */
static void test_chunk_limit(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "POST /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
        "POST /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "};
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        int status;
        size_t taken = taken_before_answer(starts[i], 'a', 1000, &status);
        assert_int_equal(status, 413);
        assert_in_range(taken, HTTP_CHUNKED_MAX, HTTP_CHUNKED_MAX + HTTP_HEADERS_MAX + 1000);
    }
}

/* Answers of several connections share a budget; without room it is a clean 503, small answers
 * always have room, and what is sent is given back. */
static void test_memory(void **state)
{
    (void)state;
    static const char request[] = "GET /heap HTTP/1.1\r\n\r\n";
    struct http_conn *c[8];
    struct http_stats before, s;
    size_t n, refused = 0;
    http_get_stats(&before);
    heap_bytes = MIB(1);
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        c[i] = http_conn_new();
        assert_int_equal(http_conn_input(c[i], request, strlen(request)), strlen(request));
        bool ok = strncmp(http_conn_output(c[i], &n), "HTTP/1.1 200", 12) == 0;
        refused += !ok;
        assert_true(ok || strstr(http_conn_output(c[i], &n), "Retry-After: 1\r\n") != NULL);
        http_get_stats(&s);
        assert_in_range(s.memory_used, 0, HTTP_MEMORY_SHARED);
    }
    assert_int_equal(refused, 4); /* what each has to itself is for the heads of four more */
    assert_int_equal(s.overloaded, before.overloaded + 4);
    heap_bytes = HTTP_MEMORY_OWN - 1;
    expect(request, "HTTP/1.1 200", "hhh");
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        size_t left;
        while (http_conn_output(c[i], &left) != NULL) {
            http_conn_sent(c[i], left);
        }
        http_get_stats(&s);
        assert_true(s.memory_used < HTTP_MEMORY_SHARED - (i < 4 ? i * MIB(1) : 0));
    }
    assert_int_equal(s.memory_used, 0);
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        http_conn_free(c[i]);
    }
    heap_bytes = TEXT_BUF_MAX; /* more than any answer may have */
    expect(request, "HTTP/1.1 503", "try again");
}

int main(void)
{
    http_set_routes(routes);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),           cmocka_unit_test(test_head),
        cmocka_unit_test(test_split_everywhere), cmocka_unit_test(test_close),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_chunk_limit),      cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
