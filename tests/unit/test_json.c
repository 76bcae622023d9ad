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

    struct jw j;
    jw_begin(&j, &b);
    for (int i = 0; i < 2 * JW_DEPTH; i++) {
        jw_array(&j, NULL);
    }
    assert_true(b.failed);
    text_free(&b);
}

/* The last byte that a buffer may have, and one more; a budget likewise. */
static void test_exact_limits(void **state)
{
    (void)state;
    struct text_buf b = {0};
    assert_null(text_reserve(&b, TEXT_BUF_MAX));
    assert_true(b.failed);
    text_free(&b);
    assert_false(b.failed);
    assert_non_null(text_reserve(&b, TEXT_BUF_MAX - 1));
    b.len = TEXT_BUF_MAX - 1;
    assert_non_null(text_reserve(&b, 0));
    assert_null(text_reserve(&b, 1));
    text_free(&b);

    struct text_budget g = {.own_bytes = 100, .shared_bytes = 1000};
    struct text_buf one = {.budget = &g}, two = {.budget = &g};
    assert_non_null(text_reserve(&one, 99)); /* its own, with the NUL */
    assert_int_equal(g.shared_used, one.room - 100);
    text_trim(&one); /* nothing is used */
    assert_int_equal(one.room, 1);
    assert_int_equal(g.shared_used, 0);
    assert_non_null(text_reserve(&one, 1099)); /* 100 of its own, all that is shared */
    assert_int_equal(g.shared_used, 1000);
    assert_int_equal(g.refusals, 0);
    assert_non_null(text_reserve(&two, 99)); /* no room to grow ahead: exactly what it asks */
    assert_int_equal(two.room, 100);
    assert_null(text_reserve(&two, 100));
    assert_int_equal(g.refusals, 1);
    assert_true(two.failed);
    assert_null(text_reserve(&two, 1)); /* stays so */
    text_free(&one);
    text_free(&two);
    assert_true(one.room == 0 && one.len == 0 && two.room == 0 && !two.failed);
    assert_non_null(text_reserve(&one, 0)); /* not even room for the NUL was left */
    text_free(&one);
    assert_int_equal(g.shared_used, 0);
    assert_int_equal(g.shared_peak, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shape), cmocka_unit_test(test_strings),
                                       cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_exact_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
