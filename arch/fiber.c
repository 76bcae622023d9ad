/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: a first-in first-out queue of runnable fibers, a list of deadlines sorted by time,
 * and one list of waiters per event and mutex. It runs on the stack of main; a fiber that waits
 * switches to it, so every switch is between main and a fiber.
 *
 * All lists are shared with interrupt handlers (event_signal) and only touched with interrupts
 * off. Deadlines are few (a dozen fibers): a sorted list beats a heap there, and needs no memory.
 */
#include "arch/fiber.h"

#include <string.h>

#include "arch/asan.h"
#include "arch/fiber_arch.h"
#include "arch/fiber_priv.h"
#include "arch/machine.h"

/* A fiber that holds the core longer gives way in fiber_yield_if_long. */
#define SLICE_LONG_NS (200 * NS_PER_US)

static struct {
    struct fiber *volatile run_queue; /* oldest first */
    struct fiber *timers;             /* earliest first */
    struct fiber *timers_last;
    struct fiber *current; /* NULL: main runs */
    struct fiber main;
    void (*poll)(void);
    uint64_t slice_start_ns; /* when the running fiber got the core */
    struct fiber_stats stats;
    bool in_loop;
    bool has_stop; /* somebody wants to be asked between fibers, even when there is only one */
} sched = {.main = {.name = "main", .where = "", .state = FIBER_RUNNING}};

struct fiber *fiber_main(void) { return &sched.main; }
struct fiber *fiber_self(void) { return sched.current != NULL ? sched.current : &sched.main; }

/* ---- lists ---- */

static void list_append(struct fiber *volatile *head, struct fiber *f)
{
    struct fiber *first = *head;

    if (first == NULL) {
        f->next = f->prev = f;
        *head = f;
        return;
    }
    f->prev = first->prev;
    f->next = first;
    first->prev->next = f;
    first->prev = f;
}

static void list_remove(struct fiber *volatile *head, struct fiber *f)
{
    if (f->next == f) {
        *head = NULL;
    } else {
        f->prev->next = f->next;
        f->next->prev = f->prev;
        if (*head == f) {
            *head = f->next;
        }
    }
    f->next = f->prev = NULL;
}

static void timer_add(struct fiber *f, uint64_t until_ns)
{
    f->until_ns = until_ns;
    if (until_ns == UINT64_MAX) {
        return;
    }
    /* From the end: a new deadline is mostly the latest one. Equal ones keep their order. */
    struct fiber *after = sched.timers_last;
    while (after != NULL && after->until_ns > until_ns) {
        after = after->timer_prev;
    }
    f->timer_prev = after;
    f->timer_next = after != NULL ? after->timer_next : sched.timers;
    if (f->timer_next != NULL) {
        f->timer_next->timer_prev = f;
    } else {
        sched.timers_last = f;
    }
    if (after != NULL) {
        after->timer_next = f;
    } else {
        sched.timers = f;
    }
    f->has_timer = true;
}

static void timer_remove(struct fiber *f)
{
    if (!f->has_timer) {
        return;
    }
    if (f->timer_prev != NULL) {
        f->timer_prev->timer_next = f->timer_next;
    } else {
        sched.timers = f->timer_next;
    }
    if (f->timer_next != NULL) {
        f->timer_next->timer_prev = f->timer_prev;
    } else {
        sched.timers_last = f->timer_prev;
    }
    f->timer_next = f->timer_prev = NULL;
    f->has_timer = false;
}

void fiber_ready(struct fiber *f)
{
    f->state = FIBER_RUNNABLE;
    list_append(&sched.run_queue, f);
}

void fiber_wake(struct fiber *f, bool timed_out)
{
    timer_remove(f);
    if (f->waiting_in != NULL) {
        list_remove(f->waiting_in, f);
        f->waiting_in = NULL;
    }
    f->timed_out = timed_out;
    fiber_ready(f);
}

static void wake_due(uint64_t now_ns)
{
    uintptr_t irq = arch_irq_save();

    while (sched.timers != NULL && sched.timers->until_ns <= now_ns) {
        fiber_wake(sched.timers, true);
    }
    arch_irq_restore(irq);
}

/* Reads raw stack memory, which the sanitizer knows to belong to frames. */
FL_NO_ASAN static void stack_check(const struct fiber *f)
{
    if (*(const uint64_t *)(const void *)f->stack != FIBER_STACK_CANARY) {
        machine_panic("fiber \"%s\" overran its stack of %llu bytes", f->name,
                      (unsigned long long)f->stack_bytes);
    }
}

/* ---- switching ---- */

/* Accounts for the stretch that ends now and begins the next. */
static void account_slice(uint64_t now_ns)
{
    uint64_t ran_ns = now_ns - sched.slice_start_ns;

    sched.slice_start_ns = now_ns;
    if (sched.current == NULL || ran_ns <= sched.stats.longest_run_ns) {
        return;
    }
    sched.stats.longest_run_ns = ran_ns;
    strncpy(sched.stats.longest_name, sched.current->name, sizeof(sched.stats.longest_name) - 1);
}

/* From a fiber to the scheduler; returns when the fiber is dispatched again. */
static void switch_to_main(struct fiber *f)
{
    stack_check(f);
    asan_leave_stack(f->ended ? NULL : &f->asan_fake_stack, sched.main.stack,
                     sched.main.stack_bytes);
    arch_context_switch(&f->sp, sched.main.sp);
    asan_arrive_on_stack(f->asan_fake_stack, NULL, NULL);
}

