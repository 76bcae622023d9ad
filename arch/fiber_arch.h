/* SPDX-License-Identifier: MIT */
/*
 * What the scheduler (fiber*.c) needs from the machine below it: switching stacks, stacks, halting,
 * and turning interrupts off. Only fiber*.c, sync.c, log.c and the machine's own files include
 * this.
 *
 * The context switch is arch/context.c for both the machine and the host process: both
 * follow the System V AMD64 ABI (psABI 1.0, section 3.2: rbx, rbp, r12-r15, the MXCSR control bits
 * and the x87 control word belong to the caller).
 */
#pragma once

#include "arch/base.h"

/* Saves the callee-saved registers on the current stack, stores its pointer in *save_sp and
 * continues on load_sp, which came from an earlier save or from arch_context_init. Returns when
 * somebody switches back. Interrupts may be on: nothing below the stack pointer is used. */
void arch_context_switch(void **save_sp, void *load_sp);

/* Prepares a fresh stack so that the first switch to the pointer returned calls entry(arg) with
 * the stack aligned as the ABI wants. entry never returns. */
void *arch_context_init(void *stack_base, uint64_t stack_bytes, void (*entry)(void *), void *arg);

/* bytes: a multiple of the page size. Returns the lowest usable byte, page aligned, with an
 * unmapped guard page below; contents undefined. NULL when memory is exhausted. */
void *arch_stack_alloc(uint64_t bytes);
void arch_stack_free(void *base, uint64_t bytes);

/* Halts until an interrupt or clock_now_us() >= deadline_us (UINT64_MAX: no deadline). Called with
 * interrupts on and returns with interrupts on. wake_pending is asked with interrupts off right
 * before halting, so that no wake-up is lost; when it says true the function returns at once.
 * Returning early is always allowed. */
void arch_idle_until(uint64_t deadline_us, bool (*wake_pending)(void));

/* Turns interrupts off and says what to give to arch_irq_restore. Nests. */
uintptr_t arch_irq_save(void);
void arch_irq_restore(uintptr_t state);
