/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The list in boot_info: at every moment sorted, in whole pages, neither overlapping nor touching.
 * All usable ranges are added before anything is removed, so that a page which a loader calls both
 * usable and reserved is not used.
 */
#include "boot_ram.h"

#define PAGE_BYTES 4096ULL

static uint64_t end_of(uint64_t start, uint64_t bytes)
{
    return bytes > UINT64_MAX - start ? UINT64_MAX : start + bytes;
}

static void delete_at(struct boot_info *boot, unsigned at)
{
    boot->ram_count--;
    memmove(&boot->ram[at], &boot->ram[at + 1], (boot->ram_count - at) * sizeof(boot->ram[0]));
}

/* Puts a range before the one at that place, which keeps the order. If the list is full the
 * smallest of all goes, which may be the new one. */
static void insert_at(struct boot_info *boot, unsigned at, struct boot_mem range)
{
    if (boot->ram_count == BOOT_MEM_MAX) {
        unsigned smallest = 0;
        for (unsigned i = 1; i < boot->ram_count; i++)
            if (boot->ram[i].end - boot->ram[i].start <
                boot->ram[smallest].end - boot->ram[smallest].start)
                smallest = i;
        if (range.end - range.start <= boot->ram[smallest].end - boot->ram[smallest].start)
            return;
        delete_at(boot, smallest);
        if (smallest < at)
            at--;
    }
    memmove(&boot->ram[at + 1], &boot->ram[at], (boot->ram_count - at) * sizeof(boot->ram[0]));
    boot->ram[at] = range;
    boot->ram_count++;
}

void boot_ram_add(struct boot_info *boot, uint64_t start, uint64_t bytes)
{
    uint64_t end = MIN(end_of(start, bytes), BOOT_RAM_HIGHEST);
    start = MAX(start, BOOT_RAM_LOWEST);
    if (start >= end)
        return;
    struct boot_mem range = {ALIGN_UP(start, PAGE_BYTES), end & ~(PAGE_BYTES - 1)};
    if (range.start >= range.end)
        return;

    unsigned at = 0;
    while (at < boot->ram_count && boot->ram[at].end < range.start)
        at++;
    while (at < boot->ram_count && boot->ram[at].start <= range.end) {
        range.start = MIN(range.start, boot->ram[at].start);
        range.end = MAX(range.end, boot->ram[at].end);
        delete_at(boot, at);
    }
    insert_at(boot, at, range);
}

void boot_ram_remove(struct boot_info *boot, uint64_t start, uint64_t bytes)
{
    uint64_t end = MIN(end_of(start, bytes), BOOT_RAM_HIGHEST);
    if (bytes == 0 || start >= end)
        return;
    start &= ~(PAGE_BYTES - 1);
    end = ALIGN_UP(end, PAGE_BYTES);

    for (unsigned at = 0; at < boot->ram_count;) {
        struct boot_mem range = boot->ram[at];
        if (range.end <= start || range.start >= end) {
            at++;
            continue;
        }
        delete_at(boot, at);
        if (range.end > end)
            insert_at(boot, at, (struct boot_mem){end, range.end});
        if (range.start < start)
            insert_at(boot, at, (struct boot_mem){range.start, start});
    }
}
