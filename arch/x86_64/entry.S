/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel begins, and where every exception and interrupt enters.
 *
 * Sources: System V AMD64 ABI 1.0 section 3.2 (registers and stack); Intel SDM volume 3 chapter 6
 * (what the CPU pushes), section 6.15 (which exceptions have an error code).
 */
    .set COM1, 0x3f8
    .set STACK_MAIN_TOP, 4096 + 32768 /* struct x86_stacks: guard, main stack */
    .set CR0_MP, 1 << 1
    .set CR0_EM_TS, 1 << 2 | 1 << 3
    .set CR0_NE, 1 << 5
    .set CR4_OSFXSR_OSXMMEXCPT, 1 << 9 | 1 << 10

/* From the boot stub: rdi = physical address of the hand-off, interrupts off, the stub's stack and
 * page tables. */
    .section .text.entry, "ax", @progbits
    .globl x86_entry
    .type x86_entry, @function
x86_entry:
    cli
    cld
    /* The first sign of life, a line of its own: a hang before this letter is the stub's, after it
     * ours. */
    movl $COM1, %edx
    movb $'K', %al
    outb %al, %dx
    movb $'\r', %al
    outb %al, %dx
    movb $'\n', %al
    outb %al, %dx

    /* C code uses SSE registers. */
    movq %cr0, %rax
    andq $~(CR0_EM_TS), %rax
    orq $(CR0_MP | CR0_NE), %rax
    movq %rax, %cr0
    movq %cr4, %rax
    orq $(CR4_OSFXSR_OSXMMEXCPT), %rax
    movq %rax, %cr4
    fninit
    pushq $0x1f80 /* MXCSR after reset: all exceptions masked */
    ldmxcsr (%rsp)

    /* Our stack; no caller, so that a backtrace ends here. */
    movq $x86_stacks + STACK_MAIN_TOP, %rsp
    xorl %ebp, %ebp
    pushq $0
    jmp x86_start
    .size x86_entry, . - x86_entry

/* --- exceptions: never return --- */

    .section .text.traps, "ax", @progbits
    .set vector, 0
    .balign 16
    .globl x86_trap_stubs
x86_trap_stubs:
    .rept 32
    .balign 16
    /* 8, 10-14, 17, 21, 29 and 30 come with an error code. */
    .if !((0x60227d00 >> vector) & 1)
    pushq $0
    .endif
    pushq $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

trap_common:
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    movq %rsp, %rdi
    xorl %ebp, %ebp
    andq $-16, %rsp
    call x86_trap
    ud2

/* --- interrupts --- */

/* Handlers are ordinary C functions of any room, compiled with SSE, so its state is saved here once
 * instead of being forbidden everywhere. FXSAVE is enough: the kernel is built for plain x86-64,
 * which has no AVX registers. Stack: an IST of its own, so fibers need no room for this. */
    .section .text.irqs, "ax", @progbits
    .set vector, 32
    .balign 8
    .globl x86_irq_stubs
x86_irq_stubs:
    .rept 224
    .balign 8
    pushq $(vector - 128) /* fits a byte; irq_common adds it back */
    jmp irq_common
    .set vector, vector + 1
    .endr

    .set IRQ_PUSHED, 80 /* the ten registers below */
irq_common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbp
    movq %rsp, %rbp
    movq IRQ_PUSHED(%rsp), %rdi
    subq $-128, %rdi
    subq $512, %rsp
    andq $-16, %rsp
    fxsave64 (%rsp)
    cld
    call x86_irq
    fxrstor64 (%rsp)
    movq %rbp, %rsp
    popq %rbp
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $8, %rsp
    iretq

/* --- the non-maskable interrupt --- */

/* May interrupt anything, so its handler uses general registers only and touches one structure. */
    .section .text.irqs, "ax", @progbits
    .balign 16
    .globl x86_nmi_entry
    .type x86_nmi_entry, @function
x86_nmi_entry:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    cld
    call x86_nmi /* five words from the CPU and nine here: with the call, aligned as the ABI wants */
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    iretq
    .size x86_nmi_entry, . - x86_nmi_entry

/* --- stacks --- */

    .section .stacks, "aw", @nobits
    .balign 4096
    .globl x86_stacks
    .type x86_stacks, @object
x86_stacks:
    .skip 6 * 4096 + 32768 + 16384 + 4 * 16384 /* struct x86_stacks; start.c checks the size */
    .globl x86_stacks_end
x86_stacks_end:
    .size x86_stacks, . - x86_stacks

    .section .note.GNU-stack, "", @progbits
