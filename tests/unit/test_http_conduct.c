/* SPDX-License-Identifier: MIT */
/* HTTP as clients speak it: targets, Host, versions, validators, ranges, expectations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/http/http_priv.h"

static void seen(const struct http_request *req, struct http_response *res)
{
    res->type = "text/plain";
    text_printf(&res->body, "[%s|%s|%s|%zu]", req->path, req->query, req->field.host,
                req->body_len);
}

static void fixed(const struct http_request *req, struct http_response *res)
{
    (void)req;
    res->static_body = "0123456789";
    res->static_len = 10;
    res->etag = "\"v1\"";
}

static size_t sized_bytes;

static void sized(const struct http_request *req, struct http_response *res)
{
    (void)req;
    static char body[2 * HTTP_HEAD_BYTES];
    memset(body, 's', sizeof(body));
    res->static_body = body;
    res->static_len = sized_bytes;
}

static const struct http_route routes[] = {
    {"/sized", HTTP_METHOD_GET, sized, .summary = ""},
    {"/", HTTP_METHOD_GET, seen, .summary = ""},
    {"/a/b", HTTP_METHOD_GET | HTTP_METHOD_POST, seen, .summary = ""},
    {"/fixed", HTTP_METHOD_GET, fixed, .summary = ""},
    {"/large", HTTP_METHOD_POST, seen, .summary = "", .body_max = 2 * HTTP_BODY_MAX},
    {.path = NULL},
};

/* All that comes back; the answer to an Expect goes out before the body comes in. */
static char *talk(const char *head, const char *body, size_t body_len)
{
    struct http_conn *c = http_conn_new();
    struct text_buf out = {0};
    const char *in[] = {head, body};
    const size_t len[] = {strlen(head), body_len};
    for (size_t i = 0; i < 2; i++) {
        for (size_t at = 0; at < len[i] && !http_conn_closing(c);) {
            size_t n;
            const void *p;
            at += http_conn_input(c, in[i] + at, len[i] - at);
            while ((p = http_conn_output(c, &n)) != NULL) {
                text_append(&out, p, n);
                http_conn_sent(c, n);
            }
        }
    }
    text_printf(&out, "%s", http_conn_closing(c) ? "<closed>" : "<open>");
    http_conn_free(c);
    return out.data;
}

static void says(const char *request, const char *start, const char *contains)
{
    char *out = talk(request, "", 0);
    if (strncmp(out, start, strlen(start)) != 0 || strstr(out, contains) == NULL) {
        fail_msg("request:\n%s\nanswer:\n%s\nexpected start '%s', containing '%s'", request, out,
                 start, contains);
    }
    free(out);
}

static void gets(const char *target, const char *start, const char *contains)
{
    char text[HTTP_TARGET_MAX + 100];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target);
    says(text, start, contains);
}

static void targets(void **state)
{
    (void)state;
    static const char *const same[] = {"/a/b",      "//a//b",    "/a/b/",        "/a/./b",
                                       "/x/../a/b", "/a/b/c/..", "/%61/%62",     "/../../a/b",
                                       "/a/b/.",    "/a/%2e/b",  "/x/%2E%2e/a/b"};
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        gets(same[i], "HTTP/1.1 200", "[/a/b||h|0]");
    }
    static const char *const root[] = {"/", "//", "/.", "/..", "/x/.."};
    for (size_t i = 0; i < ARRAY_SIZE(root); i++) {
        gets(root[i], "HTTP/1.1 200", "[/||h|0]");
    }
    gets("/a/b?x=1&y=%20?", "HTTP/1.1 200", "[/a/b|x=1&y=%20?|h|0]");
    gets("http://other:81/a/b?q", "HTTP/1.1 200", "[/a/b|q|other:81|0]");
    gets("HTTPS://other", "HTTP/1.1 200", "[/||other|0]");
    gets("http://other?q", "HTTP/1.1 200", "[/|q|other|0]");
    static const char *const wrong[] = {"/a%2fb", "/%00", "/%7f", "/%0a",      "/%4",
                                        "/%",     "/%zz", "/%4g", "http:///a", "http://u@h/a"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        gets(wrong[i], "HTTP/1.1 400", "application/problem+json");
    }
    char far[HTTP_TARGET_MAX + 10];
    memset(far, 'q', sizeof(far));
    memcpy(far, "/a/b?", 5);
    far[5 + HTTP_QUERY_MAX - 1] = '\0';
    gets(far, "HTTP/1.1 200", "qqq|h|0]");
    far[5 + HTTP_QUERY_MAX - 1] = 'q';
    far[5 + HTTP_QUERY_MAX] = '\0';
    gets(far, "HTTP/1.1 414", "1023 bytes");
    far[5 + HTTP_QUERY_MAX] = 'q';
    far[sizeof(far) - 1] = '\0';
    gets(far, "HTTP/1.1 414", "2 KiB");
    says("GET /a/b HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200", "<open>");
}

