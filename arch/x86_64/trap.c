/* SPDX-License-Identifier: MIT */
/*
 * The end of the line: exceptions and panics. Everything is printed at once, to the serial line and
 * the screen, with raw addresses for `addr2line -i -f -p -e build/kernel/kernel.elf`; then the
 * machine halts. Nothing here trusts a pointer before the page tables have confirmed it.
 *
 * Source: Intel SDM volume 3, section 6.15 (exceptions), 4.7 (page-fault error code).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/x86_64/x86_priv.h"

enum {
    VECTOR_BREAKPOINT = 3,
    VECTOR_DOUBLE_FAULT = 8,
    VECTOR_PAGE_FAULT = 14,
    VECTOR_MACHINE_CHECK = 18
};
enum { BACKTRACE_MAX = 32, STACK_WORDS_SHOWN = 24, STACK_WORDS_SEARCHED = 512 };

static const struct {
    const char *mnemonic, *name;
} traps[X86_TRAPS] = {
    [0] = {"#DE", "divide error"},
    [1] = {"#DB", "debug"},
    [3] = {"#BP", "breakpoint"},
    [4] = {"#OF", "overflow"},
    [5] = {"#BR", "bound range exceeded"},
    [6] = {"#UD", "invalid opcode"},
    [7] = {"#NM", "no math coprocessor"},
    [8] = {"#DF", "double fault"},
    [10] = {"#TS", "invalid TSS"},
    [11] = {"#NP", "segment not present"},
    [12] = {"#SS", "stack segment fault"},
    [13] = {"#GP", "general protection"},
    [14] = {"#PF", "page fault"},
    [16] = {"#MF", "x87 floating-point error"},
    [17] = {"#AC", "alignment check"},
    [18] = {"#MC", "machine check"},
    [19] = {"#XM", "SIMD floating-point error"},
    [20] = {"#VE", "virtualization exception"},
    [21] = {"#CP", "control protection"},
    [28] = {"#HV", "hypervisor injection"},
    [29] = {"#VC", "VMM communication"},
    [30] = {"#SX", "security exception"},
};

static struct {
    char panic_text[512]; /* "": no panic, but an exception */
    char line[640];
    unsigned depth; /* traps that have begun: a second one means that this file fails */
} end;

FL_PRINTF(1, 2) static void print(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(end.line, sizeof(end.line), fmt, args);
    va_end(args);
    if (n > 0) {
        x86_console_emergency(end.line, min_u64((uint64_t)n, sizeof(end.line) - 1));
    }
}

static unsigned long long ull(uint64_t v) { return v; }

static bool is_text(uint64_t addr)
{
    return addr >= (uintptr_t)x86_text_start && addr < (uintptr_t)x86_text_end;
}

FL_NORETURN static void halt(void)
{
    for (;;) {
        cpu_irq_off();
        cpu_halt();
    }
}

static void print_page_fault(const struct x86_frame *f, uint64_t address)
{
    enum { PF_PRESENT = 1, PF_WRITE = 2, PF_RESERVED = 8, PF_FETCH = 16 };
    /* A double fault only tells the address of the fault before it, if that was a page fault. */
    const char *what = f->vector == VECTOR_DOUBLE_FAULT ? "last page fault at"
                       : (f->error & PF_FETCH) != 0     ? "executing"
                       : (f->error & PF_WRITE) != 0     ? "writing"
                                                        : "reading";
    const char *why = f->vector == VECTOR_DOUBLE_FAULT ? "what it was is lost"
                      : (f->error & PF_RESERVED) != 0  ? "broken page table"
                      : (f->error & PF_PRESENT) != 0   ? "not allowed there"
                                                       : "nothing is mapped there";
    const char *stack = x86_stack_overrun(address);
    print("    %s 0x%016llx: %s%s%s\n", what, ull(address),
          stack != NULL ? "stack overflow of " : why, stack != NULL ? stack : "",
          stack == NULL && address < FL_PAGE_SIZE ? " (null pointer)" : "");
}

/* The error banks that hold something (SDM volume 3, section 15.3). */
static void print_machine_check(void)
{
    enum { MSR_MCG_CAP = 0x179, MSR_MC0_STATUS = 0x401, MSRS_PER_BANK = 4, BANKS_MAX = 32 };
    const uint64_t valid = 1ull << 63, has_address = 1ull << 58;
    uint32_t banks = (uint32_t)(cpu_msr_read(MSR_MCG_CAP) & 0xff);
    for (uint32_t i = 0; i < banks && i < BANKS_MAX; i++) {
        uint32_t msr = MSR_MC0_STATUS + i * MSRS_PER_BANK;
        uint64_t status = cpu_msr_read(msr);
        if ((status & valid) != 0) {
            print("    bank %u: status 0x%016llx address 0x%llx\n", (unsigned)i, ull(status),
                  ull((status & has_address) != 0 ? cpu_msr_read(msr + 1) : 0));
        }
    }
}

