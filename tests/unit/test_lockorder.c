/* SPDX-License-Identifier: MIT */
/* The lock-order checker: what it must notice, and what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "arch/log.h"

static LOCK_CLASS(class_a, "a");
static LOCK_CLASS(class_b, "b");
static LOCK_CLASS(class_c, "c");
static LOCK_CLASS(class_d, "d");

static int setup(void **state)
{
    (void)state;
    host_reset();
    lockorder_reset();
    return 0;
}

/* Takes x, then y while holding it, and gives both back. */
static void nest(struct lock_class *x, const char *x_at, struct lock_class *y, const char *y_at)
{
    lockorder_acquire(x, x_at);
    lockorder_acquire(y, y_at);
    lockorder_release(y);
    lockorder_release(x);
}

static void one_order_is_fine(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        nest(&class_a, "1", &class_b, "2");
        nest(&class_b, "3", &class_c, "4");
        nest(&class_a, "5", &class_c, "6");
    }
    lockorder_acquire(&class_c, "7"); /* alone, in any order: no nesting, no edge */
    lockorder_release(&class_c);
    lockorder_acquire(&class_a, "8");
    lockorder_release(&class_a);
    assert_int_equal(lockorder_inversions(), 0);
    assert_string_equal(lockorder_first(), "");
}

static void reversed_pair_is_reported_once(void **state)
{
    struct log_entry entry;
    uint64_t cursor = 0;

    (void)state;
    while (log_read(&cursor, &entry, NULL)) {
    }
    nest(&class_a, "one.c:1", &class_b, "one.c:2");
    nest(&class_b, "two.c:3", &class_a, "two.c:4");
    nest(&class_b, "two.c:3", &class_a, "two.c:4");
    assert_int_equal(lockorder_inversions(), 1);
    assert_string_equal(lockorder_first(),
                        "lock order inversion: fiber \"main\" takes \"a\" at two.c:4 holding \"b\" "
                        "(taken at two.c:3); seen before: \"a\" before \"b\" at one.c:2");
    assert_true(log_read(&cursor, &entry, NULL));
    assert_int_equal(entry.level, LOG_ERROR);
    assert_memory_equal(entry.text, lockorder_first(), 60);
    assert_false(log_read(&cursor, &entry, NULL));
}

static void long_cycle_is_told_with_its_path(void **state)
{
    (void)state;
    nest(&class_a, "x:1", &class_b, "x:2");
    nest(&class_b, "x:3", &class_c, "x:4");
    nest(&class_c, "x:5", &class_d, "x:6");
    assert_int_equal(lockorder_inversions(), 0);
    nest(&class_d, "y:1", &class_a, "y:2");
    assert_int_equal(lockorder_inversions(), 1);
    assert_non_null(strstr(lockorder_first(), "takes \"a\" at y:2 holding \"d\""));
    assert_non_null(strstr(lockorder_first(),
                           "\"a\" before \"b\" at x:2, \"b\" before \"c\" at x:4, "
                           "\"c\" before \"d\" at x:6"));
}

/* The graph has a cycle from then on; looking for paths in it must come to an end. */
static void checking_goes_on_after_an_inversion(void **state)
{
    (void)state;
    nest(&class_a, "1", &class_b, "2");
    nest(&class_b, "3", &class_a, "4");
    assert_int_equal(lockorder_inversions(), 1);
    nest(&class_c, "5", &class_a, "6"); /* no way from a to c */
    assert_int_equal(lockorder_inversions(), 1);
    nest(&class_a, "7", &class_d, "8");
    nest(&class_d, "9", &class_c, "10"); /* c before a before d */
    assert_int_equal(lockorder_inversions(), 2);
    assert_non_null(strstr(lockorder_first(), "takes \"a\" at 4")); /* the first one stays */
}

static void two_of_one_class_must_not_nest(void **state)
{
    (void)state;
    nest(&class_a, "p:1", &class_a, "p:2");
    assert_int_equal(lockorder_inversions(), 1);
    assert_non_null(strstr(lockorder_first(), "two locks of one class"));
}

/* An edge to each lock held, not only to the last one. */
static void inversion_through_an_outer_lock(void **state)
{
    (void)state;
    lockorder_acquire(&class_a, "o:1");
    nest(&class_b, "o:2", &class_c, "o:3");
    lockorder_release(&class_a);
    nest(&class_c, "o:4", &class_a, "o:5");
    assert_int_equal(lockorder_inversions(), 1);
    assert_non_null(strstr(lockorder_first(), "seen before: \"a\" before \"c\" at o:3"));
}

