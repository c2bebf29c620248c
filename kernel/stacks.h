/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stacks, each above a guard page that paging leaves unmapped, so that an overflow is a page
 * fault on a stack of its own and not a silent corruption. Also read by the assembler.
 */
#ifndef STACKS_H
#define STACKS_H

#define STACK_GUARD_BYTES 4096

/* Printing takes 2 KB, and 8 KB more if it were a floating-point number (musl's fmt_fp), which
 * nothing here prints. */
#define MAIN_STACK_BYTES          65536
#define TRAP_STACK_BYTES          20480
#define NMI_STACK_BYTES           20480
#define DOUBLE_FAULT_STACK_BYTES  20480
#define MACHINE_CHECK_STACK_BYTES 20480
#define IRQ_STACK_BYTES           8192

#ifndef __ASSEMBLER__
#include "base.h"

/* The number of a stack in the TSS (IST 1..5); the main stack has none. */
enum stack_ist {
    STACK_MAIN,
    STACK_TRAP,
    STACK_NMI,
    STACK_DOUBLE_FAULT,
    STACK_MACHINE_CHECK,
    STACK_IRQ,
    STACK_COUNT
};

/* First usable byte and one past the last; the guard page lies just below low. */
struct stack {
    const char *name;
    uint64_t low;
    uint64_t high;
};

struct stack stack_get(enum stack_ist which);

/* The stack that has address in it, or whose guard page has: its number, or -1. */
int stack_holding(uint64_t address);
int stack_guarded_at(uint64_t address);
#endif

#endif
