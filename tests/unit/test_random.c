/* SPDX-License-Identifier: MIT */
/*
 * The random pool: its hash against published answers, what counts as seeded, and that each source
 * matters by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/blake2s.h"
#include "arch/random.h"

enum { SEED_BYTES = 64, OUT_BYTES = 80 };

/* --- BLAKE2s --- */

static void digest(const void *key, size_t key_len, const void *data, size_t n, size_t step,
                   char text[65])
{
    struct blake2s b;
    uint8_t out[BLAKE2S_BYTES];
    blake2s_init(&b, key, key_len);
    for (size_t at = 0; at < n; at += step) {
        blake2s_add(&b, (const uint8_t *)data + at, n - at < step ? n - at : step);
    }
    blake2s_end(&b, out);
    for (size_t i = 0; i < sizeof(out); i++) {
        snprintf(text + 2 * i, 3, "%02x", out[i]);
    }
    static const struct blake2s wiped;
    assert_memory_equal(&b, &wiped, sizeof(b));
}

static void test_blake2s_known(void **state)
{
    uint8_t key[32], data[256];
    char text[65];
    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)i;
    }
    memcpy(key, data, sizeof(key));
    /* RFC 7693, appendix B. */
    digest(NULL, 0, "abc", 3, 3, text);
    assert_string_equal(text, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
    /* The rest by Python's hashlib.blake2s: lengths around a block, with a key and without. */
    static const struct {
        size_t n;
        bool keyed;
        const char *expected;
    } known[] = {
        {0, false, "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9"},
        {0, true, "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49"},
        {1, false, "e34d74dbaf4ff4c6abd871cc220451d2ea2648846c7757fbaac82fe51ad64bea"},
        {1, true, "40d15fee7c328830166ac3f918650f807e7e01e177258cdc0a39b11f598066f1"},
        {63, false, "e57cb79487dd57902432b250733813bd96a84efce59f650fac26e6696aefafc3"},
        {63, true, "c65382513f07460da39833cb666c5ed82e61b9e998f4b0c4287cee56c3cc9bcd"},
        {64, false, "56f34e8b96557e90c1f24b52d0c89d51086acf1b00f634cf1dde9233b8eaaa3e"},
        {64, true, "8975b0577fd35566d750b362b0897a26c399136df07bababbde6203ff2954ed4"},
        {65, false, "1b53ee94aaf34e4b159d48de352c7f0661d0a40edff95a0b1639b4090e974472"},
        {65, true, "21fe0ceb0052be7fb0f004187cacd7de67fa6eb0938d927677f2398c132317a8"},
        {127, false, "f18417b39d617ab1c18fdf91ebd0fc6d5516bb34cf39364037bce81fa04cecb1"},
        {127, true, "ddbfea75cc467882eb3483ce5e2e756a4f4701b76b445519e89f22d60fa86e06"},
        {128, false, "1fa877de67259d19863a2a34bcc6962a2b25fcbf5cbecd7ede8f1fa36688a796"},
        {128, true, "0c311f38c35a4fb90d651c289d486856cd1413df9b0677f53ece2cd9e477c60a"},
        {129, false, "5bd169e67c82c2c2e98ef7008bdf261f2ddf30b1c00f9e7f275bb3e8a28dc9a2"},
        {129, true, "46a73a8dd3e70f59d3942c01df599def783c9da82fd83222cd662b53dce7dbdf"},
        {255, false, "f03f5789d3336b80d002d59fdf918bdb775b00956ed5528e86aa994acb38fe2d"},
        {255, true, "3fb735061abc519dfe979e54c1ee5bfad0a9d858b3315bad34bde999efd724dd"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        for (size_t step = 1; step < 140; step += 23) {
            digest(key, known[i].keyed ? sizeof(key) : 0, data, known[i].n, step, text);
            assert_string_equal(text, known[i].expected);
        }
    }
}

/* --- the pool --- */

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
    assert_memory_not_equal(a, a + BLAKE2S_BYTES, BLAKE2S_BYTES);
}

/* Who reads the pool after a draw cannot repeat the draw: the key that it was made with is gone. */
static void test_old_key_is_gone(void **state)
{
    static const uint8_t first_block[9] = {'o'};
    struct random_pool p;
    uint8_t out[BLAKE2S_BYTES], repeated[BLAKE2S_BYTES];
    struct blake2s b;
    (void)state;
    random_init(&p, &sources);
    assert_int_equal(random_draw(&p, out, sizeof(out)), FL_OK);
    blake2s_init(&b, p.key, sizeof(p.key));
    blake2s_add(&b, first_block, sizeof(first_block));
    blake2s_end(&b, repeated);
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
        cmocka_unit_test(test_blake2s_known),
        cmocka_unit_test_setup(test_what_counts, setup),
        cmocka_unit_test_setup(test_each_source_matters, setup),
        cmocka_unit_test_setup(test_draws_differ, setup),
        cmocka_unit_test_setup(test_old_key_is_gone, setup),
        cmocka_unit_test_setup(test_lengths, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
