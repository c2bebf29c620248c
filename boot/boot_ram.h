/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Builds the list of usable RAM out of what loaders say, in any order and with overlaps. Pure.
 */
#ifndef BOOT_RAM_H
#define BOOT_RAM_H

#include "boot_info.h"

/* Below is firmware's and real mode's; above, no CPU's identity map goes. */
#define BOOT_RAM_LOWEST  (1ULL << 20)
#define BOOT_RAM_HIGHEST (1ULL << 47)

/* Adds the whole pages of [start, start + bytes), joining what touches. If there are too many
 * ranges, the smallest is given up. */
void boot_ram_add(struct boot_info *boot, uint64_t start, uint64_t bytes);

/* Takes every page that [start, start + bytes) touches out of the list. */
void boot_ram_remove(struct boot_info *boot, uint64_t start, uint64_t bytes);

#endif
