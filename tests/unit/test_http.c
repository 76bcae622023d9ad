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

#include "net/http/http_priv.h"

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

static int any_status;
static const char *any_extra;

static void any(const struct http_request *req, struct http_response *res)
{
    (void)req;
    res->status = any_status;
    res->extra = any_extra;
    text_printf(&res->body, "any");
}

static const struct http_route routes[] = {
    {"/any", HTTP_METHOD_GET, any, .summary = ""},
    {"/only-post", HTTP_METHOD_POST, hello, .summary = ""},
    {"/heap", HTTP_METHOD_GET, heap, .summary = ""},
    {"/hello", HTTP_METHOD_GET | HTTP_METHOD_POST, hello, .summary = ""},
    {"/tree/{a}", HTTP_METHOD_GET, hello, .summary = ""},
    {"/tree/{a}/{b}", HTTP_METHOD_GET, hello, .summary = ""},
    {"/{x}/end", HTTP_METHOD_GET, hello, .summary = ""},
    {"/big", HTTP_METHOD_GET, big, .summary = ""},
    {.path = NULL},
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
    expect("GET /any/end HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "hello /any/end");
    static const char *const nowhere[] = {
        "/tree",    "/tree/of/life/now", "/end",  "/x/ends", "/x/en",  "/tre/x",
        "/trees/x", "/hello/x",          "/hell", "/hellp",  "/Hello", "/"};
    for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++) {
        char text[100];
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", nowhere[i]);
        expect(text, "HTTP/1.1 404", nowhere[i]);
    }
    expect("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200",
           "hello /hello? abc");
    expect("POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
           "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
           "HTTP/1.1 200", "hello /hello? abc");
    expect("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found",
           "nothing is at /nothing");
    expect("POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405",
           "Allow: GET, HEAD, OPTIONS\r\n");
    expect("DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405",
           "Allow: GET, HEAD, POST, OPTIONS\r\n");
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
    const char *text =
        "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nPOST /hello "
        "HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nzzGET /big HTTP/1.1\r\nHost: x\r\n\r\n";
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
    expect("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
           "Connection: close\r\n");
    struct http_conn *c = http_conn_new();
    const char *two = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /hello "
                      "HTTP/1.1\r\nHost: x\r\n\r\n";
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
    expect("GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
           "HTTP/1.1 400", "close");
    expect("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
           "HTTP/1.1 400", "close");

    static char text[HTTP_HEADERS_MAX + 1000];
    memset(text, 'a', sizeof(text));
    memcpy(text, "GET /", 5);
    memcpy(text + 5 + HTTP_PATH_MAX, " HTTP/1.1\r\nHost: x\r\n\r\n", 23);
    expect(text, "HTTP/1.1 414", "longer than 255");

    memset(text, 'a', sizeof(text));
    memcpy(text, "GET / HTTP/1.1\r\nHost: x\r\nX: ", 28);
    memcpy(text + sizeof(text) - 5, "\r\n\r\n", 5);
    expect(text, "HTTP/1.1 431", "8 KiB");

    struct text_buf b = {0};
    text_printf(&b, "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
                HTTP_BODY_MAX + 1);
    char *room = text_reserve(&b, HTTP_BODY_MAX + 1);
    memset(room, 'b', HTTP_BODY_MAX + 1);
    room[HTTP_BODY_MAX + 1] = '\0';
    expect(b.data, "HTTP/1.1 413", "larger than this path takes");
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
                 {"GET / HTTP/1.1\r\nHost: x\r\n", 'a', 431},
                 {"GET / HTTP/1.1\r\nHost: x\r\nX:", ' ', 431},
                 {"GET / HTTP/1.1\r\nHost: x\r\nX: ", 'a', 431}};
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
    memcpy(text, "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX: ", 53);
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
        "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;x=",
        "POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "};
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
    static const char request[] = "GET /heap HTTP/1.1\r\nHost: x\r\n\r\n";
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

static void test_reasons(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *line;
    } cases[] = {
        {200, "HTTP/1.1 200 OK\r\n"},
        {400, "HTTP/1.1 400 Bad Request\r\n"},
        {404, "HTTP/1.1 404 Not Found\r\n"},
        {405, "HTTP/1.1 405 Method Not Allowed\r\n"},
        {413, "HTTP/1.1 413 Content Too Large\r\n"},
        {414, "HTTP/1.1 414 URI Too Long\r\n"},
        {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
        {500, "HTTP/1.1 500 Internal Server Error\r\n"},
        {503, "HTTP/1.1 503 Service Unavailable\r\n"},
        {418, "HTTP/1.1 418 Unknown\r\n"},
    };
    any_extra = "X-One: 1\r\nX-Two: 2\r\n";
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        any_status = cases[i].status;
        expect("GET /any HTTP/1.1\r\nHost: x\r\n\r\n", cases[i].line,
               "X-One: 1\r\nX-Two: 2\r\n\r\nany");
    }
    any_status = 204; /* has no body, whatever was written */
    char *out = once("GET /any HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(out, "HTTP/1.1 204 No Content\r\n"));
    assert_null(strstr(out, "\r\nContent-"));
    assert_string_equal(out + strlen(out) - 4, "\r\n\r\n");
    free(out);
    expect("GET /only-post HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405",
           "Allow: POST, OPTIONS\r\n");
}

