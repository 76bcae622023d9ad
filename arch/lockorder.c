/* SPDX-License-Identifier: MIT */
/*
 * The lock-order checker: a directed graph over classes, one bit per edge. An edge A -> B means
 * that B was taken (or waited for, or allocated) while A was held. As long as the graph has no
 * cycle, no set of fibers can wait for each other in a circle, whatever the interleaving; so one
 * harmless run is enough to find an order that could deadlock in another.
 *
 * Bound: CLASSES_MAX classes; a new edge costs one breadth-first search over bit masks, at most
 * CLASSES_MAX steps; a known edge costs one bit test.
 */
#include "arch/lockorder.h"

#include <string.h>

#include "arch/fiber_priv.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "arch/text.h"

/* One word holds a row of the graph. Class id 0 means "not registered", so 63 can be used. */
#define CLASSES_MAX    64u
#define FIRST_TEXT_MAX 512u

LOCK_CLASS(lock_class_alloc, "alloc");
LOCK_CLASS(lock_class_fence, "fence");
LOCK_CLASS(lock_class_reply, "reply");

#define PRIMED_WHERE "any allocation that evicts"

static struct {
    struct lock_class *classes[CLASSES_MAX];     /* by id; borrowed for ever: classes are static */
    uint32_t count;                              /* highest id in use */
    bool primed;                                 /* alloc -> fence is in the graph */
    uint64_t edges[CLASSES_MAX];                 /* bit b of word a: a -> b was seen */
    const char *where[CLASSES_MAX][CLASSES_MAX]; /* where a -> b was first seen; static strings */
    uint32_t inversions;
    char first[FIRST_TEXT_MAX];
} lockorder;

static uint16_t class_id(struct lock_class *cls);

/* What holds before anything has run. */
static void prime(void)
{
    lockorder.primed = true;
    const uint16_t alloc = class_id(&lock_class_alloc);
    const uint16_t fence = class_id(&lock_class_fence);

    lockorder.edges[alloc] = UINT64_C(1) << fence;
    lockorder.where[alloc][fence] = PRIMED_WHERE;
}

static uint16_t class_id(struct lock_class *cls)
{
    if (!lockorder.primed) {
        prime();
    }
    if (cls->id == 0) {
        if (lockorder.count + 1 >= CLASSES_MAX) {
            machine_panic("lockorder: more than %u lock classes, at \"%s\"", CLASSES_MAX - 1,
                          cls->name);
        }
        lockorder.count++;
        cls->id = (uint16_t)lockorder.count;
        lockorder.classes[cls->id] = cls;
    }
    return cls->id;
}

/* Finds a shortest path from -> ... -> to along known edges. Fills via[] so that via[x] is the
 * class before x on the path. Returns false when there is none. */
static bool find_path(uint16_t from, uint16_t to, uint16_t via[CLASSES_MAX])
{
    uint16_t queue[CLASSES_MAX];
    uint32_t head = 0;
    uint32_t tail = 0;
    uint64_t reached = UINT64_C(1) << from;

    queue[tail++] = from;
    while (head < tail) {
        uint16_t at = queue[head++];
        if (at == to) {
            return true;
        }
        uint64_t fresh = lockorder.edges[at] & ~reached;
        reached |= fresh;
        while (fresh != 0) {
            uint16_t next = (uint16_t)__builtin_ctzll(fresh);
            fresh &= fresh - 1;
            via[next] = at;
            queue[tail++] = next; /* each class enters once: tail <= CLASSES_MAX */
        }
    }
    return false;
}

static const char *name_of(uint16_t id) { return lockorder.classes[id]->name; }

static void text_taking(struct text *t, const struct lock_class *cls)
{
    if (cls == &lock_class_alloc) {
        text_fmt(t, "allocates (\"%s\")", cls->name);
    } else if (cls == &lock_class_fence || cls == &lock_class_reply) {
        text_fmt(t, "waits for a \"%s\"", cls->name);
    } else {
        text_fmt(t, "takes \"%s\"", cls->name);
    }
}

static void text_holding(struct text *t, const struct lock_class *cls, const char *held_at)
{
    if (cls == &lock_class_fence) {
        text_fmt(t, "having a \"%s\" to signal (since %s)", cls->name, held_at);
    } else {
        text_fmt(t, "holding \"%s\" (taken at %s)", cls->name, held_at);
    }
}

