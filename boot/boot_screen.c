/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What loaders say of the screen is firmware's word, and firmware errs.
 */
#include "boot_screen.h"
#include "boot_ram.h"

#define PIXEL_BYTES_MIN 2
#define PIXEL_BYTES_MAX 4
#define SIDE_MAX        32768 /* pixels; no screen has more */
#define LINE_BYTES_MAX  (SIDE_MAX * PIXEL_BYTES_MAX)

static bool are_pixels(const struct boot_framebuffer *fb)
{
    if (fb->pixel_bytes < PIXEL_BYTES_MIN || fb->pixel_bytes > PIXEL_BYTES_MAX)
        return false;
    return fb->white != 0 && (uint64_t)fb->white >> 8 * fb->pixel_bytes == 0;
}

void boot_screen_keep(struct boot_info *boot, const struct boot_framebuffer *fb)
{
    if (fb->base == 0 || fb->base >= BOOT_RAM_HIGHEST || !are_pixels(fb))
        return;
    if (fb->width == 0 || fb->height == 0 || fb->width > SIDE_MAX || fb->height > SIDE_MAX ||
        fb->line_bytes / fb->pixel_bytes < fb->width || fb->line_bytes > LINE_BYTES_MAX)
        return;
    uint64_t end = fb->base + (uint64_t)fb->line_bytes * fb->height;
    for (unsigned i = 0; i < boot->ram_count; i++)
        if (fb->base < boot->ram[i].end && end > boot->ram[i].start)
            return;
    if (end <= BOOT_RAM_HIGHEST)
        boot->framebuffer = *fb;
}
