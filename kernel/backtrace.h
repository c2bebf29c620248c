/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who called whom, by frame pointers and the symbol table that the second link embeds
 * (tools/symbols).
 */
#ifndef BACKTRACE_H
#define BACKTRACE_H

#include "base.h"

typedef void (*backtrace_line)(const char *format, ...) PRINTF_LIKE(1, 2);

/* Prints the functions from the one executing rip outwards, by its stack and frame pointers (rsp 0:
 * rip's function is known to have a frame). Trusts none of them. */
void backtrace_print(uint64_t rip, uint64_t rsp, uint64_t rbp, backtrace_line line);

/* The function that has address in it and how far into it, or NULL. */
const char *symbol_find(uint64_t address, uint64_t *offset);

#endif
