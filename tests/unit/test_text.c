/* SPDX-License-Identifier: MIT */
/* Growing text buffers: the empty string, their limits, the budget that they share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/text.h"

/* What was appended is a string, also when it was nothing, from NULL, or to nothing. */
static void test_empty(void **state)
{
    (void)state;
    struct text_buf b = {0};
    text_append(&b, "", 0);
    assert_non_null(b.data);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.data[0], '\0'); /* memory of malloc, that nobody else has written */
    text_append(&b, "ab", 2);
    text_append(&b, NULL, 0);
    assert_string_equal(b.data, "ab");
    text_printf(&b, "%s", "");
    text_printf(&b, "%d", 7);
    assert_string_equal(b.data, "ab7");
    assert_int_equal(b.len, 3);
    assert_false(b.failed);
    text_free(&b);
    text_printf(&b, "%s", "");
    assert_string_equal(b.data, "");
    text_free(&b);
}

static void test_limit(void **state)
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_empty), cmocka_unit_test(test_limit),
                                       cmocka_unit_test(test_exact_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
