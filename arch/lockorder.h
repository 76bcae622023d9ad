/* SPDX-License-Identifier: MIT */
/*
 * The lock-order checker, always on. Locks belong to classes; so do memory allocation and waiting
 * for a fence or a reply. Taking B while holding A records the edge A -> B with the place where it
 * was first seen. An edge that closes a cycle is reported once, with both paths, as an error in the
 * log and in the counter; it does not stop the program (a test asserts the counter is 0).
 */
#pragma once

#include "arch/base.h"

struct lock_class {
    const char *name; /* static, unique */
    uint16_t id;      /* 0 until first use; owned by the checker */
};
#define LOCK_CLASS(var, text) struct lock_class var = {.name = (text), .id = 0}

/* The two classes that are not locks. Held as points: record edges from all held locks. */
extern struct lock_class lock_class_alloc; /* allocating memory */
extern struct lock_class lock_class_fence; /* waiting for a fence, an RPC reply or an interrupt */

/* Called by mutex_lock/unlock on behalf of the running fiber. */
void lockorder_acquire(struct lock_class *cls, const char *where);
void lockorder_release(struct lock_class *cls);
/* Records edges from every lock held by the running fiber to cls, without holding it. */
void lockorder_point(struct lock_class *cls, const char *where);

uint32_t lockorder_inversions(void);
/* Text of the first inversion, "" when none. */
const char *lockorder_first(void);
void lockorder_reset(void); /* tests only */
