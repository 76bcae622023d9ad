/* SPDX-License-Identifier: MIT */
/* Fibers in virtual time: turns, sleeping, beginning and end, stacks, figures. */
#include "tests/unit/fiber_trace.h"

#include <xmmintrin.h>

/* ---- running and waiting ---- */

static void yields_take_turns(void **state)
{
    (void)state;
    assert_non_null(fiber_spawn("a", three_turns, "a", 0));
    assert_non_null(fiber_spawn("b", three_turns, "b", 0));
    assert_non_null(fiber_spawn("c", three_turns, "c", 0));
    assert_int_equal(live(), 3);
    fiber_run(NULL, NULL);
    assert_string_equal(trace, "abcabcabc");
}

static void sleep_and_note(void *arg)
{
    struct sleeper *s = arg;

    fiber_sleep_us(s->us);
    s->woke_us = clock_now_us();
    note(s->letter);
}

static void sleepers_wake_in_the_order_of_their_deadlines(void **state)
{
    struct sleeper s[] = {{300, 'c', 0}, {100, 'a', 0}, {400, 'd', 0},
                          {200, 'b', 0}, {100, 'A', 0}, {0, '0', 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
        assert_non_null(fiber_spawn("sleeper", sleep_and_note, &s[i], 0));
    }
    fiber_run(NULL, NULL);
    assert_string_equal(trace, "0aAbcd"); /* equal deadlines: first come, first served */
    for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
        assert_int_equal(s[i].woke_us, s[i].us);
    }
    struct fiber_stats stats;
    fiber_get_stats(&stats);
    assert_int_equal(stats.idle_ns, 400 * NS_PER_US);
}

/* A sleep is never shorter than asked, even from the middle of a microsecond. */
static void sleep_lasts_at_least(void **state)
{
    (void)state;
    host_clock_set(1999);
    fiber_sleep_us(1);
    assert_int_equal(host_clock_peek_ns(),
                     3000); /* idle times are whole microseconds, rounded up */
}

static void sleep_for_ever(void *arg)
{
    (void)arg;
    fiber_sleep_us(UINT64_MAX);
    note('x');
}

static void endless_sleep_does_not_wrap(void **state)
{
    (void)state;
    host_clock_set(5000);
    assert_non_null(fiber_spawn("for ever", sleep_for_ever, NULL, 0));
    fiber_sleep_us(UINT64_C(100) * 365 * 24 * 3600 * US_PER_S); /* a hundred years */
    assert_string_equal(trace, "");
    host_reset();
}

static bool after_two_notes(void *arg)
{
    (void)arg;
    return strlen(trace) >= 2;
}

static void run_stops_when_told_and_goes_on_later(void **state)
{
    (void)state;
    assert_non_null(fiber_spawn("a", three_turns, "a", 0));
    fiber_run(after_two_notes, NULL);
    assert_string_equal(trace, "aa");
    assert_int_equal(live(), 1);
    fiber_run(NULL, NULL);
    assert_string_equal(trace, "aaa");
}

static void main_may_wait_as_well(void **state)
{
    struct sleeper s = {50, 's', 0};

    (void)state;
    assert_string_equal(fiber_name(), "main");
    assert_false(fiber_active());
    assert_non_null(fiber_spawn("s", sleep_and_note, &s, 0));
    assert_non_null(fiber_spawn("t", three_turns, "t", 0));
    fiber_yield();
    assert_string_equal(trace, "t");
    fiber_sleep_us(20);
    assert_string_equal(trace, "ttt");
    assert_int_equal(clock_now_us(), 20);
    fiber_run(NULL, NULL);
    assert_string_equal(trace, "ttts");
}

static void spawn_another(void *arg)
{
    uint32_t *left = arg;

    assert_true(fiber_active());
    assert_string_equal(fiber_name(), "child");
    if (--*left > 0) {
        assert_non_null(fiber_spawn("child", spawn_another, left, 0));
    }
}

static void ended_fibers_leave_nothing_behind(void **state)
{
    uint32_t left = 5000; /* with leaks, 5000 stacks of 256 KiB would be noticed */

    (void)state;
    assert_non_null(fiber_spawn("child", spawn_another, &left, 0));
    fiber_run(NULL, NULL);
    assert_int_equal(left, 0);
}

static void spawn_fails_cleanly(void **state)
{
    (void)state;
    host_fail_alloc_at(2);
    assert_non_null(fiber_spawn("a", three_turns, "a", 0));
    assert_null(fiber_spawn("b", three_turns, "b", 0));
    assert_non_null(fiber_spawn("c", three_turns, "c", 0));
    assert_null(fiber_spawn("huge", three_turns, "h", UINT64_MAX));
    fiber_run(NULL, NULL);
    assert_string_equal(trace, "acacac");
}

/* ---- figures ---- */

static void spin(void *arg)
{
    const uint32_t *us = arg;

    clock_spin_us(*us);
    fiber_sleep_us(1000);
    clock_spin_us(1);
}