/* Lines that do not fit into the head: nothing of the answer goes out, and the connection closes.
 */
static void test_head_too_long(void **state)
{
    (void)state;
    static char extra[800];
    memset(extra, 'x', sizeof(extra) - 1);
    any_status = 200;
    any_extra = extra;
    struct http_conn *c = http_conn_new();
    size_t n;
    assert_int_equal(http_conn_input(c, "GET /any HTTP/1.1\r\nHost: x\r\n\r\n", 30), 30);
    assert_null(http_conn_output(c, &n));
    assert_true(http_conn_closing(c));
    http_conn_free(c);
}

/* Between requests, inside one, with an answer under way, and when it is to be the last one. */
static void test_states(void **state)
{
    (void)state;
    static const char close[] = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct http_conn *c = http_conn_new();
    size_t n;
    assert_false(http_conn_in_request(c));
    assert_int_equal(http_conn_input(c, "GET", 3), 3);
    assert_true(http_conn_in_request(c));
    assert_null(http_conn_output(c, &n));
    assert_int_equal(http_conn_input(c, " /hello HTTP/1.1\r\nHost: x\r\n\r\nGET", 33), 29);
    assert_false(http_conn_in_request(c));
    assert_int_equal(http_conn_input(c, "GET", 3), 0); /* not before the answer is out */
    while (http_conn_output(c, &n) != NULL) {
        http_conn_sent(c, 1);
    }
    assert_int_equal(http_conn_input(c, close, strlen(close)), strlen(close));
    assert_non_null(http_conn_output(c, &n));
    assert_int_equal(http_conn_input(c, "GET", 3), 3); /* swallowed: nobody reads on */
    http_conn_free(c);
}

/* The longest path, and one more: that is refused, but the request's end is known. */
static void test_path_limit(void **state)
{
    (void)state;
    char text[HTTP_PATH_MAX + 100], want[HTTP_PATH_MAX + 100];
    for (int len = HTTP_PATH_MAX - 1; len <= HTTP_PATH_MAX; len++) {
        snprintf(text, sizeof(text), "GET /tree/%0*d HTTP/1.1\r\nHost: x\r\n\r\n", len - 6, 7);
        snprintf(want, sizeof(want), "hello /tree/%0*d? ", len - 6, 7);
        struct http_conn *c = http_conn_new();
        struct http_stats before, after;
        http_get_stats(&before);
        char *out = talk(c, text, strlen(text), 7, 1000);
        http_get_stats(&after);
        if (len < HTTP_PATH_MAX) {
            assert_non_null(strstr(out, want));
        } else {
            assert_non_null(strstr(out, "HTTP/1.1 414"));
        }
        assert_false(http_conn_closing(c));
        assert_int_equal(after.requests, before.requests + 1);
        assert_int_equal(after.bad_requests, before.bad_requests + (len == HTTP_PATH_MAX));
        assert_int_equal(after.bytes_out, before.bytes_out + strlen(out));
        free(out);
        out = talk(c, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", 32, 100, 1000);
        assert_non_null(strstr(out, "HTTP/1.1 200 OK"));
        free(out);
        http_conn_free(c);
    }
}

/* The longest body is taken. */
static void test_body_limit(void **state)
{
    (void)state;
    struct text_buf b = {0};
    text_printf(&b, "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%0*d",
                HTTP_BODY_MAX, HTTP_BODY_MAX, 7);
    expect(b.data, "HTTP/1.1 200", "0007");
    text_free(&b);
}

/* Not even memory to say so. */
static void test_no_memory_at_all(void **state)
{
    (void)state;
    struct text_budget *memory = http_memory(), was = *memory;
    struct http_stats before, after;
    http_get_stats(&before);
    memory->own_bytes = memory->shared_bytes = 0;
    expect("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 503 Service Unavailable",
           "Connection: close\r\n\r\n{\"type\":\"about:blank\",\"title\":\"Service "
           "Unavailable\",\"status\":503,\"detail\":\"no memory\"}\n");
    expect("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 503", "Retry-After: 1\r\n");
    http_get_stats(&after);
    assert_int_equal(after.overloaded, before.overloaded + 2);
    expect("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 503",
           "no memory");
    http_get_stats(&after);
    assert_int_equal(after.overloaded, before.overloaded + 3);
    assert_int_equal(after.bad_requests, before.bad_requests + 1); /* its body was not kept */
    memory->own_bytes = was.own_bytes;
    memory->shared_bytes = was.shared_bytes;
    expect("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "hello");
}

int main(void)
{
    http_set_routes(routes);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),           cmocka_unit_test(test_head),
        cmocka_unit_test(test_split_everywhere), cmocka_unit_test(test_close),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_chunk_limit),      cmocka_unit_test(test_memory),
        cmocka_unit_test(test_reasons),          cmocka_unit_test(test_head_too_long),
        cmocka_unit_test(test_states),           cmocka_unit_test(test_path_limit),
        cmocka_unit_test(test_body_limit),       cmocka_unit_test(test_no_memory_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
