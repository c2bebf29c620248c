/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Theory of operation. The RAM ranges of boot_info are kept twice: as they are, to tell RAM from
 * devices, and as what is left of them, from whose low end pieces are cut and never given back.
 * mem_alloc cuts from the range with most left (the pools are large and come first); page tables
 * cut from the lowest, because until the map is switched only the first 4 GB can be reached.
 *
 * The map: RAM read+write, the image by its sections, stacks without their guard pages, nothing
 * else. Devices and firmware tables are added when someone asks for them; the null page never is.
 */
#include "mem.h"
#include "check.h"
#include "cpu.h"
#include "image.h"
#include "init.h"
#include "paging.h"
#include "power.h"
#include "ram.h"
#include "stacks.h"

#define LOW_MEMORY_END     (1ULL << 20) /* real-mode leftovers and firmware; never used as RAM */
#define FIRMWARE_BYTES_MAX (16ULL << 20)
#define MAP_SWITCH_LIMIT   (4ULL << 30) /* what boot/start.S maps */

static struct boot_mem ram[BOOT_MEM_MAX];
static struct boot_mem left[BOOT_MEM_MAX];
static unsigned range_count;
static bool map_is_ours;

/* An unrolled loop of 16-byte stores: as fast as rep stos on hardware for these sizes, and several
 * times as fast where the CPU is emulated. n is a multiple of a cache line, at is aligned to one.
 */
static void zero_lines(void *at, size_t n)
{
    typedef uint64_t vector __attribute__((vector_size(16), may_alias));
    for (vector *to = at, *end = to + n / sizeof(*to); to < end; to += 4) {
        to[0] = (vector){0};
        to[1] = (vector){0};
        to[2] = (vector){0};
        to[3] = (vector){0};
    }
}

static void *cut(struct boot_mem *from, size_t bytes, size_t align)
{
    uint64_t start = ALIGN_UP(from->start, (uint64_t)align);
    if (start < from->start || start > from->end || from->end - start < bytes)
        return NULL;
    from->start = start + bytes;
    return (void *)start;
}

static struct boot_mem *range_with_most(void)
{
    struct boot_mem *most = NULL;
    for (unsigned i = 0; i < range_count; i++)
        if (!most || left[i].end - left[i].start > most->end - most->start)
            most = &left[i];
    return most;
}

void *mem_alloc_dirty(size_t bytes, size_t align)
{
    CHECK(align != 0 && (align & (align - 1)) == 0);
    align = MAX(align, (size_t)CACHE_LINE_BYTES);
    size_t rounded = ALIGN_UP(bytes, (size_t)CACHE_LINE_BYTES);
    struct boot_mem *most = range_with_most();
    if (rounded < bytes || !most)
        return NULL;
    void *piece = cut(most, rounded, align);
    for (unsigned i = 0; !piece && i < range_count; i++)
        piece = cut(&left[i], rounded, align);
    return piece;
}

void *mem_alloc(size_t bytes, size_t align)
{
    void *piece = mem_alloc_dirty(bytes, align);
    if (piece)
        zero_lines(piece, ALIGN_UP(bytes, (size_t)CACHE_LINE_BYTES));
    return piece;
}

void *ram_take_page(void)
{
    for (unsigned i = 0; i < range_count; i++) {
        if (!map_is_ours && left[i].start >= MAP_SWITCH_LIMIT - PAGE_BYTES)
            return NULL;
        void *page = cut(&left[i], PAGE_BYTES, PAGE_BYTES);
        if (page) {
            zero_lines(page, PAGE_BYTES);
            return page;
        }
    }
    return NULL;
}

uint64_t mem_available(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < range_count; i++)
        sum += left[i].end - left[i].start;
    return sum;
}

uint64_t mem_largest(void)
{
    const struct boot_mem *most = range_with_most();
    return most ? most->end - most->start : 0;
}

uint64_t mem_total(void)
{
    uint64_t sum = (uint64_t)(image_end - image_start);
    for (unsigned i = 0; i < range_count; i++)
        sum += ram[i].end - ram[i].start;
    return sum;
}

