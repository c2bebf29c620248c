/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Mistakes that a C compiler would see and not compile as written.
 */
#ifndef CPU_TEST_H
#define CPU_TEST_H

#include "base.h"

/* The byte at any address; the compiler is kept from knowing which. */
static inline volatile uint8_t *test_address(uintptr_t address)
{
    __asm__("" : "+r"(address));
    return (volatile uint8_t *)address;
}

static inline void test_call(uintptr_t address)
{
    __asm__ volatile("call *%0" ::"r"(address) : "memory", "cc");
}

static inline void test_bad_opcode(void)
{
    __asm__ volatile("ud2");
}

static inline void test_divide_by_zero(void)
{
    __asm__ volatile("xorl %%ecx, %%ecx; xorl %%edx, %%edx; divl %%ecx" ::: "eax", "ecx", "edx");
}

/* Cuts the interrupt table off after vector 8, so that a general protection fault (13) cannot be
 * delivered. */
static inline void test_double_fault(void)
{
    struct PACKED {
        uint16_t limit;
        uint64_t base;
    } table;
    __asm__ volatile("sidt %0" : "=m"(table));
    table.limit = 9 * 16 - 1;
    __asm__ volatile("lidt %0; movq $1, %%rax; shlq $63, %%rax; movq (%%rax), %%rax" ::"m"(table)
                     : "rax");
}

#endif
