/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The interrupt table, and what an exception does: nothing in Sluice expects one, so each ends the
 * run with everything a person needs to find the cause (SDM vol. 3, chapter 6).
 *
 * Every entry runs on a stack of its own (IST). An exception inside the handling of one would begin
 * at the top of the same stack again; trap_handle notices and goes down at once.
 */
#include "trap.h"
#include "cpu.h"
#include "init.h"
#include "panic.h"
#include "stacks.h"

#define STUB_TRAP_BYTES 16
#define STUB_IRQ_BYTES  8

#define VECTOR_NMI           2
#define VECTOR_DOUBLE_FAULT  8
#define VECTOR_PAGE_FAULT    14
#define VECTOR_MACHINE_CHECK 18

#define PAGE_FAULT_PRESENT  0x1
#define PAGE_FAULT_WRITE    0x2
#define PAGE_FAULT_RESERVED 0x8
#define PAGE_FAULT_FETCH    0x10

#define GATE_INTERRUPT_PRESENT 0x8E

extern const uint8_t trap_stubs[], irq_stubs[];

struct PACKED gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
static_assert(sizeof(struct gate) == 16, "the CPU's layout");

static struct gate idt[TRAP_VECTORS];

static const char *const trap_names[TRAP_EXCEPTIONS] = {
    [0] = "divide error",
    [1] = "debug exception",
    [VECTOR_NMI] = "non-maskable interrupt",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [7] = "device not available",
    [VECTOR_DOUBLE_FAULT] = "double fault",
    [10] = "invalid task state",
    [11] = "segment not present",
    [12] = "stack fault",
    [13] = "general protection fault",
    [VECTOR_PAGE_FAULT] = "page fault",
    [16] = "x87 floating-point error",
    [17] = "alignment check",
    [VECTOR_MACHINE_CHECK] = "machine check",
    [19] = "SIMD floating-point error",
    [20] = "virtualization exception",
    [21] = "control protection exception",
};

static enum stack_ist stack_for(unsigned vector)
{
    switch (vector) {
    case VECTOR_NMI:
        return STACK_NMI;
    case VECTOR_DOUBLE_FAULT:
        return STACK_DOUBLE_FAULT;
    case VECTOR_MACHINE_CHECK:
        return STACK_MACHINE_CHECK;
    default:
        return vector < TRAP_EXCEPTIONS ? STACK_TRAP : STACK_IRQ;
    }
}

void trap_init(void)
{
    for (unsigned vector = 0; vector < TRAP_VECTORS; vector++) {
        uint64_t entry =
            vector < TRAP_EXCEPTIONS
                ? (uint64_t)trap_stubs + (uint64_t)vector * STUB_TRAP_BYTES
                : (uint64_t)irq_stubs + (uint64_t)(vector - TRAP_EXCEPTIONS) * STUB_IRQ_BYTES;
        idt[vector] = (struct gate){
            .offset_low = (uint16_t)entry,
            .selector = CPU_CODE_SELECTOR,
            .ist = (uint8_t)stack_for(vector),
            .type = GATE_INTERRUPT_PRESENT,
            .offset_middle = (uint16_t)(entry >> 16),
            .offset_high = (uint32_t)(entry >> 32),
        };
    }
    struct PACKED {
        uint16_t limit;
        uint64_t base;
    } reg = {sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("lidt %0" ::"m"(reg));
}

static void describe_page_fault(uint64_t error)
{
    uint64_t address = read_cr2();
    const char *what = error & PAGE_FAULT_FETCH   ? "execution"
                       : error & PAGE_FAULT_WRITE ? "write"
                                                  : "read";
    const char *why = error & PAGE_FAULT_RESERVED  ? "the page tables are damaged"
                      : error & PAGE_FAULT_PRESENT ? "not allowed there"
                                                   : "nothing is mapped there";
    int guarded = stack_guarded_at(address);
    if (guarded >= 0)
        panic_line("panic: page fault: the %s stack overflowed",
                   stack_get((enum stack_ist)guarded).name);
    else if (address < 4096)
        panic_line("panic: page fault: %s through a null pointer (address 0x%llx)", what,
                   (unsigned long long)address);
    else
        panic_line("panic: page fault: %s at 0x%llx, %s", what, (unsigned long long)address, why);
}

static void print_registers(const struct trap_frame *f)
{
    const struct {
        const char *name;
        uint64_t value;
    } registers[] = {
        {"rax", f->rax},     {"rbx", f->rbx},     {"rcx", f->rcx},     {"rdx", f->rdx},
        {"rsi", f->rsi},     {"rdi", f->rdi},     {"rbp", f->rbp},     {"rsp", f->rsp},
        {"r8 ", f->r8},      {"r9 ", f->r9},      {"r10", f->r10},     {"r11", f->r11},
        {"r12", f->r12},     {"r13", f->r13},     {"r14", f->r14},     {"r15", f->r15},
        {"rip", f->rip},     {"flg", f->rflags},  {"err", f->error},   {"vec", f->vector},
        {"cr0", read_cr0()}, {"cr2", read_cr2()}, {"cr3", read_cr3()}, {"cr4", read_cr4()},
    };
    static_assert(ARRAY_COUNT(registers) % 4 == 0, "four to a line");
    for (unsigned i = 0; i < ARRAY_COUNT(registers); i += 4)
        panic_line("  %s %016llx  %s %016llx  %s %016llx  %s %016llx", registers[i].name,
                   (unsigned long long)registers[i].value, registers[i + 1].name,
                   (unsigned long long)registers[i + 1].value, registers[i + 2].name,
                   (unsigned long long)registers[i + 2].value, registers[i + 3].name,
                   (unsigned long long)registers[i + 3].value);
}

void trap_handle(const struct trap_frame *frame)
{
    panic_begin();
    const char *name = frame->vector < TRAP_EXCEPTIONS ? trap_names[frame->vector] : NULL;
    if (frame->vector == VECTOR_PAGE_FAULT)
        describe_page_fault(frame->error);
    else
        panic_line("panic: %s", name ? name : "unknown exception");
    print_registers(frame);
    panic_end(frame->rip, frame->rsp, frame->rbp);
}
