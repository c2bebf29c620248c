/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The parts of going down that traps share with panic(): begin, say what happened line by line,
 * end.
 */
#ifndef PANIC_H
#define PANIC_H

#include "base.h"

/* Interrupts off; goes down at once if we are going down already. */
void panic_begin(void);

/* A line on the console only: the log's memory is printed after it. */
void panic_line(const char *format, ...) PRINTF_LIKE(1, 2);

/* Prints the backtrace (see backtrace_print) and the last log lines, stops devices, then resets or
 * halts. */
NORETURN void panic_end(uint64_t rip, uint64_t rsp, uint64_t rbp);

#endif
