/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The loader under UEFI is built from the same sources as the kernel, but what it passes on is
 * firmware's word, and firmware errs. So the memory ranges are put into a list anew, texts are
 * bounded, and a framebuffer that cannot be one is none.
 */
#include "handoff.h"
#include "boot_ram.h"
#include "boot_text.h"

#define PIXEL_BYTES     4
#define PIXEL_SHIFT_MAX 24
#define SIDE_MAX        32768 /* pixels; no screen has more */

static bool is_framebuffer(const struct boot_framebuffer *fb, const struct boot_info *boot)
{
    if (fb->base == 0 || fb->base >= BOOT_RAM_HIGHEST || fb->width == 0 || fb->height == 0)
        return false;
    if (fb->width > SIDE_MAX || fb->height > SIDE_MAX || fb->line_bytes / PIXEL_BYTES < fb->width)
        return false;
    if (MAX(MAX(fb->red_shift, fb->green_shift), fb->blue_shift) > PIXEL_SHIFT_MAX)
        return false;
    uint64_t end = fb->base + (uint64_t)fb->line_bytes * fb->height;
    for (unsigned i = 0; i < boot->ram_count; i++)
        if (fb->base < boot->ram[i].end && end > boot->ram[i].start)
            return false;
    return end <= BOOT_RAM_HIGHEST;
}

void handoff_read(uint64_t info_address, uint64_t limit, struct boot_info *boot)
{
    boot->loader = "UEFI";
    if (info_address == 0 || limit < sizeof(*boot) || info_address > limit - sizeof(*boot) ||
        info_address % _Alignof(struct boot_info) != 0) {
        boot->error = "UEFI: the loader's information is not there";
        return;
    }
    const struct boot_info *info = (const struct boot_info *)(uintptr_t)info_address;
    if (info->ram_count > BOOT_MEM_MAX || info->file_bytes > BOOT_FILE_MAX) {
        boot->error = "UEFI: the loader's information cannot be true";
        return;
    }
    for (unsigned i = 0; i < info->ram_count; i++)
        if (info->ram[i].end > info->ram[i].start)
            boot_ram_add(boot, info->ram[i].start, info->ram[i].end - info->ram[i].start);
    boot->acpi_rsdp = info->acpi_rsdp;
    if (is_framebuffer(&info->framebuffer, boot))
        boot->framebuffer = info->framebuffer;
    boot_text_copy(boot, info->cmdline, sizeof(info->cmdline));
    boot->cmdline_cut |= info->cmdline_cut;
    boot_text_skip_name(boot);
    boot->file_bytes = info->file_bytes;
    memcpy(boot->file, info->file, info->file_bytes);
}
