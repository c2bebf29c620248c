/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ways a run ends.
 */
#ifndef POWER_H
#define POWER_H

#include "base.h"

/* Off through ACPI S5, else isa-debug-exit with code 0; halts if nothing works. */
NORETURN void power_off(void);

/* ACPI reset register, then 0xCF9, the keyboard controller, a triple fault. */
NORETURN void power_reset(void);

/* Ends QEMU with exit status code * 2 + 1 if it has an isa-debug-exit device at port 0xF4; returns
 * if not. */
void power_debug_exit(uint8_t code);

/* Prints message, registers' worth of context and the last log lines, then resets, or halts after
 * panic_set_halt(true). */
NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);
void panic_set_halt(bool halt);

/* Called once by panic and power-off before the machine goes, to stop device DMA. */
void power_at_exit(void (*stop_devices)(void));

#endif
