/* SPDX-License-Identifier: MIT */
/*
 * Switching stacks, for the machine and the host process alike: both follow the System V AMD64 ABI
 * (psABI 1.0, section 3.2.1: rbx, rbp, r12-r15, the control bits of MXCSR and the x87 control word
 * belong to the caller). Assembly in a C file, so that the frame that it pops and the structure
 * that describes this frame stand side by side.
 */
#include "arch/fiber_arch.h"

/* What lies on a stack that is not running, from its saved stack pointer upward. */
struct switch_frame {
    uint32_t mxcsr;
    uint16_t x87_cw;
    uint16_t pad;
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t rip;
};
_Static_assert(sizeof(struct switch_frame) == 64, "the assembly below pops exactly this");

/* First code on a fresh stack: calls rbx with r12 as its argument; rbp is 0, which ends a walk of
 * frame pointers. */
void arch_context_start(void);

__asm__(".text\n"
        ".globl arch_context_switch\n"
        ".type arch_context_switch, @function\n"
        ".balign 16\n"
        "arch_context_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    subq $8, %rsp\n"
        "    stmxcsr (%rsp)\n"
        "    fnstcw 4(%rsp)\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw 4(%rsp)\n"
        "    addq $8, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size arch_context_switch, . - arch_context_switch\n"
        ".globl arch_context_start\n"
        ".type arch_context_start, @function\n"
        ".balign 16\n"
        "arch_context_start:\n"
        "    movq %r12, %rdi\n"
        "    callq *%rbx\n"
        "    ud2\n"
        ".size arch_context_start, . - arch_context_start\n");

/* Reset values: all exceptions masked, round to nearest (Intel SDM volume 1, 10.2.3 and 8.1.5). */
#define MXCSR_DEFAULT  0x1f80u
#define X87_CW_DEFAULT 0x037fu

#define STACK_ALIGN 16u

void *arch_context_init(void *stack_base, uint64_t stack_bytes, void (*entry)(void *), void *arg)
{
    uint64_t room =
        align_down_u64((uintptr_t)stack_base + stack_bytes, STACK_ALIGN) - (uintptr_t)stack_base;
    /* arch_context_start runs with rsp at the aligned top; its call pushes 8 bytes, so that entry
     * sees what the ABI promises a function. */
    struct switch_frame *f =
        (struct switch_frame *)(void *)((uint8_t *)stack_base + room - sizeof(*f));

    *f = (struct switch_frame){
        .mxcsr = MXCSR_DEFAULT,
        .x87_cw = X87_CW_DEFAULT,
        .r12 = (uint64_t)(uintptr_t)arg,
        .rbx = (uint64_t)(uintptr_t)entry,
        .rip = (uint64_t)(uintptr_t)arch_context_start,
    };
    return f;
}
