/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Intel SDM vol. 3, 4.5: each level has 512 entries and splits its parent's reach by 512. Whether
 * there are four levels or five cannot be changed while paging is on, so it stays as firmware had
 * it. Pages of 2 MB, which every CPU has.
 */
#include "efi_tables.h"

#define PTE_TABLE 0x3 /* present, writable */
#define PTE_2MB   0x83

#define ENTRIES 512
#define GB_LOW  4

enum { LEVEL_5, LEVEL_4, LEVEL_3, LEVEL_2, FAR_LEVEL_3 = LEVEL_2 + GB_LOW, FAR_LEVEL_2, PAGES };
static_assert(PAGES == EFI_TABLES_PAGES, "one page a table");

uint64_t efi_tables_fill(uint64_t *pages, uint64_t at, uint64_t code, bool five_levels)
{
#define TABLE(n)    (pages + (n)*ENTRIES)
#define TABLE_AT(n) (at + (n)*ENTRIES * sizeof(uint64_t))
    memset(pages, 0, PAGES * ENTRIES * sizeof(uint64_t));
    TABLE(LEVEL_5)[0] = TABLE_AT(LEVEL_4) | PTE_TABLE;
    TABLE(LEVEL_4)[0] = TABLE_AT(LEVEL_3) | PTE_TABLE;
    for (unsigned gb = 0; gb < GB_LOW; gb++)
        TABLE(LEVEL_3)[gb] = TABLE_AT(LEVEL_2 + gb) | PTE_TABLE;
    for (uint64_t i = 0; i < GB_LOW * ENTRIES; i++)
        TABLE(LEVEL_2)[i] = i << 21 | PTE_2MB;

    if (code >> 30 >= GB_LOW) {
        unsigned level_3 = code >> 39 ? FAR_LEVEL_3 : LEVEL_3;
        TABLE(LEVEL_4)[code >> 39 & (ENTRIES - 1)] = TABLE_AT(level_3) | PTE_TABLE;
        TABLE(level_3)[code >> 30 & (ENTRIES - 1)] = TABLE_AT(FAR_LEVEL_2) | PTE_TABLE;
        TABLE(FAR_LEVEL_2)[code >> 21 & (ENTRIES - 1)] = (code >> 21 << 21) | PTE_2MB;
    }
    return five_levels ? TABLE_AT(LEVEL_5) : TABLE_AT(LEVEL_4);
#undef TABLE
#undef TABLE_AT
}
