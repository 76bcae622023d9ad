/* SPDX-License-Identifier: MIT */
/* Fibers, events and mutexes, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xmmintrin.h>

#include <cmocka.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "arch/log.h"

/* What happened, in order, one letter each. */
static char trace[256];

static void note(char c)
{
    size_t len = strlen(trace);

    assert_true(len + 1 < sizeof(trace));
    trace[len] = c;
    trace[len + 1] = '\0';
}

static int setup(void **state)
{
    (void)state;
    host_reset();
    lockorder_reset();
    host_clock_set_step(0); /* time moves only while all wait */
    trace[0] = '\0';
    return 0;
}

static uint32_t live(void)
{
    struct fiber_stats s;

    fiber_get_stats(&s);
    return s.live;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(live(), 0);
    assert_true(host_irq_enabled());
    return 0;
}

/* ---- running and waiting ---- */

static void three_turns(void *arg)
{
    const char *letter = arg;

    for (int i = 0; i < 3; i++) {
        note(*letter);
        fiber_yield();
    }
}

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

struct sleeper {
    uint64_t us;
    char letter;
    uint64_t woke_us;
};

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
    fiber_reset_longest();
    fiber_get_stats(&s);
    assert_int_equal(s.longest_run_ns, 0);
    assert_string_equal(s.longest_name, "");
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
        cmocka_unit_test_setup_teardown(signal_wakes_all_who_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(signal_before_the_wait_is_kept_once, setup, teardown),
        cmocka_unit_test_setup_teardown(wait_with_a_past_deadline_yields, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupt_ends_a_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(mutex_is_handed_on_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_locking_panics, setup, teardown),
        cmocka_unit_test_setup_teardown(deadlock_is_told_in_words, setup, teardown),
        cmocka_unit_test_setup_teardown(random_waits_end_and_repeat_exactly, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
