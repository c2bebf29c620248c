/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The loader under UEFI is built from the same sources as the kernel, but what it passes on is
 * firmware's word, and firmware errs. So the memory ranges are put into a list anew, texts are
 * bounded, and a framebuffer that cannot be one is none.
 */
#include "handoff.h"
#include "boot_ram.h"
#include "boot_screen.h"
#include "boot_text.h"

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
    boot_screen_keep(boot, &info->framebuffer);
    boot_text_copy(boot, info->cmdline, sizeof(info->cmdline));
    boot->cmdline_cut |= info->cmdline_cut;
    boot_text_skip_name(boot);
    boot->file_bytes = info->file_bytes;
    memcpy(boot->file, info->file, info->file_bytes);
}
