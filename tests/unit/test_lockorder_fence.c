/* SPDX-License-Identifier: MIT */
/*
 * The lock-order checker and fences: the five ways to deadlock on a fence, each reported from runs
 * that do not deadlock, and what looks like them and is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

/* Where the section that ends with the signal began, and what is done in it. */
static void signalling(void (*inside)(void))
{
    lockorder_signal_begin("run stage");
    inside();
    lockorder_signal_end();
}

static void take(struct lock_class *cls, const char *where)
{
    lockorder_acquire(cls, where);
    lockorder_release(cls);
}

static void inside_allocates(void) { lockorder_point(&lock_class_alloc, "table page"); }
static void inside_takes_b(void) { take(&class_b, "b in run"); }
static void inside_takes_b_over_c(void) { nest(&class_b, "b in run", &class_c, "c in run"); }
static void inside_waits(void) { lockorder_point(&lock_class_fence, "second fence"); }

/* What a cycle through the primed edge ends with. */
#define PRIMED "\"alloc\" before \"fence\" at any allocation that evicts"

static void assert_reported(const char *now, const char *before)
{
    assert_int_equal(lockorder_inversions(), 1);
    assert_non_null(strstr(lockorder_first(), now));
    assert_non_null(strstr(lockorder_first(), before));
}

/* Deadlock 1, one CPU: who must signal allocates; the allocation waits for the fence. */
static void signaller_allocates(void **state)
{
    (void)state;
    signalling(inside_allocates);
    assert_string_equal(lockorder_first(),
                        "lock order inversion: fiber \"main\" allocates (\"alloc\") at table page "
                        "having a \"fence\" to signal (since run stage); seen before: " PRIMED);
    assert_int_equal(lockorder_inversions(), 1);
}

/* Deadlock 2, the same by two: the eviction that waits runs in another fiber, and did before. */
static void evict(void *arg)
{
    (void)arg;
    lockorder_acquire(&lock_class_alloc, "allocator");
    lockorder_point(&lock_class_fence, "eviction waits");
    lockorder_release(&lock_class_alloc);
}

static void signal_fiber(void *arg)
{
    (void)arg;
    signalling(inside_allocates);
}

static void signaller_allocates_of_two(void **state)
{
    (void)state;
    assert_non_null(fiber_spawn("evicts", evict, NULL, 0));
    fiber_run(NULL, NULL);
    assert_int_equal(lockorder_inversions(), 0);
    assert_non_null(fiber_spawn("signals", signal_fiber, NULL, 0));
    fiber_run(NULL, NULL);
    assert_reported("fiber \"signals\" allocates (\"alloc\") at table page having a \"fence\"",
                    PRIMED);
}

/* Deadlock 3: who must signal takes a lock that another holds while it waits for the fence. */
static void wait_under_b(void)
{
    lockorder_acquire(&class_b, "b outside");
    lockorder_point(&lock_class_fence, "wait under b");
    lockorder_release(&class_b);
}

static void signaller_takes_a_waiters_lock(void **state)
{
    (void)state;
    wait_under_b();
    assert_int_equal(lockorder_inversions(), 0);
    signalling(inside_takes_b);
    assert_reported("takes \"b\" at b in run having a \"fence\" to signal (since run stage)",
                    "seen before: \"b\" before \"fence\" at wait under b");
}

/* ... and in the other order of events. */
static void waiter_takes_a_signallers_lock(void **state)
{
    (void)state;
    signalling(inside_takes_b);
    assert_int_equal(lockorder_inversions(), 0);
    wait_under_b();
    assert_reported("waits for a \"fence\" at wait under b holding \"b\" (taken at b outside)",
                    "seen before: \"fence\" before \"b\" at b in run");
}

/* Deadlock 4: as 3, the wait comes out of an allocation under the lock. */
static void alloc_under_b(void)
{
    lockorder_acquire(&class_b, "b outside");
    lockorder_point(&lock_class_alloc, "alloc under b");
    lockorder_release(&class_b);
}

