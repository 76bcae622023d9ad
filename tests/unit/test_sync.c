/* SPDX-License-Identifier: MIT */
/*
 * Events and mutexes between fibers, in virtual time: who wakes, who is next, what a deadlock says;
 * and many at random.
 */
#include "tests/unit/fiber_trace.h"

/* ---- events ---- */

static struct event ev;

static void wait_for_event(void *arg)
{
    const struct sleeper *s = arg; /* us: how long it is willing to wait */
    enum fl_err err = event_wait(&ev, deadline_in_us(s->us));

    note(err == FL_OK ? s->letter : '-');
}

static void signal_after(void *arg)
{
    const struct sleeper *s = arg;

    fiber_sleep_us(s->us);
    note('!');
    event_signal(&ev);
}

static void signal_wakes_all_who_wait(void **state)
{
    struct sleeper w[] = {{500, 'a', 0}, {100, 'b', 0}, {UINT64_MAX, 'c', 0}};
    struct sleeper signal = {200, 0, 0};

    (void)state;
    event_init(&ev);
    for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
        assert_non_null(fiber_spawn("waiter", wait_for_event, &w[i], 0));
    }
    assert_non_null(fiber_spawn("signal", signal_after, &signal, 0));
    fiber_run(NULL, NULL);
    assert_string_equal(trace, "-!ac");
    assert_int_equal(clock_now_us(), 200); /* nobody sat out the deadline at 500 */
    assert_int_equal(ev.signalled, 0);
}

static void signal_before_the_wait_is_kept_once(void **state)
{
    (void)state;
    event_init(&ev);
    event_signal(&ev);
    event_signal(&ev);
    assert_int_equal(event_wait(&ev, deadline_in_us(10)), FL_OK);
    assert_int_equal(clock_now_us(), 0);
    assert_int_equal(event_wait(&ev, deadline_in_us(10)), FL_ETIMEDOUT);
    assert_int_equal(clock_now_us(), 10);
    event_signal(&ev); /* after the time-out: latched for the next wait */
    assert_int_equal(event_wait(&ev, deadline_in_us(10)), FL_OK);
}

static void signal_is_taken_without_waiting(void **state)
{
    (void)state;
    event_init(&ev);
    assert_false(event_take(&ev));
    event_signal(&ev);
    event_signal(&ev);
    assert_true(event_take(&ev));
    assert_false(event_take(&ev));
    assert_int_equal(event_wait(&ev, deadline_in_us(10)), FL_ETIMEDOUT);
}

/* A deadline in the past must not turn a waiting loop into one that never yields. */
static void wait_with_a_past_deadline_yields(void **state)
{
    (void)state;
    event_init(&ev);
    host_clock_set(5000000);
    assert_non_null(fiber_spawn("a", three_turns, "a", 0));
    struct deadline past = {.start_us = 0, .at_us = 1};
    assert_int_equal(event_wait(&ev, past), FL_ETIMEDOUT);
    assert_string_equal(trace, "a");
    fiber_run(NULL, NULL);
}

static void irq_handler(void *arg)
{
    note('i');
    event_signal(arg);
}

static uint64_t interrupt_at_300us(void *ctx)
{
    const struct irq_msi *msi = ctx;

    if (host_clock_peek_ns() < 300 * NS_PER_US) {
        return 300 * NS_PER_US;
    }
    if (irq_count(msi->vector) == 0) {
        assert_true(host_irq_raise_msi(msi->address, msi->data));
    }
    return UINT64_MAX;
}

static void interrupt_ends_a_wait(void **state)
{
    struct irq_msi msi;

    (void)state;
    event_init(&ev);
    assert_int_equal(irq_alloc("test", irq_handler, &ev, &msi), FL_OK);
    host_idle_hook(interrupt_at_300us, &msi);
    assert_int_equal(event_wait(&ev, deadline_in_us(1000)), FL_OK);
    assert_int_equal(clock_now_us(), 300);
    assert_int_equal(irq_count(msi.vector), 1);
    assert_string_equal(trace, "i");
}

/* ---- mutexes ---- */

static LOCK_CLASS(test_class, "test");
static LOCK_CLASS(other_class, "other");
static struct mutex mtx;
static int inside;

static void lock_and_sleep(void *arg)
{
    const char *letter = arg;

    mutex_lock(&mtx);
    inside++;
    assert_int_equal(inside, 1);
    note(*letter);
    fiber_sleep_us(100);
    inside--;
    mutex_unlock(&mtx);
}

static void try_lock(void *arg)
{
    const struct sleeper *s = arg;

    if (mutex_lock_until(&mtx, deadline_in_us(s->us)) == FL_OK) {
        note(s->letter);
        mutex_unlock(&mtx);
    } else {
        note('-');
    }
}

static void mutex_is_handed_on_in_order(void **state)
{
    struct sleeper in_time = {350, 't', 0};
    struct sleeper too_late = {50, 'x', 0};

    (void)state;
    mutex_init(&mtx, &test_class);
    assert_non_null(fiber_spawn("a", lock_and_sleep, "a", 0));
    assert_non_null(fiber_spawn("b", lock_and_sleep, "b", 0));
    assert_non_null(fiber_spawn("late", try_lock, &too_late, 0));
    assert_non_null(fiber_spawn("c", lock_and_sleep, "c", 0));
    assert_non_null(fiber_spawn("time", try_lock, &in_time, 0));
    fiber_run(NULL, NULL);
    assert_string_equal(trace, "a-bct");
    assert_int_equal(clock_now_us(), 300);
    assert_null(mtx.owner);
    assert_int_equal(lockorder_inversions(), 0);
}

