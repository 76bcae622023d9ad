/* SPDX-License-Identifier: MIT */
/*
 * The jump from the firmware's page tables to ours. This code is copied to a page of its own, which is
 * mapped at the same address before and after the switch; so it must not refer to anything outside.
 *
 * In (Microsoft ABI): rcx first page table, rdx top of the stack, r8 hand-off, r9 entry point.
 * Out (System V): rdi hand-off, rsp as if the entry point had been called with return address 0, so a
 * backtrace ends here; interrupts are off.
 */
    .section .rdata, "dr"
    .globl trampoline_start, trampoline_end
trampoline_start:
    cli
    cld
    /* Entries of the firmware that are marked global would outlive the new cr3. */
    movq %cr4, %rax
    andq $~(1 << 7), %rax /* CR4.PGE */
    movq %rax, %cr4
    movq %rcx, %cr3
    movq %rdx, %rsp
    movq %r8, %rdi
    xorl %ebp, %ebp
    pushq $0
    jmpq *%r9
trampoline_end:
    .byte 0
