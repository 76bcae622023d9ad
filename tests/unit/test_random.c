/* SPDX-License-Identifier: MIT */
/*
 * The random pool: what it gives, against another implementation; what counts as seeded; and that
 * each source matters by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/sha256.h>
#include <cmocka.h>

#include "arch/random.h"

enum { SEED_BYTES = 64, OUT_BYTES = 80, SHA256_BYTES = 32, SHA256_BLOCK_BYTES = 64 };

static struct {
    uint64_t word, step; /* of the CPU's source; step 0: stuck */
    bool dead;
    uint64_t tick, tick_step;
} fake;

static bool fake_word(uint64_t *out)
{
    *out = fake.word;
    fake.word += fake.step;
    return !fake.dead;
}

static uint64_t fake_ticks(void) { return fake.tick += fake.tick_step; }

static const struct random_sources sources = {.word = fake_word, .ticks = fake_ticks};

static uint8_t seed[SEED_BYTES];

static int setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.word = 0x0123456789abcdef;
    fake.step = 0x9e3779b97f4a7c15;
    fake.tick_step = 100;
    for (size_t i = 0; i < sizeof(seed); i++) {
        seed[i] = (uint8_t)(7 * i + 1);
    }
    return 0;
}

/* What a fresh pool gives, with the firmware's seed or without. */
static enum fl_err draw_fresh(uint8_t out[OUT_BYTES], size_t seed_bytes)
{
    struct random_pool p;
    memset(out, 0xa5, OUT_BYTES);
    random_init(&p, &sources);
    if (seed_bytes != 0) {
        random_add_seed(&p, seed, seed_bytes);
    }
    return random_draw(&p, out, OUT_BYTES);
}

/* What random.h says, worked out with Python's hmac and hashlib: the sources and the seed as above,
 * 64 looks at the clock and 8 words, then 1 and 1 before each of two draws. */
static void test_known_draws(void **state)
{
    static const char *const known[] = {
        "8ecbbcedc52b2f572ab5207865f5d3e72ab9c2d3e645f2b786de8647d17e2b437219d027eb1340263e912ef4"
        "b078f8083d3ad85804314d2f2b35b763d32bf3a578184d15eabb5f2763c6a88b6b3cc68e",
        "5a265be06dab60b37bb1f1000b77cd5a7c44bf68e67cb5c83007183edcdbe616c3908b344aff42df0c790421"
        "7fb8bc0a60f1c3066532a2ec1012630182ff17b943e9a1292a605007be3aad8aa37ba342",
    };
    struct random_pool p;
    (void)state;
    random_init(&p, &sources);
    random_add_seed(&p, seed, sizeof(seed));
    for (size_t draw = 0; draw < ARRAY_SIZE(known); draw++) {
        uint8_t out[OUT_BYTES];
        char text[2 * OUT_BYTES + 1];
        assert_int_equal(random_draw(&p, out, sizeof(out)), FL_OK);
        for (size_t i = 0; i < sizeof(out); i++) {
            snprintf(text + 2 * i, 3, "%02x", out[i]);
        }
        assert_string_equal(text, known[draw]);
    }
}

static void test_what_counts(void **state)
{
    static const struct {
        const char *name;
        bool dead, stuck, same;
        size_t seed;
        enum fl_err expected;
    } cases[] = {
        {"CPU", false, false, false, 0, FL_OK},
        {"firmware, 64 bytes", true, false, false, 64, FL_OK},
        {"firmware, 32 bytes", true, false, false, 32, FL_OK},
        {"firmware, 31 bytes", true, false, false, 31, FL_ENOTSUP},
        {"the clock alone", true, false, false, 0, FL_ENOTSUP},
        {"a stuck CPU", false, true, false, 0, FL_ENOTSUP},
        {"a stuck CPU and firmware", false, true, false, 32, FL_OK},
        {"firmware that gives the same byte", true, false, true, 64, FL_ENOTSUP},
        {"the same byte, but a CPU", false, false, true, 64, FL_OK},
    };
    static const uint8_t zeros[OUT_BYTES];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t out[OUT_BYTES];
        (void)setup(state);
        fake.dead = cases[i].dead;
        fake.step = cases[i].stuck ? 0 : fake.step;
        if (cases[i].same) {
            memset(seed, 0x5a, sizeof(seed));
        }
        enum fl_err err = draw_fresh(out, cases[i].seed);
        if (err != cases[i].expected) {
            fail_msg("%s: %d", cases[i].name, (int)err);
        }
        assert_int_equal(memcmp(out, zeros, sizeof(out)) == 0, err != FL_OK);
    }
}

