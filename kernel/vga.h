/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A screen on a VGA in text mode, as a BIOS leaves it.
 */
#ifndef VGA_H
#define VGA_H

#include "screen.h"

/* Where the text stands in memory. */
#define VGA_TEXT_START 0xB8000
#define VGA_TEXT_END   0xC0000

/* Looks for a VGA that shows text, and if there is one clears it and makes it the screen. The
 * text's memory is mapped. Where there is no VGA, only ports of its own are touched. */
bool vga_start(struct screen *screen);

#endif
