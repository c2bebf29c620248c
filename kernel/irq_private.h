/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What kernel/irq.c offers the clock: the only place where interrupts are on.
 */
#ifndef IRQ_PRIVATE_H
#define IRQ_PRIVATE_H

#include "base.h"

/* Lets pending interrupts in, then returns. */
void irq_let_in(void);

/* Lets interrupts in and halts until one has come. One that is pending already ends it at once. */
void irq_wait(void);

#endif
