/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The loader under UEFI: its last instructions, and the kernel it carries.
 *
 * efi_enter(root, to, from, bytes, info): from here on nothing of firmware's is used, not even the
 * stack, since the kernel may come to lie on it. Switches to the page tables `root`, which map the
 * first 4 GB and this code, copies the kernel from where it was laid out to where it runs, and
 * enters it at its first byte with info in rdi. Aligned so that it lies within one page.
 */
#define CR4_PAE 0x20
#define CR4_LA57_BIT 12

    .section .text
    .balign 64
    .globl efi_enter
    .type efi_enter, @function
efi_enter:
    cli
    cld
    /* Protections that the kernel has not asked for go; the number of levels cannot. */
    movq %cr4, %rax
    andl $(CR4_PAE | 1 << CR4_LA57_BIT), %eax
    movq %rax, %cr4
    movq %rdi, %cr3
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rdi, %rdx
    rep movsb
    movq %r8, %rdi
    jmp *%rdx
    .if . - efi_enter > 64
    .error "efi_enter could cross a page"
    .endif
    .size efi_enter, . - efi_enter

    .globl efi_five_levels
    .type efi_five_levels, @function
efi_five_levels:
    movq %cr4, %rax
    shrq $CR4_LA57_BIT, %rax
    andl $1, %eax
    ret
    .size efi_five_levels, . - efi_five_levels

    .section .rodata
    .balign 16
    .globl efi_kernel, efi_kernel_end
efi_kernel:
    .incbin EFI_KERNEL
efi_kernel_end:

    .section .note.GNU-stack, "", @progbits