static void lock_twice(void *arg)
{
    (void)arg;
    mutex_init(&mtx, &test_class);
    mutex_lock(&mtx);
    mutex_lock(&mtx);
}

static void unlock_unowned(void *arg)
{
    (void)arg;
    mutex_init(&mtx, &test_class);
    mutex_unlock(&mtx);
}

static void only_lock(void *arg)
{
    (void)arg;
    mutex_lock(&mtx);
}

static void end_holding(void *arg)
{
    (void)arg;
    mutex_init(&mtx, &test_class);
    assert_non_null(fiber_spawn("keeper", only_lock, NULL, 0));
    fiber_run(NULL, NULL);
}

static void broken_locking_panics(void **state)
{
    char text[200];

    (void)state;
    assert_true(host_expect_panic(lock_twice, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "locks \"test\" twice, at "));
    host_reset();
    assert_true(host_expect_panic(unlock_unowned, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "unlocks \"test\", owned by \"nobody\""));
    host_reset();
    assert_true(host_expect_panic(end_holding, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "fiber \"keeper\" ended holding lock \"test\""));
    host_reset();
}

/* ---- deadlock ---- */

static struct mutex first, second;

static void take_first_second(void *arg)
{
    (void)arg;
    mutex_lock(&first);
    fiber_sleep_us(10);
    mutex_lock(&second);
}

static void take_second_first(void *arg)
{
    (void)arg;
    mutex_lock(&second);
    fiber_sleep_us(10);
    mutex_lock(&first);
}

static void embrace(void *arg)
{
    (void)arg;
    mutex_init(&first, &test_class);
    mutex_init(&second, &other_class);
    assert_non_null(fiber_spawn("ping", take_first_second, NULL, 0));
    assert_non_null(fiber_spawn("pong", take_second_first, NULL, 0));
    fiber_run(NULL, NULL);
}

static void deadlock_is_told_in_words(void **state)
{
    char text[1000];

    (void)state;
    log_set_level(LOG_ERROR);
    assert_true(host_expect_panic(embrace, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "deadlock"));
    assert_non_null(strstr(text, "\"ping\": mutex other owned by \"pong\", at "));
    assert_non_null(strstr(text, "\"pong\": mutex test owned by \"ping\", at "));
    assert_int_equal(lockorder_inversions(), 1); /* and the checker knew before */
    log_set_level(LOG_INFO);
    host_reset();
}

/* ---- many at random ---- */

#define STRESS_FIBERS 24
#define STRESS_STEPS  300
static struct event stress_events[4];
static struct mutex stress_mutex;
static uint64_t stress_random;
static uint64_t stress_hash;
static int stress_inside;

static uint32_t stress_next(uint32_t bound)
{
    stress_random = stress_random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(stress_random >> 33) % bound;
}

static void stress(void *arg)
{
    uintptr_t me = (uintptr_t)arg;

    for (int i = 0; i < STRESS_STEPS; i++) {
        uint64_t before = clock_now_us();
        uint64_t us = stress_next(50);
        enum fl_err err = FL_OK;
        switch (stress_next(5)) {
        case 0:
            fiber_yield();
            break;
        case 1:
            fiber_sleep_us(us);
            assert_true(clock_now_us() - before >= us);
            break;
        case 2:
            event_signal(&stress_events[stress_next(4)]);
            break;
        case 3:
            err = event_wait(&stress_events[stress_next(4)], deadline_in_us(us));
            assert_true(err == FL_OK || clock_now_us() - before >= us);
            break;
        default:
            if (mutex_lock_until(&stress_mutex, deadline_in_us(us)) == FL_OK) {
                assert_int_equal(stress_inside++, 0);
                fiber_sleep_us(stress_next(20));
                assert_int_equal(--stress_inside, 0);
                mutex_unlock(&stress_mutex);
            }
            break;
        }
        stress_hash = (stress_hash ^ (me << 8 ^ clock_now_us() ^ (uint64_t)(err == FL_OK))) *
                      UINT64_C(1099511628211);
    }
}

static uint64_t stress_run(uint64_t seed)
{
    host_reset();
    host_clock_set_step(0);
    stress_random = seed;
    stress_hash = 0;
    mutex_init(&stress_mutex, &test_class);
    for (size_t i = 0; i < ARRAY_SIZE(stress_events); i++) {
        event_init(&stress_events[i]);
    }
    for (uintptr_t i = 0; i < STRESS_FIBERS; i++) {
        assert_non_null(fiber_spawn("stress", stress, (void *)i, 0));
    }
    fiber_run(NULL, NULL);
    assert_int_equal(live(), 0);
    return stress_hash;
}

static void random_waits_end_and_repeat_exactly(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        uint64_t once = stress_run(seed);
        assert_true(stress_run(seed) == once);
        assert_true(stress_run(seed + 100) != once);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(signal_wakes_all_who_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(signal_before_the_wait_is_kept_once, setup, teardown),
        cmocka_unit_test_setup_teardown(signal_is_taken_without_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(wait_with_a_past_deadline_yields, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupt_ends_a_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(mutex_is_handed_on_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_locking_panics, setup, teardown),
        cmocka_unit_test_setup_teardown(deadlock_is_told_in_words, setup, teardown),
        cmocka_unit_test_setup_teardown(random_waits_end_and_repeat_exactly, setup, teardown),
    };
    return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
