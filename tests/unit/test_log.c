/* SPDX-License-Identifier: MIT */
/* The log ring: wrapping, readers that fall behind, lines that do not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fiber_arch.h"
#include "arch/host/host.h"
#include "arch/log.h"
#include "arch/log_priv.h"

static int setup(void **state)
{
    (void)state;
    host_reset();
    host_clock_set_step(0);
    log_reset_at(0);
    log_set_level(LOG_INFO);
    log_set_notify(NULL);
    return 0;
}

static void line_is_stored_and_formatted(void **state)
{
    struct log_entry e;
    uint64_t cursor = 0;
    uint64_t lost = 99;
    char text[300];

    (void)state;
    host_clock_set(1234567);
    log_warn("gsp", "boot took %u ms", 42u);
    assert_true(log_read(&cursor, &e, &lost));
    assert_int_equal(e.seq, 0);
    assert_int_equal(cursor, 1);
    assert_int_equal(lost, 0);
    assert_int_equal(e.time_us, 1234);
    assert_int_equal(e.level, LOG_WARN);
    size_t len = log_format(&e, text, sizeof(text));
    assert_int_equal(len, strlen(text));
    assert_string_equal(text, "[    0.001234] warn  gsp: boot took 42 ms\n");
    assert_false(log_read(&cursor, &e, &lost));
    assert_int_equal(cursor, 1);
}

/* Starts just below a multiple of the ring's size, and of 2^32: neither is a special place. */
static void ring_wraps(void **state)
{
    const uint64_t starts[] = {LOG_RING_LINES - 3, (UINT64_C(1) << 32) - 3};
    struct log_entry e;

    (void)state;
    for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
        uint64_t cursor = starts[s];
        uint64_t lost;
        log_reset_at(starts[s]);
        for (unsigned i = 0; i < 7; i++) {
            log_info("m", "line %u", i);
        }
        for (unsigned i = 0; i < 7; i++) {
            char want[16];
            (void)snprintf(want, sizeof(want), "line %u", i);
            assert_true(log_read(&cursor, &e, &lost));
            assert_int_equal(e.seq, starts[s] + i);
            assert_int_equal(lost, 0);
            assert_string_equal(e.text, want);
        }
        assert_false(log_read(&cursor, &e, &lost));
    }
}

static void slow_reader_loses_lines_and_knows_how_many(void **state)
{
    struct log_entry e;
    uint64_t cursor = 5;
    uint64_t lost;

    (void)state;
    for (unsigned i = 0; i < LOG_RING_LINES; i++) {
        log_info("m", "%u", i);
    }
    assert_true(log_read(&cursor, &e, &lost)); /* full, nothing overwritten yet */
    assert_int_equal(e.seq, 5);
    assert_int_equal(lost, 0);
    log_info("m", "%u", LOG_RING_LINES); /* in the place of line 0, and of no other */
    uint64_t late = 0;
    assert_true(log_read(&late, &e, &lost));
    assert_int_equal(lost, 1);
    assert_string_equal(e.text, "1");
    for (unsigned i = 1; i < 10; i++) {
        log_info("m", "%u", LOG_RING_LINES + i);
    }
    assert_true(log_read(&cursor, &e, &lost)); /* 0 .. 9 are gone; this one wanted 6 next */
    assert_int_equal(e.seq, 10);
    assert_int_equal(lost, 4);
    assert_string_equal(e.text, "10");
    unsigned left = 0;
    while (log_read(&cursor, &e, NULL)) {
        left++;
    }
    assert_int_equal(left, LOG_RING_LINES - 1);
    assert_int_equal(e.seq, LOG_RING_LINES + 9);
}

static void two_readers_do_not_disturb_each_other(void **state)
{
    struct log_entry e;
    uint64_t one = 0;
    uint64_t two = 0;

    (void)state;
    log_info("m", "x");
    log_info("m", "y");
    assert_true(log_read(&one, &e, NULL));
    assert_true(log_read(&one, &e, NULL));
    assert_true(log_read(&two, &e, NULL));
    assert_string_equal(e.text, "x");
    uint64_t future = 1000; /* a cursor from a client: beyond the end is "none yet" */
    assert_false(log_read(&future, &e, NULL));
    assert_int_equal(future, 1000);
}

