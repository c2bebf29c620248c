/* SPDX-License-Identifier: BSD-3-Clause
 *
 * PVH boot (Xen's x86/HVM direct boot ABI, docs/misc/pvh.pandoc and
 * public/arch-x86/hvm/start_info.h). Every address and count is checked before it is used. Version
 * 0 has no memory map (Xen gives it by hypercall), and without one there is nothing to run in.
 */
#include "pvh.h"
#include "boot_ram.h"
#include "boot_text.h"

#define PVH_MAGIC               0x336EC578
#define PVH_VERSION_WITH_MEMORY 1
#define PVH_MEMORY_USABLE       1
#define PVH_MEMORY_MAX          1024 /* entries; firmware has at most some hundred */

struct pvh_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;
    uint64_t cmdline;
    uint64_t rsdp;
    uint64_t memory; /* from here on since version 1 */
    uint32_t memory_count;
    uint32_t reserved;
};
static_assert(sizeof(struct pvh_info) == 56, "the ABI's layout");

struct pvh_memory {
    uint64_t start;
    uint64_t bytes;
    uint32_t type;
    uint32_t reserved;
};
static_assert(sizeof(struct pvh_memory) == 24, "the ABI's layout");

static const void *at_address(uint64_t address, uint64_t bytes, uint64_t limit)
{
    if (address == 0 || address > limit || bytes > limit - address)
        return NULL;
    return (const void *)(uintptr_t)address;
}

static void read_memory(const uint8_t *entries, uint32_t count, struct boot_info *boot)
{
    for (int pass_usable = 1; pass_usable >= 0; pass_usable--) {
        for (uint32_t i = 0; i < count; i++) {
            struct pvh_memory entry;
            memcpy(&entry, entries + (size_t)i * sizeof(entry), sizeof(entry));
            bool usable = entry.type == PVH_MEMORY_USABLE;
            if (usable && pass_usable)
                boot_ram_add(boot, entry.start, entry.bytes);
            else if (!usable && !pass_usable)
                boot_ram_remove(boot, entry.start, entry.bytes);
        }
    }
}

void pvh_read(uint64_t info_address, uint64_t limit, struct boot_info *boot)
{
    boot->loader = "PVH";
    boot->vga_possible = true;
    const void *at = at_address(info_address, sizeof(struct pvh_info), limit);
    struct pvh_info info = {0};
    if (at)
        memcpy(&info, at, sizeof(info));
    if (info.magic != PVH_MAGIC) {
        boot->error = "PVH: the loader's start information is not there";
        return;
    }
    if (info.version < PVH_VERSION_WITH_MEMORY) {
        boot->error = "PVH: the loader gives no memory map (version 0); use a newer one";
        return;
    }
    if (info.memory_count > PVH_MEMORY_MAX) {
        boot->error = "PVH: the loader's memory map is too long to be true";
        return;
    }
    uint64_t bytes = info.memory_count * sizeof(struct pvh_memory);
    const void *memory = at_address(info.memory, bytes, limit);
    if (!memory) {
        boot->error = "PVH: the loader's memory map cannot be reached";
        return;
    }
    read_memory(memory, info.memory_count, boot);

    const char *cmdline = at_address(info.cmdline, 1, limit);
    if (cmdline)
        boot_text_copy(boot, cmdline, limit - info.cmdline);
    boot->acpi_rsdp = info.rsdp;
}
