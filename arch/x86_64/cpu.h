/* SPDX-License-Identifier: MIT */
/*
 * Instructions that C has no words for, one line each. Source: Intel SDM volume 2; the names of
 * registers and bits are the manual's.
 */
#pragma once

#include "arch/base.h"

/* Control registers, Intel SDM volume 3, section 2.5. */
#define CR0_MP         (1ull << 1)
#define CR0_EM         (1ull << 2)
#define CR0_TS         (1ull << 3)
#define CR0_NE         (1ull << 5)
#define CR0_WP         (1ull << 16)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_SMEP       (1ull << 20)

/* Model-specific registers, volume 4. */
#define MSR_APIC_BASE    0x1bu
#define MSR_PAT          0x277u
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC       0x800u /* register at MMIO offset o is MSR 0x800 + o / 16 */
#define MSR_EFER         0xc0000080u
#define EFER_NXE         (1ull << 11)

#define RFLAGS_IF (1ull << 9)

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid cpu_id(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}
/* Highest leaf of the range that starts at base (0, 0x40000000 or 0x80000000). */
static inline uint32_t cpu_id_max(uint32_t base) { return cpu_id(base, 0).eax; }

static inline uint64_t cpu_msr_read(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}
static inline void cpu_msr_write(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "c"(msr) : "memory");
}

#define CPU_CR(n)                                                                                  \
    static inline uint64_t cpu_cr##n##_read(void)                                                  \
    {                                                                                              \
        uint64_t v;                                                                                \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v));                                          \
        return v;                                                                                  \
    }                                                                                              \
    static inline void cpu_cr##n##_write(uint64_t v)                                               \
    {                                                                                              \
        __asm__ volatile("mov %0, %%cr" #n : : "r"(v) : "memory");                                 \
    }
CPU_CR(0)
CPU_CR(2)
CPU_CR(3)
CPU_CR(4)
#undef CPU_CR

static inline uint8_t cpu_in8(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}
static inline uint16_t cpu_in16(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}
static inline uint32_t cpu_in32(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}
static inline void cpu_out8(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}
static inline void cpu_out16(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}
static inline void cpu_out32(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

/* The time-stamp counter, not read before earlier loads are done. */
static inline uint64_t cpu_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void cpu_pause(void) { __asm__ volatile("pause"); }
static inline void cpu_irq_off(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void cpu_irq_on(void) { __asm__ volatile("sti" : : : "memory"); }
/* sti takes effect after the next instruction: no interrupt slips in before the halt. */
static inline void cpu_irq_on_and_halt(void) { __asm__ volatile("sti\n\thlt" : : : "memory"); }
static inline void cpu_halt(void) { __asm__ volatile("hlt" : : : "memory"); }
static inline uint64_t cpu_flags(void)
{
    uint64_t v;
    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(v) : : "memory");
    return v;
}
static inline void cpu_invlpg(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}
