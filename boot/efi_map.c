/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which memory is whose after ExitBootServices: UEFI 2.10, table 7.10. Tables that ACPI would let
 * us reclaim are kept, since the kernel reads them. Two passes, because a page that some
 * descriptor keeps is kept, whatever another says.
 */
#include "efi_map.h"
#include "boot_ram.h"

#define PAGE_SHIFT 12

enum {
    LOADER_CODE = 1,
    LOADER_DATA = 2,
    BOOT_SERVICES_CODE = 3,
    BOOT_SERVICES_DATA = 4,
    CONVENTIONAL = 7,
};

#define ATTRIBUTE_WRITE_BACK (1ULL << 3)
#define ATTRIBUTE_SPECIFIC   (1ULL << 18) /* set aside for some purpose of the platform's */
#define ATTRIBUTE_RUNTIME    (1ULL << 63)

struct descriptor {
    uint32_t type;
    uint32_t reserved;
    uint64_t start;
    uint64_t virtual_start;
    uint64_t pages;
    uint64_t attributes;
};
static_assert(sizeof(struct descriptor) == 40, "the specification's layout");

static bool is_usable(const struct descriptor *d)
{
    if (!(d->attributes & ATTRIBUTE_WRITE_BACK) ||
        d->attributes & (ATTRIBUTE_SPECIFIC | ATTRIBUTE_RUNTIME))
        return false;
    return d->type == CONVENTIONAL || (d->type >= LOADER_CODE && d->type <= BOOT_SERVICES_DATA);
}

bool efi_map_read(const void *map, size_t bytes, size_t entry_bytes, struct boot_info *boot)
{
    boot->ram_count = 0;
    if (entry_bytes < sizeof(struct descriptor) || entry_bytes > bytes)
        return false;
    for (int pass_usable = 1; pass_usable >= 0; pass_usable--) {
        for (size_t at = 0; bytes - at >= entry_bytes; at += entry_bytes) {
            struct descriptor d;
            memcpy(&d, (const uint8_t *)map + at, sizeof(d));
            uint64_t length =
                d.pages > UINT64_MAX >> PAGE_SHIFT ? UINT64_MAX : d.pages << PAGE_SHIFT;
            bool usable = is_usable(&d);
            if (usable && pass_usable)
                boot_ram_add(boot, d.start, length);
            else if (!usable && !pass_usable)
                boot_ram_remove(boot, d.start, length);
        }
    }
    return true;
}

bool efi_map_has(const struct boot_info *boot, uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < boot->ram_count; i++)
        if (boot->ram[i].start <= start && end <= boot->ram[i].end)
            return true;
    return false;
}