static void hosts(void **state)
{
    (void)state;
    says("GET /a/b HTTP/1.1\r\n\r\n", "HTTP/1.1 400", "needs a Host field");
    says("GET /a/b HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "HTTP/1.1 400", "comes twice");
    says("GET /a/b HTTP/1.1\r\nHost:\r\n\r\n", "HTTP/1.1 200", "[/a/b|||0]");
    says("GET /a/b HTTP/1.1\r\nhOsT: \t h \t\r\n\r\n", "HTTP/1.1 200", "[/a/b||h|0]");
    says("GET /a/b HTTP/1.0\r\n\r\n", "HTTP/1.1 200", "[/a/b|||0]");
    says("GET /a/b HTTP/1.1\r\nHostess: x\r\n\r\n", "HTTP/1.1 400", "needs a Host field");
    char text[400];
    snprintf(text, sizeof(text), "GET /a/b HTTP/1.1\r\nHost: %0127d\r\n\r\n", 1);
    says(text, "HTTP/1.1 200", "0001|0]");
    snprintf(text, sizeof(text), "GET /a/b HTTP/1.1\r\nHost: %0128d\r\n\r\n", 1);
    says(text, "HTTP/1.1 431", "too long");
    /* what a trailer says comes too late to mean anything */
    says("POST /a/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nHost: "
         "evil\r\n\r\n",
         "HTTP/1.1 200", "[/a/b||h|1]");
}

static void versions(void **state)
{
    (void)state;
    says("GET /a/b HTTP/1.0\r\n\r\n", "HTTP/1.1 200", "Connection: close\r\n");
    says("GET /a/b HTTP/1.0\r\n\r\n", "HTTP/1.1 200", "<closed>");
    says("GET /a/b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200",
         "Connection: keep-alive\r\n");
    says("GET /a/b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200", "<open>");
    char *out = talk("GET /a/b HTTP/1.1\r\nHost: h\r\n\r\n", "", 0);
    assert_null(strstr(out, "Connection:"));
    free(out);
}

static void options(void **state)
{
    (void)state;
    says("OPTIONS /a/b HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 204",
         "Allow: GET, HEAD, POST, OPTIONS\r\n");
    says("OPTIONS /fixed HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 204",
         "Allow: GET, HEAD, OPTIONS\r\n");
    says("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 204", "Allow: ");
    says("OPTIONS /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404", "");
    says("GET * HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400", "");
    says("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400", "");
}

static void asks(const char *field, const char *start, const char *contains)
{
    char text[300];
    snprintf(text, sizeof(text), "GET /fixed HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", field);
    says(text, start, contains);
}

static void validators(void **state)
{
    (void)state;
    gets("/fixed", "HTTP/1.1 200", "ETag: \"v1\"\r\nCache-Control: no-cache\r\n");
    gets("/a/b", "HTTP/1.1 200", "Cache-Control: no-store\r\n");
    static const char *const same[] = {"If-None-Match: \"v1\"", "If-None-Match: *",
                                       "If-None-Match: W/\"v1\"", "If-None-Match: \"v0\", \"v1\""};
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        asks(same[i], "HTTP/1.1 304 Not Modified\r\n", "ETag: \"v1\"");
        asks(same[i], "HTTP/1.1 304", "\r\n\r\n<open>");
    }
    asks("If-None-Match: \"v2\"", "HTTP/1.1 200", "0123456789");
    says("GET /a/b HTTP/1.1\r\nHost: h\r\nIf-None-Match: *\r\n\r\n", "HTTP/1.1 200", "[/a/b");
}

