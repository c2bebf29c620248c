/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lines for people, on the console. One call is one line, without a newline at the end, short,
 * aligned, and an error says what to do. The last lines are kept in memory and repeated by a panic.
 */
#ifndef LOG_H
#define LOG_H

#include "base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

#define LOG_LINE_MAX 160 /* characters; longer lines are cut */

/* Lines above this level are not printed. LOG_INFO at start; LOG_DEBUG prints what came before,
 * too, as far as it is kept: the machine's own lines are older than the configuration. */
void log_set_level(enum log_level level);

void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
