/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The 256 entries of the interrupt table. Each is on a stack of its own by IST (kernel/trap.c), so
 * the CPU has pushed ss, rsp, rflags, cs, rip on a 16-byte boundary, and an error code for some
 * exceptions.
 *
 * Exceptions never return: everything is saved in the layout of struct trap_frame. Interrupts save
 * only what a C function may change, since handlers are compiled for general registers only; vector
 * registers belong to the interrupted loop.
 */
#define EXCEPTIONS 32
#define VECTORS 256

/* Exceptions that push an error code: 8, 10-14, 17, 21, 29, 30 (Intel SDM vol. 3, 6.15; AMD APM
 * vol. 2, 8.2). */
#define HAS_ERROR_CODE 0x60227D00

    .section .boot.stubs, "ax"
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept EXCEPTIONS
    .balign 16
    .if ((HAS_ERROR_CODE >> vector) & 1) == 0
    pushq $0
    .endif
    pushq $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

/* The vector less 128 fits a one-byte push. */
    .balign 8
    .globl irq_stubs
irq_stubs:
    .rept VECTORS - EXCEPTIONS
    .balign 8
    pushq $(vector - 128)
    jmp irq_common
    .set vector, vector + 1
    .endr

trap_common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rbx
    pushq %rbp
    pushq %rsi
    pushq %rdi
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
    call trap_handle
1:  cli
    hlt
    jmp 1b

/* The interrupted rip is pushed again below rbp, which makes this look like a called function, so
 * that a backtrace from inside a handler goes on into what was interrupted. 64 bytes so far, and 72
 * to come. */
irq_common:
    pushq 8(%rsp)
    pushq %rbp
    movq %rsp, %rbp
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    subq $8, %rsp
    cld
    movq 16(%rbp), %rdi
    addl $128, %edi
    call irq_dispatch
    addq $8, %rsp
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    popq %rbp
    addq $16, %rsp
    iretq

    .section .note.GNU-stack, "", @progbits
