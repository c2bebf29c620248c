/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Backtraces. Runs when memory may already be damaged: a frame pointer is followed only inside a
 * stack, only outwards, and only for so many frames; a return address is named only if it lies in
 * .text.
 */
#include "backtrace.h"
#include "image.h"
#include "stacks.h"

#define FRAMES_MAX 24

/* What tools/symbols writes: how many, then for each function its offset in .text in rising order,
 * then their names in the same order, each with its NUL. */
struct symbol_table {
    uint32_t count;
    uint32_t offset[];
};

static bool in_text(uint64_t address)
{
    return address >= (uint64_t)text_start && address < (uint64_t)text_end;
}

const char *symbol_find(uint64_t address, uint64_t *offset)
{
    const struct symbol_table *table = (const void *)symbols_start;
    if ((uint64_t)symbols_start == (uint64_t)symbols_end || table->count == 0 || !in_text(address))
        return NULL;

    uint64_t in = address - (uint64_t)text_start;
    if (in < table->offset[0])
        return NULL;
    uint32_t low = 0, high = table->count; /* offset[low] <= in < offset[high] */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (table->offset[middle] <= in)
            low = middle;
        else
            high = middle;
    }
    const char *name = (const char *)&table->offset[table->count];
    for (uint32_t i = 0; i < low; i++)
        name += strlen(name) + 1;
    *offset = in - table->offset[low];
    return name;
}

static void print_frame(unsigned number, uint64_t address, uint64_t named, backtrace_line line)
{
    uint64_t offset = 0;
    const char *name = symbol_find(named, &offset);
    if (name)
        line("  #%-2u 0x%08llx %s+0x%llx", number, (unsigned long long)address, name,
             (unsigned long long)(offset + address - named));
    else
        line("  #%-2u 0x%08llx %s", number, (unsigned long long)address,
             in_text(address) ? "?" : "not code");
}

/* Compilers leave the frame out of a function that calls none and needs no stack, and a jump into
 * nowhere has none either. Then the return address is still on top of the stack, and following rbp
 * alone would miss the caller. 0 if rip's function has made its frame (push rbp; mov rbp, rsp) or
 * nothing is there. */
static uint64_t frameless_caller(uint64_t rip, uint64_t rsp)
{
    static const uint8_t make_frame[] = {0x55, 0x48, 0x89, 0xE5};
    if (stack_holding(rsp) < 0 || rsp % 8 != 0)
        return 0;
    uint64_t offset;
    if (symbol_find(rip, &offset)) {
        const uint8_t *start = (const uint8_t *)(rip - offset);
        for (uint64_t i = 0; i + sizeof(make_frame) <= offset; i++)
            if (memcmp(start + i, make_frame, sizeof(make_frame)) == 0)
                return 0;
    }
    uint64_t back = *(const uint64_t *)rsp;
    return in_text(back) ? back : 0;
}

void backtrace_print(uint64_t rip, uint64_t rsp, uint64_t rbp, backtrace_line line)
{
    line("backtrace:");
    print_frame(0, rip, rip, line);
    unsigned number = 1;
    uint64_t caller = frameless_caller(rip, rsp);
    if (caller != 0)
        print_frame(number++, caller, caller - 1, line);
    for (; number < FRAMES_MAX; number++) {
        int on = stack_holding(rbp);
        if (on < 0 || rbp % 8 != 0 || rbp + 16 > stack_get((enum stack_ist)on).high)
            return;
        const uint64_t *frame = (const uint64_t *)rbp;
        uint64_t next = frame[0], back = frame[1];
        if (!in_text(back))
            return;
        /* A call may be a function's last instruction, so the address after it may be another's. */
        print_frame(number, back, back - 1, line);
        /* Callers are further up, except where an interrupt changed stacks. */
        if (next <= rbp && stack_holding(next) == on)
            return;
        rbp = next;
    }
}
