/* SPDX-License-Identifier: MIT */
/* Interrupts on the host: a table of handlers and a flag. */
#include "arch/irq.h"

#include <string.h>

#include "arch/fiber_arch.h"
#include "arch/host/host.h"
#include "arch/host/host_priv.h"

/* Vectors 0-31 belong to CPU exceptions (Intel SDM volume 3, 6.3.1), as on the machine. */
#define VECTOR_FIRST 32u
#define VECTOR_COUNT 64u

static struct {
    struct {
        const char *name; /* static; NULL = free */
        void (*handler)(void *arg);
        void *arg;
        uint64_t count;
        bool pending; /* raised while interrupts were off; several become one, as in a CPU's IRR */
    } vectors[VECTOR_COUNT];
    uint32_t used;
    bool off; /* interrupts are off */
} host_irq;

enum fl_err irq_alloc(const char *name, void (*handler)(void *arg), void *arg, struct irq_msi *out)
{
    if (host_irq.used == VECTOR_COUNT) {
        return FL_ENOSPC;
    }
    uint32_t i = host_irq.used++;
    host_irq.vectors[i].name = name;
    host_irq.vectors[i].handler = handler;
    host_irq.vectors[i].arg = arg;
    *out = (struct irq_msi){
        .address = HOST_MSI_ADDRESS, .data = VECTOR_FIRST + i, .vector = VECTOR_FIRST + i};
    return FL_OK;
}

uint64_t irq_count(uint32_t vector)
{
    uint32_t i = vector - VECTOR_FIRST;

    return vector >= VECTOR_FIRST && i < host_irq.used ? host_irq.vectors[i].count : 0;
}

/* Calls handlers until none is pending. Interrupts are on. */
static void deliver(void)
{
    for (uint32_t i = 0; i < host_irq.used; i++) {
        if (!host_irq.vectors[i].pending) {
            continue;
        }
        host_irq.vectors[i].pending = false;
        host_irq.vectors[i].count++;
        host_irq.off = true;
        host_irq.vectors[i].handler(host_irq.vectors[i].arg);
        host_irq.off = false;
        i = UINT32_MAX; /* a handler may have raised any of them: look again from the start */
    }
}

void host_irq_raise(uint32_t vector)
{
    uint32_t i = vector - VECTOR_FIRST;

    if (vector < VECTOR_FIRST || i >= host_irq.used) {
        machine_panic("interrupt on vector %u, which nobody allocated", vector);
    }
    host_irq.vectors[i].pending = true;
    if (!host_irq.off) {
        deliver();
    }
}

bool host_irq_raise_msi(uint64_t address, uint32_t data)
{
    uint32_t i = data - VECTOR_FIRST;

    if (address != HOST_MSI_ADDRESS || data < VECTOR_FIRST || i >= host_irq.used) {
        return false;
    }
    host_irq_raise(data);
    return true;
}

bool host_irq_enabled(void) { return !host_irq.off; }

uintptr_t arch_irq_save(void)
{
    uintptr_t was_on = !host_irq.off;

    host_irq.off = true;
    return was_on;
}

void arch_irq_restore(uintptr_t state)
{
    if (state != 0) {
        host_irq.off = false;
        deliver();
    }
}

void host_irq_force_on(void) { host_irq.off = false; }
void host_irq_reset(void) { memset(&host_irq, 0, sizeof(host_irq)); }
