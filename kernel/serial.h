/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The console's serial port. Without one nothing is written and nothing comes in.
 */
#ifndef SERIAL_H
#define SERIAL_H

#include "base.h"

void serial_init(void);

/* A newline is sent with the carriage return before it. */
void serial_write(const char *text, size_t n);

/* From now on what is typed ends a sleep, where its line can be had. */
void serial_enable_input(void);

/* The next byte someone typed, or -1. */
int serial_read(void);

#endif
