/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Host versions of the two things every module may call: check_failed() (include/check.h) and
 * log_line() (include/log.h). Lines are kept, not printed, so that a test can look for what was
 * said.
 */
#ifndef FAKE_BASE_H
#define FAKE_BASE_H

#include "base.h"
#include "log.h"

#include <setjmp.h>

/* The newest line, "" when nothing was logged since fake_log_clear(), and its level. */
extern char fake_log_last[LOG_LINE_MAX + 1];
extern enum log_level fake_log_last_level;

/* Lines logged since the last clear, whatever their level. */
extern unsigned fake_log_count;

void fake_log_clear(void);

/* True if one of the last 64 lines contains text. */
bool fake_log_has(const char *text);

/* Copies lines to stderr as they come; for looking at a failing test. */
extern bool fake_log_echo;

/* While not NULL, a failed CHECK jumps there with value 1 instead of aborting:
 *     jmp_buf env;
 *     fake_check_jump = &env;
 *     if (setjmp(env) == 0) { ...; fail(); }
 *     fake_check_jump = NULL; */
extern jmp_buf *fake_check_jump;

#endif
