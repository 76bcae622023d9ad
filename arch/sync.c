/* SPDX-License-Identifier: MIT */
/*
 * Events and mutexes between fibers: lists of waiters on top of the scheduler. Both are first come,
 * first served; a mutex is handed over, so that nobody overtakes the one who waited longest.
 */
#include "arch/fiber.h"

#include "arch/fiber_arch.h"
#include "arch/fiber_priv.h"
#include "arch/lockorder.h"
#include "arch/machine.h"

/* ---- events ---- */

void event_init(struct event *ev)
{
    ev->signalled = 0;
    ev->waiter_head = NULL;
}

void event_signal(struct event *ev)
{
    uintptr_t irq = arch_irq_save();

    if (ev->waiter_head == NULL) {
        ev->signalled = 1;
    }
    while (ev->waiter_head != NULL) {
        fiber_wake(ev->waiter_head, false);
    }
    arch_irq_restore(irq);
}

bool event_take(struct event *ev)
{
    if (ev->signalled == 0) {
        return false;
    }
    ev->signalled = 0; /* a signal from here on is latched anew */
    return true;
}

enum fl_err event_wait_at(const char *where, struct event *ev, struct deadline d)
{
    struct fiber *f = fiber_self();
    uintptr_t irq = arch_irq_save();

    if (ev->signalled != 0) {
        ev->signalled = 0;
        arch_irq_restore(irq);
        return FL_OK;
    }
    fiber_wait_in(f, &ev->waiter_head, FIBER_EVENT, where, fiber_us_to_ns(d.at_us), irq);
    return f->timed_out ? FL_ETIMEDOUT : FL_OK;
}

/* ---- mutexes ---- */

void mutex_init(struct mutex *m, struct lock_class *cls)
{
    m->cls = cls;
    m->owner = NULL;
    m->waiter_head = NULL;
}

enum fl_err mutex_lock_until_at(const char *where, struct mutex *m, struct deadline d)
{
    struct fiber *f = fiber_self();

    if (m->owner == f) {
        machine_panic("fiber \"%s\" locks \"%s\" twice, at %s", f->name, m->cls->name, where);
    }
    /* Before the wait: an order that deadlocks right here has been reported by then. */
    lockorder_acquire(m->cls, where);
    if (m->owner == NULL) {
        m->owner = f;
        return FL_OK;
    }
    f->mutex = m;
    fiber_wait_in(f, &m->waiter_head, FIBER_MUTEX, where, fiber_us_to_ns(d.at_us), arch_irq_save());
    f->mutex = NULL;
    if (f->timed_out) {
        lockorder_release(m->cls);
        return FL_ETIMEDOUT;
    }
    FL_ASSERT(m->owner == f);
    return FL_OK;
}

void mutex_lock_at(const char *where, struct mutex *m)
{
    enum fl_err err = mutex_lock_until_at(where, m, deadline_never());

    FL_ASSERT(err == FL_OK);
}

void mutex_unlock(struct mutex *m)
{
    struct fiber *f = fiber_self();

    if (m->owner != f) {
        machine_panic("fiber \"%s\" unlocks \"%s\", owned by \"%s\"", f->name, m->cls->name,
                      m->owner != NULL ? m->owner->name : "nobody");
    }
    lockorder_release(m->cls);
    uintptr_t irq = arch_irq_save();
    m->owner = m->waiter_head;
    if (m->waiter_head != NULL) {
        fiber_wake(m->waiter_head, false);
    }
    arch_irq_restore(irq);
}
