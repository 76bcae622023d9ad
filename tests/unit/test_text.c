/* SPDX-License-Identifier: MIT */
/*
 * Texts in a fixed buffer: every size, what is cut, the units. Texts that grow: the empty string,
 * their limits, the budget that they share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

#include "arch/text.h"

static void add_str(struct text *t) { text_str(t, "0123456789"); }
static void add_two(struct text *t)
{
    text_str(t, "01234");
    text_str(t, "56789");
}
static void add_fmt(struct text *t) { text_fmt(t, "%d%s", 1234, "567890"); }
static void add_dec(struct text *t) { text_dec(t, 1234567890); }

/* In room for none to all of it and more: cut at the end, terminated, nothing behind is touched,
 * and once cut nothing fits any more, however short. */
static void test_fixed(void **state)
{
    (void)state;
    static const struct {
        void (*add)(struct text *t);
        const char *all;
    } ways[] = {{add_str, "0123456789"},
                {add_two, "0123456789"},
                {add_fmt, "1234567890"},
                {add_dec, "1234567890"}};
    enum { LENGTH = 10 };
    for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
        for (size_t size = 0; size < LENGTH + 3; size++) {
            char buf[LENGTH + 4];
            memset(buf, 'x', sizeof(buf));
            struct text t = text_on(buf, size);
            assert_true(size == 0 || buf[0] == '\0');
            ways[w].add(&t);
            const size_t fits = size == 0 ? 0 : size - 1 < LENGTH ? size - 1 : LENGTH;
            assert_int_equal(t.used, fits);
            assert_int_equal(t.cut, fits < LENGTH);
            assert_memory_equal(buf, ways[w].all, fits);
            assert_true(size == 0 || buf[fits] == '\0');
            text_str(&t, ""); /* nothing fits always */
            assert_int_equal(t.cut, fits < LENGTH);
            if (t.cut) {
                text_fmt(&t, "%s", "");
                text_str(&t, "y");
                text_fmt(&t, "%c", 'y');
                text_dec(&t, 1);
                assert_true(t.cut && t.used == fits);
                assert_true(size == 0 || buf[fits] == '\0');
            }
            assert_int_equal(buf[size], 'x');
        }
    }
}

/* What cannot be formatted leaves the text as it was, and cut. */
static void test_unformatted(void **state)
{
    (void)state;
    char buf[32];
    struct text t = text_on(buf, sizeof(buf));
    text_str(&t, "ab");
    text_fmt(&t, "c%lc", (wint_t)0x110000); /* no character: EILSEQ */
    text_str(&t, "d"); /* there is room, but it would stand in a place that is not its own */
    text_fmt(&t, "%c", 'e');
    assert_string_equal(buf, "ab");
    assert_int_equal(t.used, 2);
    assert_true(t.cut);
}

static void test_numbers(void **state)
{
    (void)state;
    char buf[96];
    struct text t = text_on(buf, sizeof(buf));
    text_dec(&t, 0);
    text_str(&t, " ");
    text_dec(&t, UINT64_MAX);
    text_str(&t, " ");
    text_hex(&t, 0);
    text_str(&t, " ");
    text_hex(&t, 0xdeadbeef0123abcd);
    assert_string_equal(buf, "0 18446744073709551615 0 deadbeef0123abcd");
    t = text_on(buf, sizeof(buf));
    static const uint64_t sizes[] = {0, 1023, 24678, MIB(1) - 1, MIB(1), 63543706, GIB(80)};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        text_size(&t, sizes[i]);
        text_str(&t, ";");
    }
    assert_string_equal(buf, "0.0 KiB;0.9 KiB;24.0 KiB;1023.9 KiB;1.0 MiB;60.6 MiB;81920.0 MiB;");
    assert_false(t.cut);
}

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

/* What is printed or written in decimals: exact, whether or not there was room before. */
static void test_growing(void **state)
{
    (void)state;
    struct text_budget g = {.own_bytes = 100, .shared_bytes = 0};
    struct text_buf b = {0}, tight = {.budget = &g};
    for (unsigned i = 0; i < 2000; i++) { /* over every edge of the room */
        text_printf(&b, "%s%u", "x", i % 10);
    }
    assert_int_equal(b.len, 4000);
    assert_memory_equal(b.data + 3980, "x0x1x2x3x4x5x6x7x8x9", 21); /* with the NUL */
    b.len = 0;
    text_append_u64(&b, 0);
    text_append(&b, " ", 1);
    text_append_u64(&b, UINT64_MAX);
    text_append(&b, " ", 1);
    text_append_fixed(&b, 1500, 3);
    text_append(&b, " ", 1);
    text_append_fixed(&b, 7, 6);
    text_append(&b, " ", 1);
    text_append_fixed(&b, 42, 0);
    text_append(&b, " ", 1);
    text_append_fixed(&b, UINT64_MAX, 19);
    text_append(&b, " ", 1);
    text_append_fixed(&b, 0, 99);
    assert_string_equal(b.data, "0 18446744073709551615 1.500 0.000007 42 1.8446744073709551615 "
                                "0.0000000000000000000");
    text_free(&b);
    text_printf(&tight, "%099d", 1); /* all that there is */
    assert_true(tight.len == 99 && !tight.failed);
    text_printf(&tight, "%d", 1);
    assert_true(tight.len == 99 && tight.failed);
    assert_int_equal(strlen(tight.data), 99);
    text_free(&tight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing),     cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_unformatted), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_empty),       cmocka_unit_test(test_limit),
        cmocka_unit_test(test_exact_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
