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

/* From now on nobody waits for the serial port: what is written to it goes out by console_poll(),
 * a few bytes a call, until the machine ends or panics. True: there may be more to do at once;
 * otherwise at console_next_us(), which is UINT64_MAX if nothing waits. */
void console_defer(void);
bool console_poll(uint64_t now_us);
uint64_t console_next_us(void);

/* The next byte that came by the serial port, or -1. Input ends a sleep. */
int console_read(void);

#endif
