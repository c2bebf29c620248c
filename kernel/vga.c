/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The VGA's text mode (register names and bits: IBM PS/2 Hardware Interface Technical Reference,
 * Video Subsystem; the same in every chip's data sheet since).
 *
 * What is behind 0xB8000 on a machine without a VGA is anything, RAM included (microvm). So nothing
 * is written there before the registers have answered and said that the VGA decodes that memory
 * and shows text from it. Its mode is taken as the BIOS left it, and not set.
 */
#include "vga.h"
#include "io.h"

#define VGA_MISC_OUTPUT_READ    0x3CC
#define VGA_MISC_OUTPUT_COLOUR  0x01 /* the CRTC is at 0x3D4, not at 0x3B4 */
#define VGA_MISC_OUTPUT_MEMORY  0x02 /* memory is decoded */
#define VGA_GRAPHICS_INDEX      0x3CE
#define VGA_GRAPHICS_DATA       0x3CF
#define VGA_GRAPHICS_INDEX_MASK 0x0F
#define VGA_GRAPHICS_MODE       5 /* index */
#define VGA_GRAPHICS_MISC       6 /* index */
#define VGA_GRAPHICS_MISC_MASK  0x0D
#define VGA_GRAPHICS_MISC_TEXT  0x0C /* not graphics, memory at 0xB8000..0xBFFFF */
#define VGA_CRTC_INDEX          0x3D4
#define VGA_CRTC_DATA           0x3D5
#define VGA_CRTC_COLUMNS        0x01 /* less 1 */
#define VGA_CRTC_OVERFLOW       0x07
#define VGA_CRTC_CELL           0x09
#define VGA_CRTC_CELL_HEIGHT    0x1F /* less 1 */
#define VGA_CRTC_CELL_DOUBLED   0x80
#define VGA_CRTC_CURSOR         0x0A
#define VGA_CRTC_CURSOR_OFF     0x20
#define VGA_CRTC_START_HIGH     0x0C
#define VGA_CRTC_START_LOW      0x0D
#define VGA_CRTC_LINES          0x12 /* less 1, without its two high bits */
#define VGA_CRTC_ROW_WORDS      0x13 /* from one row to the next, in pairs of cells */

#define GREY_ON_BLACK 0x0700
#define CELL_BYTES    2
#define CELLS_MAX     ((VGA_TEXT_END - VGA_TEXT_START) / CELL_BYTES)

static unsigned row_cells; /* from one row to the next */

static volatile uint16_t *cell_at(unsigned row, unsigned column)
{
    return (volatile uint16_t *)VGA_TEXT_START + row * row_cells + column;
}

static uint8_t crtc_read(uint8_t index)
{
    out8(VGA_CRTC_INDEX, index);
    return in8(VGA_CRTC_DATA);
}

static void crtc_write(uint8_t index, uint8_t value)
{
    out8(VGA_CRTC_INDEX, index);
    out8(VGA_CRTC_DATA, value);
}

/* The index register keeps what it is given; a port that nobody answers reads as ones. */
static bool keeps_index(uint8_t index)
{
    out8(VGA_GRAPHICS_INDEX, index);
    return (in8(VGA_GRAPHICS_INDEX) & VGA_GRAPHICS_INDEX_MASK) == index;
}

static bool shows_text(void)
{
    const uint8_t wanted = VGA_MISC_OUTPUT_COLOUR | VGA_MISC_OUTPUT_MEMORY;
    if (!keeps_index(VGA_GRAPHICS_MODE) || !keeps_index(VGA_GRAPHICS_MISC))
        return false;
    uint8_t misc = in8(VGA_GRAPHICS_DATA);
    return (misc & VGA_GRAPHICS_MISC_MASK) == VGA_GRAPHICS_MISC_TEXT &&
           (in8(VGA_MISC_OUTPUT_READ) & wanted) == wanted;
}

static bool memory_works(void)
{
    volatile uint16_t *cell = cell_at(0, 0);
    for (unsigned probe = 0x075A; probe <= 0x07A5; probe += 0xA5 - 0x5A) {
        *cell = (uint16_t)probe;
        if (*cell != probe)
            return false;
    }
    return true;
}

static void draw(unsigned row, unsigned column, const char *text, unsigned n)
{
    volatile uint16_t *cell = cell_at(row, column);
    for (unsigned i = 0; i < n; i++)
        cell[i] = (uint16_t)(GREY_ON_BLACK | (uint8_t)text[i]);
}

bool vga_start(struct screen *screen)
{
    if (!shows_text())
        return false;
    unsigned overflow = crtc_read(VGA_CRTC_OVERFLOW), cell = crtc_read(VGA_CRTC_CELL);
    unsigned lines =
        crtc_read(VGA_CRTC_LINES) + ((overflow & 0x02) << 7) + ((overflow & 0x40) << 3);
    unsigned height = (cell & VGA_CRTC_CELL_HEIGHT) + 1;
    height *= cell & VGA_CRTC_CELL_DOUBLED ? 2 : 1;
    unsigned rows = (lines + 1) / height, columns = crtc_read(VGA_CRTC_COLUMNS) + 1u;
    row_cells = crtc_read(VGA_CRTC_ROW_WORDS) * 2u;
    if (row_cells < columns || rows * row_cells > CELLS_MAX || !memory_works() ||
        !screen_start(screen, rows, columns, draw))
        return false;
    crtc_write(VGA_CRTC_START_HIGH, 0);
    crtc_write(VGA_CRTC_START_LOW, 0);
    crtc_write(VGA_CRTC_CURSOR, VGA_CRTC_CURSOR_OFF);
    for (unsigned i = 0; i < rows * row_cells; i++)
        *(cell_at(0, 0) + i) = GREY_ON_BLACK | ' ';
    return true;
}
