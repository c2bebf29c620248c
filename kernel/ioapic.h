/* SPDX-License-Identifier: BSD-3-Clause
 *
 * I/O APICs: interrupt lines that reach the CPU as messages do. include/irq.h has what drivers call
 * (irq_attach_gsi).
 */
#ifndef IOAPIC_H
#define IOAPIC_H

#include "irq.h"

/* Legacy line 0..15 of a machine without a 8259, as the MADT says it leads and asks. 0, -ENODEV or
 * -ENOSPC. */
int ioapic_attach_line(unsigned line, irq_handler handler, void *arg);

/* After a stay with interrupts on: what its handlers could not say themselves. */
void ioapic_end_stay(void);

#endif
