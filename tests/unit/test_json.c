/* SPDX-License-Identifier: MIT */
/* The JSON writer: nesting, escaping, broken UTF-8, exhaustion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/http/json.h"

static void test_shape(void **state)
{
    (void)state;
    struct text_buf b = {0};
    struct json j;
    json_begin(&j, &b);
    json_object(&j, NULL);
    json_u64(&j, "n", UINT64_MAX);
    json_array(&j, "a");
    json_u64(&j, NULL, 1);
    json_str(&j, NULL, "x");
    json_object(&j, NULL);
    json_end_object(&j);
    json_end_array(&j);
    json_bool(&j, "t", true);
    json_null(&j, "z");
    json_str(&j, "none", NULL);
    json_fixed(&j, "ms", 1002003, 3);
    json_fmt(&j, "f", "%04x", 0xabu);
    json_end_object(&j);
    assert_string_equal(b.data,
                        "{\"n\":18446744073709551615,\"a\":[1,\"x\",{}],\"t\":true,\"z\":null,"
                        "\"none\":null,\"ms\":1002.003,\"f\":\"00ab\"}");
    text_free(&b);
}

static void escape(const char *in, const char *out)
{
    struct text_buf b = {0};
    struct json j;
    json_begin(&j, &b);
    json_str(&j, NULL, in);
    assert_string_equal(b.data, out);
    text_free(&b);
}

static void test_strings(void **state)
{
    (void)state;
    escape("", "\"\"");
    escape("a\"b\\c\nd\te\x7f", "\"a\\\"b\\\\c\\nd\\u0009e\\u007f\"");
    escape("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    escape("\xff", "\"\\ufffd\"");
    escape("\xc3", "\"\\ufffd\"");                                  /* cut off */
    escape("\xc0\xaf", "\"\\ufffd\\ufffd\"");                       /* overlong */
    escape("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");            /* surrogate */
    escape("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""); /* beyond Unicode */
}

static void test_limits(void **state)
{
    (void)state;
    struct text_buf b = {0};
    static char chunk[65536];
    for (size_t i = 0; i < 40; i++) {
        text_append(&b, chunk, sizeof(chunk));
    }
    assert_true(b.failed);
    assert_true(b.len < TEXT_BUF_MAX);
    text_free(&b); /* empty again: as at the start */
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.room, 0);
    assert_false(b.failed);

    struct json j;
    json_begin(&j, &b);
    for (int i = 0; i < 2 * JSON_DEPTH; i++) {
        json_array(&j, NULL);
    }
    assert_true(b.failed);
    text_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shape), cmocka_unit_test(test_strings),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
