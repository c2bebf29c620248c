/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Room for the stacks of stacks.h. They stand in one section, each with its guard page first.
 */
#include "stacks.h"

#define STACK_ROOM(name, bytes)                                                                    \
    uint8_t name[STACK_GUARD_BYTES + (bytes)]                                                      \
        __attribute__((aligned(STACK_GUARD_BYTES), section(".bss.stacks")));                       \
    static_assert((bytes) % STACK_GUARD_BYTES == 0, "guard pages are whole pages")

extern uint8_t main_stack[]; /* boot/start.S begins on it */
STACK_ROOM(main_stack, MAIN_STACK_BYTES);
static STACK_ROOM(trap_stack, TRAP_STACK_BYTES);
static STACK_ROOM(nmi_stack, NMI_STACK_BYTES);
static STACK_ROOM(double_fault_stack, DOUBLE_FAULT_STACK_BYTES);
static STACK_ROOM(machine_check_stack, MACHINE_CHECK_STACK_BYTES);
static STACK_ROOM(irq_stack, IRQ_STACK_BYTES);

static const struct {
    const char *name;
    const uint8_t *room;
    uint32_t bytes;
} stacks[STACK_COUNT] = {
    [STACK_MAIN] = {"main", main_stack, MAIN_STACK_BYTES},
    [STACK_TRAP] = {"trap", trap_stack, TRAP_STACK_BYTES},
    [STACK_NMI] = {"NMI", nmi_stack, NMI_STACK_BYTES},
    [STACK_DOUBLE_FAULT] = {"double fault", double_fault_stack, DOUBLE_FAULT_STACK_BYTES},
    [STACK_MACHINE_CHECK] = {"machine check", machine_check_stack, MACHINE_CHECK_STACK_BYTES},
    [STACK_IRQ] = {"interrupt", irq_stack, IRQ_STACK_BYTES},
};

struct stack stack_get(enum stack_ist which)
{
    uint64_t low = (uint64_t)stacks[which].room + STACK_GUARD_BYTES;
    return (struct stack){stacks[which].name, low, low + stacks[which].bytes};
}

int stack_holding(uint64_t address)
{
    for (int i = 0; i < STACK_COUNT; i++) {
        struct stack stack = stack_get((enum stack_ist)i);
        if (address >= stack.low && address < stack.high)
            return i;
    }
    return -1;
}

int stack_guarded_at(uint64_t address)
{
    for (int i = 0; i < STACK_COUNT; i++) {
        struct stack stack = stack_get((enum stack_ist)i);
        if (address >= stack.low - STACK_GUARD_BYTES && address < stack.low)
            return i;
    }
    return -1;
}
