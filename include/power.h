/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ways a run ends.
 */
#ifndef POWER_H
#define POWER_H

#include "base.h"

/* Off through ACPI S5, else isa-debug-exit with code 0; halts if nothing works. */
NORETURN void power_off(void);

/* True once the power button was pressed, by a hand or by a hypervisor that asks for the end. To be
 * asked after each sleep and now and then under load: the hardware is looked at once a second. */
bool power_button_pressed(uint64_t now_us);

/* When to ask at the latest; CLOCK_NEVER where the button ends a sleep, or there is none. */
uint64_t power_button_next_us(void);

/* ACPI reset register, then 0xCF9, the keyboard controller, a triple fault. */
NORETURN void power_reset(void);

/* Ends QEMU with exit status code * 2 + 1 if it has an isa-debug-exit device at port 0xF4; returns
 * if not. */
void power_debug_exit(uint8_t code);

/* Prints message, registers' worth of context and the last log lines, then resets, or halts after
 * panic_set_halt(true). */
NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);
void panic_set_halt(bool halt);

/* Called once by panic and power-off before the machine goes, to stop device DMA. comes_back: it
 * resets next, and what watches over it should go on doing so until it has. */
void power_at_exit(void (*stop_devices)(bool comes_back));

#endif
