/* SPDX-License-Identifier: MIT */
/*
 * Ranges, against their meaning one number at a time: all pairs on a line of 16 places, at its
 * beginning, in the middle and at its end, where base + size is 2^64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/range.h"

enum { PLACES = 16 };

/* Bit n: place n of the line is in the range. */
static uint32_t places(unsigned base, unsigned size) { return ((1u << size) - 1) << base; }

static void check_one(uint64_t origin, unsigned base, unsigned size)
{
    const struct range r = {origin + base, size};
    const uint32_t in = places(base, size);
    assert_true(range_valid(r));
    assert_int_equal(range_end(r), origin + base + size); /* wraps as the sum does */
    if (size != 0) {
        assert_int_equal(range_last(r), origin + base + size - 1);
    }
    for (unsigned at = 0; at < PLACES; at++) {
        assert_int_equal(range_contains(r, origin + at), in >> at & 1);
        assert_int_equal(range_left(r, origin + at),
                         (unsigned)__builtin_popcount(in >> at << at) * (in >> at & 1));
    }
    /* Far away from it, on both sides. */
    assert_false(range_contains(r, origin + (UINT64_C(1) << 63)));
    assert_int_equal(range_left(r, origin + (UINT64_C(1) << 63)), 0);
}

static void check_two(uint64_t origin, unsigned base, unsigned size)
{
    const struct range a = {origin + base, size};
    for (unsigned from = 0; from < PLACES; from++) {
        for (unsigned bytes = 0; from + bytes <= PLACES; bytes++) {
            const struct range b = {origin + from, bytes};
            const bool shared = (places(base, size) & places(from, bytes)) != 0;
            const bool inside = from >= base && from + bytes <= base + size;
            assert_int_equal(range_overlaps(a, b), shared);
            assert_int_equal(range_covers(a, b), inside);
        }
    }
}

static void test_meaning(void **state)
{
    (void)state;
    const uint64_t origins[] = {0, UINT64_C(0x123456789abcdef0), UINT64_MAX - PLACES + 1};
    for (size_t o = 0; o < ARRAY_SIZE(origins); o++) {
        for (unsigned base = 0; base < PLACES; base++) {
            for (unsigned size = 0; base + size <= PLACES; size++) {
                check_one(origins[o], base, size);
                check_two(origins[o], base, size);
            }
        }
    }
}

static void test_valid(void **state)
{
    (void)state;
    assert_true(range_valid((struct range){0, UINT64_MAX}));
    assert_true(range_valid((struct range){1, UINT64_MAX}));
    assert_false(range_valid((struct range){2, UINT64_MAX}));
    assert_true(range_valid((struct range){UINT64_MAX, 0}));
    assert_true(range_valid((struct range){UINT64_MAX, 1}));
    assert_false(range_valid((struct range){UINT64_MAX, 2}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_meaning),
                                       cmocka_unit_test(test_valid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
