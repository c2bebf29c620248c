/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Host versions of check_failed() and log_line(); see fake_base.h.
 */
#include "tests/fake/fake_base.h"
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define KEPT 64

char fake_log_last[LOG_LINE_MAX + 1];
enum log_level fake_log_last_level = LOG_DEBUG;
unsigned fake_log_count;
bool fake_log_echo;
jmp_buf *fake_check_jump;

static char kept[KEPT][LOG_LINE_MAX + 1];

void check_failed(const char *file, int line, const char *expression)
{
    if (fake_check_jump)
        longjmp(*fake_check_jump, 1);
    fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, expression);
    abort();
}

void log_set_level(enum log_level level)
{
    (void)level;
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fake_log_last, sizeof(fake_log_last), format, args);
    va_end(args);
    fake_log_last_level = level;
    memcpy(kept[fake_log_count % KEPT], fake_log_last, sizeof(fake_log_last));
    fake_log_count++;
    if (fake_log_echo)
        fprintf(stderr, "%s\n", fake_log_last);
}

void fake_log_clear(void)
{
    memset(kept, 0, sizeof(kept));
    fake_log_last[0] = '\0';
    fake_log_count = 0;
}

bool fake_log_has(const char *text)
{
    for (unsigned i = 0; i < KEPT; i++) {
        if (strstr(kept[i], text))
            return true;
    }
    return false;
}
