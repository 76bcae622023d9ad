/* SPDX-License-Identifier: MIT */
/*
 * Talking to the FSP, against a few registers that a test plays: the message word by word at the
 * offsets of the specification, answers that are wrong in each way, queues that stand still, and
 * the states through which the GSP's registers come back (boot.md 11).
 */
#include "tests/unit/fsp_card.h"

/* ---- the message ---- */

static bool all(const uint8_t *p, uint8_t v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != v) {
            return false;
        }
    }
    return true;
}

static void check_message(uint32_t version, uint64_t frts, uint32_t key_bytes, uint32_t sig_bytes)
{
    const uint8_t *m = dev.message, *p = dev.message + 8;

    assert_int_equal(run(start), FL_OK);
    assert_int_equal(dev.messages, 1);
    assert_int_equal(dev.message_bytes, 868);
    assert_int_equal(get_le32(m), 0xc0000000);
    assert_int_equal(get_le32(m + 4), 0x1410de7e);
    assert_int_equal(get_le16(p), version);
    assert_int_equal(get_le16(p + 2), 860);
    assert_int_equal(get_le64(p + 0x04), g->mem.fmc_image.bus.raw);
    assert_int_equal(get_le64(p + 0x0c), 0);
    assert_int_equal(get_le32(p + 0x14), 0);
    assert_int_equal(get_le64(p + 0x18), frts);
    assert_int_equal(get_le32(p + 0x20), 0x100000);
    assert_true(all(p + 0x24, 0x22, 48));
    assert_true(all(p + 0x54, 0x33, key_bytes));
    assert_true(all(p + 0x54 + key_bytes, 0, 384 - key_bytes));
    assert_true(all(p + 0x1d4, 0x44, sig_bytes));
    assert_true(all(p + 0x1d4 + sig_bytes, 0, 384 - sig_bytes));
    assert_int_equal(get_le64(p + 0x354), g->mem.fmc_params.bus.raw);
    assert_int_equal(memcmp(g->mem.fmc_image.cpu, image, sizeof(image)), 0);
    assert_true(dev.mhead == 0 && dev.mtail == 0); /* the answer is given back */

    const uint8_t *b = g->mem.fmc_params.cpu; /* boot.md 11.6 */
    assert_int_equal(get_le32(b + 0x00), 0);
    assert_int_equal(get_le32(b + 0x08), 1);
    assert_int_equal(get_le32(b + 0x0c), 256);
    assert_int_equal(get_le64(b + 0x10), 0x123456000);
    assert_int_equal(get_le64(b + 0x18), 0);
    assert_int_equal(get_le32(b + 0x20), 0);
    assert_int_equal(b[0x24], 1);
    assert_int_equal(get_le32(b + 0x28), 2);
    assert_int_equal(get_le64(b + 0x30), 0x234567000);
    assert_true(all(b + 0x38, 0, 80 - 0x38));
    assert_true(g->undo.wpr2 && g->undo.dma);
}

static void message_gh100(void **state)
{
    (void)state;
    check_message(1, 0x200000, 384, 384);
    assert_true(dev.reads <= 11); /* two looks at each queue, the answer's five words, a wait */
}
static void message_gb10x(void **state)
{
    (void)state;
    as_chip(F_GB10X, 97, 96);
    check_message(2, 0x1c00000, 97, 96);
}
static void message_gb20x(void **state)
{
    (void)state;
    as_chip(F_GB20X, 97, 96);
    check_message(2, 0x1c00000, 97, 96);
}

static void too_large(void **state)
{
    (void)state;
    static const uint8_t big[1024];
    assert_int_equal(gsp_fsp_call(&g->hw, 0x20, big, 1020, &fail), FL_EINVAL);
    assert_int_equal(gsp_fsp_call(&g->hw, 0x20, big, 6, &fail), FL_EINVAL);
    assert_int_equal(dev.messages, 0);
}

/* ---- answers ---- */

