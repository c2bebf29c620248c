/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ways a run ends.
 */
#ifndef POWER_H
#define POWER_H

#include "base.h"

/* Off through ACPI S5 (or the machine's own means); halts if nothing works. */
NORETURN void power_off(void);

/* ACPI reset register, then 0xCF9, the keyboard controller, a triple fault. */
NORETURN void power_reset(void);

/* Prints message, registers' worth of context and the last log lines, then resets, or halts after
 * panic_set_halt(true). */
NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);
void panic_set_halt(bool halt);

/* Called once by panic and power-off before the machine goes, to stop device DMA. */
void power_at_exit(void (*stop_devices)(void));

#endif
