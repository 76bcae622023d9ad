/* SPDX-License-Identifier: MIT */
/* What the scheduler shows to its siblings in this folder. Nobody else includes this. */
#pragma once

#include "arch/fiber.h"

/* Locks that one fiber may hold at the same time; more is a broken invariant. */
#define LOCKORDER_DEPTH_MAX 16u

/* The locks that a fiber holds, oldest first. */
struct lockorder_held {
    struct lock_class *cls[LOCKORDER_DEPTH_MAX];
    const char *where[LOCKORDER_DEPTH_MAX];
    uint32_t count;
    uint32_t noalloc;          /* sections without allocation that it is in */
    const char *noalloc_where; /* where the outermost began */
};
struct fiber {
    void *sp;                  /* saved while it does not run */
    struct fiber *next, *prev; /* in the run queue or in one list of waiters; circular */
    struct fiber *timer_next, *timer_prev; /* in the list of deadlines; ends are NULL */
    struct fiber *all_next, *all_prev;     /* in the list of live fibers; circular */
    struct fiber *volatile *waiting_in;    /* the list of waiters it is in, NULL = none */
    const struct mutex *mutex;             /* that it waits for */
    void (*fn)(void *arg);
    void *arg;
    const char *name;            /* static */
    const char *where;           /* static, "" = does not wait */
    uint8_t *stack;              /* lowest byte, owned; NULL for main */
    uint64_t stack_bytes;        /* all that was allocated, this struct included */
    uint64_t since_ns, until_ns; /* of the wait; UINT64_MAX = no deadline */
    void *asan_fake_stack;
    struct lockorder_held held;
    enum fiber_state state;
    bool has_timer, timed_out, ended;
};

/* The lowest word of a stack; another value there means that the fiber needed more. */
#define FIBER_STACK_CANARY UINT64_C(0x5afe57acc0ffee11)

/* ---- fiber.c: the scheduler ---- */

/* The running fiber, or the one that stands for main; never NULL. */
struct fiber *fiber_self(void);
struct fiber *fiber_main(void);

/* First and last on a fiber's own stack; fiber_end() does not return. */
void fiber_begin(void);
FL_NORETURN void fiber_end(struct fiber *f);

/* Puts f, which is in no list, at the end of the run queue. Interrupts are off. */
void fiber_ready(struct fiber *f);

/* Puts f, which is the caller, to wait: in a list of waiters (NULL: only for the deadline) until
 * fiber_wake or until_ns (UINT64_MAX: no deadline). Called with interrupts off; they come back on
 * as irq says before the switch, a wake-up in between just makes f runnable again. Afterwards
 * f->timed_out says which it was. */
void fiber_wait_in(struct fiber *f, struct fiber *volatile *list, enum fiber_state state,
                   const char *where, uint64_t until_ns, uintptr_t irq);
/* Ends the wait of f: takes it out of its list and of the deadlines. Interrupts are off. */
void fiber_wake(struct fiber *f, bool timed_out);

static inline uint64_t fiber_us_to_ns(uint64_t us)
{
    return us > UINT64_MAX / NS_PER_US ? UINT64_MAX : us * NS_PER_US;
}

/* Of the running fiber; never NULL. */
struct lockorder_held *fiber_lockorder_held(void);

/* ---- fiber_spawn.c: the living ---- */

uint32_t fiber_count(void); /* without main */
/* Takes f out of the living and frees it with its stack; the other lists are the caller's. */
void fiber_free(struct fiber *f);
void fiber_free_all(void); /* tests only: see fiber_reset() */

/* ---- longjmp ---- */

/* Before and after a longjmp out of whatever fiber runs, to the stack of main (host tests of
 * panics). The fiber left behind is lost; fiber_reset() frees it. */
void fiber_escape_leave(void);
void fiber_escape_arrive(void);
