/* SPDX-License-Identifier: MIT */
/*
 * From the stub's jump to kernel_main(): the machine gets ready, in order. Short, because the first
 * answer on the network waits for it: calibrating the clock overlaps with everything else.
 */
#include "arch/log.h"
#include "arch/screen.h"
#include "arch/x86_64/x86_priv.h"

_Static_assert(sizeof(struct x86_stacks) == 6 * 4096 + 32768 + 16384 + 4 * 16384,
               "entry.S reserves this much");
_Static_assert(offsetof(struct x86_stacks, irq_guard) == 4096 + 32768, "STACK_MAIN_TOP in entry.S");

/* A stack protector's guard must not be guessable; until the first random word it is this. */
#define GUARD_DEFAULT 0x595fa15c0ffee100ull
/* The lowest byte is zero, so that string functions do not run over it. */
#define GUARD_MASK 0xffffffffffffff00ull
uintptr_t __stack_chk_guard = GUARD_DEFAULT;

/* No log, no clock, no page tables of our own: the serial line it is. */
FL_NORETURN static void refuse(const char *why)
{
    static const char prefix[] = "\r\nFirstlight: ";
    size_t n = 0;
    while (why[n] != '\0') {
        n++;
    }
    x86_serial_put_wait(prefix, sizeof(prefix) - 1);
    x86_serial_put_wait(why, n);
    x86_serial_put_wait("\n", 1);
    for (;;) {
        cpu_irq_off();
        cpu_halt();
    }
}

FL_NORETURN void x86_start(uint64_t handoff);

/* Never returns, so no function sees the guard change between its entry and its exit. */
__attribute__((no_stack_protector)) void x86_start(uint64_t handoff)
{
    uintptr_t random;

    x86_serial_start();
    x86_tables_start();
    const char *wrong = x86_memory_start(handoff);
    if (wrong != NULL) {
        refuse(wrong);
    }
    x86_clock_early(machine_handoff()->tsc_exit);
    x86_random_start((struct fl_handoff *)(uintptr_t)handoff);
    if (machine_random(&random, sizeof(random)) == FL_OK) {
        __stack_chk_guard = random & GUARD_MASK;
    }

    uint64_t pool_bytes = x86_paging_pool_bytes();
    void *pool = x86_memory_take(pool_bytes, FL_PAGE_SIZE);
    if (pool == NULL) {
        refuse("no memory for page tables");
    }
    x86_paging_start((uintptr_t)pool, pool_bytes);
    x86_memory_boot_ranges_free();

    x86_firmware_start();
    x86_ioapics_mask();
    x86_apic_start(machine_acpi()->lapic_base);
    x86_clock_begin(machine_acpi());
    x86_stacks_start();
    x86_heap_start();
    enum fl_err screen_err = screen_start(&machine_handoff()->fb);
    x86_clock_calibrate();
    cpu_irq_on();

    log_info("x86",
             "%s, %u CPUs, this one runs; %s; TSC %llu.%03llu MHz by %s; randomness from %s; %llu "
             "MiB free",
             machine_name()[0] != '\0' ? machine_name() : "unnamed machine", machine_acpi()->cpus,
             x86_apic_describe(), (unsigned long long)(x86_tsc_hz() / 1000000),
             (unsigned long long)(x86_tsc_hz() / 1000 % 1000), x86_clock_source(),
             x86_random_describe(), (unsigned long long)(x86_memory_total() / MIB(1)));
    log_info("x86", "C library: %s", x86_libc_name);
    if (screen_err != FL_OK) {
        const struct fl_framebuffer *fb = &machine_handoff()->fb;
        log_warn("screen", "cannot use the framebuffer at 0x%llx, %ux%u: %s",
                 (unsigned long long)fb->base, fb->width, fb->height, fl_err_name(screen_err));
    }
    x86_clock_start();
    kernel_main();
    machine_panic("kernel_main returned");
}
