/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What kernel/main.c starts, in this order; each may use what stands before it.
 */
#ifndef INIT_H
#define INIT_H

#include "base.h"
#include "boot_info.h"

void clock_start(void);                          /* time zero */
void console_init(const struct boot_info *boot); /* the serial port */
void cpu_init(void);
void trap_init(void);
void mem_start(const struct boot_info *boot);
void console_start_screen(void);
void acpi_init(uint64_t rsdp);
void irq_init(void);
void clock_init(void);
void acpi_button_init(void);
void console_enable_input(void);

#endif
