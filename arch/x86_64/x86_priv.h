/* SPDX-License-Identifier: MIT */
/* What the files of this folder share. Nobody else includes this. */
#pragma once

#include "arch/acpi.h"
#include "arch/base.h"
#include "arch/handoff.h"
#include "arch/machine.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/x86.h"

/* --- the kernel's own place (kernel.lds) --- */

extern const uint8_t x86_image_start[], x86_text_start[], x86_text_end[], x86_rodata_start[],
    x86_rodata_end[], x86_data_start[], x86_image_end[];

/* Stacks in .bss. The lowest page of each is a guard that paging.c takes away. */
#define X86_MAIN_STACK_BYTES  KIB(32)
#define X86_IRQ_STACK_BYTES   KIB(16)
#define X86_FAULT_STACK_BYTES KIB(16)
struct x86_stacks {
    uint8_t main_guard[FL_PAGE_SIZE], main[X86_MAIN_STACK_BYTES];
    uint8_t irq_guard[FL_PAGE_SIZE], irq[X86_IRQ_STACK_BYTES];
    uint8_t fault_guard[FL_PAGE_SIZE], fault[X86_FAULT_STACK_BYTES];
    uint8_t double_fault_guard[FL_PAGE_SIZE], double_fault[X86_FAULT_STACK_BYTES];
    uint8_t nmi_guard[FL_PAGE_SIZE], nmi[X86_FAULT_STACK_BYTES];
    uint8_t machine_check_guard[FL_PAGE_SIZE], machine_check[X86_FAULT_STACK_BYTES];
};
extern struct x86_stacks x86_stacks;

/* --- tables.c: GDT, TSS, IDT --- */

void x86_tables_start(void);
/* First instruction of every vector's entry (entry.S). */
#define X86_TRAP_STUB_BYTES 16u
#define X86_IRQ_STUB_BYTES  8u
#define X86_TRAPS           32u
#define X86_VECTORS         256u
extern const uint8_t x86_trap_stubs[], x86_irq_stubs[], x86_nmi_entry[];

/* --- trap.c: exceptions and panics --- */

/* As entry.S pushes it. */
struct x86_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};
FL_NORETURN void x86_trap(const struct x86_frame *f);

/* --- irq.c, apic.c: interrupts and halting --- */

/* 0x20-0x2f: where the two PICs are told to raise what they may still raise. */
#define X86_VECTOR_PIC        0x20u
#define X86_VECTOR_MSI_FIRST  0x30u
#define X86_VECTOR_MSI_LAST   0xefu
#define X86_VECTOR_TIMER      0xfdu
#define X86_VECTOR_APIC_ERROR 0xfeu
#define X86_VECTOR_SPURIOUS   0xffu /* low 4 bits set: some APICs hardwire them */

void x86_irq(uint64_t vector); /* called by entry.S, interrupts off */
void x86_nmi(void);            /* likewise; general registers only */

/* Silences the I/O APICs that ACPI knows of. */
void x86_ioapics_mask(void);
void x86_apic_start(uint64_t acpi_base);
uint32_t x86_apic_id(void);
void x86_apic_eoi(void);
uint32_t x86_apic_error(void); /* reads and clears */
/* Unless the timer speaks TSC itself, its rate is compared with the TSC's between these two. */
void x86_apic_timer_measure_begin(void);
void x86_apic_timer_measure_end(void);
/* One interrupt at clock_now_ns() >= at_ns, or earlier when that is further away than the timer
 * reaches. False when the timer does not work. */
FL_MUST_CHECK bool x86_apic_timer_arm(uint64_t at_ns);
const char *x86_apic_describe(void); /* "x2APIC, TSC deadline" */

/* --- paging.c --- */

enum x86_map { X86_MAP_RAM, X86_MAP_RAM_READ, X86_MAP_TEXT, X86_MAP_UNCACHED, X86_MAP_WC };

