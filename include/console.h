/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The console: a serial port at 115200 8N1 (COM1).
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "base.h"

void console_write(const char *text, size_t n);

/* The next byte someone typed, or -1. Input ends a sleep. */
int console_read(void);

#endif
