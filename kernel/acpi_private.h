/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the ACPI tables say to the clock and to power; kernel/acpi.c.
 */
#ifndef ACPI_PRIVATE_H
#define ACPI_PRIVATE_H

#include "base.h"

/* I/O port of the 3.579545 MHz timer, or 0. */
uint16_t acpi_pm_timer_port(void);

/* Both return if the machine has no such means or it does not work. */
void acpi_try_power_off(void);
void acpi_try_reset(void);

#endif
