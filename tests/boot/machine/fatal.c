/* SPDX-License-Identifier: MIT */
/*
 * Each way to end in a halt, in the places where code of the appliance runs: main, a fiber, an
 * interrupt handler. The names of the functions are what the test expects in the backtraces, so
 * none is inlined, cloned, or left by a jump to another.
 */
#include <string.h>

#include "arch/fiber.h"
#include "arch/irq.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "arch/screen.h"
#include "arch/x86_64/x86_priv.h"
#include "tests/boot/machine/case.h"

#define OWN_FRAME __attribute__((noinline, noclone))

enum { FATAL_STACK_BYTES = 16 * 1024 };
enum { RETURN_INSTRUCTION = 0xc3 }; /* Intel SDM volume 2, RET */
/* Bits 63:47 are not equal. */
#define NOT_CANONICAL 0x0000800000000000ull

/* What the compiler must not know: it would prove that what follows cannot be. */
static volatile uintptr_t hidden_zero;
static volatile uint8_t data_area[16];
static volatile int returned; /* written behind each provocation, so that none is a tail call */

OWN_FRAME static void provoke_write_text(void)
{
    *(volatile uint8_t *)((uintptr_t)x86_text_start + hidden_zero) = RETURN_INSTRUCTION;
    returned++;
}

OWN_FRAME static void provoke_execute_data(void)
{
    data_area[0] = RETURN_INSTRUCTION;
    void (*f)(void) = (void (*)(void))((uintptr_t)data_area + hidden_zero);
    f();
    returned++;
}

struct far_member {
    uint8_t before[0x18];
    volatile uint32_t word;
};

OWN_FRAME static void provoke_null(void)
{
    const struct far_member *p = (const struct far_member *)hidden_zero;
    returned += (int)p->word;
}

OWN_FRAME static void provoke_invalid_opcode(void)
{
    __asm__ volatile("ud2");
    returned++;
}

OWN_FRAME static void provoke_divide(void)
{
    uint32_t quotient, rest;
    __asm__ volatile("divl %4"
                     : "=a"(quotient), "=d"(rest)
                     : "a"(1), "d"(0), "r"((uint32_t)hidden_zero));
    returned += (int)quotient;
}

OWN_FRAME static void provoke_protection(void)
{
    returned += *(const volatile uint8_t *)(NOT_CANONICAL + hidden_zero);
}

/* Without a bound on purpose; the compiler sees one. */
OWN_FRAME static int provoke_overflow_step(uintptr_t depth)
{
    volatile uint8_t room[256];
    room[depth % sizeof(room)] = (uint8_t)depth;
    return depth == hidden_zero ? 0 : provoke_overflow_step(depth + 1) + room[0];
}

OWN_FRAME static void provoke_overflow(void) { returned += provoke_overflow_step(1); }

/* Over the guard page in one step, into the stack below: each page on the way must be touched. */
OWN_FRAME static void provoke_leap(void)
{
    enum { INTO_THE_NEXT = 2048 };
    volatile uint8_t *room =
        __builtin_alloca(FATAL_STACK_BYTES + FL_PAGE_SIZE + INTO_THE_NEXT + hidden_zero);
    room[0] = 1;
    returned++;
}

/* A page fault that finds no stack for itself. */
OWN_FRAME static void provoke_double_fault(void)
{
    if (!x86_unmap((uintptr_t)x86_stacks.fault, sizeof(x86_stacks.fault))) {
        log_error("test", "not ok double-fault: the stack of exceptions cannot be unmapped");
    }
    provoke_null();
    returned++;
}

/* A fixed part that leaves the log the last third of the screen, as when many GPUs are shown. */
static void fill_screen(void)
{
    static struct screen_fixed fixed;
    const struct screen_shape shape = screen_shape();
    fixed.height = shape.height * 2 / 3;
    fixed.count = 1;
    fixed.item[0] = (struct screen_item){
        .kind = SCREEN_FILL, .w = shape.width, .h = fixed.height, .ink = SCREEN_RULE};
    fixed.item[0].done = shape.width;
    screen_set_fixed(&fixed);
    (void)screen_draw(shape.width * shape.height / 2); /* and in the middle of a drawing */
}

OWN_FRAME static void provoke_panic(void)
{
    fill_screen();
    machine_panic("a panic for the test, %d", 6 * 7 + (int)hidden_zero);
}

OWN_FRAME static void provoke_smash(void)
{
    uint8_t local[16];
    volatile uint8_t *p = local;
    /* The array, and the guard behind it. */
    for (uintptr_t i = 0; i < sizeof(local) + sizeof(uint64_t) + hidden_zero; i++) {
        p[i] = (uint8_t)(0x41 + i);
    }
    returned++;
}

enum place { IN_MAIN, IN_FIBER, IN_HANDLER };
static const struct fatal {
    const char *name;
    void (*provoke)(void);
    enum place place;
} fatals[] = {
    {"write-text", provoke_write_text, IN_FIBER},
    {"execute-data", provoke_execute_data, IN_FIBER},
    {"null", provoke_null, IN_FIBER},
    {"invalid-opcode", provoke_invalid_opcode, IN_MAIN},
    {"divide", provoke_divide, IN_HANDLER},
    {"protection", provoke_protection, IN_FIBER},
    {"overflow", provoke_overflow, IN_FIBER},
    {"leap", provoke_leap, IN_FIBER},
    {"double-fault", provoke_double_fault, IN_FIBER},
    {"panic", provoke_panic, IN_HANDLER},
    {"smash", provoke_smash, IN_FIBER},
};

/* The caller that every backtrace must show. */
OWN_FRAME static void run_fatal(void *arg)
{
    const struct fatal *f = arg;
    /* In the ring only: the report must bring it out. */
    log_info("test", "about to do: %s", f->name);
    f->provoke();
    log_error("test", "not ok %s: it went well", f->name);
}

static void raise_in_handler(const struct fatal *f)
{
    struct irq_msi msi;
    /* The first vector that anybody allocates; the instruction wants to know it beforehand. */
    if (irq_alloc("test", run_fatal, (void *)(uintptr_t)f, &msi) != FL_OK ||
        msi.vector != X86_VECTOR_MSI_FIRST) {
        machine_panic("vector 0x%x, expected 0x%x", msi.vector, X86_VECTOR_MSI_FIRST);
    }
    __asm__ volatile("int %0" : : "i"(X86_VECTOR_MSI_FIRST) : "memory");
}

bool case_fatal(const char *name)
{
    const struct fatal *f = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(fatals); i++) {
        f = strcmp(name, fatals[i].name) == 0 ? &fatals[i] : f;
    }
    if (f == NULL) {
        return false;
    }
    switch (f->place) {
    case IN_MAIN:
        run_fatal((void *)(uintptr_t)f);
        break;
    case IN_HANDLER:
        raise_in_handler(f);
        break;
    case IN_FIBER:
        if (fiber_spawn("victim", run_fatal, (void *)(uintptr_t)f, FATAL_STACK_BYTES) == NULL) {
            machine_panic("no memory for a fiber");
        }
        fiber_run(NULL, NULL);
        break;
    }
    return true;
}
