/* SPDX-License-Identifier: MIT */
/* GET /: who gets the page and who the links, and what the answer promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/api/api.h"
#include "net/api/api_priv.h"
#include "net/http/http.h"
#include "tests/unit/wire.h"

static struct api_context ctx;
static char *answer;

static const char *get(const char *fields)
{
    struct http_conn *c = http_conn_new();
    struct text_buf out = {0};
    char request[300];
    size_t n;
    const void *p;
    snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: localhost\r\n%s\r\n", fields);
    assert_int_equal(http_conn_input(c, request, strlen(request)), strlen(request));
    while ((p = http_conn_output(c, &n)) != NULL) {
        text_append(&out, p, n);
        http_conn_sent(c, n);
    }
    http_conn_free(c);
    free(answer);
    answer = out.data;
    return answer;
}

static void test_codings(void **state)
{
    (void)state;
    static const char *const takes[] = {"gzip",
                                        "gzip, deflate, br",
                                        "deflate,gzip;q=0.5",
                                        "*",
                                        "GZIP",
                                        "x-gzip",
                                        "br ,\tgzip ; q=1",
                                        "gzip;q=0.001",
                                        "*;q=0, gzip",
                                        "identity, *",
                                        ",, gzip",
                                        "gzip;level=0",
                                        "gzip;q=0x",
                                        "deflate;q=0, *"};
    static const char *const not[] = {"",
                                      "identity",
                                      "deflate",
                                      "gzip;q=0",
                                      "gzip;q=0.000",
                                      "*;q=0",
                                      "gzip; q=0.0 , *",
                                      "gzip2",
                                      "br;q=1.0, xz",
                                      ",",
                                      "gzi, zip",
                                      "*, gzip;Q=0",
                                      "x-gzip;q=0",
                                      "**"};
    for (size_t i = 0; i < ARRAY_SIZE(takes); i++) {
        if (!api_takes_gzip(takes[i])) {
            fail_msg("'%s' takes gzip", takes[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(not); i++) {
        if (api_takes_gzip(not[i])) {
            fail_msg("'%s' does not take gzip", not[i]);
        }
    }
}

static void assert_page(const char *text, bool gzip)
{
    assert_non_null(strstr(text, "200 OK"));
    assert_non_null(strstr(text, "\r\nVary: Accept-Encoding, Accept\r\n"));
    const char *policy = strstr(text, "\r\nContent-Security-Policy: default-src 'none'; ");
    assert_non_null(policy);
    const char *end = strstr(policy + 2, "\r\n");
    const char *unsafe = strstr(policy, "unsafe");
    assert_true(unsafe == NULL || unsafe > end);
    const char *body = strstr(text, "\r\n\r\n") + 4;
    const char *coding = strstr(text, "\r\nContent-Encoding: gzip\r\n");
    assert_int_equal(coding != NULL && coding < body, gzip);
    if (gzip) {
        assert_memory_equal(body, "\x1f\x8b\x08", 3); /* RFC 1952: gzip, deflated */
    } else {
        assert_non_null(strstr(body, "<a href=\"/api/v1/status\">"));
        assert_null(strstr(body, "<script"));
    }
}

static void test_forms(void **state)
{
    (void)state;
    assert_page(get("Accept-Encoding: gzip, deflate\r\nAccept: text/html\r\n"), true);
    assert_page(get("Accept: */*\r\n"), false); /* curl */
    assert_page(get("Accept: text/html,*/*;q=0.8\r\n"), true);
    assert_page(get("Accept-Encoding: identity\r\nAccept: text/html\r\n"), false);
}

/* Who has the page already does not get it again; who has only the links does. */
static void test_tag(void **state)
{
    (void)state;
    const char *tag = strstr(get("Accept-Encoding: gzip\r\n"), "\r\nETag: ");
    char fields[100];
    assert_non_null(tag);
    tag += 8;
    snprintf(fields, sizeof(fields), "If-None-Match: %.*s\r\n", (int)strcspn(tag, "\r"), tag);
    assert_non_null(strstr(get(fields), "200 OK"));
    tag = strstr(get("Accept-Encoding: gzip\r\n"), "\r\nETag: ") + 8;
    snprintf(fields, sizeof(fields), "Accept-Encoding: gzip\r\nIf-None-Match: %.*s\r\n",
             (int)strcspn(tag, "\r"), tag);
    assert_non_null(strstr(get(fields), "304 Not Modified"));
}

static int group_setup(void **state)
{
    (void)state;
    wire_start();
    ctx.version = "test";
    api_init(&ctx);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    free(answer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codings),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_tag),
    };
    return cmocka_run_group_tests_name("page", tests, group_setup, group_teardown);
}
