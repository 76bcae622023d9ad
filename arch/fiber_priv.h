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
};
/* Of the running fiber; never NULL. */
struct lockorder_held *fiber_lockorder_held(void);

/* Before and after a longjmp out of whatever fiber runs, to the stack of main (host tests of
 * panics). The fiber left behind is lost; fiber_reset() frees it. */
void fiber_escape_leave(void);
void fiber_escape_arrive(void);
