/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Page tables: an identity map, four levels, one address space. Private to kernel/; the rest of the
 * tree maps devices through mem.h.
 */
#ifndef PAGING_H
#define PAGING_H

#include "base.h"

#define PAGE_BYTES     4096ULL
#define PAGE_2MB_BYTES (2ULL << 20)

/* Identity-mapped addresses end here: the lower half of a 48-bit address space. */
#define PAGING_LIMIT (1ULL << 47)

#define PAGING_WRITE           0x1u
#define PAGING_EXEC            0x2u
#define PAGING_UNCACHED        0x4u
#define PAGING_WRITE_COMBINING 0x8u /* stores are gathered; uncached where the CPU cannot */

/* Begins an empty map. -ENOMEM if there is no page for it. */
int paging_begin(void);

/* Maps [start, end), whole pages, with the largest pages that fit. What an existing page already
 * maps keeps its rights if that page is large, and takes these if it is 4 KB. -ENOMEM if a table
 * could not be had. */
int paging_map(uint64_t start, uint64_t end, unsigned rights);

/* Takes a 4 KB page out of the map. */
void paging_unmap(uint64_t page);

/* From now on the CPU uses the map. */
void paging_activate(void);

#endif
