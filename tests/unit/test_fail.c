/* SPDX-License-Identifier: MIT */
/* Failure records: the first one stays, and people can read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fail.h"
#include "arch/host/host.h"

static enum fl_err cause(struct fl_fail *f)
{
    return FL_FAIL_MORE(f, FL_ETIMEDOUT, "MAILBOX0",
                        (FL_SAW(0xbad, 0, 12345), .hint = "reset the falcon"),
                        "mailbox 0x%x, expected 0x%x", 0xbadu, 0u);
}

static void first_failure_stays(void **state)
{
    struct fl_fail f = {0};

    (void)state;
    host_reset();
    host_clock_set_step(0);
    host_clock_set(7000);
    assert_int_equal(cause(&f), FL_ETIMEDOUT);
    assert_int_equal(FL_FAIL(&f, FL_EIO, "echo", "the boot failed"), FL_EIO);
    FL_FAIL_MORE(&f, FL_EIO, "echo", (FL_SAW(1, 2, 3), .hint = "and that"), "the boot failed");
    fl_fail_hint(&f, "something else");
    fl_fail_stage(&f, "booter");
    fl_fail_stage(&f, "boot");
    assert_int_equal(f.err, FL_ETIMEDOUT);
    assert_string_equal(f.what, "MAILBOX0");
    assert_string_equal(f.text, "mailbox 0xbad, expected 0x0");
    assert_string_equal(f.hint, "reset the falcon");
    assert_string_equal(f.stage, "booter");
    assert_true(f.has_values);
    assert_int_equal(f.seen, 0xbad);
    assert_int_equal(f.waited_us, 12345);
    assert_int_equal(f.at_us, 7);
    assert_non_null(strstr(f.site_file, "test_fail.c"));
    assert_int_not_equal(f.site_line, 0);
}

static void cleared_record_is_new(void **state)
{
    struct fl_fail f = {0};

    (void)state;
    (void)cause(&f);
    fl_fail_clear(&f);
    assert_int_equal(f.err, FL_OK);
    assert_int_equal(FL_FAIL(&f, FL_EIO, "second", "again"), FL_EIO);
    assert_int_equal(f.err, FL_EIO);
    assert_string_equal(f.text, "again");
    assert_string_equal(f.hint, "");
    assert_string_equal(f.stage, "");
    assert_false(f.has_values);
}

/* What an echo saw is not said of the cause. */
static void an_echo_adds_nothing(void **state)
{
    struct fl_fail f = {0};

    (void)state;
    FL_FAIL(&f, FL_EIO, "cause", "it broke");
    FL_FAIL_MORE(&f, FL_EIO, "echo", (FL_SAW(1, 2, 3), .hint = "and that"), "the boot failed");
    assert_string_equal(f.text, "it broke");
    assert_string_equal(f.hint, "");
    assert_false(f.has_values);
    assert_int_equal(f.waited_us, 0);
    fl_fail_hint(&f, "advice of %s", "the caller");
    assert_string_equal(f.hint, "advice of the caller");
}

/* Each detail may stand alone. */
static void details(void **state)
{
    struct fl_fail f = {0};

    (void)state;
    FL_FAIL_MORE(&f, FL_EIO, "w", (FL_SAW(1, 2, 3)), "text");
    assert_true(f.has_values);
    assert_int_equal(f.seen, 1);
    assert_int_equal(f.expected, 2);
    assert_int_equal(f.waited_us, 3);
    assert_string_equal(f.hint, "");
    fl_fail_clear(&f);
    FL_FAIL_MORE(&f, FL_EIO, "w", (.hint = "try"), "text");
    assert_false(f.has_values);
    assert_string_equal(f.hint, "try");
}

static enum fl_err step(unsigned *taken, enum fl_err err)
{
    (*taken)++;
    return err;
}

/* A chain stops at the first failure, and keeps that one; commas of a step are its own. */
static void a_chain_stops(void **state)
{
    unsigned taken = 0;

    (void)state;
    enum fl_err err = step(&taken, FL_OK);
    err = FL_THEN(err, step(&taken, FL_OK));
    assert_int_equal(err, FL_OK);
    assert_int_equal(taken, 2);
    err = FL_THEN(err, step(&(unsigned){0}, FL_EIO));
    err = FL_THEN(err, step(&taken, FL_OK));
    assert_int_equal(FL_THEN(err, step(&taken, FL_EINVAL)), FL_EIO);
    assert_int_equal(taken, 2);
}

static void nobody_listening_is_fine(void **state)
{
    struct fl_fail f = {0};

    (void)state;
    assert_int_equal(cause(NULL), FL_ETIMEDOUT);
    fl_fail_stage(NULL, "x");
    fl_fail_hint(&f, "no failure, no hint");
    fl_fail_stage(&f, "x");
    assert_string_equal(f.hint, "");
    assert_string_equal(f.stage, "");
    assert_false(f.has_values);
    assert_int_equal(FL_FAIL(&f, FL_OK, "w", "not a failure"), FL_OK);
    assert_string_equal(f.text, "");
}