/* Whoever knows all sources but one knows nothing. */
static void test_each_source_matters(void **state)
{
    uint8_t base[OUT_BYTES], again[OUT_BYTES], out[4][OUT_BYTES];
    (void)setup(state);
    assert_int_equal(draw_fresh(base, SEED_BYTES), FL_OK);
    (void)setup(state);
    assert_int_equal(draw_fresh(again, SEED_BYTES), FL_OK);
    assert_memory_equal(base, again, OUT_BYTES); /* nothing else goes in */

    (void)setup(state);
    fake.word ^= 1;
    assert_int_equal(draw_fresh(out[0], SEED_BYTES), FL_OK);
    (void)setup(state);
    seed[SEED_BYTES - 1] ^= 1;
    assert_int_equal(draw_fresh(out[1], SEED_BYTES), FL_OK);
    (void)setup(state);
    fake.tick_step++;
    assert_int_equal(draw_fresh(out[2], SEED_BYTES), FL_OK);
    (void)setup(state);
    assert_int_equal(draw_fresh(out[3], SEED_BYTES - 1), FL_OK);
    for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
        assert_memory_not_equal(base, out[i], OUT_BYTES);
        assert_memory_not_equal(base + OUT_BYTES / 2, out[i] + OUT_BYTES / 2, OUT_BYTES / 2);
    }
}

/* Also when no source says anything new: no draw repeats another, nor a part of itself. */
static void test_draws_differ(void **state)
{
    struct random_pool p;
    uint8_t a[OUT_BYTES], b[OUT_BYTES];
    (void)state;
    random_init(&p, &sources);
    fake.dead = true;
    fake.tick_step = 0;
    assert_int_equal(random_draw(&p, a, sizeof(a)), FL_OK);
    assert_int_equal(random_draw(&p, b, sizeof(b)), FL_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a, a + SHA256_BYTES, SHA256_BYTES);
}

/* HMAC-SHA-256 of one block of a draw (RFC 2104). */
static void first_block(const uint8_t key[RANDOM_KEY_BYTES], uint8_t out[SHA256_BYTES])
{
    uint8_t inner[SHA256_BLOCK_BYTES + 9] = {[SHA256_BLOCK_BYTES] = 'o'};
    uint8_t outer[SHA256_BLOCK_BYTES + SHA256_BYTES];
    for (size_t i = 0; i < SHA256_BLOCK_BYTES; i++) {
        const uint8_t k = i < RANDOM_KEY_BYTES ? key[i] : 0;
        inner[i] = k ^ 0x36;
        outer[i] = k ^ 0x5c;
    }
    assert_int_equal(mbedtls_sha256(inner, sizeof(inner), outer + SHA256_BLOCK_BYTES, 0), 0);
    assert_int_equal(mbedtls_sha256(outer, sizeof(outer), out, 0), 0);
}

/* Who reads the pool after a draw cannot repeat the draw: the key that it was made with is gone. */
static void test_old_key_is_gone(void **state)
{
    struct random_pool p;
    uint8_t out[SHA256_BYTES], repeated[SHA256_BYTES];
    (void)state;
    random_init(&p, &sources);
    fake.dead = true;
    fake.tick_step = 0;
    assert_int_equal(random_draw(&p, out, sizeof(out)), FL_OK);
    first_block(p.key, repeated);
    assert_memory_not_equal(out, repeated, sizeof(out));
}

static void test_lengths(void **state)
{
    (void)state;
    for (size_t n = 0; n < OUT_BYTES; n++) {
        struct random_pool p;
        uint8_t out[OUT_BYTES];
        random_init(&p, &sources);
        memset(out, 0xa5, sizeof(out));
        assert_int_equal(random_draw(&p, out, n), FL_OK);
        for (size_t i = n; i < sizeof(out); i++) {
            assert_int_equal(out[i], 0xa5);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_known_draws, setup),
        cmocka_unit_test_setup(test_what_counts, setup),
        cmocka_unit_test_setup(test_each_source_matters, setup),
        cmocka_unit_test_setup(test_draws_differ, setup),
        cmocka_unit_test_setup(test_old_key_is_gone, setup),
        cmocka_unit_test_setup(test_lengths, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
