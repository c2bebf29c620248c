/* SPDX-License-Identifier: BSD-3-Clause
 *
 * UEFI's texts: load options, and where the file beside the loader is. Characters have 16 bits and
 * any alignment. Pure, and without <efi.h>.
 */
#ifndef EFI_TEXT_H
#define EFI_TEXT_H

#include "boot_info.h"

/* Load options become boot->cmdline (and cmdline_cut): up to the first NUL, each character outside
 * ASCII as a byte the configuration's reader refuses. False, and no command line, if they are no
 * text at all: some firmware puts a structure of its own there. */
bool efi_text_options(const void *options, size_t bytes, struct boot_info *boot);

/* The path of the file `name` in the directory of the file that a device path (UEFI 2.10, 10.3)
 * names, with its NUL, into path; the root directory if it names none. At most limit bytes of the
 * device path are looked at. False if it has no end there, lies about a length, or leads to more
 * than room characters. */
bool efi_text_beside(const void *device_path, size_t limit, const char *name, uint16_t *path,
                     size_t room);

#endif
