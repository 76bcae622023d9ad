/* SPDX-License-Identifier: MIT */
/*
 * Interrupts: who is called for which vector, message-signalled interrupts, turning them off.
 *
 * Source: Intel SDM volume 3, section 10.11 (message address and data for MSI).
 */
#include "arch/irq.h"

#include "arch/clock.h"
#include "arch/fiber_arch.h"
#include "arch/log.h"
#include "arch/x86_64/x86_priv.h"

/* Message address: 0xfee in bits 31:20, destination APIC in 19:12, physical mode. Data: the vector
 * in 7:0, fixed delivery, edge. */
#define MSI_ADDRESS           0xfee00000ull
#define MSI_DESTINATION_SHIFT 12
#define MSI_DESTINATION_MAX   255u

static struct {
    struct {
        const char *name; /* static; NULL = nobody's */
        void (*handler)(void *arg);
        void *arg; /* borrowed for ever */
        volatile uint64_t count;
    } vector[X86_VECTORS];
    uint32_t next_msi; /* 0: none given out yet */
    struct {
        volatile uint32_t count;
        volatile uint8_t reason; /* port 0x61 as the last one found it */
        uint32_t reported;       /* count that the log knows of */
    } nmi;
} irqs;

enum fl_err irq_alloc(const char *name, void (*handler)(void *arg), void *arg, struct irq_msi *out)
{
    uint32_t apic = x86_apic_id();
    if (apic > MSI_DESTINATION_MAX) {
        log_error("irq", "%s: no interrupts: APIC id %u does not fit a message", name, apic);
        return FL_ENOSPC;
    }
    uintptr_t state = arch_irq_save();
    uint32_t v = irqs.next_msi != 0 ? irqs.next_msi : X86_VECTOR_MSI_FIRST;
    if (v > X86_VECTOR_MSI_LAST) {
        arch_irq_restore(state);
        return FL_ENOSPC;
    }
    irqs.next_msi = v + 1;
    irqs.vector[v].arg = arg;
    irqs.vector[v].handler = handler;
    irqs.vector[v].name = name;
    arch_irq_restore(state);
    *out = (struct irq_msi){
        .address = MSI_ADDRESS | (uint64_t)apic << MSI_DESTINATION_SHIFT, .data = v, .vector = v};
    return FL_OK;
}

uint64_t irq_count(uint32_t vector) { return vector < X86_VECTORS ? irqs.vector[vector].count : 0; }

/* What nobody asked for is said once for each vector, and counted. */
static void unexpected(uint32_t v)
{
    if (irqs.vector[v].count == 1) {
        log_warn("irq", "interrupt on vector 0x%02x, which nobody allocated; counted from now on",
                 v);
    }
}

void x86_irq(uint64_t vector)
{
    uint32_t v = (uint32_t)vector & (X86_VECTORS - 1);
    irqs.vector[v].count++;
    switch (v) {
    case X86_VECTOR_SPURIOUS:
        return; /* no end-of-interrupt, SDM volume 3, section 10.9 */
    case X86_VECTOR_TIMER:
        break; /* that the core woke up is all */
    case X86_VECTOR_APIC_ERROR:
        log_warn("irq", "local APIC error 0x%02x", x86_apic_error());
        break;
    default:
        if (v < X86_VECTOR_MSI_FIRST) {
            unexpected(v); /* a masked PIC's last word; the local APIC knows nothing of it */
            return;
        }
        if (irqs.vector[v].handler != NULL) {
            irqs.vector[v].handler(irqs.vector[v].arg);
        } else {
            unexpected(v);
        }
        break;
    }
    x86_apic_eoi();
}

/* Chipsets raise NMIs for errors on the bus (a device that was reset under traffic can be one). The
 * appliance goes on, because it is there to report such things. Port 0x61: bit 7 SERR#, bit 6
 * IOCHK#; bits 2 and 3 set and cleared rearm them (Intel PCH data sheets, NMI_STS_CNT). */
enum {
    NMI_STATUS_PORT = 0x61,
    NMI_SERR = 0x80,
    NMI_IOCHK = 0x40,
    NMI_REARM = 0x0c,
    NMI_KEPT = 0x0f
};

__attribute__((target("general-regs-only"))) void x86_nmi(void)
{
    uint8_t reason = cpu_in8(NMI_STATUS_PORT);
    irqs.nmi.reason = reason;
    irqs.nmi.count++;
    if ((reason & (NMI_SERR | NMI_IOCHK)) != 0) {
        cpu_out8(NMI_STATUS_PORT, (uint8_t)((reason & NMI_KEPT) | NMI_REARM));
        cpu_out8(NMI_STATUS_PORT, (uint8_t)(reason & NMI_KEPT & ~NMI_REARM));
    }
}

/* An NMI may have interrupted the log itself, so it is told of later. */
static void report_nmi(void)
{
    uint32_t count = irqs.nmi.count;
    if (count == irqs.nmi.reported) {
        return;
    }
    uint8_t reason = irqs.nmi.reason;
    irqs.nmi.reported = count;
    log_error("irq", "non-maskable interrupt number %u: %s (port 0x61 reads 0x%02x)", count,
              (reason & NMI_SERR) != 0    ? "a device reported a system error"
              : (reason & NMI_IOCHK) != 0 ? "I/O check"
                                          : "no reason given",
              reason);
}

uintptr_t arch_irq_save(void)
{
    uint64_t flags = cpu_flags();
    cpu_irq_off();
    return flags & RFLAGS_IF;
}

void arch_irq_restore(uintptr_t state)
{
    if (state != 0) {
        cpu_irq_on();
    }
}

void arch_idle_until(uint64_t deadline_us, bool (*wake_pending)(void))
{
    const uint64_t never_us = UINT64_MAX / NS_PER_US;

    report_nmi();
    cpu_irq_off();
    bool timed = deadline_us < never_us;
    if (wake_pending() || (timed && clock_now_us() >= deadline_us)) {
        cpu_irq_on();
        return;
    }
    /* Should the deadline pass before the halt, the interrupt is pending and ends it. */
    if (timed && !x86_apic_timer_arm(deadline_us * NS_PER_US)) {
        cpu_irq_on();
        cpu_pause();
        return;
    }
    cpu_irq_on_and_halt();
}
