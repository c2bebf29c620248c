/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Host versions of the kernel's services to drivers; see fake_machine.h.
 */
#include "tests/fake/fake_machine.h"

#include "acpi.h"
#include "clock.h"
#include "entropy.h"
#include "mem.h"

#include <stdlib.h>
#include <sys/mman.h>

#define ALLOCATIONS_MAX 1024
#define MAPPINGS_MAX    8

static void *allocations[ALLOCATIONS_MAX];
static unsigned allocation_count;
static size_t allocated;

static struct {
    uint64_t phys;
    size_t bytes;
    uint8_t *memory;
} mappings[MAPPINGS_MAX];
static unsigned mapping_count;

static struct {
    irq_handler handler;
    void *arg;
} vectors[FAKE_IRQ_MAX];

size_t fake_mem_limit = SIZE_MAX;
bool fake_mem_low;
uint64_t fake_ram_end;
uint64_t fake_now_us;
void (*fake_clock_hook)(void);
unsigned fake_irq_count;
unsigned fake_irq_limit = FAKE_IRQ_MAX;
size_t fake_entropy_bytes;
uint64_t fake_mcfg_base;
const struct acpi_virtio_mmio *fake_virtio_mmio;

void fake_machine_reset(void)
{
    while (allocation_count > 0)
        free(allocations[--allocation_count]);
    allocated = 0;
    mapping_count = 0;
    fake_mem_limit = SIZE_MAX;
    fake_mem_low = false;
    fake_ram_end = 0;
    fake_now_us = 0;
    fake_clock_hook = NULL;
    fake_irq_count = 0;
    fake_irq_limit = FAKE_IRQ_MAX;
    fake_entropy_bytes = 0;
    fake_mcfg_base = 0;
    fake_virtio_mmio = NULL;
}

void fake_machine_map(uint64_t phys, size_t bytes, void *memory)
{
    if (mapping_count == MAPPINGS_MAX)
        abort();
    mappings[mapping_count].phys = phys;
    mappings[mapping_count].bytes = bytes;
    mappings[mapping_count++].memory = memory;
}

void *mem_alloc(size_t bytes, size_t align)
{
    if (bytes > fake_mem_limit - allocated || allocation_count == ALLOCATIONS_MAX)
        return NULL;
    if (fake_mem_low) {
        void *low = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        return low == MAP_FAILED ? NULL : low;
    }
    /* Exactly as many bytes as asked for, so that the address sanitizer sees the first one past
     * them. */
    void *p = NULL;
    if (posix_memalign(&p, MAX(align, sizeof(void *)), bytes) != 0)
        abort();
    memset(p, 0, bytes);
    allocations[allocation_count++] = p;
    allocated += bytes;
    return p;
}

uint64_t mem_available(void)
{
    return fake_mem_limit - allocated;
}

uint64_t mem_largest(void)
{
    return mem_available();
}

uint64_t mem_total(void)
{
    return fake_mem_limit;
}

volatile void *mem_map_device(uint64_t phys, size_t bytes)
{
    for (unsigned i = 0; i < mapping_count; i++) {
        if (phys >= mappings[i].phys && phys - mappings[i].phys <= mappings[i].bytes &&
            bytes <= mappings[i].bytes - (phys - mappings[i].phys))
            return mappings[i].memory + (phys - mappings[i].phys);
    }
    return NULL;
}

bool mem_is_device(uint64_t phys, uint64_t bytes)
{
    (void)bytes;
    return phys >= fake_ram_end;
}

const void *mem_map_firmware(uint64_t phys, size_t bytes)
{
    (void)bytes;
    return (const void *)(uintptr_t)phys;
}

uint64_t clock_now_us(void)
{
    return fake_now_us;
}

void clock_delay_us(uint32_t us)
{
    fake_now_us += us;
    if (fake_clock_hook)
        fake_clock_hook();
}

void clock_sleep_until(uint64_t deadline_us)
{
    fake_now_us = MAX(fake_now_us, deadline_us);
}

static int attach(irq_handler handler, void *arg)
{
    if (fake_irq_count >= fake_irq_limit)
        return -ENOSPC;
    vectors[fake_irq_count].handler = handler;
    vectors[fake_irq_count++].arg = arg;
    return 0;
}

int irq_alloc_msi(irq_handler handler, void *arg, uint64_t *address, uint32_t *data)
{
    *address = 0xFEE00000u;
    *data = 0x40 + fake_irq_count;
    return attach(handler, arg);
}

int irq_attach_line(unsigned line, irq_handler handler, void *arg)
{
    return line > 15 ? -ENODEV : attach(handler, arg);
}

int irq_attach_gsi(uint32_t gsi, bool level, irq_handler handler, void *arg)
{
    (void)level;
    return gsi > FAKE_GSI_LAST ? -ENODEV : attach(handler, arg);
}

void fake_irq_raise(unsigned n)
{
    if (n >= fake_irq_count)
        abort();
    vectors[n].handler(vectors[n].arg);
}

void entropy_mix(const void *bytes, size_t n)
{
    (void)bytes;
    fake_entropy_bytes += n;
}

void entropy_fill(void *to, size_t n)
{
    memset(to, 0xA5, n);
}

void entropy_seed_for_tests(uint64_t seed)
{
    (void)seed;
}

bool acpi_find_mcfg(uint64_t *base, uint8_t *first_bus, uint8_t *last_bus)
{
    *base = fake_mcfg_base;
    *first_bus = 0;
    *last_bus = 255;
    return fake_mcfg_base != 0;
}

const struct acpi_virtio_mmio *acpi_virtio_mmio_at(unsigned at)
{
    return fake_virtio_mmio && fake_virtio_mmio[at].bytes ? &fake_virtio_mmio[at] : NULL;
}

void *mem_alloc_dirty(size_t bytes, size_t align)
{
    return mem_alloc(bytes, align);
}
