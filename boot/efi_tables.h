/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The page tables of the moment between firmware and kernel. Pure, and without <efi.h>.
 */
#ifndef EFI_TABLES_H
#define EFI_TABLES_H

#include "base.h"

#define EFI_TABLES_PAGES 9

/* Fills EFI_TABLES_PAGES pages, which stand at the physical address `at` below 4 GB, with tables
 * that map at its own address, writable and executable: the first 4 GB, and the 2 MB that have
 * `code` in them, wherever that is below 2^47. Returns the root for CR3, of four or of five levels.
 */
uint64_t efi_tables_fill(uint64_t *pages, uint64_t at, uint64_t code, bool five_levels);

#endif