static void long_texts_are_cut(void **state)
{
    char word[400];
    struct fl_fail f = {0};

    (void)state;
    memset(word, 'w', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    FL_FAIL(&f, FL_EBADDATA, word, "%s", word);
    fl_fail_hint(&f, "%s", word);
    fl_fail_stage(&f, word + sizeof(word) - 1 - sizeof(f.stage)); /* one too long */
    assert_int_equal(strlen(f.what), sizeof(f.what) - 1);
    assert_int_equal(strlen(f.text), FL_FAIL_TEXT - 1);
    assert_int_equal(strlen(f.hint), FL_FAIL_HINT - 1);
    assert_int_equal(strlen(f.stage), sizeof(f.stage) - 1);
    char line[FL_FAIL_LINE_MAX];
    size_t len = fl_fail_format(&f, line, sizeof(line));
    assert_int_equal(len, strlen(line));
    assert_int_equal(line[len - 1], ']'); /* FL_FAIL_LINE_MAX has room for all of it */
}

static void sentence_for_people(void **state)
{
    char line[FL_FAIL_LINE_MAX];
    char want[FL_FAIL_LINE_MAX];
    struct fl_fail f = {0};
    const struct {
        uint64_t us;
        const char *words;
    } waits[] = {{1, "waited 1 us"},          {999, "waited 999 us"},
                 {1000, "waited 1.0 ms"},     {12345, "waited 12.3 ms"},
                 {999999, "waited 999.9 ms"}, {4200000, "waited 4.20 s"},
                 {61000000, "waited 61.00 s"}};

    (void)state;
    assert_int_equal(fl_fail_format(&f, line, sizeof(line)), 0);
    assert_string_equal(line, "");
    (void)cause(&f);
    fl_fail_stage(&f, "booter");
    f.site_file = "gsp/boot/booter.c";
    f.site_line = 17;
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
        f.waited_us = waits[i].us;
        size_t len = fl_fail_format(&f, line, sizeof(line));
        (void)snprintf(want, sizeof(want),
                       "booter: mailbox 0xbad, expected 0x0 (%s; try: reset the falcon) "
                       "[gsp/boot/booter.c:17]",
                       waits[i].words);
        assert_string_equal(line, want);
        assert_int_equal(len, strlen(want));
    }
    f.hint[0] = '\0';
    f.waited_us = 5;
    f.stage[0] = '\0';
    fl_fail_format(&f, line, sizeof(line));
    assert_string_equal(line, "mailbox 0xbad, expected 0x0 (waited 5 us) [gsp/boot/booter.c:17]");
    f.waited_us = 0;
    f.text[0] = '\0';
    f.site_file = NULL;
    fl_fail_format(&f, line, sizeof(line));
    assert_string_equal(line, "timed out");
    fl_fail_clear(&f);
    FL_FAIL(&f, FL_EIO, "w", "t");
    fl_fail_stage(&f, "twenty-three characters"); /* exactly fits */
    assert_string_equal(f.stage, "twenty-three characters");
}

static void format_never_overruns(void **state)
{
    char buf[128];
    struct fl_fail f = {0};

    (void)state;
    (void)cause(&f);
    assert_int_equal(fl_fail_format(&f, buf, 0), 0);
    for (size_t size = 1; size < sizeof(buf); size++) {
        memset(buf, '#', sizeof(buf));
        size_t len = fl_fail_format(&f, buf, size);
        assert_true(len < size);
        assert_int_equal(strlen(buf), len);
        assert_int_equal(buf[size], '#');
    }
}

static void every_error_has_its_own_name(void **state)
{
    (void)state;
    for (int i = 0; i >= FL_ENOSPC; i--) {
        const char *name = fl_err_name((enum fl_err)i);
        assert_string_not_equal(name, "unknown error");
        for (int j = 0; j > i; j--) {
            assert_string_not_equal(name, fl_err_name((enum fl_err)j));
        }
    }
    assert_string_equal(fl_err_name((enum fl_err)(FL_ENOSPC - 1)), "unknown error");
    assert_string_equal(fl_err_name(FL_ETIMEDOUT), "timed out");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_failure_stays),   cmocka_unit_test(cleared_record_is_new),
        cmocka_unit_test(an_echo_adds_nothing),  cmocka_unit_test(details),
        cmocka_unit_test(a_chain_stops),         cmocka_unit_test(nobody_listening_is_fine),
        cmocka_unit_test(long_texts_are_cut),    cmocka_unit_test(sentence_for_people),
        cmocka_unit_test(format_never_overruns), cmocka_unit_test(every_error_has_its_own_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