/* End of phys + bytes, or 0 if that is not addressable. */
static uint64_t end_of(uint64_t phys, uint64_t bytes)
{
    uint64_t limit = PAGING_LIMIT;
    if (cpu_features.physical_bits < 47)
        limit = 1ULL << cpu_features.physical_bits;
    if (bytes == 0 || phys >= limit || bytes > limit - phys)
        return 0;
    return phys + bytes;
}

bool mem_is_device(uint64_t phys, uint64_t bytes)
{
    uint64_t end = end_of(phys, bytes);
    if (end == 0 || phys < LOW_MEMORY_END)
        return false;
    if (phys < (uint64_t)image_end && end > (uint64_t)image_start)
        return false;
    for (unsigned i = 0; i < range_count; i++)
        if (phys < ram[i].end && end > ram[i].start)
            return false;
    return true;
}

static int map_device(uint64_t phys, uint64_t bytes, unsigned caching)
{
    uint64_t start = phys & ~(PAGE_BYTES - 1);
    if (!mem_is_device(phys, bytes) || !mem_is_device(start, bytes + (phys - start)))
        return -EINVAL;
    return paging_map(start, ALIGN_UP(phys + bytes, PAGE_BYTES), PAGING_WRITE | caching);
}

volatile void *mem_map_device(uint64_t phys, size_t bytes)
{
    return map_device(phys, bytes, PAGING_UNCACHED) == 0 ? (volatile void *)phys : NULL;
}

int ram_map_framebuffer(uint64_t phys, uint64_t bytes)
{
    return map_device(phys, bytes, PAGING_WRITE_COMBINING);
}

static bool is_ram(uint64_t page)
{
    if (page >= (uint64_t)image_start && page < (uint64_t)image_end)
        return true;
    for (unsigned i = 0; i < range_count; i++)
        if (page >= ram[i].start && page < ram[i].end)
            return true;
    return false;
}

const void *mem_map_firmware(uint64_t phys, size_t bytes)
{
    uint64_t end = end_of(phys, bytes);
    if (end == 0 || bytes > FIRMWARE_BYTES_MAX || phys < PAGE_BYTES)
        return NULL;
    uint64_t page = phys & ~(PAGE_BYTES - 1);
    for (; page < end; page += PAGE_BYTES)
        if (!is_ram(page) && paging_map(page, page + PAGE_BYTES, 0) < 0)
            return NULL;
    return (const void *)phys;
}

static int map_image(void)
{
    const struct {
        const uint8_t *start, *end;
        unsigned rights;
    } parts[] = {
        {text_start, rodata_start, PAGING_EXEC},
        {rodata_start, data_start, 0},
        {data_start, image_end, PAGING_WRITE},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(parts); i++) {
        /* Page by page: a large page could not leave out the guards. */
        for (const uint8_t *page = parts[i].start; page < parts[i].end; page += PAGE_BYTES)
            if (paging_map((uint64_t)page, (uint64_t)page + PAGE_BYTES, parts[i].rights) < 0)
                return -ENOMEM;
    }
    for (unsigned i = 0; i < STACK_COUNT; i++)
        paging_unmap(stack_get((enum stack_ist)i).low - STACK_GUARD_BYTES);
    return 0;
}

void mem_start(const struct boot_info *boot)
{
    range_count = boot->ram_count;
    for (unsigned i = 0; i < range_count; i++)
        ram[i] = left[i] = boot->ram[i];

    int err = paging_begin();
    for (unsigned i = 0; i < range_count && err == 0; i++)
        err = paging_map(ram[i].start, ram[i].end, PAGING_WRITE);
    if (err == 0)
        err = map_image();
    if (err < 0)
        panic("not enough memory below 4 GB for the page tables (%llu KB of RAM in %u ranges)",
              (unsigned long long)(mem_total() >> 10), range_count);
    paging_activate();
    map_is_ours = true;
}
