/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Interrupts. A handler runs on its own stack with interrupts off and may only silence its device
 * and note that there is work; it must not touch packets, rings or vector registers (it is compiled
 * without them: files with handlers are listed in the Makefile as GENERAL_REGS_ONLY).
 */
#ifndef IRQ_H
#define IRQ_H

#include "base.h"

typedef void (*irq_handler)(void *arg);

/* A message for an MSI or MSI-X capability that will call handler(arg). 0, or -ENOSPC when vectors
 * ran out. */
int irq_alloc_msi(irq_handler handler, void *arg, uint64_t *address, uint32_t *data);

/* Calls handler(arg) on legacy line 0..15 (level-triggered, shared: every handler of the line is
 * called). 0, -ENODEV if the machine has no such line, or -ENOSPC. */
int irq_attach_line(unsigned line, irq_handler handler, void *arg);

/* Calls handler(arg) on global system interrupt gsi (ACPI 6.4, 5.2.13), which is active high and
 * shared like a line. 0, -ENODEV if no I/O APIC has it, or -ENOSPC. */
int irq_attach_gsi(uint32_t gsi, bool level, irq_handler handler, void *arg);

/* How often each kind came since start. Their rate is what idling and interrupt moderation are
 * judged by. */
struct irq_counts {
    uint64_t msi, line, timer, spurious;
};
struct irq_counts irq_get_counts(void);

#endif
