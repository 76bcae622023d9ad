/* SPDX-License-Identifier: MIT */
/* The JSON writer: nesting, escaping, broken UTF-8, too deep. */
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
    struct jw j;
    jw_begin(&j, &b);
    jw_object(&j, NULL);
    jw_u64(&j, "n", UINT64_MAX);
    jw_array(&j, "a");
    jw_u64(&j, NULL, 1);
    jw_str(&j, NULL, "x");
    jw_object(&j, NULL);
    jw_end_object(&j);
    jw_end_array(&j);
    jw_bool(&j, "t", true);
    jw_null(&j, "z");
    jw_str(&j, "none", NULL);
    jw_fixed(&j, "ms", 1002003, 3);
    jw_fmt(&j, "f", "%04x", 0xabu);
    jw_end_object(&j);
    assert_string_equal(b.data,
                        "{\"n\":18446744073709551615,\"a\":[1,\"x\",{}],\"t\":true,\"z\":null,"
                        "\"none\":null,\"ms\":1002.003,\"f\":\"00ab\"}");
    text_free(&b);
}

static void escape(const char *in, const char *out)
{
    struct text_buf b = {0};
    struct jw j;
    jw_begin(&j, &b);
    jw_str(&j, NULL, in);
    assert_string_equal(b.data, out);
    text_free(&b);
}

static void test_strings(void **state)
{
    (void)state;
    escape("", "\"\"");
    escape("a\"b\\c\nd\te\x7f", "\"a\\\"b\\\\c\\nd\\u0009e\\u007f\"");
    escape("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    escape("\xc2\x80\xdf\xbf", "\"\xc2\x80\xdf\xbf\""); /* the first and the last of each length */
    escape("\xe0\xa0\x80\xef\xbf\xbf", "\"\xe0\xa0\x80\xef\xbf\xbf\"");
    escape("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
    escape("\xed\x9f\xbf\xee\x80\x80", "\"\xed\x9f\xbf\xee\x80\x80\""); /* beside the surrogates */
    escape("\xed\xbf\xbf", "\"\\ufffd\\ufffd\\ufffd\"");
    escape("\xe0\x9f\xbf", "\"\\ufffd\\ufffd\\ufffd\"");
    escape("\xf0\x8f\xbf\xbf", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    escape("\xe2\x82(", "\"\\ufffd\\ufffd(\"");
    escape("\x1f ~\x7f", "\"\\u001f ~\\u007f\"");
    escape("\xff", "\"\\ufffd\"");
    escape("\xc3", "\"\\ufffd\"");                                  /* cut off */
    escape("\xc0\xaf", "\"\\ufffd\\ufffd\"");                       /* overlong */
    escape("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");            /* surrogate */
    escape("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""); /* beyond Unicode */
}

static void test_depth(void **state)
{
    (void)state;
    struct text_buf b = {0};
    struct jw j;
    jw_begin(&j, &b);
    for (int i = 0; i < 2 * JW_DEPTH; i++) {
        jw_array(&j, NULL);
    }
    assert_true(b.failed);
    text_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shape), cmocka_unit_test(test_strings),
                                       cmocka_unit_test(test_depth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
