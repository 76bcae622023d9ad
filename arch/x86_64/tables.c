/* SPDX-License-Identifier: MIT */
/*
 * The CPU's descriptor tables: a flat GDT, one TSS for the stacks of exceptions and interrupts, and
 * the IDT. Every vector has an entry, so that nothing unexpected ends in a triple fault.
 *
 * Source: Intel SDM volume 3, sections 3.4.5 (segment descriptors), 7.7 (64-bit TSS), 6.14 (IDT and
 * interrupt stack table).
 */
#include "arch/x86_64/x86_priv.h"

enum { SELECTOR_CODE = 0x08, SELECTOR_DATA = 0x10, SELECTOR_TSS = 0x18 };

#define SEGMENT_CODE_64 0x00209a0000000000ull /* present, ring 0, execute and read, long mode */
#define SEGMENT_DATA    0x0000920000000000ull /* present, ring 0, read and write */
#define SEGMENT_TSS     0x0000890000000000ull /* present, available 64-bit TSS */

/* Interrupt stack table indexes, 1-7. */
enum { IST_FAULT = 1, IST_DOUBLE_FAULT, IST_NMI, IST_MACHINE_CHECK, IST_IRQ };
enum { VECTOR_NMI = 2, VECTOR_DOUBLE_FAULT = 8, VECTOR_MACHINE_CHECK = 18 };

#define GATE_INTERRUPT 0x8e00u /* present, ring 0, 64-bit interrupt gate: interrupts go off */

/* The 64-bit TSS starts with a reserved word, which a 64-bit field would misalign: words of 32
 * bits, by index. */
enum { TSS_WORDS = 26, TSS_IST1 = 9, TSS_IO_MAP = 25 };

static struct {
    uint64_t gdt[5];
    uint32_t tss[TSS_WORDS];
    uint64_t idt[X86_VECTORS][2];
} tables __attribute__((aligned(64)));
_Static_assert(sizeof(tables.tss) == 104, "Intel SDM volume 3, figure 7-11");

/* Operand of LGDT and LIDT; the compiler would pad a structure. */
struct table_pointer {
    uint8_t bytes[10];
};
static struct table_pointer pointer_to(const void *base, size_t bytes)
{
    struct table_pointer p;
    put_le16(p.bytes, (uint16_t)(bytes - 1));
    put_le64(p.bytes + 2, (uintptr_t)base);
    return p;
}

static void set_stack(unsigned ist, uint8_t *stack, uint64_t bytes)
{
    uint64_t top = (uintptr_t)stack + bytes;
    tables.tss[TSS_IST1 + 2 * (ist - 1)] = (uint32_t)top;
    tables.tss[TSS_IST1 + 2 * (ist - 1) + 1] = (uint32_t)(top >> 32);
}

static void set_gate(unsigned vector, const uint8_t *entry, unsigned ist)
{
    uint64_t at = (uintptr_t)entry;
    tables.idt[vector][0] = (at & 0xffff) | (uint64_t)SELECTOR_CODE << 16 |
                            (uint64_t)(GATE_INTERRUPT | ist) << 32 | (at >> 16 & 0xffff) << 48;
    tables.idt[vector][1] = at >> 32;
}

static unsigned trap_stack(unsigned vector)
{
    switch (vector) {
    case VECTOR_DOUBLE_FAULT:
        return IST_DOUBLE_FAULT;
    case VECTOR_MACHINE_CHECK:
        return IST_MACHINE_CHECK;
    default:
        return IST_FAULT; /* not the current one: it may be what is broken */
    }
}

static void load_segments(void)
{
    struct table_pointer gdt = pointer_to(tables.gdt, sizeof(tables.gdt));
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %2, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs\n\t"
                     "ltr %w3"
                     :
                     : "m"(gdt), "i"(SELECTOR_CODE), "i"(SELECTOR_DATA), "r"(SELECTOR_TSS)
                     : "rax", "memory");
}

void x86_tables_start(void)
{
    uint64_t tss = (uintptr_t)tables.tss;
    tables.gdt[SELECTOR_CODE / 8] = SEGMENT_CODE_64;
    tables.gdt[SELECTOR_DATA / 8] = SEGMENT_DATA;
    tables.gdt[SELECTOR_TSS / 8] =
        SEGMENT_TSS | (sizeof(tables.tss) - 1) | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
    tables.gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;

    set_stack(IST_FAULT, x86_stacks.fault, sizeof(x86_stacks.fault));
    set_stack(IST_DOUBLE_FAULT, x86_stacks.double_fault, sizeof(x86_stacks.double_fault));
    set_stack(IST_NMI, x86_stacks.nmi, sizeof(x86_stacks.nmi));
    set_stack(IST_MACHINE_CHECK, x86_stacks.machine_check, sizeof(x86_stacks.machine_check));
    set_stack(IST_IRQ, x86_stacks.irq, sizeof(x86_stacks.irq));
    tables.tss[TSS_IO_MAP] = (uint32_t)sizeof(tables.tss) << 16; /* none: beyond the limit */

    for (unsigned v = 0; v < X86_TRAPS; v++) {
        set_gate(v, x86_trap_stubs + v * X86_TRAP_STUB_BYTES, trap_stack(v));
    }
    for (unsigned v = X86_TRAPS; v < X86_VECTORS; v++) {
        set_gate(v, x86_irq_stubs + (v - X86_TRAPS) * X86_IRQ_STUB_BYTES, IST_IRQ);
    }
    set_gate(VECTOR_NMI, x86_nmi_entry, IST_NMI);
    load_segments();
    struct table_pointer idt = pointer_to(tables.idt, sizeof(tables.idt));
    __asm__ volatile("lidt %0" : : "m"(idt) : "memory");
}
