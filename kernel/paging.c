/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Theory of operation. Four levels of tables of 512 entries (SDM vol. 3, 4.5), each level splitting
 * its parent's reach by 512: 512 GB, 1 GB, 2 MB, 4 KB. Everything is mapped at its physical
 * address. A leaf may stand at 1 GB (if the CPU has it), 2 MB or 4 KB; paging_map takes the largest
 * that is aligned and fits. Tables come from ram_take_page() and are never given back. Nothing is
 * mapped writable and executable at once.
 */
#include "paging.h"
#include "check.h"
#include "cpu.h"
#include "ram.h"

#define PTE_PRESENT       (1ULL << 0)
#define PTE_WRITE         (1ULL << 1)
#define PTE_WRITE_THROUGH (1ULL << 3)
#define PTE_CACHE_DISABLE (1ULL << 4)
#define PTE_ACCESSED      (1ULL << 5)
#define PTE_DIRTY         (1ULL << 6)
#define PTE_LARGE         (1ULL << 7)
#define PTE_NO_EXECUTE    (1ULL << 63)
#define PTE_ADDRESS       0x000FFFFFFFFFF000ULL

#define SHIFT_TOP  39
#define SHIFT_1GB  30
#define SHIFT_2MB  21
#define SHIFT_4KB  12
#define INDEX_MASK 511

static uint64_t *root;

int paging_begin(void)
{
    root = ram_take_page();
    return root ? 0 : -ENOMEM;
}

static uint64_t leaf_bits(unsigned rights)
{
    CHECK(!(rights & PAGING_WRITE) || !(rights & PAGING_EXEC));
    /* Accessed and dirty are set beforehand, so that the CPU need not. */
    uint64_t bits = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY;
    bits |= rights & PAGING_WRITE ? PTE_WRITE : 0;
    /* The entries of the page attribute table, of which cpu_init makes 1 write-combining; 3 is
     * uncached from reset. */
    bits |= rights & PAGING_UNCACHED ? PTE_CACHE_DISABLE | PTE_WRITE_THROUGH : 0;
    bits |= rights & PAGING_WRITE_COMBINING ? PTE_WRITE_THROUGH : 0;
    bits |= !(rights & PAGING_EXEC) && cpu_features.nx ? PTE_NO_EXECUTE : 0;
    return bits;
}

static uint64_t *table_below(uint64_t *entry)
{
    if (*entry & PTE_PRESENT)
        return (uint64_t *)(*entry & PTE_ADDRESS);
    uint64_t *table = ram_take_page();
    if (table)
        *entry = (uint64_t)table | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;
    return table;
}

/* Maps one page at the address at, no more than left bytes. Bytes done, or 0 if there is no memory.
 */
static uint64_t map_one(uint64_t at, uint64_t left, uint64_t bits)
{
    unsigned largest = cpu_features.large_1gb ? SHIFT_1GB : SHIFT_2MB;
    uint64_t *table = root;
    for (unsigned shift = SHIFT_TOP;; shift -= 9) {
        uint64_t *entry = &table[at >> shift & INDEX_MASK];
        uint64_t size = 1ULL << shift;
        bool present = *entry & PTE_PRESENT;
        if (present && shift > SHIFT_4KB && *entry & PTE_LARGE)
            return size - (at & (size - 1));
        bool fits = !present && shift <= largest && left >= size && (at & (size - 1)) == 0;
        if (fits || shift == SHIFT_4KB) {
            *entry = at | bits | (shift > SHIFT_4KB ? PTE_LARGE : 0);
            invlpg(at);
            return size;
        }
        table = table_below(entry);
        if (!table)
            return 0;
    }
}

int paging_map(uint64_t start, uint64_t end, unsigned rights)
{
    CHECK(start % PAGE_BYTES == 0 && end % PAGE_BYTES == 0 && end <= PAGING_LIMIT);
    uint64_t bits = leaf_bits(rights);
    while (start < end) {
        uint64_t done = map_one(start, end - start, bits);
        if (done == 0)
            return -ENOMEM;
        start += MIN(done, end - start);
    }
    return 0;
}

void paging_unmap(uint64_t page)
{
    uint64_t *table = root;
    for (unsigned shift = SHIFT_TOP; shift > SHIFT_4KB; shift -= 9) {
        uint64_t entry = table[page >> shift & INDEX_MASK];
        if (!(entry & PTE_PRESENT))
            return;
        CHECK(!(entry & PTE_LARGE));
        table = (uint64_t *)(entry & PTE_ADDRESS);
    }
    table[page >> SHIFT_4KB & INDEX_MASK] = 0;
    invlpg(page);
}

void paging_activate(void)
{
    write_cr3((uint64_t)root);
}