static void level_filters(void **state)
{
    struct log_entry e;
    uint64_t cursor = 0;
    enum log_level level;

    (void)state;
    log_set_level(LOG_WARN);
    log_info("m", "no");
    log_warn("m", "yes");
    log_set_level(LOG_TRACE);
    log_line(LOG_TRACE, "m", "too");
    assert_true(log_read(&cursor, &e, NULL));
    assert_string_equal(e.text, "yes");
    assert_true(log_read(&cursor, &e, NULL));
    assert_string_equal(e.text, "too");
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_parse("Debug", &level));
    assert_false(log_level_parse("", &level));
    assert_string_equal(log_level_name(LOG_ERROR), "error");
    assert_string_equal(log_level_name((enum log_level)77), "?");
}

static void long_and_dirty_lines_are_tamed(void **state)
{
    char text[2 * LOG_LINE_MAX];
    struct log_entry e;
    uint64_t cursor = 0;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    log_info("a very long module name", "%s", text);
    log_info("m", "%s", "two\nlines\twith \x1b[31mcolour\x7f\n\n");
    assert_true(log_read(&cursor, &e, NULL));
    assert_int_equal(strlen(e.text), LOG_LINE_MAX - 1);
    assert_string_equal(e.module, "a very long");
    assert_true(log_read(&cursor, &e, NULL));
    assert_string_equal(e.text, "two lines with ?[31mcolour?");
}

static void format_never_overruns(void **state)
{
    struct log_entry e = {.time_us = 1, .level = LOG_INFO, .module = "m", .text = "hello"};
    char buf[40];

    (void)state;
    assert_int_equal(log_format(&e, buf, 0), 0);
    for (size_t size = 1; size <= sizeof(buf); size++) {
        memset(buf, '#', sizeof(buf));
        size_t len = log_format(&e, buf, size);
        assert_true(len < size);
        assert_int_equal(buf[len], '\0');
        assert_true(size < 2 || buf[len - 1] == '\n');
        assert_true(size == sizeof(buf) || buf[size] == '#');
    }
}

static uint32_t notified;
static void count_notify(void) { notified++; }

static void log_in_handler(void *arg)
{
    (void)arg;
    log_error("irq", "from a handler");
}

static void sinks_are_woken_and_handlers_may_log(void **state)
{
    struct irq_msi msi;
    struct log_entry e;
    uint64_t cursor = 0;

    (void)state;
    notified = 0;
    log_set_notify(count_notify);
    log_debug("m", "not stored, nobody woken");
    log_info("m", "one");
    assert_int_equal(notified, 1);
    assert_int_equal(irq_alloc("log", log_in_handler, NULL, &msi), FL_OK);
    host_irq_raise(msi.vector);
    assert_int_equal(notified, 2);
    assert_true(log_read(&cursor, &e, NULL));
    assert_true(log_read(&cursor, &e, NULL));
    assert_string_equal(e.text, "from a handler");
}

/* Text that comes from outside: what a terminal would obey is not in it, what people write is. */
static void only_what_shows_is_kept(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain ~", "plain ~"},
        {"a\x1b[2Jb\x7f\tc", "a?[2Jb? c"},
        {"\x9b[2J \x80 \x9f \xa0 \xff", "?[2J ? ? ? ?"}, /* C1 and stray bytes */
        {"\xc2\x9b[2J \xc2\x80", "??[2J ??"},            /* C1 as UTF-8 */
        {"\xc2\xa0|\xc3\xa9|\xdf\xbf", "\xc2\xa0|\xc3\xa9|\xdf\xbf"},
        {"\xe2\x82\xac|\xef\xbf\xbd", "\xe2\x82\xac|\xef\xbf\xbd"},
        {"\xf0\x9f\x92\xa1|\xf4\x8f\xbf\xbf", "\xf0\x9f\x92\xa1|\xf4\x8f\xbf\xbf"},
        {"\xc0\x9b|\xe0\x82\x9b|\xf0\x80\x82\x9b", "??|???|????"}, /* too long */
        {"\xed\xa0\x80|\xf4\x90\x80\x80|\xf5", "???|????|?"},      /* no characters */
        {"\xe2\x82", "??"},                                        /* cut off */
        {"\xe2\x82q|\xf0\x9f\x92", "??q|???"},
        {"\xc3", "?"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct log_entry e;
        uint64_t cursor = i, lost;

        log_info("x", "%s", rows[i].in);
        assert_true(log_read(&cursor, &e, &lost));
        assert_string_equal(e.text, rows[i].out);
    }
}
/* ---- the limit ---- */

