/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Going down with a reason. The router holds no state worth saving, so the way back to service is a
 * reset; what matters is that the reason is on the console first.
 */
#include "panic.h"
#include <stdarg.h>
#include <stdio.h>
#include "backtrace.h"
#include "check.h"
#include "console.h"
#include "console_private.h"
#include "cpu.h"
#include "log.h"
#include "log_ring.h"
#include "power.h"
#include "power_private.h"

static bool going_down;
static bool halt_instead;

void panic_set_halt(bool halt)
{
    halt_instead = halt;
}

NORETURN static void leave(void)
{
    if (!halt_instead)
        power_reset();
    power_stop_devices(false); /* if another panic came before it was done */
    static const char text[] = "halted (panic=halt)\n";
    console_write(text, sizeof(text) - 1);
    cpu_halt();
}

void panic_begin(void)
{
    interrupts_off();
    if (going_down) {
        static const char text[] = "panic: another one while going down\n";
        console_write(text, sizeof(text) - 1);
        leave();
    }
    going_down = true;
    console_panic();
}

static void print_line(const char *format, va_list args)
{
    char line[LOG_LINE_MAX + 32]; /* a kept line with its time, indented */
    int n = vsnprintf(line, sizeof(line), format, args);
    if (n < 0)
        return;
    size_t length = MIN((size_t)n, sizeof(line) - 1);
    line[length] = '\n';
    console_write(line, length + 1);
}

void panic_line(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
}

static void print_log_line(const char *text)
{
    panic_line("  | %s", text);
}

void panic_end(uint64_t rip, uint64_t rsp, uint64_t rbp)
{
    backtrace_print(rip, rsp, rbp, panic_line);
    panic_line("last log lines:");
    log_ring_walk(print_log_line);
    power_stop_devices(!halt_instead);
    leave();
}

/* The backtrace starts at our caller; with frame pointers kept, its frame is the one we return to.
 */
void panic(const char *format, ...)
{
    panic_begin();
    char line[LOG_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    panic_line("panic: %s", line);
    uint64_t *frame = __builtin_frame_address(0);
    panic_end(frame[1] - 1, 0, frame[0]);
}

void check_failed(const char *file, int line, const char *expression)
{
    panic_begin();
    panic_line("panic: assertion failed at %s:%d: %s", file, line, expression);
    uint64_t *frame = __builtin_frame_address(0);
    panic_end(frame[1] - 1, 0, frame[0]);
}
