/* SPDX-License-Identifier: MIT */
/*
 * Fibers, timers, events and locks on the machine's own clock and interrupts. Times are bounded by
 * what can never be (too early) and by what would be a hang; an emulator on a busy host is slow.
 */
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/irq.h"
#include "arch/lockorder.h"
#include "arch/mmio.h"
#include "arch/x86_64/x86_priv.h"
#include "tests/boot/machine/case.h"

#define HANG_US (20 * US_PER_S)
enum { STACK_BYTES = 8192 };

static unsigned long long ull(uint64_t v) { return v; }

static void spawn(const char *name, void (*fn)(void *arg), void *arg)
{
    if (fiber_spawn(name, fn, arg, STACK_BYTES) == NULL) {
        CHECK(name, false, "no memory for a fiber");
    }
}

/* Lets the others run until *count is n, or it hangs. */
static bool wait_count(const unsigned *count, unsigned n)
{
    struct deadline d = deadline_in_us(HANG_US);
    while (*(const volatile unsigned *)count < n && !deadline_passed(d)) {
        fiber_sleep_us(US_PER_MS);
    }
    return *count == n;
}

/* --- timers --- */

static struct {
    unsigned woken;
    struct sleeper {
        uint64_t us, slept_us;
        unsigned place; /* 1: woke first */
    } sleeper[3];
} timers = {.sleeper = {{.us = 30000}, {.us = 10000}, {.us = 20000}}};

static void sleeper_fiber(void *arg)
{
    struct sleeper *s = arg;
    uint64_t from = clock_now_us();
    fiber_sleep_us(s->us);
    s->slept_us = clock_now_us() - from;
    s->place = ++timers.woken;
}

static void check_timers(void)
{
    static const unsigned place[] = {3, 1, 2};
    uint64_t interrupts = irq_count(X86_VECTOR_TIMER);
    for (size_t i = 0; i < ARRAY_SIZE(timers.sleeper); i++) {
        spawn("sleeper", sleeper_fiber, &timers.sleeper[i]);
    }
    bool all = wait_count(&timers.woken, ARRAY_SIZE(timers.sleeper));
    CHECK("timer-all", all, "%u woke", timers.woken);
    bool order = true, early = false, late = false;
    for (size_t i = 0; i < ARRAY_SIZE(timers.sleeper); i++) {
        const struct sleeper *s = &timers.sleeper[i];
        order &= s->place == place[i];
        early |= s->slept_us < s->us;
        late |= s->slept_us > s->us + HANG_US;
    }
    CHECK("timer-order", order, "places %u %u %u", timers.sleeper[0].place, timers.sleeper[1].place,
          timers.sleeper[2].place);
    CHECK("timer-not-early", !early, "10 ms lasted %llu us", ull(timers.sleeper[1].slept_us));
    CHECK("timer-not-late", !late, "10 ms lasted %llu us", ull(timers.sleeper[1].slept_us));
    CHECK("timer-interrupts", irq_count(X86_VECTOR_TIMER) > interrupts, "there was none");
}

static void check_idle(void)
{
    enum { NAP_US = 100000, NAP_SHARE_MIN = 4 };
    struct fiber_stats before, after;
    fiber_sleep_us(NAP_US / 2); /* the serial line catches up */
    fiber_get_stats(&before);
    uint64_t interrupts = irq_count(X86_VECTOR_TIMER);
    fiber_sleep_us(NAP_US);
    fiber_get_stats(&after);
    uint64_t idle_us = (after.idle_ns - before.idle_ns) / NS_PER_US;
    CHECK("idle", idle_us > NAP_US / NAP_SHARE_MIN, "halted %llu us of %d", ull(idle_us), NAP_US);
    /* One for the nap, some for the console: not one per tick of anything. */
    uint64_t count = irq_count(X86_VECTOR_TIMER) - interrupts;
    CHECK("idle-quiet", count < NAP_US / US_PER_MS, "%llu interrupts in %d us", ull(count), NAP_US);
}

/* --- events --- */

static void check_events(void)
{
    struct event ev;
    event_init(&ev);
    struct deadline d = deadline_in_us(5000);
    enum fl_err err = event_wait(&ev, d);
    CHECK("event-deadline", err == FL_ETIMEDOUT && deadline_passed(d), "%s after %llu us",
          fl_err_name(err), ull(deadline_waited_us(d)));
    event_signal(&ev);
    event_signal(&ev);
    err = event_wait(&ev, deadline_in_us(0));
    CHECK("event-latched", err == FL_OK, "%s", fl_err_name(err));
    err = event_wait(&ev, deadline_in_us(0));
    CHECK("event-consumed", err == FL_ETIMEDOUT, "%s", fl_err_name(err));
}

/* --- fibers --- */

enum { ROUNDS = 1000, WORKERS = 3 };
static struct {
    unsigned rounds[WORKERS], ended, out_of_turn;
} work;

/* Workers take turns: none is ever two rounds ahead of another. */
static void worker_fiber(void *arg)
{
    unsigned *mine = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        ++*mine;
        for (size_t k = 0; k < WORKERS; k++) {
            work.out_of_turn += *mine > work.rounds[k] + 1;
        }
        fiber_yield();
    }
    work.ended++;
}

static void check_fibers(void)
{
    struct fiber_stats before, after;
    fiber_get_stats(&before);
    for (size_t i = 0; i < WORKERS; i++) {
        spawn("worker", worker_fiber, &work.rounds[i]);
    }
    bool all = wait_count(&work.ended, WORKERS);
    fiber_get_stats(&after);
    CHECK("fibers-run", all && work.rounds[0] == ROUNDS && work.rounds[2] == ROUNDS,
          "%u ended, %u %u %u rounds", work.ended, work.rounds[0], work.rounds[1], work.rounds[2]);
    CHECK("fibers-take-turns", work.out_of_turn == 0, "%u times not", work.out_of_turn);
    CHECK("fibers-gone", after.live == before.live, "%u live, %u before", after.live, before.live);
    CHECK("fiber-name", fiber_active() && strcmp(fiber_name(), "test") == 0, "%s", fiber_name());
}

