/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Log lines. Every line goes into a ring of the last ones, with the time and also when its level is
 * not printed: what a panic shows then says more than the console did. On the console a line is
 * plain text; errors and warnings say that they are; at level debug each has the time, since there
 * it matters.
 */
#include "log.h"
#include <stdarg.h>
#include <stdio.h>
#include "clock.h"
#include "console.h"
#include "log_ring.h"

#define RING_LINES 32
#define TIME_MAX   24 /* "[    0.123456] " and room for years */

static enum log_level threshold = LOG_INFO;
static char ring[RING_LINES][TIME_MAX + LOG_LINE_MAX + 1];
static bool unsaid[RING_LINES]; /* of level debug, and not printed */
static unsigned ring_next;      /* free-running */

static const char *const prefixes[] = {
    [LOG_ERROR] = "error: ", [LOG_WARN] = "warning: ", [LOG_INFO] = "", [LOG_DEBUG] = ""};

static void print(const char *line)
{
    console_write(line, strlen(line));
    console_write("\n", 1);
}

void log_set_level(enum log_level level)
{
    threshold = level;
    for (unsigned i = 0; level >= LOG_DEBUG && i < RING_LINES; i++) {
        unsigned slot = (ring_next + i) % RING_LINES;
        if (unsaid[slot])
            print(ring[slot]);
        unsaid[slot] = false;
    }
}

void log_line(enum log_level level, const char *format, ...)
{
    unsigned slot = ring_next++ % RING_LINES;
    char *line = ring[slot];
    uint64_t now_us = clock_now_us();
    int time_length =
        snprintf(line, TIME_MAX, "[%5llu.%06llu] ", (unsigned long long)(now_us / 1000000),
                 (unsigned long long)(now_us % 1000000));
    char *text = line + MIN(time_length, TIME_MAX - 1);

    const char *prefix = prefixes[level];
    size_t prefix_length = strlen(prefix);
    memcpy(text, prefix, prefix_length + 1);
    va_list args;
    va_start(args, format);
    vsnprintf(text + prefix_length, LOG_LINE_MAX + 1 - prefix_length, format, args);
    va_end(args);

    unsaid[slot] = level > threshold && level == LOG_DEBUG;
    if (level <= threshold)
        print(threshold >= LOG_DEBUG ? line : text);
}

void log_ring_walk(void (*show)(const char *text))
{
    for (unsigned i = 0; i < RING_LINES; i++) {
        const char *line = ring[(ring_next + i) % RING_LINES];
        if (line[0] != '\0')
            show(line);
    }
}
