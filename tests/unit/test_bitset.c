/* SPDX-License-Identifier: MIT */
/* The bitset against a plain array of flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/bitset.h"

static uint64_t random_state;

static uint64_t next(uint64_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (random_state >> 20) % bound;
}

static uint64_t model_last(const bool *in, uint64_t bits, uint64_t i)
{
    for (uint64_t k = min_u64(i + 1, bits); k > 0; k--) {
        if (in[k - 1]) {
            return k - 1;
        }
    }
    return BITSET_NONE;
}

static uint64_t model_first(const bool *in, uint64_t bits, uint64_t i)
{
    for (uint64_t k = i; k < bits; k++) {
        if (in[k]) {
            return k;
        }
    }
    return BITSET_NONE;
}

/* Words, levels and their edges: around 64, 64^2 and 64^3. */
static const uint64_t sizes[] = {1,    2,    63,   64,    65,     127,    128,   129,
                                 4095, 4096, 4097, 10000, 262143, 262144, 262145};

static void agrees_with_a_plain_array(void **state)
{
    (void)state;
    random_state = 7;
    for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
        uint64_t bits = sizes[n];
        uint64_t *words = malloc(bitset_words(bits) * sizeof(*words)); /* exact: ASan watches */
        bool *in = calloc(bits, sizeof(*in));
        struct bitset s;
        assert_non_null(words);
        assert_non_null(in);
        memset(words, 0xff, bitset_words(bits) * sizeof(*words));
        bitset_init(&s, bits, words);
        assert_int_equal(bitset_last_to(&s, UINT64_MAX), BITSET_NONE);
        assert_int_equal(bitset_first_from(&s, 0), BITSET_NONE);
        for (int step = 0; step < 400; step++) {
            uint64_t i = next(4) == 0 ? (next(2) == 0 ? 0 : bits - 1) : next(bits);
            if (next(3) == 0) {
                bitset_remove(&s, i);
                in[i] = false;
            } else {
                bitset_add(&s, i);
                in[i] = true;
            }
            if (step % 16 == 0 && bits > 10000) {
                continue; /* the plain array is slow */
            }
            uint64_t at = next(bits);
            assert_int_equal(bitset_has(&s, at), in[at]);
            assert_int_equal(bitset_last_to(&s, at), model_last(in, bits, at));
            assert_int_equal(bitset_first_from(&s, at), model_first(in, bits, at));
        }
        assert_false(bitset_has(&s, bits));
        assert_false(bitset_has(&s, UINT64_MAX));
        assert_int_equal(bitset_first_from(&s, bits), BITSET_NONE);
        assert_int_equal(bitset_first_from(&s, UINT64_MAX), BITSET_NONE);
        assert_int_equal(bitset_last_to(&s, UINT64_MAX), model_last(in, bits, bits));
        free(in);
        free(words);
    }
}

/* One member far away: every level above is used on the way up and down. */
static void finds_across_deep_emptiness(void **state)
{
    const uint64_t bits = UINT64_C(1) << 24;
    uint64_t *words = malloc(bitset_words(bits) * sizeof(*words));
    struct bitset s;
    const uint64_t places[] = {0, 63, 64, 4096, 262144, bits / 2, bits - 1};

    (void)state;
    assert_non_null(words);
    bitset_init(&s, bits, words);
    assert_int_equal(s.levels, 4);
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        bitset_add(&s, places[i]);
        assert_int_equal(bitset_last_to(&s, bits - 1), places[i]);
        assert_int_equal(bitset_first_from(&s, 0), places[i]);
        if (places[i] > 0) {
            assert_int_equal(bitset_last_to(&s, places[i] - 1), BITSET_NONE);
        }
        assert_int_equal(bitset_first_from(&s, places[i] + 1), BITSET_NONE);
        bitset_remove(&s, places[i]);
        assert_int_equal(bitset_first_from(&s, 0), BITSET_NONE);
    }
    free(words);
}

/* A set without members asks no word for one: there is none. */
static void a_set_of_nothing(void **state)
{
    uint64_t word = UINT64_MAX; /* somebody else's */
    struct bitset s;

    (void)state;
    assert_int_equal(bitset_words(0), 0);
    bitset_init(&s, 0, &word);
    assert_true(word == UINT64_MAX);
    assert_false(bitset_has(&s, 0));
    assert_int_equal(bitset_last_to(&s, 5), BITSET_NONE);
    assert_int_equal(bitset_first_from(&s, 0), BITSET_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_plain_array),
        cmocka_unit_test(finds_across_deep_emptiness),
        cmocka_unit_test(a_set_of_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
