/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The console: what is written goes to the serial port and to the screen, whichever the machine
 * has. The screen is the framebuffer that the loader told of, or a VGA in text mode where there may
 * be one; it is started as soon as it can be mapped, and by a panic before that if it can be
 * reached without.
 *
 * The screen may itself be what fails. A trap while it is written to is let write once more, since
 * a panic is worth it; if that traps too, only the serial port gets the rest.
 */
#include "console.h"
#include "console_private.h"
#include "framebuffer.h"
#include "init.h"
#include "io.h"
#include "mem.h"
#include "paging.h"
#include "ram.h"
#include "serial.h"
#include "vga.h"

#define DEPTH_MAX   2            /* of writing to the screen: one, and the panic within */
#define EARLY_REACH (4ULL << 30) /* what boot/start.S maps */
#define CLEAN_BYTES 256
#define BUSY_US     500   /* a third of what a full FIFO takes */
#define BUSY_MAX_US 64000 /* of a serial port that nobody reads */

static struct screen screen;
static struct boot_framebuffer framebuffer;
static bool vga_possible;
static bool screen_tried;
static volatile unsigned depth;
static uint64_t look_us, busy_us; /* when the serial port, which was busy, is looked at again */

void console_init(const struct boot_info *boot)
{
    framebuffer = boot->framebuffer;
    vga_possible = boot->vga_possible;
    serial_init();
}

static bool screen_enter(void)
{
    if (depth == DEPTH_MAX)
        return false;
    depth++;
    return true;
}

/* What was written is on its way to the screen before anything else happens. */
static void screen_leave(void)
{
    io_barrier();
    depth--;
}

static bool reach_framebuffer(bool can_map)
{
    uint64_t bytes = (uint64_t)framebuffer.line_bytes * framebuffer.height;
    if (can_map)
        return ram_map_framebuffer(framebuffer.base, bytes) == 0;
    return bytes <= EARLY_REACH && framebuffer.base <= EARLY_REACH - bytes;
}

static void start_screen(bool can_map)
{
    screen_tried = true;
    if (framebuffer.base != 0) {
        if (reach_framebuffer(can_map))
            framebuffer_start(&screen, &framebuffer);
    } else if (vga_possible) {
        if (!can_map ||
            paging_map(VGA_TEXT_START, VGA_TEXT_END, PAGING_WRITE | PAGING_UNCACHED) == 0)
            vga_start(&screen);
    }
}

void console_start_screen(void)
{
    if (!screen_enter())
        return;
    start_screen(true);
    screen_leave();
}

void console_drain(void)
{
    serial_drain();
}

void console_panic(void)
{
    serial_drain();
    if (!screen_enter())
        return;
    if (!screen_tried)
        start_screen(false);
    screen_hold(&screen);
    screen_leave();
}

/* Names and texts from outside are written, too: none of them gets to say anything to a terminal.
 */
static char clean(char c)
{
    return (c >= ' ' && c <= '~') || c == '\n' ? c : '?';
}

void console_write(const char *text, size_t n)
{
    char piece[CLEAN_BYTES];
    for (size_t at = 0, bytes; at < n; at += bytes) {
        bytes = MIN(n - at, sizeof(piece));
        for (size_t i = 0; i < bytes; i++)
            piece[i] = clean(text[at + i]);
        serial_write(piece, bytes);
        if (screen_enter()) {
            screen_write(&screen, piece, bytes);
            screen_leave();
        }
    }
}

void console_defer(void)
{
    serial_defer();
}

bool console_poll(uint64_t now_us)
{
    if (!serial_waits() || now_us < look_us)
        return false;
    if (serial_poll()) {
        busy_us = 0;
        return true;
    }
    busy_us = MIN(MAX(2 * busy_us, (uint64_t)BUSY_US), (uint64_t)BUSY_MAX_US);
    look_us = now_us + busy_us;
    return false;
}

uint64_t console_next_us(void)
{
    return serial_waits() ? look_us : UINT64_MAX;
}

void console_enable_input(void)
{
    serial_enable_input();
}

int console_read(void)
{
    return serial_read();
}
