/* SPDX-License-Identifier: MIT */
/*
 * What the machine offers beyond the headers of arch/, to boot/ only. The kernel enters at
 * x86_entry (entry.S), start.c makes the machine ready and calls kernel_main(), which never
 * returns.
 */
#pragma once

#include "arch/base.h"

/* boot/kmain.c. Called once, outside of any fiber, with interrupts on and everything ready. */
void kernel_main(void);

/* Starts the fiber that carries the log to the serial line and the screen; before, lines wait in
 * the log's ring. Once. */
void x86_console_start(void);
/* Lets lines out from now on, which are held back for the first 60 ms else: they cost more than a
 * first answer. Any fiber. */
void x86_console_release(void);

/* Starts the fiber that switches the machine off when its power button is pressed; a machine whose
 * ACPI tables show no such button is told of in the log. Once. */
void x86_power_button_start(void);

/* Microseconds that the firmware and the boot stub spent between the stub's entry and clock zero,
 * 0 when unknown. */
uint64_t x86_boot_firmware_us(void);

/* The frequency that clock_now_ns() is made from, and how it was found ("cpuid", "PM timer", ...).
 * Refined in the first seconds. */
uint64_t x86_tsc_hz(void);
const char *x86_clock_source(void);
