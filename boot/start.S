/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The first instructions. Two loaders enter in 32-bit protected mode with paging off:
 *  - PVH (Xen's x86/HVM direct boot ABI): named by an ELF note, EBX = struct hvm_start_info;
 *  - multiboot 1 (Multiboot Specification 0.6.96): the ELF entry, EAX = 0x2BADB002, EBX = its
 *    information.
 * The third, our own part under UEFI (boot/efi.c), jumps to the image's first byte in long mode,
 * with the first 4 GB mapped, writable and executable, and RDI = struct boot_info below 4 GB. It is
 * taken back to where the others stand: paging has to be off for a moment anyway, because firmware
 * may use tables of five levels.
 * All end in boot_entry(who, info) in long mode, on the main stack, with the first 4 GB
 * identity-mapped, readable, writable and executable; the kernel replaces that map with the real
 * one.
 *
 * Where the multiboot header stands matters. QEMU's -kernel looks for one in bytes 0..8143 of the
 * file, and having found one refuses a 64-bit ELF; GRUB looks up to byte 8180 and accepts it. So
 * linker.ld puts the header at byte 8176, where GRUB finds multiboot and QEMU, finding none, uses
 * the PVH note. tools/check-image watches over it.
 */
#include "kernel/stacks.h"
#include "boot/entry.h"

#define MULTIBOOT_HEADER_MAGIC 0x1BADB002
#define MULTIBOOT_MAGIC 0x2BADB002
#define MULTIBOOT_WANT_ALIGN 1  /* modules on page boundaries */
#define MULTIBOOT_WANT_MEMORY 2 /* the memory map */
#define MULTIBOOT_FLAGS (MULTIBOOT_WANT_ALIGN | MULTIBOOT_WANT_MEMORY)

#define XEN_ELFNOTE_PHYS32_ENTRY 18

#define CR0_PE 0x1
#define CR0_MP 0x2
#define CR0_EM 0x4
#define CR0_TS 0x8
#define CR0_NE 0x20
#define CR0_WP 0x10000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define MSR_EFER 0xC0000080
#define EFER_LME 0x100
#define EFER_NXE 0x800
#define CPUID_EXT_NX (1 << 20)
#define CPUID_EXT_LONG_MODE (1 << 29)
#define PTE_TABLE 0x3  /* present, writable */
#define PTE_2MB 0x83   /* present, writable, a large page */
#define MXCSR_DEFAULT 0x1F80

#define COM1_DATA 0x3F8
#define COM1_LINE_STATUS 0x3FD
#define COM1_LINE_STATUS_EMPTY 0x20

    .section .note.pvh, "a", @note
    .balign 4
    .long 4
    .long 8
    .long XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_start

    .section .boot.multiboot, "a"
    .balign 4
    .long MULTIBOOT_HEADER_MAGIC
    .long MULTIBOOT_FLAGS
    .long -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_FLAGS)

    .section .boot.text, "ax"
    .code64
    .globl efi_start
efi_start:
    cli
    movl %edi, %ebx
    movl $BOOT_BY_EFI, %ebp
    movl $(main_stack + STACK_GUARD_BYTES + MAIN_STACK_BYTES), %esp
    lgdt early_gdt_register
    pushq $0x18
    pushq $leave_long_mode
    lretq

    .code32
leave_long_mode:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $(CR0_NE | CR0_MP | CR0_PE), %eax
    movl %eax, %cr0
    movl $MSR_EFER, %ecx
    rdmsr
    andl $~EFER_LME, %eax
    wrmsr
    jmp enter

    .globl pvh_start
pvh_start:
    movl $BOOT_BY_PVH, %ebp
    jmp enter

    .globl multiboot_start
multiboot_start:
    movl $BOOT_BY_NOBODY, %ebp
    cmpl $MULTIBOOT_MAGIC, %eax
    jne enter
    movl $BOOT_BY_MULTIBOOT, %ebp

/* ebp = who loaded us, ebx = what they say. cpuid overwrites ebx, so esi keeps it. */
enter:
    cli
    cld
    movl $(main_stack + STACK_GUARD_BYTES + MAIN_STACK_BYTES), %esp
    movl %ebx, %esi

    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb no_long_mode
    movl $0x80000001, %eax
    cpuid
    testl $CPUID_EXT_LONG_MODE, %edx
    jz no_long_mode
    movl %edx, %edi

    /* The first 4 GB in 2 MB pages: one top table, one of four entries, four of 512. */
    movl $(early_pdpt + PTE_TABLE), early_pml4
    movl $early_pdpt, %ebx
    movl $(early_pd + PTE_TABLE), %eax
    movl $4, %ecx
1:  movl %eax, (%ebx)
    addl $4096, %eax
    addl $8, %ebx
    loop 1b
    movl $early_pd, %ebx
    movl $PTE_2MB, %eax
    movl $(4 * 512), %ecx
2:  movl %eax, (%ebx)
    addl $0x200000, %eax
    addl $8, %ebx
    loop 2b

    movl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $early_pml4, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    testl $CPUID_EXT_NX, %edi
    jz 3f
    orl $EFER_NXE, %eax
3:  wrmsr
    movl $(CR0_PG | CR0_WP | CR0_NE | CR0_MP | CR0_PE), %eax
    movl %eax, %cr0
    lgdt early_gdt_register
    ljmp $0x08, $enter_64

/* A CPU without long mode: say so on the serial port, without waiting for one that is not there. */
no_long_mode:
    movl $no_long_mode_text, %esi
4:  lodsb
    testb %al, %al
    jz 6f
    movb %al, %ah
    movl $100000, %ecx
5:  movw $COM1_LINE_STATUS, %dx
    inb %dx, %al
    testb $COM1_LINE_STATUS_EMPTY, %al
    loopz 5b
    movb %ah, %al
    movw $COM1_DATA, %dx
    outb %al, %dx
    jmp 4b
6:  cli
    hlt
    jmp 6b

    .code64
enter_64:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq $(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT), %rax
    movq %rax, %cr4
    fninit
    ldmxcsr early_mxcsr
    movl %ebp, %edi
    movl %esi, %esi
    xorl %ebp, %ebp
    call boot_entry
7:  cli
    hlt
    jmp 7b

    .section .rodata.boot, "a"
    .balign 8
early_gdt:
    .quad 0
    .quad 0x00AF9B000000FFFF /* code, 64 bits */
    .quad 0x00CF93000000FFFF /* data */
    .quad 0x00CF9B000000FFFF /* code, 32 bits */
early_gdt_register:
    .word early_gdt_register - early_gdt - 1
    .quad early_gdt /* of which 32-bit code reads half */
    .balign 4
early_mxcsr:
    .long MXCSR_DEFAULT
no_long_mode_text:
    .asciz "error: Sluice needs a 64-bit CPU (long mode)\r\n"

    .section .bss.early, "aw", @nobits
    .balign 4096
early_pml4:
    .skip 4096
early_pdpt:
    .skip 4096
early_pd:
    .skip 4 * 4096

    .section .note.GNU-stack, "", @progbits
