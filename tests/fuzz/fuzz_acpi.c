/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The reader of ACPI tables before firmware that says what the input says: all the memory there is
 * begins with the RSDP. The first byte chooses which tables get right checksums before they are
 * read, so that damage gets through. What is mapped is a copy of exactly the bytes asked for.
 */
#include "tests/fuzz/fuzz.h"

#include "check.h"
#include "kernel/acpi_tables.h"
#include "tests/fake/fake_base.h"

#define BASE         0x7FE00000u /* where make_acpi_corpus.py puts it */
#define MEMORY_BYTES 65536
#define MAPPINGS_MAX 4096

#define SIGN_RSDP   1
#define SIGN_TABLES 2

static uint8_t memory[MEMORY_BYTES];
static size_t memory_bytes;
static bool sign_tables;
static uint8_t *copies[MAPPINGS_MAX];
static unsigned copy_count;

static void sign(uint8_t *bytes, size_t n, size_t sum_at)
{
    uint8_t sum = 0;

    bytes[sum_at] = 0;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[sum_at] = (uint8_t)-sum;
}

static const uint8_t *map(uint64_t phys, size_t bytes)
{
    if (phys < BASE || phys - BASE > memory_bytes || bytes > memory_bytes - (phys - BASE) ||
        copy_count == MAPPINGS_MAX)
        return NULL;
    uint8_t *copy = malloc(bytes);
    CHECK(copy);
    memcpy(copy, memory + (phys - BASE), bytes);
    /* The header alone has no sum. */
    if (sign_tables && bytes > 36 && phys != BASE && load_raw32(copy + 4) == bytes)
        sign(copy, bytes, 9);
    copies[copy_count++] = copy;
    return copy;
}

static void check(const struct acpi_facts *facts)
{
    CHECK(facts->s5_type_a <= 7 && facts->s5_type_b <= 7);
    CHECK(facts->mcfg_first_bus <= facts->mcfg_last_bus);
    CHECK(!facts->have_mcfg || facts->mcfg_base % (1u << 20) == 0);
    CHECK(facts->ioapic_count <= ACPI_IOAPICS_MAX);
    CHECK(facts->virtio_mmio_count <= ACPI_VIRTIO_MMIO_MAX);
    for (unsigned i = 0; i < facts->ioapic_count; i++)
        CHECK(facts->ioapics[i].address != 0);
    CHECK(!facts->reduced_hardware || (facts->pm1a_control == 0 && facts->sci == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
    struct acpi_facts facts;

    if (n < 1)
        return 0;
    memory_bytes = MIN(n - 1, (size_t)MEMORY_BYTES);
    memcpy(memory, input + 1, memory_bytes);
    if (input[0] & SIGN_RSDP && memory_bytes >= 36) {
        sign(memory, 20, 8);
        sign(memory, 36, 32);
    }
    sign_tables = input[0] & SIGN_TABLES;
    if (memory_bytes > 0)
        acpi_search_rsdp(memory, memory_bytes);
    acpi_read(BASE, map, &facts);
    check(&facts);
    while (copy_count > 0)
        free(copies[--copy_count]);
    return 0;
}
