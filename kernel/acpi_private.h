/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the ACPI tables say to the clock, to interrupts and to power; kernel/acpi.c.
 */
#ifndef ACPI_PRIVATE_H
#define ACPI_PRIVATE_H

#include "acpi_tables.h"
#include "base.h"

/* I/O port of the 3.579545 MHz timer, or 0. */
uint16_t acpi_pm_timer_port(void);

/* What the tables say; of no tables, all is zero but the lines, which lead to interrupts of their
 * own number. */
const struct acpi_facts *acpi_get_facts(void);

/* Leaves firmware's legacy mode, in which events and sleep bits do nothing. False: it does not. */
bool acpi_enter(void);

/* What is still noted would end a sleep at once. */
void acpi_forget_wakers(void);

/* Both return if the machine has no such means or it does not work. */
void acpi_try_power_off(void);
void acpi_try_reset(void);

#endif
