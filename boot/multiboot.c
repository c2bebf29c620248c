/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Multiboot information (Multiboot Specification 0.6.96, 3.3). Its addresses have 32 bits, so all
 * of them can be read; its lengths are checked. A module is the configuration: what GRUB's
 * "module" loads beside the image is what UEFI's loader finds beside itself, sluice.cfg.
 */
#include "multiboot.h"
#include "boot_ram.h"
#include "boot_screen.h"
#include "boot_text.h"

#define MULTIBOOT_HAS_MEMORY  0x01
#define MULTIBOOT_HAS_CMDLINE 0x04
#define MULTIBOOT_HAS_MODULES 0x08
#define MULTIBOOT_HAS_MAP     0x40
#define MULTIBOOT_HAS_SCREEN  0x1000

#define MULTIBOOT_SCREEN_RGB 1 /* pixels; others are of a palette, or text cells of a VGA */

#define MULTIBOOT_MAP_BYTES_MAX   65536
#define MULTIBOOT_ENTRY_BYTES_MIN 20 /* without the size field itself */
#define MULTIBOOT_MEMORY_USABLE   1

#define ADDRESS_LIMIT (1ULL << 32)

struct multiboot_info {
    uint32_t flags;
    uint32_t kb_below_1mb, kb_above_1mb;
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t module_count, modules;
    uint32_t symbols[4];
    uint32_t map_bytes, map;
};
static_assert(sizeof(struct multiboot_info) == 52, "the specification's layout");

struct multiboot_module {
    uint32_t start, end; /* one past the last byte */
    uint32_t string, reserved;
};
static_assert(sizeof(struct multiboot_module) == 16, "the specification's layout");

/* A colour's bits in a pixel. */
struct multiboot_colour {
    uint8_t shift, bits;
};

struct PACKED multiboot_screen {
    uint64_t base;
    uint32_t line_bytes, width, height;
    uint8_t pixel_bits, type;
    struct multiboot_colour colours[3];
};
#define MULTIBOOT_SCREEN_AT 88 /* in the information */
static_assert(sizeof(struct multiboot_screen) == 28, "the specification's layout");

struct PACKED multiboot_entry {
    uint32_t size; /* of what follows */
    uint64_t start;
    uint64_t bytes;
    uint32_t type;
};

static const void *at_address(uint32_t address, uint64_t bytes)
{
    if (address == 0 || bytes > ADDRESS_LIMIT - address)
        return NULL;
    return (const void *)(uintptr_t)address;
}

/* False if an entry lies about its size. */
static bool read_map(const uint8_t *map, uint32_t bytes, bool want_usable, struct boot_info *boot)
{
    struct multiboot_entry entry;
    for (uint32_t at = 0; bytes - at >= sizeof(entry);) {
        memcpy(&entry, map + at, sizeof(entry));
        if (entry.size < MULTIBOOT_ENTRY_BYTES_MIN)
            return false;
        bool usable = entry.type == MULTIBOOT_MEMORY_USABLE;
        if (usable && want_usable)
            boot_ram_add(boot, entry.start, entry.bytes);
        else if (!usable && !want_usable)
            boot_ram_remove(boot, entry.start, entry.bytes);
        if (entry.size > bytes - at - sizeof(entry.size))
            break;
        at += (uint32_t)sizeof(entry.size) + entry.size;
    }
    return true;
}

static void read_memory(const struct multiboot_info *info, struct boot_info *boot)
{
    if (info->flags & MULTIBOOT_HAS_MAP) {
        const void *map = at_address(info->map, info->map_bytes);
        if (!map || info->map_bytes > MULTIBOOT_MAP_BYTES_MAX)
            boot->error = "multiboot: the loader's memory map cannot be true";
        else if (!read_map(map, info->map_bytes, true, boot) ||
                 !read_map(map, info->map_bytes, false, boot))
            boot->error = "multiboot: the loader's memory map is damaged";
    } else if (info->flags & MULTIBOOT_HAS_MEMORY) {
        boot_ram_add(boot, BOOT_RAM_LOWEST, (uint64_t)info->kb_above_1mb << 10);
    } else {
        boot->error = "multiboot: the loader does not say what memory there is";
    }
}

/* Copied before anything of ours uses the memory it lies in. */
static void read_module(const struct multiboot_info *info, struct boot_info *boot)
{
    if (!(info->flags & MULTIBOOT_HAS_MODULES) || info->module_count == 0)
        return;
    if (info->module_count > 1) {
        boot->error = "multiboot: there is more than one module; give it sluice.cfg alone";
        return;
    }
    struct multiboot_module module = {0};
    const void *at = at_address(info->modules, sizeof(module));
    if (at)
        memcpy(&module, at, sizeof(module));
    /* GRUB says 0 to 0 of a file that is empty. */
    if (!at || module.end < module.start || (module.start == 0 && module.end != 0)) {
        boot->error = "multiboot: the loader's module cannot be true";
        return;
    }
    uint32_t bytes = module.end - module.start;
    if (bytes == 0)
        return;
    boot->file_cut = bytes > BOOT_FILE_MAX;
    boot->file_bytes = MIN(bytes, (uint32_t)BOOT_FILE_MAX);
    memcpy(boot->file, (const void *)(uintptr_t)module.start, boot->file_bytes);
}

static void read_screen(uint32_t info_address, struct boot_info *boot)
{
    const void *at =
        at_address(info_address, MULTIBOOT_SCREEN_AT + sizeof(struct multiboot_screen));
    struct multiboot_screen screen = {0};
    if (at)
        memcpy(&screen, (const uint8_t *)at + MULTIBOOT_SCREEN_AT, sizeof(screen));
    if (screen.type != MULTIBOOT_SCREEN_RGB)
        return;
    struct boot_framebuffer fb = {
        .base = screen.base,
        .line_bytes = screen.line_bytes,
        .width = screen.width,
        .height = screen.height,
        .pixel_bytes = (uint8_t)((screen.pixel_bits + 7) / 8),
    };
    for (unsigned i = 0; i < ARRAY_COUNT(screen.colours); i++) {
        unsigned shift = screen.colours[i].shift, bits = screen.colours[i].bits;
        if (shift + bits > screen.pixel_bits || screen.pixel_bits > 32)
            return;
        fb.white |= (uint32_t)(((1ULL << bits) - 1) << shift);
    }
    boot_screen_keep(boot, &fb);
}

void multiboot_read(uint32_t info_address, struct boot_info *boot)
{
    boot->loader = "multiboot";
    boot->vga_possible = true;
    const void *at = at_address(info_address, sizeof(struct multiboot_info));
    if (!at) {
        boot->error = "multiboot: the loader's information is not there";
        return;
    }
    struct multiboot_info info;
    memcpy(&info, at, sizeof(info));
    read_memory(&info, boot);
    read_module(&info, boot);
    if (info.flags & MULTIBOOT_HAS_SCREEN)
        read_screen(info_address, boot);

    const char *cmdline = at_address(info.cmdline, 1);
    if ((info.flags & MULTIBOOT_HAS_CMDLINE) && cmdline) {
        boot_text_copy(boot, cmdline, ADDRESS_LIMIT - info.cmdline);
        boot_text_skip_name(boot);
    }
}
