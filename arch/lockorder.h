/* SPDX-License-Identifier: MIT */
/*
 * The lock-order checker, always on. Locks belong to classes; so do memory allocation and waiting
 * for a fence or a reply. Taking B while holding A records the edge A -> B with the place where it
 * was first seen. An edge that closes a cycle is reported once, with both paths, as an error in the
 * log and in the counter; it does not stop the program (a test asserts the counter is 0).
 *
 * A fence is held by whoever must signal it and taken by waiting for it. An allocation may have to
 * evict, which waits for fences: alloc -> fence is in the graph from the start, whether or not
 * anything was ever evicted. So the five ways to deadlock on a fence (allocating before signalling
 * it, on one CPU or two; taking a lock under which others wait for it, allocate, or take a lock
 * under which others allocate) are each a cycle that one harmless run shows.
 */
#pragma once

#include "arch/base.h"

struct lock_class {
    const char *name; /* static, unique */
    uint16_t id;      /* 0 until first use; owned by the checker */
};
#define LOCK_CLASS(var, text) struct lock_class var = {.name = (text), .id = 0}

/* The classes that are not locks. As points they record edges from all held locks. */
extern struct lock_class lock_class_alloc; /* allocating memory, which may evict */
extern struct lock_class lock_class_fence; /* waiting for a fence; held: having one to signal */
/* Waiting for a reply or an interrupt of a device. A device takes no lock of ours and waits for no
 * memory, so this ends whatever the waiter holds: nothing is ever taken "under" it. */
extern struct lock_class lock_class_reply;

/* Called by mutex_lock/unlock on behalf of the running fiber. */
void lockorder_acquire(struct lock_class *cls, const char *where);
void lockorder_release(struct lock_class *cls);
/* Records edges from every lock held by the running fiber to cls, without holding it. */
void lockorder_point(struct lock_class *cls, const char *where);
/* Taken without waiting (a try that succeeded): no edge leads to it, edges lead from it. Ended by
 * lockorder_release. */
void lockorder_acquired(struct lock_class *cls, const char *where);

/* The running fiber has a fence to signal, which others can see: what it takes from here on stands
 * between them and the signal. Waiting for another fence in here is an inversion. May nest. */
void lockorder_signal_begin(const char *where);
void lockorder_signal_end(void);

/* In here the running fiber has all the memory that it needs: allocating is reported as an
 * inversion, whatever is held. May nest. */
void lockorder_noalloc_begin(const char *where);
void lockorder_noalloc_end(void);

uint32_t lockorder_inversions(void);
/* Text of the first inversion, "" when none. */
const char *lockorder_first(void);
void lockorder_reset(void); /* tests only */
