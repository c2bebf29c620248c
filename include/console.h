/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The console: a serial port at 115200 8N1 (COM1), and a screen with the same lines, whichever the
 * machine has.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "base.h"

/* Text of any length; what is neither printable ASCII nor a newline shows as a question mark. */
void console_write(const char *text, size_t n);

/* The next byte that came by the serial port, or -1. Input ends a sleep. */
int console_read(void);

#endif
