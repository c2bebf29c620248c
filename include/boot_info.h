/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What whoever loaded us tells the kernel: the one contract that every way of booting fills
 * (boot/pvh.c, boot/multiboot.c, boot/efi.c). Everything in it is copied: nothing points into the
 * loader's memory.
 */
#ifndef BOOT_INFO_H
#define BOOT_INFO_H

#include "base.h"

#define BOOT_CMDLINE_MAX                                                                           \
    16384                   /* bytes, with the final NUL; a longer one is an error said at start */
#define BOOT_MEM_MAX  64    /* usable RAM ranges kept */
#define BOOT_FILE_MAX 65536 /* bytes of a configuration that was read from a file */

struct boot_mem {
    uint64_t start; /* first byte */
    uint64_t end;   /* one past the last */
};

/* A linear framebuffer, as firmware left it. */
struct boot_framebuffer {
    uint64_t base;       /* physical; 0: there is none */
    uint32_t line_bytes; /* from one line to the next */
    uint32_t width, height;
    uint32_t white;      /* a pixel of all colours; one of 0 is black */
    uint8_t pixel_bytes; /* 2, 3 or 4 */
};

struct boot_info {
    const char *loader; /* "PVH", "multiboot", "UEFI" */
    const char *error;  /* why this cannot be booted from, or NULL */
    struct boot_mem
        ram[BOOT_MEM_MAX]; /* usable RAM, sorted, not overlapping, without the kernel image */
    unsigned ram_count;
    uint64_t acpi_rsdp; /* physical address of the RSDP, 0 = search for it */
    struct boot_framebuffer framebuffer;
    bool vga_possible; /* firmware is a BIOS: if there is a VGA, it may show text */
    bool cmdline_cut;  /* the command line was longer than BOOT_CMDLINE_MAX */
    char cmdline[BOOT_CMDLINE_MAX];
    bool file_cut;       /* the file was longer than BOOT_FILE_MAX */
    uint32_t file_bytes; /* of sluice.cfg: beside UEFI's loader, or multiboot's module; 0: none */
    char file[BOOT_FILE_MAX];
};

/* The kernel's start, called by whoever filled boot in long mode: on a stack, with interrupts off,
 * and with at least the first 4 GB identity-mapped, writable and executable. Ends in app_main. */
NORETURN void kernel_main(const struct boot_info *boot);

#endif
