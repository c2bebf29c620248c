/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The last log lines, printed or not, for a panic to repeat.
 */
#ifndef LOG_RING_H
#define LOG_RING_H

#include "base.h"

/* Calls show for each kept line, oldest first. */
void log_ring_walk(void (*show)(const char *text));

#endif