static void wrong_answers(void **state)
{
    static const struct {
        unsigned word;
        uint32_t value;
        enum fl_err err;
        const char *words;
    } cases[] = {
        {0, 0x80000000, FL_EPROTO, "one packet"}, /* more to come */
        {0, 0x40000000, FL_EPROTO, "one packet"}, /* no start */
        {1, 0x1410de7e, FL_EPROTO, "header"},     /* not an answer */
        {1, 0x1510df7e, FL_EPROTO, "header"},     /* another vendor */
        {1, 0x1510de7f, FL_EPROTO, "header"},
        {3, 0x13, FL_EPROTO, "type 0x13"}, /* to another message */
        {4, 0x9e, FL_EIO, "invalid state"},
        {4, 0xa1, FL_EIO, "invalid data"},
        {4, 0x12345678, FL_EIO, "0x12345678"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        answer(0x15, 0x20, 0);
        dev.answer[cases[i].word] = cases[i].value;
        assert_int_equal(run(call8), cases[i].err);
        assert_non_null(strstr(fail.text, cases[i].words));
        assert_true(dev.mhead == 0 && dev.mtail == 0);
        answer(0x15, 0x20, 0); /* and the next call is not disturbed */
        assert_int_equal(run(call8), FL_OK);
    }
}

static void odd_places(void **state)
{
    uint32_t size;
    (void)state;
    answer(0x15, 0x20, 0);
    dev.answer_at = 0x104; /* not where it always is, but a message */
    assert_int_equal(run(call8), FL_OK);
    dev.answer_at = 0;
    dev.answer_bytes = 24; /* longer than we know */
    assert_int_equal(run(call8), FL_OK);
    dev.answer_bytes = 16;
    assert_int_equal(run(call8), FL_EPROTO);
    static const struct {
        uint32_t head, tail;
    } bad[] = {{0, 0x400},      {16, 0},         {1, 17}, {0, 18},
               {0xfffffff0, 0}, {0, 0xfffffffc}, {0, 12}, {0x3f0, 0x400}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(gsp_fsp_span_check(bad[i].head, bad[i].tail, 20, &size, NULL), FL_EPROTO);
        assert_int_equal(size, 0);
    }
    assert_int_equal(gsp_fsp_span_check(0x3ec, 0x3fc, 20, &size, NULL), FL_OK);
    assert_int_equal(size, 20);
}

static void stale_answer(void **state)
{
    (void)state;
    answer(0x15, 0x20, 0x9e);
    memcpy(dev.emem, dev.answer, sizeof(dev.answer));
    dev.mtail = 16; /* of a call that was given up */
    answer(0x15, 0x20, 0);
    assert_int_equal(run(call8), FL_OK);
}

static void no_answer(void **state)
{
    (void)state;
    const uint64_t start_us = clock_now_us();
    dev.mute = true;
    assert_int_equal(run(call8), FL_ETIMEDOUT);
    assert_non_null(strstr(fail.text, "answer"));
    assert_true(clock_now_us() - start_us >= 5 * US_PER_S);
    assert_true(dev.reads < 2000); /* the looks become rare */
    dev.deaf = true;
    dev.qhead = 0, dev.qtail = 12; /* it never took the last one: nothing is written over it */
    dev.messages = 0;
    assert_int_equal(run(call8), FL_ETIMEDOUT);
    assert_non_null(strstr(fail.text, "earlier"));
    assert_int_equal(dev.messages, 0);
}

/* ---- lockdown ---- */

#define LOCKED   0x8187a7f7u /* HWCFG2 as read on a GB205 (measured.md 6) */
#define RELEASED 0x818787f7u
#define PARAMS   0x555aa000u

static void looks(const struct look *l, unsigned n)
{
    memset(dev.look, 0, sizeof(dev.look));
    memcpy(dev.look + 1, l, n * sizeof(*l)); /* HWCFG2 steps first: entry 0 is never shown */
    dev.look[0] = l[0];
    dev.looks = n + 1;
    dev.at = 0;
}

static void released(void **state)
{
    static const struct look l[] = {
        {0, 0xffff, 0},          {0xbadf4100, 0xbadf4100, 0xbadf4100},
        {LOCKED, 0xbadf4101, 0}, {LOCKED, PARAMS, 1},
        {RELEASED, PARAMS, 1}, /* not started yet, whatever that bit says */
        {LOCKED, 0, 0},          {RELEASED, 0, 0},
    };
    (void)state;
    looks(l, ARRAY_SIZE(l));
    assert_int_equal(run(release), FL_OK);
    assert_int_equal(dev.at, ARRAY_SIZE(l)); /* not before the last */
}

static void parameters_on_a_4_gib_boundary(void **state)
{
    static const struct look l[] = {{RELEASED, 0, 3}, {RELEASED, 0, 3}, {RELEASED, 0, 0}};
    (void)state;
    g->mem.fmc_params.bus.raw = 0x300000000;
    looks(l, ARRAY_SIZE(l));
    assert_int_equal(run(release), FL_OK);
    assert_int_equal(dev.at, ARRAY_SIZE(l));
}

static void fmc_error(void **state)
{
    static const struct look l[] = {{LOCKED, PARAMS, 1}, {LOCKED, 0xb, 0}};
    (void)state;
    looks(l, ARRAY_SIZE(l));
    assert_int_equal(run(release), FL_EIO);
    assert_non_null(strstr(fail.text, "0xb"));
}

static void never_released(void **state)
{
    static const struct {
        struct look l;
        const char *words;
    } cases[] = {
        {{0xbadf4100, 0, 0}, "keeps its registers"},
        {{LOCKED, PARAMS, 1}, "not taken"},
        {{LOCKED, 0, 0}, "still locked"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const uint64_t start_us = clock_now_us();
        looks(&cases[i].l, 1);
        assert_int_equal(run(release), FL_ETIMEDOUT);
        assert_non_null(strstr(fail.text, cases[i].words));
        assert_true(clock_now_us() - start_us >= 30 * US_PER_S);
    }
    assert_true(dev.reads < 3 * 3 * 4000);
}

/* ---- the end ---- */

static void halts(void **state)
{
    static const uint32_t ways[][3] = {
        {0x80, 0x80, 0x10}, /* halted */
        {0x80, 0x80, 0x00}, /* no longer active */
        {0x80, 0xbadf4100, 0x90},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        memcpy(dev.cpuctl, ways[i], sizeof(ways[i]));
        dev.cpuctl_count = 3;
        dev.cpuctl_at = 0;
        assert_int_equal(run(take_down), FL_OK);
        assert_int_equal(dev.cpuctl_at, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(message_gh100), T(message_gb10x),
        T(message_gb20x), T(too_large),
        T(wrong_answers), T(odd_places),
        T(stale_answer),  T(no_answer),
        T(released),      T(parameters_on_a_4_gib_boundary),
        T(fmc_error),     T(never_released),
        T(halts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