static void print_registers(const struct x86_frame *f)
{
    print("    rip %016llx  rsp %016llx  rbp %016llx  rflags %08llx\n", ull(f->rip), ull(f->rsp),
          ull(f->rbp), ull(f->rflags));
    print("    rax %016llx  rbx %016llx  rcx %016llx  rdx %016llx\n", ull(f->rax), ull(f->rbx),
          ull(f->rcx), ull(f->rdx));
    print("    rsi %016llx  rdi %016llx  r8  %016llx  r9  %016llx\n", ull(f->rsi), ull(f->rdi),
          ull(f->r8), ull(f->r9));
    print("    r10 %016llx  r11 %016llx  r12 %016llx  r13 %016llx\n", ull(f->r10), ull(f->r11),
          ull(f->r12), ull(f->r13));
    print("    r14 %016llx  r15 %016llx  cr2 %016llx  cr3 %016llx\n", ull(f->r14), ull(f->r15),
          ull(cpu_cr2_read()), ull(cpu_cr3_read()));
    print("    cs %04llx ss %04llx  cr0 %08llx  cr4 %08llx\n", ull(f->cs), ull(f->ss),
          ull(cpu_cr0_read()), ull(cpu_cr4_read()));
}

/* One 64-bit word of a stack, if there is one. */
static bool stack_word(uint64_t at, uint64_t *out)
{
    if (!is_aligned_u64(at, sizeof(*out)) || !x86_is_mapped(at, sizeof(*out))) {
        return false;
    }
    *out = *(const uint64_t *)(uintptr_t)at;
    return true;
}

static void print_backtrace(uint64_t rip, uint64_t rbp)
{
    print("    backtrace:\n");
    if (is_text(rip)) {
        print("      0x%016llx\n", ull(rip));
    }
    for (unsigned i = 0; i < BACKTRACE_MAX; i++) {
        uint64_t next, ret;
        if (rbp == 0 || !stack_word(rbp, &next) || !stack_word(rbp + sizeof(ret), &ret) ||
            !is_text(ret)) {
            return;
        }
        /* The address of the call: what follows it may be another line or function. */
        print("      0x%016llx\n", ull(ret - 1));
        if (next <= rbp) {
            return;
        }
        rbp = next;
    }
}

/* gcc drops the frame of leaf functions, so the chain above may lack the caller of the one that
 * faulted: these words have it. */
static void print_stack(uint64_t rsp)
{
    print("    words on the stack that point into the text:\n");
    unsigned shown = 0;
    uint64_t word, at = align_up_u64(rsp, sizeof(word));
    if (!x86_is_mapped(at, sizeof(word))) {
        at = align_up_u64(at, FL_PAGE_SIZE); /* an overflow: rsp lies in the guard page */
    }
    for (unsigned i = 0; i < STACK_WORDS_SEARCHED && shown < STACK_WORDS_SHOWN; i++) {
        if (!stack_word(at + i * sizeof(word), &word)) {
            break;
        }
        if (is_text(word)) {
            print("      rsp+0x%03x 0x%016llx\n", (unsigned)(i * sizeof(word)), ull(word));
            shown++;
        }
    }
}

void x86_trap(const struct x86_frame *f)
{
    cpu_irq_off();
    uint64_t address = cpu_cr2_read();
    if (++end.depth > 1) {
        if (end.depth == 2) {
            static const char again[] = "\n*** another exception while reporting; machine halted\n";
            x86_serial_put_wait(again, sizeof(again) - 1);
        }
        halt();
    }
    bool panic = f->vector == VECTOR_BREAKPOINT && end.panic_text[0] != '\0';
    const char *name = f->vector < X86_TRAPS ? traps[f->vector].name : NULL;
    if (panic) {
        print("\n*** panic: %s\n", end.panic_text);
    } else {
        print("\n*** %s (%s, vector %llu) at 0x%016llx, error code 0x%llx\n",
              name != NULL ? name : "reserved exception",
              name != NULL ? traps[f->vector].mnemonic : "?", ull(f->vector), ull(f->rip),
              ull(f->error));
    }
    print("    Firstlight " FL_VERSION ", fiber \"%s\", %llu.%06llu s after hand-off\n",
          fiber_name(), ull(clock_now_us() / US_PER_S), ull(clock_now_us() % US_PER_S));
    if (f->vector == VECTOR_PAGE_FAULT || f->vector == VECTOR_DOUBLE_FAULT) {
        print_page_fault(f, address);
    }
    if (f->vector == VECTOR_MACHINE_CHECK) {
        print_machine_check();
    }
    print_registers(f);
    /* A breakpoint has been executed already: what follows it may be another function. */
    print_backtrace(f->vector == VECTOR_BREAKPOINT ? f->rip - 1 : f->rip, f->rbp);
    print_stack(f->rsp);
    print("*** machine halted\n");
    halt();
}

void machine_panic(const char *fmt, ...)
{
    cpu_irq_off();
    if (end.panic_text[0] == '\0') {
        va_list args;
        va_start(args, fmt);
        if (vsnprintf(end.panic_text, sizeof(end.panic_text), fmt, args) <= 0) {
            (void)snprintf(end.panic_text, sizeof(end.panic_text), "(no text)");
        }
        va_end(args);
    }
    /* The exception brings a safe stack and the registers. */
    __asm__ volatile("int3");
    __builtin_unreachable();
}