/* --- locks --- */

static LOCK_CLASS(class_outer, "test-outer");
static LOCK_CLASS(class_inner, "test-inner");
static struct {
    struct mutex outer, inner;
    unsigned taken, order[WORKERS];
} locks;

static void locker_fiber(void *arg)
{
    unsigned number = *(const unsigned *)arg;
    mutex_lock(&locks.outer);
    locks.order[locks.taken] = number;
    fiber_yield(); /* the others must not get in */
    locks.taken++;
    mutex_unlock(&locks.outer);
}

static void check_mutex(void)
{
    static const unsigned number[WORKERS] = {1, 2, 3};
    mutex_init(&locks.outer, &class_outer);
    mutex_lock(&locks.outer);
    for (size_t i = 0; i < WORKERS; i++) {
        spawn("locker", locker_fiber, (void *)(uintptr_t)&number[i]);
    }
    fiber_sleep_us(US_PER_MS);
    CHECK("mutex-keeps-out", locks.taken == 0, "%u got in", locks.taken);
    mutex_unlock(&locks.outer);
    /* Handed over to the first: who asks now comes last. */
    enum fl_err err = mutex_lock_until(&locks.outer, deadline_in_us(0));
    CHECK("mutex-until", err == FL_ETIMEDOUT, "%s", fl_err_name(err));
    bool all = wait_count(&locks.taken, WORKERS);
    CHECK("mutex-order", all && locks.order[0] == 1 && locks.order[1] == 2 && locks.order[2] == 3,
          "%u %u %u", locks.order[0], locks.order[1], locks.order[2]);
}

static void check_lock_order(void)
{
    mutex_init(&locks.inner, &class_inner);
    for (unsigned i = 0; i < 2; i++) {
        mutex_lock(&locks.outer);
        mutex_lock(&locks.inner);
        mutex_unlock(&locks.inner);
        mutex_unlock(&locks.outer);
    }
    CHECK("lock-order-good", lockorder_inversions() == 0, "%s", lockorder_first());
    for (unsigned i = 0; i < 2; i++) {
        mutex_lock(&locks.inner);
        mutex_lock(&locks.outer);
        mutex_unlock(&locks.outer);
        mutex_unlock(&locks.inner);
    }
    CHECK("lock-order-inverted",
          lockorder_inversions() == 1 && strstr(lockorder_first(), "test-inner") != NULL,
          "%u inversions: %s", lockorder_inversions(), lockorder_first());
}

void case_scheduler(void)
{
    check_timers();
    check_idle();
    check_events();
    check_fibers();
    check_mutex();
    check_lock_order();
}

/* --- the clock against another one --- */

/* HPET, as QEMU's Q35 has it; clock.c does not use it there. Source: IA-PC HPET 1.0a section 2.3.
 */
#define HPET_BASE    0xfed00000ull
#define HPET_SPAN    0x400u
#define FS_PER_NS    1000000ull
#define HPET_CONFIG  0x010u
#define HPET_ENABLE  1u
#define HPET_PERIOD  0x004u
#define HPET_COUNTER 0x0f0u

struct both {
    uint64_t ns, span_ns;
    uint32_t ticks;
};

/* The tightest of several looks at both clocks. */
static struct both look(const struct mmio *hpet)
{
    struct both best = {.span_ns = UINT64_MAX};
    for (unsigned i = 0; i < 32; i++) {
        uint64_t before = clock_now_ns();
        uint32_t ticks = mmio_read32(hpet, HPET_COUNTER);
        uint64_t span = clock_now_ns() - before;
        if (span < best.span_ns) {
            best = (struct both){.ns = before + span / 2, .span_ns = span, .ticks = ticks};
        }
    }
    return best;
}

static void check_monotonic(void)
{
    uint64_t last = clock_now_ns(), back = 0;
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t now = clock_now_ns();
        back += now < last;
        last = now;
    }
    CHECK("clock-monotonic", back == 0, "it went back %llu times", ull(back));
}

void case_clock(void)
{
    enum { WINDOW_US = 200000, TOLERANCE = 20 /* one part of */ };
    struct mmio hpet;

    check_monotonic();
    CHECK("clock-unix", clock_boot_unix_s() > 1600000000ull, "%llu", ull(clock_boot_unix_s()));
    if (!CHECK("hpet",
               mmio_map((struct phys_addr){HPET_BASE}, HPET_SPAN, MMIO_UNCACHED, &hpet) == FL_OK,
               "cannot be mapped")) {
        return;
    }
    uint64_t period_fs = mmio_read32(&hpet, HPET_PERIOD);
    mmio_write32(&hpet, HPET_CONFIG, HPET_ENABLE);
    struct both a = look(&hpet);
    fiber_sleep_us(WINDOW_US);
    struct both b = look(&hpet);
    uint64_t ours = b.ns - a.ns;
    uint64_t theirs = (uint64_t)(b.ticks - a.ticks) * period_fs / FS_PER_NS;
    uint64_t error = ours > theirs ? ours - theirs : theirs - ours;
    uint64_t allowed = theirs / TOLERANCE + a.span_ns + b.span_ns;
    CHECK("clock-rate", theirs > WINDOW_US * NS_PER_US / 2 && error < allowed,
          "%llu us by our clock, %llu us by the HPET", ull(ours / NS_PER_US),
          ull(theirs / NS_PER_US));
}
