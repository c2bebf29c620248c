/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Exceptions: the frame that kernel/trap_entry.S builds, and where the interrupt stubs begin.
 */
#ifndef TRAP_H
#define TRAP_H

#include "base.h"

#define TRAP_EXCEPTIONS 32
#define TRAP_VECTORS    256

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss; /* pushed by the CPU */
};

/* Called from trap_entry.S. */
NORETURN void trap_handle(const struct trap_frame *frame);
void irq_dispatch(uint32_t vector);

#endif