static void signaller_takes_an_allocators_lock(void **state)
{
    (void)state;
    alloc_under_b();
    assert_int_equal(lockorder_inversions(), 0);
    signalling(inside_takes_b);
    assert_reported("takes \"b\" at b in run having a \"fence\" to signal",
                    "seen before: \"b\" before \"alloc\" at alloc under b, " PRIMED);
}

/* Deadlock 5: the signaller's lock is held over another, and that one over an allocation. */
static void signallers_lock_leads_to_an_allocators(void **state)
{
    (void)state;
    signalling(inside_takes_b);
    nest(&class_b, "b too", &class_c, "c under b");
    assert_int_equal(lockorder_inversions(), 0);
    lockorder_acquire(&class_c, "c outside");
    lockorder_point(&lock_class_alloc, "alloc under c");
    lockorder_release(&class_c);
    assert_reported("allocates (\"alloc\") at alloc under c holding \"c\" (taken at c outside)",
                    "seen before: " PRIMED
                    ", \"fence\" before \"b\" at b in run, \"b\" before \"c\" at c under b");
}

static void signaller_waits_for_a_fence(void **state)
{
    (void)state;
    signalling(inside_waits);
    assert_reported("waits for a \"fence\" at second fence having a \"fence\" to signal",
                    "who has a fence to signal must not wait for one");
}

/* What must pass, 1: memory is taken before the fence is there for others to see. */
static void allocating_before_is_fine(void **state)
{
    (void)state;
    lockorder_acquire(&class_a, "submit");
    lockorder_point(&lock_class_alloc, "table pages");
    lockorder_release(&class_a);
    signalling(inside_takes_b);
    lockorder_point(&lock_class_alloc, "after the signal");
    assert_int_equal(lockorder_inversions(), 0);
}

/* 2 and 3: the section takes from its own pool, under a lock that is also taken elsewhere, but
 * never over an allocation or a wait. */
static void pool_and_innermost_lock_are_fine(void **state)
{
    (void)state;
    nest(&class_a, "outer", &class_b, "b elsewhere");
    signalling(inside_takes_b_over_c);
    nest(&class_b, "b again", &class_c, "c again");
    lockorder_acquire(&class_a, "a");
    lockorder_point(&lock_class_alloc, "alloc under a");
    lockorder_point(&lock_class_fence, "wait under a");
    lockorder_release(&class_a);
    assert_int_equal(lockorder_inversions(), 0);
}

/* 4: a lock that is had without waiting for it makes nobody wait; what is taken under it does. */
static void inside_tries_b(void)
{
    lockorder_acquired(&class_b, "try b");
    lockorder_release(&class_b);
}

static void inside_tries_b_and_allocates(void)
{
    lockorder_acquired(&class_b, "try b");
    take(&class_d, "d under b");
    lockorder_release(&class_b);
}

static void trying_is_fine(void **state)
{
    (void)state;
    wait_under_b();
    signalling(inside_tries_b);
    assert_int_equal(lockorder_inversions(), 0);
    signalling(inside_tries_b_and_allocates);
    assert_int_equal(lockorder_inversions(), 0);
    nest(&class_d, "d", &class_b, "b under d");
    assert_reported("takes \"b\" at b under d holding \"d\"", "\"b\" before \"d\" at d under b");
}

/* 5: waiting with nothing held; and a section that begins under a lock waits for nothing. */
static void waiting_with_empty_hands_is_fine(void **state)
{
    (void)state;
    lockorder_point(&lock_class_fence, "wait");
    lockorder_acquire(&class_a, "a");
    signalling(inside_takes_b);
    lockorder_release(&class_a);
    take(&class_a, "a alone");
    lockorder_point(&lock_class_fence, "wait again");
    assert_int_equal(lockorder_inversions(), 0);
}

/* A device answers whatever we hold: its replies are no fences. */
static void inside_calls_the_device(void)
{
    lockorder_acquire(&class_b, "call");
    lockorder_point(&lock_class_reply, "reply");
    lockorder_release(&class_b);
}