static struct log_limit limit;
static uint64_t limit_cursor;
static int setup_limit(void **state)
{
    limit = (struct log_limit){0};
    limit_cursor = 0;
    return setup(state);
}
static void flood(unsigned lines)
{
    for (unsigned i = 0; i < lines; i++) {
        log_limited(&limit, LOG_WARN, "m", "line %u", i);
    }
}
static unsigned stored(void)
{
    struct log_entry e;
    unsigned n = 0;
    while (log_read(&limit_cursor, &e, NULL)) {
        n++;
    }
    return n;
}
static void next_is(enum log_level level, const char *text)
{
    struct log_entry e;
    assert_true(log_read(&limit_cursor, &e, NULL));
    assert_string_equal(e.text, text);
    assert_int_equal(e.level, level);
}

static void a_flood_of_lines_is_limited(void **state)
{
    (void)state;
    host_clock_set(5 * US_PER_S * NS_PER_US);
    flood(LOG_LIMIT_LINES);
    assert_int_equal(stored(), LOG_LIMIT_LINES); /* all of them: no loss below the limit */
    flood(1000);
    assert_int_equal(stored(), 0);
    host_clock_advance((LOG_LIMIT_US - 1) * NS_PER_US); /* the same second still */
    flood(7);
    assert_int_equal(stored(), 0);
    host_clock_advance(NS_PER_US);
    flood(LOG_LIMIT_LINES + 5);
    next_is(LOG_WARN, "1007 lines like this suppressed");
    next_is(LOG_WARN, "line 0");
    assert_int_equal(stored(), LOG_LIMIT_LINES - 1);
    assert_int_equal(limit.total, 1012);
}

/* It may fall silent for ever: then somebody asks. */
static void what_is_unsaid_is_said_at_the_end(void **state)
{
    (void)state;
    flood(LOG_LIMIT_LINES + 3);
    assert_int_equal(stored(), LOG_LIMIT_LINES);
    log_limit_flush(&limit, "m");
    next_is(LOG_WARN, "3 lines like this suppressed");
    log_limit_flush(&limit, "m"); /* once */
    assert_int_equal(stored(), 0);
    flood(1); /* and it does not open the door again */
    assert_int_equal(stored(), 0);
}

static void suppressed_lines_count_as_the_worst_of_them(void **state)
{
    (void)state;
    flood(LOG_LIMIT_LINES);
    (void)stored();
    log_limited(&limit, LOG_INFO, "m", "x");
    log_limited(&limit, LOG_ERROR, "m", "x");
    log_limited(&limit, LOG_INFO, "m", "x");
    log_limit_flush(&limit, "m");
    next_is(LOG_ERROR, "3 lines like this suppressed");
    log_limited(&limit, LOG_INFO, "m", "x"); /* the last time's is forgotten */
    log_limit_flush(&limit, "m");
    next_is(LOG_INFO, "1 lines like this suppressed");
}

static void lines_below_the_level_take_no_place(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        log_limited(&limit, LOG_DEBUG, "m", "not wanted");
    }
    assert_int_equal(limit.total, 0);
    flood(LOG_LIMIT_LINES);
    assert_int_equal(stored(), LOG_LIMIT_LINES);
}

static void sources_do_not_disturb_each_other(void **state)
{
    struct log_limit second = {0};
    (void)state;
    flood(100);
    (void)stored();
    log_limited(&second, LOG_WARN, "m", "somebody else");
    next_is(LOG_WARN, "somebody else");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(line_is_stored_and_formatted, setup),
        cmocka_unit_test_setup(ring_wraps, setup),
        cmocka_unit_test_setup(slow_reader_loses_lines_and_knows_how_many, setup),
        cmocka_unit_test_setup(two_readers_do_not_disturb_each_other, setup),
        cmocka_unit_test_setup(level_filters, setup),
        cmocka_unit_test_setup(long_and_dirty_lines_are_tamed, setup),
        cmocka_unit_test_setup(only_what_shows_is_kept, setup),
        cmocka_unit_test_setup(format_never_overruns, setup),
        cmocka_unit_test_setup(sinks_are_woken_and_handlers_may_log, setup),
        cmocka_unit_test_setup(a_flood_of_lines_is_limited, setup_limit),
        cmocka_unit_test_setup(what_is_unsaid_is_said_at_the_end, setup_limit),
        cmocka_unit_test_setup(suppressed_lines_count_as_the_worst_of_them, setup_limit),
        cmocka_unit_test_setup(lines_below_the_level_take_no_place, setup_limit),
        cmocka_unit_test_setup(sources_do_not_disturb_each_other, setup_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
