/* SPDX-License-Identifier: BSD-3-Clause
 *
 * I/O ports in software, for code as it is: a program may not use the instructions for them, so the
 * processor says when it does.
 */
#ifndef FAKE_PORTS_H
#define FAKE_PORTS_H

#include "base.h"

/* What bytes from port on read as; and what was written there. */
typedef uint32_t (*fake_ports_in)(void *device, uint16_t port, unsigned bytes);
typedef void (*fake_ports_out)(void *device, uint16_t port, unsigned bytes, uint32_t value);

/* All ports are this device's to the end of a test (not of its setup). To be called behind
 * fake_registers(), where a test has both. */
void fake_ports(fake_ports_in in, fake_ports_out out, void *device);

#endif