/* Builds the kernel's page tables from pool (pages of identity-mapped RAM) and switches to them. */
void x86_paging_start(uint64_t pool, uint64_t pool_bytes);
/* Pages of pool that x86_paging_start needs for this machine, and a reserve for mmio_map. */
uint64_t x86_paging_pool_bytes(void);
/* [va, va + size) -> pa, whole pages. False when no table is left; what was mapped stays. Where
 * something is mapped uncached already, a wish for write combining is ignored. */
FL_MUST_CHECK bool x86_map(uint64_t va, uint64_t pa, uint64_t size, enum x86_map how);
/* False when a large page must be split and no table is left; nothing is unmapped then. */
FL_MUST_CHECK bool x86_unmap(uint64_t va, uint64_t size);
bool x86_is_mapped(uint64_t va, uint64_t size);
unsigned x86_phys_bits(void);

/* --- memory.c: RAM, the heap's region, stacks --- */

/* Checks the hand-off. NULL, or what is wrong. */
const char *x86_memory_start(uint64_t handoff);
/* A block of whole pages for ever, from the highest RAM that has room; NULL when there is none.
 * Before x86_memory_boot_ranges_free() only from what is free at once. */
void *x86_memory_take(uint64_t bytes, uint64_t align);
void x86_memory_boot_ranges_free(void);
/* Calls f with each stretch of what is RAM by kind, in use or not; above 1 MiB. */
void x86_memory_each_ram(void (*f)(uint64_t base, uint64_t size));
/* True when the page-rounded range has a byte of RAM (free, boot, ACPI, loader). */
bool x86_memory_is_ram(uint64_t base, uint64_t size);
/* True when the range lies in memory (any kind but MMIO) that the firmware described. */
bool x86_memory_is_readable(uint64_t base, uint64_t size);
void x86_stacks_start(void);
void x86_heap_start(void);
/* The stretch for sbrk. */
void x86_heap_region(uint8_t **base, uint64_t *bytes);
uint64_t x86_memory_total(void);
/* Name of the stack whose guard page holds addr, NULL when none does. */
const char *x86_stack_overrun(uint64_t addr);

/* --- libc.c, and libc_picolibc.c or libc_newlib.c: what the C library stands on --- */

/* A character on stdout or stderr: whole lines go to the log. */
void x86_libc_put_char(char c);
extern const char x86_libc_name[]; /* and version: "picolibc 1.8.10" */

/* --- clock.c --- */

/* Time before calibration: from clock zero on, slower than true time. */
void x86_clock_early(uint64_t tsc_zero);
/* Chooses the reference and takes the first sample. */
void x86_clock_begin(const struct acpi_info *acpi);
/* Waits until enough time has passed since, and sets the frequency. */
void x86_clock_calibrate(void);
/* Starts the fiber that measures again. */
void x86_clock_start(void);
/* TSC value at which clock_now_ns() will be ns. */
uint64_t x86_clock_tsc_at(uint64_t ns);
/* Nanoseconds that a stretch of TSC ticks lasts. */
uint64_t x86_clock_ticks_ns(uint64_t ticks);

/* --- firmware.c, power.c: ACPI and SMBIOS --- */

void x86_firmware_start(void);

/* --- machine.c
 * ------------------------------------------------------------------------------------ */

/* Fills the random pool from the CPU and the firmware's seed, which is wiped. Before, and without
 * either, machine_random() has nothing. */
void x86_random_start(struct fl_handoff *h);
const char *x86_random_describe(void); /* "CPU, firmware" */

/* --- serial.c, console.c --- */

void x86_serial_start(void);
bool x86_serial_present(void);
/* Writes up to n bytes without waiting; returns how many. */
size_t x86_serial_put(const char *s, size_t n);
/* Writes all of it, waiting for the UART, but not for a dead one. */
void x86_serial_put_wait(const char *s, size_t n);

/* Panics: everything still in the log goes out first, then s; nothing waits for a fiber. */
void x86_console_emergency(const char *s, size_t n);
