/* SPDX-License-Identifier: MIT */
/*
 * A fence: a promise that something will be done, which is kept exactly once, with an error or
 * without. Whoever makes one public must signal it in bounded time, whatever others do: so from
 * there to the signal it allocates nothing and takes no lock that anybody holds while allocating or
 * waiting for a fence (arch/lockorder.h sees to it). The rules are those of Linux's dma_fence
 * (Documentation/driver-api/dma-buf.rst).
 *
 * Fences of one context are numbered and signalled in that order: one that is signalled says that
 * all before it are. Nothing here allocates; fences, contexts and callbacks lie where their owners
 * want. All of it is for fibers and main; an interrupt handler signals an event (arch/fiber.h), and
 * a fiber the fence.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/fiber.h"

struct fence;

/* A timeline. */
struct fence_context {
    const char *name;            /* static */
    uint64_t last_made;          /* number of the youngest fence; the first has 1 */
    uint64_t last_signalled;     /* all up to this one are signalled */
    struct fence *oldest, *last; /* pending ones, in order */
};

/* What somebody wants to do at the signal; embedded in the owner's struct, which lives until it has
 * run or was removed. */
struct fence_callback {
    /* Called once, by the fiber that signals, inside its signalling section: allocates nothing,
     * waits for nothing, does not yield. The fence is signalled by then and valid only during the
     * call. */
    void (*fn)(struct fence_callback *cb, struct fence *f);
    struct fence_callback *next, *prev;
    struct fence *fence; /* that it waits for; NULL: none */
};

struct fence {
    struct fence_context *context; /* NULL once signalled: the context may go before the fence */
    struct fence *next;            /* younger one of the context, pending */
    struct fence_callback *first, *last;
    void (*release)(struct fence *f); /* frees it; NULL: nothing to free */
    uint64_t number;                  /* in its context */
    struct event event;
    uint32_t refs;
    enum fl_err err; /* FL_OK, or why what was promised was not done */
    bool signalled;
};

void fence_context_init(struct fence_context *c, const char *name);

/* A pending fence, the youngest of c, with one reference. release (may be NULL) is called when the
 * last reference goes; a fence that is pending by then is a broken promise (panic). */
void fence_init(struct fence *f, struct fence_context *c, void (*release)(struct fence *f));
struct fence *fence_get(struct fence *f); /* returns f */
void fence_put(struct fence *f);          /* NULL: nothing happens */

/* Signals f: wakes who waits, then runs the callbacks in the order in which they were added. err:
 * FL_OK, or why it failed. FL_ESTATE when it is signalled already, FL_EBUSY when an older one of
 * its context is pending; nothing has changed then. Does not yield; O(callbacks + waiters). */
FL_MUST_CHECK enum fl_err fence_signal(struct fence *f, enum fl_err err);

/* Signals all that is pending in c with err (not FL_OK), the oldest first. Fences that callbacks
 * make meanwhile as well. Returns how many. */
uint32_t fence_context_abandon(struct fence_context *c, enum fl_err err);

static inline bool fence_signalled(const struct fence *f) { return f->signalled; }
/* FL_OK while it is pending. */
static inline enum fl_err fence_error(const struct fence *f) { return f->err; }

/* Waits until f is signalled: FL_OK, whatever f's own error is; FL_ETIMEDOUT. Yields unless it is
 * signalled already; a point in the lock order in any case. The caller has a reference.
 * enum fl_err fence_wait(struct fence *f, struct deadline d) */
FL_MUST_CHECK enum fl_err fence_wait_at(const char *where, struct fence *f, struct deadline d);
#define fence_wait(...) fence_wait_at(FL_WHERE, __VA_ARGS__)

/* Has cb->fn called at the signal; cb->fn is set by the caller, the rest here. FL_ENOENT when f is
 * signalled already (cb will not be called), FL_EBUSY when cb waits for a fence; then nothing has
 * changed. */
FL_MUST_CHECK enum fl_err fence_add_callback(struct fence *f, struct fence_callback *cb);
/* cb will not be called any more. False when it has been, or was never added. */
bool fence_remove_callback(struct fence_callback *cb);
/* Before the first fence_add_callback. */
void fence_callback_init(struct fence_callback *cb,
                         void (*fn)(struct fence_callback *cb, struct fence *f));
