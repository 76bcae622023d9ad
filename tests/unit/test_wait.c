/* SPDX-License-Identifier: MIT */
/* Waiting by looking: when it looks, how long it sleeps, what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/wait.h"

#define NEVER UINT32_MAX

/* A thing that comes at the n-th look (counted from 1), or ends with an error then. */
static struct {
    uint32_t looks, comes, reports;
    enum fl_err ends;
    uint64_t at_us[64];
} thing;
static struct wait how;
static struct fl_fail fail, *to;
static enum fl_err result;
static bool done;

static enum fl_err look(void *ctx, struct wait_report *last, struct fl_fail *f)
{
    assert_ptr_equal(ctx, &thing);
    thing.at_us[thing.looks++ % ARRAY_SIZE(thing.at_us)] = clock_now_us();
    if (thing.looks >= thing.comes) {
        return thing.ends == FL_OK ? FL_OK : FL_FAIL(f, thing.ends, "thing", "it broke");
    }
    if (last != NULL) {
        thing.reports++;
        snprintf(last->where, sizeof(last->where), "THING");
        snprintf(last->text, sizeof(last->text), "it reads 0x%x", 7u);
        last->seen = 7;
        last->expected = 9;
    }
    return FL_EBUSY;
}

static void fiber(void *arg)
{
    (void)arg;
    result = wait_until(&how, look, &thing, to);
    done = true;
}

static bool is_done(void *arg)
{
    (void)arg;
    return done;
}

static void go(uint32_t comes, enum fl_err ends)
{
    host_reset();
    host_clock_set_step(0);
    memset(&thing, 0, sizeof(thing));
    thing.comes = comes;
    thing.ends = ends;
    done = false;
    fl_fail_clear(&fail);
    assert_non_null(fiber_spawn("wait", fiber, NULL, 0));
    fiber_run(is_done, NULL);
}

static int setup(void **state)
{
    (void)state;
    how = (struct wait){.what = "the thing", .timeout_us = 10 * US_PER_MS, .step_us = 10};
    to = &fail;
    return 0;
}

static void what_is_there_costs_no_time(void **state)
{
    (void)state;
    go(1, FL_OK);
    assert_int_equal(result, FL_OK);
    assert_int_equal(thing.looks, 1);
    assert_int_equal(clock_now_us(), 0);
    assert_int_equal(fail.err, FL_OK);
}

static void sleeps_double_up_to_the_longest(void **state)
{
    static const struct {
        uint32_t step, max;
        uint64_t at[6];
    } rows[] = {
        {10, 0, {0, 10, 30, 70, 150, 310}},           {10, 40, {0, 10, 30, 70, 110, 150}},
        {400, 0, {0, 400, 1200, 2200, 3200, 4200}},   /* 1 ms where nothing is said */
        {1500, 0, {0, 1500, 3000, 4500, 6000, 7500}}, /* never shorter than the first */
        {100, 100, {0, 100, 200, 300, 400, 500}},     {0, 0, {0, 1, 3, 7, 15, 31}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        how.step_us = rows[i].step;
        how.step_max_us = rows[i].max;
        go(6, FL_OK);
        assert_int_equal(result, FL_OK);
        assert_memory_equal(thing.at_us, rows[i].at, sizeof(rows[i].at));
    }
}

static void the_last_look_is_after_the_deadline(void **state)
{
    (void)state;
    how.step_us = how.step_max_us = 4 * US_PER_MS;
    go(4, FL_OK); /* 0, 4, 8, 12 ms: it came in time, only the look was late */
    assert_int_equal(result, FL_OK);
    assert_int_equal(thing.reports, 0);
    go(5, FL_OK);
    assert_int_equal(result, FL_ETIMEDOUT);
    assert_int_equal(thing.looks, 4);
    assert_int_equal(thing.reports, 1);
    assert_int_equal(thing.at_us[3], 12 * US_PER_MS);
}

static void a_timeout_says_what_was_seen(void **state)
{
    (void)state;
    how.hint = "try this";
    go(NEVER, FL_OK);
    assert_int_equal(result, FL_ETIMEDOUT);
    assert_int_equal(fail.err, FL_ETIMEDOUT);
    assert_string_equal(fail.what, "THING");
    assert_non_null(strstr(fail.text, "for the thing: it reads 0x7"));
    assert_string_equal(fail.hint, "try this");
    assert_int_equal(fail.seen, 7);
    assert_int_equal(fail.expected, 9);
    assert_int_equal(fail.waited_us, clock_now_us());
    how.hint = NULL;
    go(NEVER, FL_OK);
    assert_string_equal(fail.hint, "");
    to = NULL; /* nobody reads it */
    go(NEVER, FL_OK);
    assert_int_equal(result, FL_ETIMEDOUT);
}

static void another_error_ends_it_at_once(void **state)
{
    (void)state;
    go(3, FL_ELINKLOST);
    assert_int_equal(result, FL_ELINKLOST);
    assert_int_equal(thing.looks, 3);
    assert_string_equal(fail.text, "it broke");
    assert_int_equal(thing.reports, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(what_is_there_costs_no_time),         T(sleeps_double_up_to_the_longest),
        T(the_last_look_is_after_the_deadline), T(a_timeout_says_what_was_seen),
        T(another_error_ends_it_at_once),
    };
    return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