/* The new edge held -> taken closes a cycle with the known path taken -> ... -> held. */
static void report(uint16_t held, uint16_t taken, const char *held_at, const char *where,
                   const uint16_t via[CLASSES_MAX])
{
    uint16_t path[CLASSES_MAX];
    uint32_t len = 0;

    lockorder.inversions++;
    if (lockorder.first[0] != '\0') {
        return;
    }
    struct text t = text_on(lockorder.first, sizeof(lockorder.first));
    text_fmt(&t, "lock order inversion: fiber \"%s\" ", fiber_name());
    text_taking(&t, lockorder.classes[taken]);
    text_fmt(&t, " at %s ", where);
    text_holding(&t, lockorder.classes[held], held_at);
    if (held == taken) {
        text_fmt(&t, held == lock_class_fence.id
                         ? "; who has a fence to signal must not wait for one"
                         : "; two locks of one class must not be nested");
    } else {
        text_fmt(&t, "; seen before:");
        for (uint16_t at = held; at != taken; at = via[at]) {
            path[len++] = at;
        }
        uint16_t from = taken;
        while (len > 0) {
            uint16_t to = path[--len];
            text_fmt(&t, " \"%s\" before \"%s\" at %s%s", name_of(from), name_of(to),
                     lockorder.where[from][to], len > 0 ? "," : "");
            from = to;
        }
    }
    log_error("lockorder", "%s", lockorder.first);
}

static void add_edge(uint16_t held, uint16_t taken, const char *held_at, const char *where)
{
    uint16_t via[CLASSES_MAX] = {0};
    uint64_t bit = UINT64_C(1) << taken;

    if ((lockorder.edges[held] & bit) != 0) {
        return; /* known: judged when it was new */
    }
    if (find_path(taken, held, via)) { /* a class reaches itself */
        report(held, taken, held_at, where, via);
    }
    lockorder.edges[held] |= bit;
    lockorder.where[held][taken] = where;
}

static void add_edges(const struct lockorder_held *h, uint16_t taken, const char *where)
{
    for (uint32_t i = 0; i < h->count; i++) {
        add_edge(h->cls[i]->id, taken, h->where[i], where);
    }
}

/* Memory is not to be had here, whatever the graph says. */
static void check_noalloc(const struct lockorder_held *h, const struct lock_class *cls,
                          const char *where)
{
    if (h->noalloc == 0 || cls != &lock_class_alloc) {
        return;
    }
    lockorder.inversions++;
    if (lockorder.first[0] != '\0') {
        return;
    }
    struct text t = text_on(lockorder.first, sizeof(lockorder.first));
    text_fmt(&t, "fiber \"%s\" ", fiber_name());
    text_taking(&t, cls);
    text_fmt(&t, " at %s in a section without allocation, begun at %s", where, h->noalloc_where);
    log_error("lockorder", "%s", lockorder.first);
}

static void push(struct lockorder_held *h, struct lock_class *cls, const char *where)
{
    if (h->count >= LOCKORDER_DEPTH_MAX) {
        machine_panic("lockorder: fiber \"%s\" holds %u locks, at \"%s\"", fiber_name(), h->count,
                      cls->name);
    }
    h->cls[h->count] = cls;
    h->where[h->count] = where;
    h->count++;
}

void lockorder_acquire(struct lock_class *cls, const char *where)
{
    struct lockorder_held *h = fiber_lockorder_held();

    check_noalloc(h, cls, where);
    add_edges(h, class_id(cls), where);
    push(h, cls, where);
}

void lockorder_acquired(struct lock_class *cls, const char *where)
{
    (void)class_id(cls);
    push(fiber_lockorder_held(), cls, where);
}

void lockorder_release(struct lock_class *cls)
{
    struct lockorder_held *h = fiber_lockorder_held();
    uint32_t i = h->count;

    while (i > 0 && h->cls[i - 1] != cls) {
        i--;
    }
    if (i == 0) {
        machine_panic("lockorder: fiber \"%s\" releases \"%s\" and does not hold it", fiber_name(),
                      cls->name);
    }
    for (; i < h->count; i++) {
        h->cls[i - 1] = h->cls[i];
        h->where[i - 1] = h->where[i];
    }
    h->count--;
}

void lockorder_point(struct lock_class *cls, const char *where)
{
    const struct lockorder_held *h = fiber_lockorder_held();

    check_noalloc(h, cls, where);
    if (h->count > 0) {
        add_edges(h, class_id(cls), where);
    }
}

/* Nobody waits to begin: locks held by now are no step on the way to the signal. */
void lockorder_signal_begin(const char *where) { lockorder_acquired(&lock_class_fence, where); }
void lockorder_signal_end(void) { lockorder_release(&lock_class_fence); }

void lockorder_noalloc_begin(const char *where)
{
    struct lockorder_held *h = fiber_lockorder_held();

    if (h->noalloc++ == 0) {
        h->noalloc_where = where;
    }
}

void lockorder_noalloc_end(void)
{
    struct lockorder_held *h = fiber_lockorder_held();

    if (h->noalloc == 0) {
        machine_panic("lockorder: fiber \"%s\" ends a section without allocation that it is not in",
                      fiber_name());
    }
    h->noalloc--;
}

uint32_t lockorder_inversions(void) { return lockorder.inversions; }
const char *lockorder_first(void) { return lockorder.first; }

void lockorder_reset(void)
{
    for (uint32_t id = 1; id <= lockorder.count; id++) {
        lockorder.classes[id]->id = 0;
    }
    memset(&lockorder, 0, sizeof(lockorder));
    fiber_lockorder_held()->count = 0;
    fiber_lockorder_held()->noalloc = 0;
}
