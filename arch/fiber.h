/* SPDX-License-Identifier: MIT */
/*
 * Cooperative fibers on one core. A fiber that waits yields until an event, an interrupt or its
 * deadline; with nothing to do the core halts (machine) or virtual time jumps (host).
 *
 * Rules: only fibers wait. Interrupt handlers may call event_signal() and log_line(), nothing else
 * from here. Wakers are remembered (an event signalled while nobody waits is not lost).
 * Outside of any fiber ("main": the machine's start, a test) the same calls work: main then runs
 * the fibers until its own wait is over.
 */
#pragma once

#include "arch/base.h"
#include "arch/clock.h"
#include "arch/fail.h"

struct fiber;

#define FIBER_STACK_DEFAULT KIB(32)

/* Creates a runnable fiber. name: static string. stack_bytes: rounded up to pages, a guard page
 * below. The fiber ends when fn returns; its memory is freed by the scheduler.
 * NULL when memory is exhausted. Does not yield. */
struct fiber *fiber_spawn(const char *name, void (*fn)(void *arg), void *arg, uint64_t stack_bytes);

/* Lets every other runnable fiber run once. Returns at once when there is none. */
void fiber_yield(void);
/* Yields when the running fiber has held the core for longer than 200 us; else costs one clock
 * read. For long loops over memory or registers. */
void fiber_yield_if_long(void);
/* Yields for at least us microseconds. */
void fiber_sleep_us(uint64_t us);
/* True in a fiber; false in main and in interrupt handlers that interrupted main. */
bool fiber_active(void);
const char *fiber_name(void); /* of the running fiber; "main" outside */

/* Runs fibers until stop() returns true (checked between fibers) or none is left. stop may be
 * NULL. Called once by the machine's main, by tests as often as they like. */
void fiber_run(bool (*stop)(void *arg), void *arg);

/* Totals since start, for status and bench. */
struct fiber_stats {
    uint64_t switches;
    uint64_t idle_ns;        /* time halted */
    uint64_t longest_run_ns; /* longest stretch without a yield */
    char longest_name[24];
    uint32_t live;
};
void fiber_get_stats(struct fiber_stats *out);

/* One live fiber, for status and for the deadlock report. */
enum fiber_state { FIBER_RUNNABLE, FIBER_RUNNING, FIBER_SLEEPING, FIBER_EVENT, FIBER_MUTEX };
struct fiber_info {
    const char *name; /* static */
    enum fiber_state state;
    const char *where; /* "file:line" of the wait, "" when it does not wait; static */
    const char *what;  /* class of the mutex it waits for, else ""; static */
    const char *owner; /* fiber that owns that mutex, else "" */
    uint64_t since_us; /* clock when it began to wait */
    uint64_t until_us; /* when the wait ends at the latest, DEADLINE_NEVER = never */
    uint64_t stack_bytes;
    uint64_t stack_used_bytes; /* high-water mark */
};
/* Fills up to max entries, returns how many fibers are alive (and main, when it waits). Costs a
 * look at every stack. */
size_t fiber_list(struct fiber_info *out, size_t max);
const char *fiber_state_name(enum fiber_state state);

/* Called between any two fibers and before the core halts; must not yield. For what lives beside
 * the fibers (host: models in virtual time). NULL: none. */
void fiber_set_poll(void (*poll)(void));

/* Tests only, from outside of any fiber: forgets all fibers, frees their memory, zeroes the
 * statistics. Events and mutexes that had waiters must be initialised again. */
void fiber_reset(void);

/* "file:line" as a static string, for waits and locks. */
#define FL_WHERE_TEXT(line) #line
#define FL_WHERE_LINE(line) FL_WHERE_TEXT(line)
#define FL_WHERE            __FILE__ ":" FL_WHERE_LINE(__LINE__)

/* A binary event. Signals latch: one wait consumes it. */
struct event {
    volatile uint32_t signalled;
    struct fiber *volatile waiter_head; /* owned by the scheduler */
};
void event_init(struct event *ev);
/* Wakes all waiters, or latches when there are none. Safe in interrupt handlers. */
void event_signal(struct event *ev);
/* Consumes a signal that is latched; false: there is none. For who looks without waiting. */
bool event_take(struct event *ev);
/* Waits until signalled or the deadline. FL_OK or FL_ETIMEDOUT. Yields unless it is signalled
 * already. enum fl_err event_wait(struct event *ev, struct deadline d) */
FL_MUST_CHECK enum fl_err event_wait_at(const char *where, struct event *ev, struct deadline d);
#define event_wait(...) event_wait_at(FL_WHERE, __VA_ARGS__)

/* A mutex between fibers, with a place in the lock order (arch/lockorder.h). cls: a static class.
 */
struct lock_class;
struct mutex {
    struct lock_class *cls;
    struct fiber *owner;
    struct fiber *waiter_head;
};
void mutex_init(struct mutex *m, struct lock_class *cls);
/* Yields while another fiber owns it. Recursive locking is a broken invariant (panic).
 * void mutex_lock(struct mutex *m) */
void mutex_lock_at(const char *where, struct mutex *m);
#define mutex_lock(...) mutex_lock_at(FL_WHERE, __VA_ARGS__)
/* FL_OK or FL_ETIMEDOUT. enum fl_err mutex_lock_until(struct mutex *m, struct deadline d) */
FL_MUST_CHECK enum fl_err mutex_lock_until_at(const char *where, struct mutex *m,
                                              struct deadline d);
#define mutex_lock_until(...) mutex_lock_until_at(FL_WHERE, __VA_ARGS__)
/* Gives it to the longest waiter. Unlocking what the running fiber does not own is a panic. */
void mutex_unlock(struct mutex *m);
