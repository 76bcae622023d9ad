/* SPDX-License-Identifier: MIT */
/*
 * The life of a fiber: its stack, its start and its end; and who is alive. The list of the living
 * is shared with nobody but a panic, which prints it; it is only changed with interrupts off.
 */
#include "arch/fiber.h"

#include <string.h>

#include "arch/asan.h"
#include "arch/fiber_arch.h"
#include "arch/fiber_priv.h"
#include "arch/lockorder.h"
#include "arch/machine.h"

#define STACK_ALIGN 64u

#if defined(FL_HOST)
/* Fresh pages of the host are zero; touching them all would cost more than the fiber. Sanitizers
 * and glibc's printf need larger frames than the machine's code. */
#define STACK_FILL  UINT64_C(0)
#define STACK_SCALE 8u
#else
#define STACK_FILL  UINT64_C(0x736b636174737573)
#define STACK_SCALE 1u
#endif

static struct {
    struct fiber *first; /* NULL = none; oldest first, circular */
    uint32_t count;
} all;

uint32_t fiber_count(void) { return all.count; }

/* ---- stacks ---- */

static void stack_prepare(struct fiber *f)
{
    uint64_t *low = (uint64_t *)(void *)f->stack;
    uint64_t words = (f->stack_bytes - align_up_u64(sizeof(*f), STACK_ALIGN)) / sizeof(*low);

    if (STACK_FILL != 0) {
        for (uint64_t i = 0; i < words; i++) {
            low[i] = STACK_FILL;
        }
    }
    low[0] = FIBER_STACK_CANARY;
}

FL_NO_ASAN static uint64_t stack_used(const struct fiber *f)
{
    const uint64_t *low = (const uint64_t *)(const void *)f->stack;
    uint64_t words = f->stack_bytes / sizeof(*low);
    uint64_t i = 1;

    while (i < words && low[i] == STACK_FILL) {
        i++;
    }
    return (words - i) * sizeof(*low);
}

/* ---- begin and end ---- */

void fiber_free(struct fiber *f)
{
    void *stack = f->stack;
    uint64_t bytes = f->stack_bytes;

    uintptr_t irq = arch_irq_save();
    if (f->all_next == f) {
        all.first = NULL;
    } else {
        f->all_prev->all_next = f->all_next;
        f->all_next->all_prev = f->all_prev;
        all.first = all.first == f ? f->all_next : all.first;
    }
    all.count--;
    arch_irq_restore(irq);
    asan_allow(stack, bytes);
    arch_stack_free(stack, bytes);
}

void fiber_free_all(void)
{
    while (all.first != NULL) {
        fiber_free(all.first);
    }
}

static void fiber_entry(void *arg)
{
    struct fiber *f = arg;

    fiber_begin();
    f->fn(f->arg);
    if (f->held.count != 0) {
        machine_panic("fiber \"%s\" ended holding lock \"%s\"", f->name, f->held.cls[0]->name);
    }
    if (f->held.noalloc != 0) {
        machine_panic("fiber \"%s\" ended in a section without allocation, begun at %s", f->name,
                      f->held.noalloc_where);
    }
    fiber_end(f);
}

struct fiber *fiber_spawn(const char *name, void (*fn)(void *arg), void *arg, uint64_t stack_bytes)
{
    const uint64_t record = align_up_u64(sizeof(struct fiber), STACK_ALIGN);

    lockorder_point(&lock_class_alloc, FL_WHERE);
    if (stack_bytes == 0) {
        stack_bytes = FIBER_STACK_DEFAULT;
    }
    if (stack_bytes > UINT32_MAX) {
        return NULL;
    }
    stack_bytes = align_up_u64(stack_bytes * STACK_SCALE, FL_PAGE_SIZE);
    uint8_t *stack = arch_stack_alloc(stack_bytes);
    if (stack == NULL) {
        return NULL;
    }
    /* The record lies above the stack, where an overrun of the stack does not reach. */
    struct fiber *f = (struct fiber *)(void *)(stack + stack_bytes - record);
    memset(f, 0, sizeof(*f));
    f->name = name;
    f->where = "";
    f->fn = fn;
    f->arg = arg;
    f->stack = stack;
    f->stack_bytes = stack_bytes;
    stack_prepare(f);
    f->sp = arch_context_init(stack, stack_bytes - record, fiber_entry, f);

    uintptr_t irq = arch_irq_save();
    if (all.first == NULL) {
        f->all_next = f->all_prev = f;
        all.first = f;
    } else {
        f->all_prev = all.first->all_prev;
        f->all_next = all.first;
        all.first->all_prev->all_next = f;
        all.first->all_prev = f;
    }
    all.count++;
    fiber_ready(f);
    arch_irq_restore(irq);
    return f;
}

/* ---- who is there ---- */

const char *fiber_state_name(enum fiber_state state)
{
    static const char *const names[] = {"runnable", "running", "sleeping", "event", "mutex"};

    return (size_t)state < ARRAY_SIZE(names) ? names[state] : "?";
}

static void fill_info(const struct fiber *f, struct fiber_info *out)
{
    bool waits = f->state != FIBER_RUNNABLE && f->state != FIBER_RUNNING;

    *out = (struct fiber_info){
        .name = f->name,
        .state = f->state,
        .where = f->where,
        .what = f->mutex != NULL ? f->mutex->cls->name : "",
        .owner = f->mutex != NULL && f->mutex->owner != NULL ? f->mutex->owner->name : "",
        .since_us = waits ? f->since_ns / NS_PER_US : 0,
        .until_us = waits && f->until_ns != UINT64_MAX ? f->until_ns / NS_PER_US : DEADLINE_NEVER,
        .stack_bytes = f->stack_bytes,
        .stack_used_bytes = f->stack != NULL ? stack_used(f) : 0,
    };
}

size_t fiber_list(struct fiber_info *out, size_t max)
{
    size_t count = 0;
    struct fiber *f = all.first;

    if (fiber_main()->state != FIBER_RUNNING && fiber_main()->state != FIBER_RUNNABLE) {
        if (max > 0) {
            fill_info(fiber_main(), &out[0]);
        }
        count++;
    }

    while (f != NULL) {
        if (count < max) {
            fill_info(f, &out[count]);
        }
        count++;
        f = f->all_next != all.first ? f->all_next : NULL;
    }
    return count;
}