static void longest_run_is_found(void **state)
{
    uint32_t us[] = {20, 70, 40};
    struct fiber_stats s;

    (void)state;
    assert_non_null(fiber_spawn("short", spin, &us[0], 0));
    assert_non_null(fiber_spawn("the one that takes very long", spin, &us[1], 0));
    assert_non_null(fiber_spawn("middle", spin, &us[2], 0));
    fiber_run(NULL, NULL);
    fiber_get_stats(&s);
    assert_int_equal(s.longest_run_ns, 70 * NS_PER_US);
    assert_string_equal(s.longest_name, "the one that takes very"); /* cut to its field */
    assert_int_equal(s.switches, 6);
}

static void work_long(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        clock_spin_us(90);
        note('.');
        fiber_yield_if_long();
    }
}

static void long_work_gives_way(void **state)
{
    (void)state;
    assert_non_null(fiber_spawn("work", work_long, NULL, 0));
    assert_non_null(fiber_spawn("other", three_turns, "o", 0));
    fiber_run(NULL, NULL);
    assert_string_equal(trace, "...o...o...o.");
}

static void use_stack(void *arg)
{
    volatile uint8_t bytes[20000];

    (void)arg;
    memset((uint8_t *)(uintptr_t)bytes, 0xa5, sizeof(bytes));
    fiber_sleep_us(10);
    note((char)('0' + (bytes[100] == 0xa5)));
}

static void stack_use_is_measured(void **state)
{
    struct fiber_info info[2];

    (void)state;
    assert_non_null(fiber_spawn("deep", use_stack, NULL, 0));
    assert_int_equal(fiber_list(info, 2), 1);
    assert_int_equal(info[0].state, FIBER_RUNNABLE);
    uint64_t before = info[0].stack_used_bytes;
    fiber_sleep_us(5);
    assert_int_equal(fiber_list(NULL, 0), 1);
    assert_int_equal(fiber_list(info, 2), 1);
    assert_string_equal(info[0].name, "deep");
    assert_int_equal(info[0].state, FIBER_SLEEPING);
    assert_int_equal(info[0].since_us, 0);
    assert_int_equal(info[0].until_us, 10);
    assert_in_range(info[0].stack_used_bytes, before + 20000, info[0].stack_bytes);
    fiber_run(NULL, NULL);
    assert_string_equal(trace, "1");
}

/* Writes where the lowest frame of an overrun would be, without tripping over the guard page. */
__attribute__((no_sanitize("address"))) static void overrun(void *arg)
{
    struct fiber_info info;
    volatile uint8_t here = 0;

    (void)arg;
    assert_int_equal(fiber_list(&info, 1), 1);
    uintptr_t top = align_up_u64((uintptr_t)&here, FL_PAGE_SIZE);
    *(volatile uint64_t *)(top - info.stack_bytes) = 0;
    fiber_yield();
}

static void run_overrun(void *arg)
{
    (void)arg;
    assert_non_null(fiber_spawn("overrun", overrun, NULL, 0));
    fiber_run(NULL, NULL);
}

static void overrun_of_a_stack_is_noticed(void **state)
{
    char text[200];

    (void)state;
    assert_true(host_expect_panic(run_overrun, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "fiber \"overrun\" overran its stack"));
    host_reset();
}

/* The control word of SSE belongs to the fiber (psABI: callee-saved control bits). */
static void flush_to_zero(void *arg)
{
    const unsigned *mode = arg;

    assert_int_equal(_mm_getcsr() & _MM_FLUSH_ZERO_MASK, 0);
    _MM_SET_FLUSH_ZERO_MODE(*mode);
    fiber_yield();
    assert_int_equal(_mm_getcsr() & _MM_FLUSH_ZERO_MASK, *mode);
    note('.');
}

static void control_words_belong_to_the_fiber(void **state)
{
    unsigned modes[] = {_MM_FLUSH_ZERO_ON, _MM_FLUSH_ZERO_OFF, _MM_FLUSH_ZERO_ON};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        assert_non_null(fiber_spawn("mode", flush_to_zero, &modes[i], 0));
    }
    fiber_run(NULL, NULL);
    assert_string_equal(trace, "...");
    assert_int_equal(_mm_getcsr() & _MM_FLUSH_ZERO_MASK, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(yields_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(sleepers_wake_in_the_order_of_their_deadlines, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(sleep_lasts_at_least, setup, teardown),
        cmocka_unit_test_setup_teardown(endless_sleep_does_not_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(run_stops_when_told_and_goes_on_later, setup, teardown),
        cmocka_unit_test_setup_teardown(main_may_wait_as_well, setup, teardown),
        cmocka_unit_test_setup_teardown(ended_fibers_leave_nothing_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(spawn_fails_cleanly, setup, teardown),
        cmocka_unit_test_setup_teardown(longest_run_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(long_work_gives_way, setup, teardown),
        cmocka_unit_test_setup_teardown(stack_use_is_measured, setup, teardown),
        cmocka_unit_test_setup_teardown(overrun_of_a_stack_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(control_words_belong_to_the_fiber, setup, teardown),
    };
    return cmocka_run_group_tests_name("fiber", tests, NULL, NULL);
}
