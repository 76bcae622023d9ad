/* SPDX-License-Identifier: MIT */
/* Fences: a list of callbacks, an event for who waits, a list of the pending ones per context. */
#include "arch/fence.h"

#include <string.h>

#include "arch/lockorder.h"
#include "arch/machine.h"

void fence_context_init(struct fence_context *c, const char *name)
{
    memset(c, 0, sizeof(*c));
    c->name = name;
}

void fence_init(struct fence *f, struct fence_context *c, void (*release)(struct fence *f))
{
    memset(f, 0, sizeof(*f));
    event_init(&f->event);
    f->context = c;
    f->release = release;
    f->refs = 1;
    f->number = ++c->last_made;
    if (c->last != NULL) {
        c->last->next = f;
    } else {
        c->oldest = f;
    }
    c->last = f;
}

struct fence *fence_get(struct fence *f)
{
    FL_ASSERT(f->refs > 0 && f->refs < UINT32_MAX);
    f->refs++;
    return f;
}

void fence_put(struct fence *f)
{
    if (f == NULL) {
        return;
    }
    FL_ASSERT(f->refs > 0);
    if (--f->refs > 0) {
        return;
    }
    if (!f->signalled) {
        machine_panic("fence %llu of \"%s\" is given up and not signalled",
                      (unsigned long long)f->number, f->context->name);
    }
    if (f->release != NULL) {
        f->release(f);
    }
}

/* ---- callbacks ---- */

void fence_callback_init(struct fence_callback *cb,
                         void (*fn)(struct fence_callback *cb, struct fence *f))
{
    memset(cb, 0, sizeof(*cb));
    cb->fn = fn;
}

enum fl_err fence_add_callback(struct fence *f, struct fence_callback *cb)
{
    if (cb->fence != NULL) {
        return FL_EBUSY;
    }
    if (f->signalled) {
        return FL_ENOENT;
    }
    cb->fence = f;
    cb->next = NULL;
    cb->prev = f->last;
    if (f->last != NULL) {
        f->last->next = cb;
    } else {
        f->first = cb;
    }
    f->last = cb;
    return FL_OK;
}

bool fence_remove_callback(struct fence_callback *cb)
{
    struct fence *f = cb->fence;

    if (f == NULL) {
        return false;
    }
    if (cb->prev != NULL) {
        cb->prev->next = cb->next;
    } else {
        f->first = cb->next;
    }
    if (cb->next != NULL) {
        cb->next->prev = cb->prev;
    } else {
        f->last = cb->prev;
    }
    cb->next = cb->prev = NULL;
    cb->fence = NULL;
    return true;
}

/* ---- the signal ---- */

enum fl_err fence_signal(struct fence *f, enum fl_err err)
{
    struct fence_context *c = f->context;

    if (f->signalled) {
        return FL_ESTATE;
    }
    if (c->oldest != f) {
        return FL_EBUSY;
    }
    c->oldest = f->next;
    c->last = f->next == NULL ? NULL : c->last;
    c->last_signalled = f->number;
    f->next = NULL;
    f->context = NULL;
    f->err = err;
    f->signalled = true;
    event_signal(&f->event);
    (void)fence_get(f); /* a callback may give up the last reference */
    while (f->first != NULL) {
        struct fence_callback *cb = f->first;
        (void)fence_remove_callback(cb); /* it may be added elsewhere, or freed, by its own call */
        cb->fn(cb, f);
    }
    fence_put(f);
    return FL_OK;
}

uint32_t fence_context_abandon(struct fence_context *c, enum fl_err err)
{
    uint32_t count = 0;

    for (; c->oldest != NULL; count++) {
        const enum fl_err signalled = fence_signal(c->oldest, err);
        FL_ASSERT(signalled == FL_OK);
    }
    return count;
}

enum fl_err fence_wait_at(const char *where, struct fence *f, struct deadline d)
{
    lockorder_point(&lock_class_fence, where);
    while (!f->signalled) {
        const enum fl_err err = event_wait_at(where, &f->event, d);
        if (err != FL_OK && !f->signalled) {
            return err;
        }
    }
    return FL_OK;
}
