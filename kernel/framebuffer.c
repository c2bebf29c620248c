/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Theory of operation. White on black; so all that is ever written is one of sixteen patterns: four
 * pixels, each on or off. They are prepared once, in the screen's own pixels and size, and drawing
 * copies them, line by line from left to right, which is how a write-combining mapping likes it.
 * Nothing is read from the framebuffer.
 */
#include "framebuffer.h"

#define SCALE_MAX       8
#define HALF_PIXELS     4 /* half a glyph's width */
#define PIXEL_BYTES_MAX 4
#define HALF_BYTES_MAX  (HALF_PIXELS * SCALE_MAX * PIXEL_BYTES_MAX)

static struct {
    uint8_t *base;
    uint32_t line_bytes;
    unsigned scale;
    unsigned half_bytes; /* a multiple of 4 */
    uint8_t halves[1u << HALF_PIXELS][HALF_BYTES_MAX];
} fb;

static void prepare_halves(const struct boot_framebuffer *from)
{
    fb.half_bytes = HALF_PIXELS * fb.scale * from->pixel_bytes;
    for (unsigned bits = 0; bits < ARRAY_COUNT(fb.halves); bits++) {
        uint8_t *to = fb.halves[bits];
        for (unsigned x = 0; x < HALF_PIXELS * fb.scale; x++, to += from->pixel_bytes) {
            bool on = bits >> (HALF_PIXELS - 1 - x / fb.scale) & 1;
            uint32_t pixel = on ? from->white : 0;
            memcpy(to, &pixel, from->pixel_bytes);
        }
    }
}

/* Nearly all screens have 32 bits a pixel, and so whole pieces of 16 bytes. */
static inline uint8_t *put_half(uint8_t *to, const uint8_t *from, unsigned bytes)
{
    const uint8_t *end = from + bytes;
    if (bytes % 16 == 0)
        for (; from < end; from += 16, to += 16)
            memcpy(to, from, 16);
    else
        for (; from < end; from += 4, to += 4)
            memcpy(to, from, 4);
    return to;
}

static const uint8_t *glyph_of(char c)
{
    unsigned index = (unsigned)(uint8_t)c - ' ';
    return framebuffer_font[index < ARRAY_COUNT(framebuffer_font) ? index : '?' - ' '];
}

static void draw(unsigned row, unsigned column, const char *text, unsigned n)
{
    const unsigned half = fb.half_bytes;
    unsigned top = row * FRAMEBUFFER_GLYPH_HEIGHT * fb.scale;
    uint8_t *line = fb.base + (size_t)top * fb.line_bytes + (size_t)column * 2 * half;
    for (unsigned y = 0; y < FRAMEBUFFER_GLYPH_HEIGHT * fb.scale; y++, line += fb.line_bytes) {
        const unsigned glyph_line = y / fb.scale;
        uint8_t *to = line;
        for (unsigned i = 0; i < n; i++) {
            uint8_t bits = glyph_of(text[i])[glyph_line];
            to = put_half(to, fb.halves[bits >> HALF_PIXELS], half);
            to = put_half(to, fb.halves[bits & ((1u << HALF_PIXELS) - 1)], half);
        }
    }
}

bool framebuffer_start(struct screen *screen, const struct boot_framebuffer *from)
{
    unsigned scale = from->height / FRAMEBUFFER_LINES_PER_SCALE;
    scale = MAX(1u, MIN(scale, (unsigned)SCALE_MAX));
    if (!screen_start(screen, from->height / (FRAMEBUFFER_GLYPH_HEIGHT * scale),
                      from->width / (FRAMEBUFFER_GLYPH_WIDTH * scale), draw))
        return false;
    fb.base = (uint8_t *)(uintptr_t)from->base;
    fb.line_bytes = from->line_bytes;
    fb.scale = scale;
    prepare_halves(from);
    for (uint32_t y = 0; y < from->height; y++)
        memset(fb.base + (size_t)y * from->line_bytes, 0, (size_t)from->width * from->pixel_bytes);
    return true;
}