static void release_out_of_order_keeps_the_rest(void **state)
{
    (void)state;
    lockorder_acquire(&class_a, "1");
    lockorder_acquire(&class_b, "2");
    lockorder_release(&class_a);
    lockorder_acquire(&class_c, "3"); /* holds b: the edge b -> c */
    lockorder_release(&class_c);
    lockorder_release(&class_b);
    nest(&class_c, "4", &class_d, "5");
    assert_int_equal(lockorder_inversions(), 0);
    nest(&class_c, "6", &class_b, "7");
    assert_int_equal(lockorder_inversions(), 1);
}

/* Each fiber holds its own locks; one that waits does not lend them to the others. */
static struct mutex mutex_a, mutex_b;

static void hold_a(void *arg)
{
    (void)arg;
    mutex_lock(&mutex_a);
    fiber_sleep_us(100);
    mutex_unlock(&mutex_a);
}

static void hold_b(void *arg)
{
    (void)arg;
    fiber_sleep_us(50);
    mutex_lock(&mutex_b);
    fiber_sleep_us(100);
    mutex_unlock(&mutex_b);
}

static void b_then_a(void *arg)
{
    (void)arg;
    fiber_sleep_us(500);
    mutex_lock(&mutex_b);
    mutex_lock(&mutex_a);
    mutex_unlock(&mutex_a);
    mutex_unlock(&mutex_b);
}

static void a_then_b(void *arg)
{
    (void)arg;
    fiber_sleep_us(900); /* long after: they never wait for each other in this run */
    mutex_lock(&mutex_a);
    mutex_lock(&mutex_b);
    mutex_unlock(&mutex_b);
    mutex_unlock(&mutex_a);
}

static void fibers_hold_their_own(void **state)
{
    (void)state;
    mutex_init(&mutex_a, &class_a);
    mutex_init(&mutex_b, &class_b);
    assert_non_null(fiber_spawn("a", hold_a, NULL, 0));
    assert_non_null(fiber_spawn("b", hold_b, NULL, 0));
    assert_non_null(fiber_spawn("ba", b_then_a, NULL, 0));
    fiber_run(NULL, NULL);
    assert_int_equal(lockorder_inversions(), 0);
    assert_non_null(fiber_spawn("ab", a_then_b, NULL, 0));
    fiber_run(NULL, NULL);
    assert_int_equal(lockorder_inversions(), 1);
    assert_non_null(strstr(lockorder_first(), "fiber \"ab\" takes \"b\" at "));
    assert_non_null(strstr(lockorder_first(), "test_lockorder.c:"));
}

static void release_unheld(void *arg)
{
    (void)arg;
    lockorder_release(&class_a);
}

/* Two of the classes are the checker's own. */
#define OURS_MAX 61u
static struct lock_class many[64];
static char many_names[64][8];

static void too_many_classes(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
        lockorder_acquire(&many[i], "m");
        lockorder_release(&many[i]);
    }
}

static void too_deep(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < 17; i++) {
        lockorder_acquire(&many[i], "m");
    }
}

static void misuse_panics(void **state)
{
    char text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
        (void)snprintf(many_names[i], sizeof(many_names[i]), "m%zu", i);
        many[i].name = many_names[i];
    }
    assert_true(host_expect_panic(release_unheld, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "releases \"a\" and does not hold it"));
    assert_true(host_expect_panic(too_many_classes, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "more than 63 lock classes, at \"m61\""));
    lockorder_reset();
    assert_true(host_expect_panic(too_deep, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "holds 16 locks, at \"m16\""));
    lockorder_reset();
}

/* A chain through all classes: the search visits every one and the text is cut, not overrun. */
static void longest_chain(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < OURS_MAX; i++) {
        nest(&many[i], "chain", &many[i + 1],
             "chain of classes, with a place that has a long name");
    }
    assert_int_equal(lockorder_inversions(), 0);
    nest(&many[OURS_MAX - 1], "end", &many[0], "end");
    assert_int_equal(lockorder_inversions(), 1);
    assert_in_range(strlen(lockorder_first()), 500, 511);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_order_is_fine, setup),
        cmocka_unit_test_setup(reversed_pair_is_reported_once, setup),
        cmocka_unit_test_setup(long_cycle_is_told_with_its_path, setup),
        cmocka_unit_test_setup(checking_goes_on_after_an_inversion, setup),
        cmocka_unit_test_setup(two_of_one_class_must_not_nest, setup),
        cmocka_unit_test_setup(inversion_through_an_outer_lock, setup),
        cmocka_unit_test_setup(release_out_of_order_keeps_the_rest, setup),
        cmocka_unit_test_setup(fibers_hold_their_own, setup),
        cmocka_unit_test_setup(misuse_panics, setup),
        cmocka_unit_test_setup(longest_chain, setup),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
