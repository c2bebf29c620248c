/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The console's serial port. Without one nothing is written and nothing comes in.
 */
#ifndef SERIAL_H
#define SERIAL_H

#include "base.h"

void serial_init(void);

/* A newline is sent with the carriage return before it. Waits for the port, until serial_defer().
 */
void serial_write(const char *text, size_t n);

/* From now on what is written waits in memory, and nobody for the port; serial_poll() gives the
 * port what it takes at once, and returns false if that is nothing. What there is no room for is
 * lost, and a line says how much. serial_drain() waits for the port again, with what waits first.
 */
void serial_defer(void);
bool serial_waits(void);
bool serial_poll(void);
void serial_drain(void);

/* From now on what is typed ends a sleep, where its line can be had. */
void serial_enable_input(void);

/* The next byte someone typed, or -1. */
int serial_read(void);

#endif
