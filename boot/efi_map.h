/* SPDX-License-Identifier: BSD-3-Clause
 *
 * UEFI's memory map (UEFI 2.10, 7.2.3) as a list of usable RAM. Pure, and without <efi.h>, so that
 * it is tested on a host.
 */
#ifndef EFI_MAP_H
#define EFI_MAP_H

#include "boot_info.h"

/* Replaces boot's list by what may be used once boot services are over. The descriptors are
 * entry_bytes apart, which may be more than the fields known here. False, and an empty list, if
 * that cannot be. */
bool efi_map_read(const void *map, size_t bytes, size_t entry_bytes, struct boot_info *boot);

/* Whether all of [start, end) is in the list. */
bool efi_map_has(const struct boot_info *boot, uint64_t start, uint64_t end);

#endif