static void reply_is_no_fence(void **state)
{
    (void)state;
    inside_calls_the_device();
    signalling(inside_calls_the_device);
    assert_int_equal(lockorder_inversions(), 0);
    lockorder_acquire(&lock_class_reply, "as if it were held");
    take(&class_b, "b under a reply");
    lockorder_release(&lock_class_reply);
    inside_calls_the_device(); /* known by now: judged when it was new */
    assert_reported("takes \"b\" at b under a reply holding \"reply\"",
                    "\"b\" before \"reply\" at reply");
    lockorder_reset();
    nest(&lock_class_reply, "r", &class_b, "b");
    inside_calls_the_device();
    assert_reported("waits for a \"reply\" at reply holding \"b\"", "\"reply\" before \"b\" at b");
}

/* A class that nobody has ever waited for has its place in the graph too. */
static void trying_a_new_class(void **state)
{
    (void)state;
    lockorder_acquired(&class_c, "try c");
    take(&class_a, "a under c");
    lockorder_release(&class_c);
    nest(&class_a, "a", &class_c, "c under a");
    assert_reported("takes \"c\" at c under a holding \"a\"", "\"c\" before \"a\" at a under c");
}

static void no_memory_in_a_section_without(void **state)
{
    (void)state;
    lockorder_noalloc_begin("outer");
    lockorder_noalloc_begin("inner");
    lockorder_point(&lock_class_fence, "a wait is not an allocation");
    take(&class_a, "nor is a lock");
    lockorder_noalloc_end();
    assert_int_equal(lockorder_inversions(), 0);
    lockorder_point(&lock_class_alloc, "page");
    assert_int_equal(lockorder_inversions(), 1);
    assert_string_equal(lockorder_first(), "fiber \"main\" allocates (\"alloc\") at page in a "
                                           "section without allocation, begun at outer");
    take(&lock_class_alloc, "by a lock of it");
    assert_int_equal(lockorder_inversions(), 2);
    assert_non_null(strstr(lockorder_first(), "at page in a section")); /* the first one stays */
    lockorder_noalloc_end();
    lockorder_point(&lock_class_alloc, "page");
    assert_int_equal(lockorder_inversions(), 2);
}

static void end_without_begin(void *arg)
{
    (void)arg;
    lockorder_noalloc_end();
}

static void begin_only(void *arg)
{
    (void)arg;
    lockorder_noalloc_begin("begun here");
}

static void fiber_ends_inside(void *arg)
{
    (void)arg;
    assert_non_null(fiber_spawn("inside", begin_only, NULL, 0));
    fiber_run(NULL, NULL);
}

static void misuse_of_a_section_panics(void **state)
{
    char text[200];

    (void)state;
    assert_true(host_expect_panic(end_without_begin, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "that it is not in"));
    assert_true(host_expect_panic(fiber_ends_inside, NULL, text, sizeof(text)));
    assert_non_null(
        strstr(text, "\"inside\" ended in a section without allocation, begun at begun"));
    host_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(signaller_allocates, setup),
        cmocka_unit_test_setup(signaller_allocates_of_two, setup),
        cmocka_unit_test_setup(signaller_takes_a_waiters_lock, setup),
        cmocka_unit_test_setup(waiter_takes_a_signallers_lock, setup),
        cmocka_unit_test_setup(signaller_takes_an_allocators_lock, setup),
        cmocka_unit_test_setup(signallers_lock_leads_to_an_allocators, setup),
        cmocka_unit_test_setup(signaller_waits_for_a_fence, setup),
        cmocka_unit_test_setup(allocating_before_is_fine, setup),
        cmocka_unit_test_setup(pool_and_innermost_lock_are_fine, setup),
        cmocka_unit_test_setup(trying_is_fine, setup),
        cmocka_unit_test_setup(waiting_with_empty_hands_is_fine, setup),
        cmocka_unit_test_setup(reply_is_no_fence, setup),
        cmocka_unit_test_setup(trying_a_new_class, setup),
        cmocka_unit_test_setup(no_memory_in_a_section_without, setup),
        cmocka_unit_test_setup(misuse_of_a_section_panics, setup),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
