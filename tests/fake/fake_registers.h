/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Registers in software that do something when they are read or written, for drivers as they are:
 * a page that the driver may not touch, so that the processor says when it does.
 */
#ifndef FAKE_REGISTERS_H
#define FAKE_REGISTERS_H

#include "base.h"

#define FAKE_REGISTERS_BYTES 4096

/* What a 32-bit register reads as; and what was written into one. */
typedef uint32_t (*fake_registers_read)(void *device, unsigned reg);
typedef void (*fake_registers_write)(void *device, unsigned reg, uint32_t value);

/* A page of such registers: there is one, which belongs to the last device that asked. The
 * functions must not touch it themselves. */
void *fake_registers(fake_registers_read read, fake_registers_write write, void *device);

#endif
