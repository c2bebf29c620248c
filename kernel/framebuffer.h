/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A screen on a linear framebuffer, in glyphs of 8 x 16 pixels; larger on large panels.
 */
#ifndef FRAMEBUFFER_H
#define FRAMEBUFFER_H

#include "boot_info.h"
#include "screen.h"

#define FRAMEBUFFER_GLYPH_WIDTH  8
#define FRAMEBUFFER_GLYPH_HEIGHT 16

/* Lines of pixels for each step in size: text is twice as large from 1600 on. */
#define FRAMEBUFFER_LINES_PER_SCALE 800

/* The font: for each character from ' ' to '~' its lines, the leftmost pixel in the highest bit.
 * tools/make-font makes it. */
extern const uint8_t framebuffer_font['~' - ' ' + 1][FRAMEBUFFER_GLYPH_HEIGHT];

/* Clears fb, which is mapped and checked (boot/boot_screen.h), and makes it the screen. False, and
 * nothing was touched, if it is too small. There is one framebuffer at a time. */
bool framebuffer_start(struct screen *screen, const struct boot_framebuffer *fb);

#endif