static void ranges(void **state)
{
    (void)state;
    static const struct {
        const char *range, *start, *has, *body;
    } cases[] = {
        {"bytes=0-0", "HTTP/1.1 206", "Content-Range: bytes 0-0/10", "\r\n\r\n0<open>"},
        {"bytes=3-5", "HTTP/1.1 206", "Content-Range: bytes 3-5/10", "\r\n\r\n345<open>"},
        {"bytes=8-", "HTTP/1.1 206", "Content-Range: bytes 8-9/10", "\r\n\r\n89<open>"},
        {"bytes=9-100", "HTTP/1.1 206", "Content-Range: bytes 9-9/10", "\r\n\r\n9<open>"},
        {"bytes=-2", "HTTP/1.1 206", "Content-Range: bytes 8-9/10", "\r\n\r\n89<open>"},
        {"bytes=-20", "HTTP/1.1 206", "Content-Range: bytes 0-9/10", "\r\n\r\n0123456789<open>"},
        {"bytes=10-", "HTTP/1.1 416", "Content-Range: bytes */10", "outside of the 10 bytes"},
        {"bytes=-0", "HTTP/1.1 416", "Content-Range: bytes */10", "outside"},
        {"bytes=99999999999999999999999-", "HTTP/1.1 416", "Content-Range: bytes */10", ""},
        /* what is no single range of bytes is not looked at */
        {"bytes=5-3", "HTTP/1.1 200", "Content-Length: 10", "0123456789"},
        {"bytes=0-1,3-4", "HTTP/1.1 200", "Accept-Ranges: bytes", "0123456789"},
        {"bytes=-", "HTTP/1.1 200", "", "0123456789"},
        {"lines=1-2", "HTTP/1.1 200", "", "0123456789"},
        {"bytes=1", "HTTP/1.1 200", "", "0123456789"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char field[100];
        snprintf(field, sizeof(field), "Range: %s", cases[i].range);
        asks(field, cases[i].start, cases[i].has);
        asks(field, cases[i].start, cases[i].body);
    }
    says("HEAD /fixed HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\n\r\n", "HTTP/1.1 200",
         "Content-Length: 10");
    says("GET /nowhere HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\n\r\n", "HTTP/1.1 404", "nothing");
}

static void expectations(void **state)
{
    (void)state;
    char *out = talk("POST /a/b HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: "
                     "3\r\n\r\n",
                     "abc", 3);
    static const char first[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n";
    assert_int_equal(strncmp(out, first, strlen(first)), 0);
    assert_non_null(strstr(out, "[/a/b||h|3]"));
    free(out);
    /* the body came along: nobody waits */
    says("POST /a/b HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
         "HTTP/1.1 200 OK", "[/a/b||h|3]");
    says("POST /a/b HTTP/1.1\r\nHost: h\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: "
         "0\r\n\r\n",
         "HTTP/1.1 400", "twice");
}

/* A route may take more than others. */
static void bodies(void **state)
{
    (void)state;
    static char body[2 * HTTP_BODY_MAX + 1];
    char head[200];
    memset(body, 'x', sizeof(body));
    for (size_t more = 0; more < 2; more++) {
        snprintf(head, sizeof(head),
                 "POST /large HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                 sizeof(body) - 1 + more);
        char *out = talk(head, body, sizeof(body) - 1 + more);
        assert_non_null(strstr(out, more == 0 ? "HTTP/1.1 200" : "HTTP/1.1 413"));
        free(out);
    }
}

static bool closed_to_all(const struct http_request *req, const struct http_route *r,
                          struct http_response *res)
{
    (void)req;
    http_error(res, r != NULL ? 401 : 403, "no");
    return false;
}

static void gates(void **state)
{
    (void)state;
    http_set_gate(closed_to_all);
    gets("/a/b", "HTTP/1.1 401 Unauthorized", "\"title\":\"Unauthorized\",\"status\":401");
    gets("/nowhere", "HTTP/1.1 403", "no");
    says("OPTIONS /a/b HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 403", "no");
    http_set_gate(NULL);
    gets("/a/b", "HTTP/1.1 200", "");
}

/* A body that has room behind its head goes out with it in one piece, and none is cut. */
static void pieces(void **state)
{
    (void)state;
    static const char request[] = "GET /sized HTTP/1.1\r\nHost: h\r\n\r\n";
    struct http_conn *c = http_conn_new();
    size_t first_of_two = 0;
    for (sized_bytes = 0; sized_bytes < 2 * HTTP_HEAD_BYTES; sized_bytes++) {
        size_t n, total = 0, count = 0;
        const char *p;
        assert_int_equal(http_conn_input(c, request, strlen(request)), strlen(request));
        const char *head = http_conn_output(c, &n);
        const size_t head_len = (size_t)(strstr(head, "\r\n\r\n") - head) + 4;
        while ((p = http_conn_output(c, &n)) != NULL) {
            for (size_t i = count == 0 ? head_len : 0; i < n; i++) {
                assert_int_equal(p[i], 's');
            }
            total += n;
            count++;
            http_conn_sent(c, n);
        }
        assert_int_equal(total, head_len + sized_bytes);
        assert_int_equal(count, head_len + sized_bytes <= HTTP_HEAD_BYTES ? 1 : 2);
        first_of_two = count == 2 && first_of_two == 0 ? sized_bytes : first_of_two;
    }
    assert_in_range(first_of_two, HTTP_HEAD_BYTES / 2, HTTP_HEAD_BYTES);
    http_conn_free(c);
}

int main(void)
{
    http_set_routes(routes);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets),      cmocka_unit_test(hosts),      cmocka_unit_test(versions),
        cmocka_unit_test(options),      cmocka_unit_test(validators), cmocka_unit_test(ranges),
        cmocka_unit_test(expectations), cmocka_unit_test(bodies),     cmocka_unit_test(gates),
        cmocka_unit_test(pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
