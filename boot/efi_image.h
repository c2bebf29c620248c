/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The kernel's ELF file as an image of memory, for the loader under UEFI, which has it inside.
 * Pure, and without <efi.h>.
 */
#ifndef EFI_IMAGE_H
#define EFI_IMAGE_H

#include "base.h"

struct efi_image {
    uint64_t start, end; /* physical, whole pages; entered at start */
};

/* NULL and the place of all loadable segments, or what is wrong with the file. */
const char *efi_image_check(const void *elf, size_t bytes, struct efi_image *image);

/* Lays a file that was checked out in memory, which is end - start bytes long: segments, and zeros
 * everywhere else. */
void efi_image_lay_out(const void *elf, const struct efi_image *image, void *memory);

#endif