/* Runs f until it waits or ends. On main's stack. */
static void dispatch(struct fiber *f)
{
    f->state = FIBER_RUNNING;
    sched.current = f;
    sched.stats.switches++;
    sched.slice_start_ns = clock_now_ns();
    asan_leave_stack(&sched.main.asan_fake_stack, f->stack, f->stack_bytes);
    arch_context_switch(&sched.main.sp, f->sp);
    asan_arrive_on_stack(sched.main.asan_fake_stack, NULL, NULL);
    account_slice(clock_now_ns());
    sched.current = NULL;
    if (f->ended) {
        fiber_free(f);
    }
}

void fiber_begin(void)
{
    const void *main_low = NULL;
    size_t main_bytes = 0;

    asan_arrive_on_stack(NULL, &main_low, &main_bytes);
    /* Only the sanitizer knows main's stack; it wants to hear the bounds on the way back. */
    sched.main.stack = (uint8_t *)(uintptr_t)main_low;
    sched.main.stack_bytes = main_bytes;
}

void fiber_end(struct fiber *f)
{
    f->ended = true;
    switch_to_main(f);
    machine_panic("fiber \"%s\" ran after its end", f->name);
}

static bool wake_pending(void) { return sched.run_queue != NULL; }

static void idle(void)
{
    uintptr_t irq = arch_irq_save();
    uint64_t until_ns = sched.timers != NULL ? sched.timers->until_ns : UINT64_MAX;
    arch_irq_restore(irq);
    uint64_t start_ns = clock_now_ns();

    arch_idle_until(until_ns == UINT64_MAX ? UINT64_MAX : div_up_u64(until_ns, NS_PER_US),
                    wake_pending);
    sched.stats.idle_ns += clock_now_ns() - start_ns;
}

/* The scheduler's loop. Ends when main's own wait is over, when stop says so, or when main does not
 * wait (for_main false) and no fiber is left. */
static void run_loop(bool (*stop)(void *arg), void *arg, bool for_main)
{
    FL_ASSERT(!sched.in_loop);
    sched.in_loop = true;
    sched.has_stop = stop != NULL;
    for (;;) {
        if (sched.poll != NULL) {
            sched.poll();
        }
        if (stop != NULL && stop(arg)) {
            break;
        }
        wake_due(clock_now_ns());
        uintptr_t irq = arch_irq_save();
        struct fiber *f = sched.run_queue;
        if (f != NULL) {
            list_remove(&sched.run_queue, f);
        }
        arch_irq_restore(irq);
        if (f == &sched.main) {
            break;
        }
        if (f != NULL) {
            dispatch(f);
        } else if (!for_main && fiber_count() == 0) {
            break;
        } else {
            idle();
        }
    }
    sched.in_loop = false;
    sched.has_stop = false;
    sched.main.state = FIBER_RUNNING;
    sched.slice_start_ns = clock_now_ns();
}

/* Gives up the core until f, which is the caller, is in the run queue and its turn comes. */
static void block(struct fiber *f)
{
    if (f == &sched.main) {
        run_loop(NULL, NULL, true);
    } else {
        switch_to_main(f);
    }
    f->where = "";
}

void fiber_wait_in(struct fiber *f, struct fiber *volatile *list, enum fiber_state state,
                   const char *where, uint64_t until_ns, uintptr_t irq)
{
    f->state = state;
    f->where = where;
    f->since_ns = clock_now_ns();
    f->waiting_in = list;
    if (list != NULL) {
        list_append(list, f);
    }
    timer_add(f, until_ns);
    arch_irq_restore(irq);
    block(f);
}

/* ---- what a fiber asks for ---- */

void fiber_yield(void)
{
    struct fiber *f = fiber_self();
    uint64_t now_ns = clock_now_ns();

    wake_due(now_ns);
    if (sched.run_queue == NULL && sched.poll == NULL && !sched.has_stop) {
        account_slice(now_ns);
        return;
    }
    uintptr_t irq = arch_irq_save();
    fiber_ready(f);
    arch_irq_restore(irq);
    block(f);
}

void fiber_yield_if_long(void)
{
    if (clock_now_ns() - sched.slice_start_ns > SLICE_LONG_NS) {
        fiber_yield();
    }
}

void fiber_sleep_us(uint64_t us)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t ns = fiber_us_to_ns(us);

    fiber_wait_in(fiber_self(), NULL, FIBER_SLEEPING, "",
                  ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + ns, arch_irq_save());
}

const char *fiber_name(void) { return fiber_self()->name; }
bool fiber_active(void) { return sched.current != NULL; }
struct lockorder_held *fiber_lockorder_held(void) { return &fiber_self()->held; }
void fiber_set_poll(void (*poll)(void)) { sched.poll = poll; }

void fiber_run(bool (*stop)(void *arg), void *arg)
{
    FL_ASSERT(sched.current == NULL);
    run_loop(stop, arg, false);
}

void fiber_get_stats(struct fiber_stats *out)
{
    *out = sched.stats;
    out->live = fiber_count();
}

void fiber_reset(void)
{
    sched.in_loop = false;
    sched.current = NULL;
    fiber_free_all();
    sched.run_queue = NULL;
    sched.timers = NULL;
    sched.timers_last = NULL;
    memset(&sched.stats, 0, sizeof(sched.stats));
    memset(&sched.main, 0, sizeof(sched.main));
    sched.main.name = "main";
    sched.main.where = "";
    sched.main.state = FIBER_RUNNING;
}

void fiber_escape_leave(void)
{
    if (sched.current != NULL) {
        asan_leave_stack(NULL, sched.main.stack, sched.main.stack_bytes);
    }
}

void fiber_escape_arrive(void)
{
    if (sched.current != NULL) {
        asan_arrive_on_stack(sched.main.asan_fake_stack, NULL, NULL);
    }
    sched.current = NULL;
    sched.in_loop = false;
}
