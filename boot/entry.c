/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From the first instructions to the kernel: has the loader's information read, whoever it was, and
 * takes the image out of the usable memory.
 */
#include "entry.h"
#include "boot_info.h"
#include "boot_ram.h"
#include "handoff.h"
#include "kernel/acpi_tables.h"
#include "kernel/image.h"
#include "multiboot.h"
#include "pvh.h"

#define REACHABLE (4ULL << 30) /* what start.S maps */

#define EBDA_SEGMENT      0x40E /* where the BIOS left the segment of its extended data area */
#define EBDA_LOWEST       0x80000
#define EBDA_SEARCH_BYTES 1024

NORETURN void boot_entry(uint32_t who, uint32_t info);

static struct boot_info boot;

/* The RSDP may be in the first kilobyte of that area (ACPI 6.4, 5.2.5.1). The kernel looks into the
 * BIOS's own memory if need be, but this is the last moment at which page 0 can be read. */
static uint64_t find_rsdp_in_ebda(void)
{
    uintptr_t segment_at = EBDA_SEGMENT;
    __asm__("" : "+r"(segment_at)); /* the compiler takes so small a constant for a null pointer */
    uintptr_t ebda = (uintptr_t) * (const volatile uint16_t *)segment_at << 4;
    if (ebda < EBDA_LOWEST)
        return 0;
    long at = acpi_search_rsdp((const uint8_t *)ebda, EBDA_SEARCH_BYTES);
    return at >= 0 ? ebda + (uint64_t)at : 0;
}

void boot_entry(uint32_t who, uint32_t info)
{
    if (who == BOOT_BY_PVH)
        pvh_read(info, REACHABLE, &boot);
    else if (who == BOOT_BY_MULTIBOOT)
        multiboot_read(info, &boot);
    else if (who == BOOT_BY_EFI)
        handoff_read(info, REACHABLE, &boot);
    else
        boot.error = "started by something that is neither PVH, multiboot nor UEFI";

    boot_ram_remove(&boot, (uint64_t)image_start, (uint64_t)(image_end - image_start));
    if (!boot.error && boot.ram_count == 0)
        boot.error = "the loader's memory map has no usable memory above 1 MB";
    if (boot.acpi_rsdp == 0)
        boot.acpi_rsdp = find_rsdp_in_ebda();
    kernel_main(&boot);
}
