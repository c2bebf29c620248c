/* SPDX-License-Identifier: BSD-3-Clause
 *
 * AML (ACPI 6.4, chapter 20), of which nothing is run: what is wanted of it are constants, which
 * every machine's tables write in the same few ways, so their bytes are looked for.
 */
#include "acpi_aml.h"

#define AML_ZERO    0x00
#define AML_ONE     0x01
#define AML_NAME    0x08
#define AML_BYTE    0x0A
#define AML_WORD    0x0B
#define AML_DWORD   0x0C
#define AML_QWORD   0x0E
#define AML_PACKAGE 0x12
#define AML_METHOD  0x14
#define AML_RETURN  0xA4
#define AML_ROOT    '\\'

/* Resource descriptors (6.4.3.4, 6.4.3.6), with their lengths: a range of memory, and behind it
 * one interrupt. */
#define AML_MEMORY32         "\x86\x09\x00"
#define AML_MEMORY32_BASE    4
#define AML_MEMORY32_LENGTH  8
#define AML_MEMORY32_BYTES   12
#define AML_INTERRUPT        "\x89\x06\x00"
#define AML_INTERRUPT_FLAGS  3
#define AML_INTERRUPT_EDGE   (1u << 1)
#define AML_INTERRUPT_COUNT  4
#define AML_INTERRUPT_NUMBER 5
#define AML_INTERRUPT_BYTES  9

#define VIRTIO_MMIO_NAME  "\x0DLNRO0005" /* a string of AML */
#define VIRTIO_MMIO_REACH 128            /* its resources are not farther behind */

/* A package length (20.2.4): its first byte's top bits say how many more bytes it has. False if it
 * runs over. */
static bool skip_package_length(const uint8_t *aml, size_t n, size_t *at)
{
    if (*at >= n)
        return false;
    *at += 1 + (aml[*at] >> 6);
    return *at <= n;
}

static bool read_small_constant(const uint8_t *aml, size_t n, size_t *at, uint8_t *value)
{
    if (*at >= n)
        return false;
    uint8_t op = aml[(*at)++];
    if (op == AML_ZERO || op == AML_ONE) {
        *value = op;
        return true;
    }
    size_t bytes = op == AML_BYTE ? 1 : op == AML_WORD ? 2 : op == AML_DWORD ? 4 : 0;
    if (bytes == 0 || n - *at < bytes)
        return false;
    *value = aml[*at];
    *at += bytes;
    return true;
}

bool acpi_find_s5(const uint8_t *aml, size_t n, uint8_t *type_a, uint8_t *type_b)
{
    for (size_t i = 1; n >= 5 && i <= n - 4; i++) {
        if (!acpi_has_name(aml + i, "_S5_"))
            continue;
        bool named =
            aml[i - 1] == AML_NAME || (i >= 2 && aml[i - 1] == AML_ROOT && aml[i - 2] == AML_NAME);
        size_t at = i + 4;
        if (!named || at >= n || aml[at] != AML_PACKAGE)
            continue;
        at++;
        if (!skip_package_length(aml, n, &at) || at >= n || aml[at] < 1)
            continue;
        uint8_t elements = aml[at++];
        uint8_t a, b = 0;
        if (!read_small_constant(aml, n, &at, &a))
            continue;
        if (elements >= 2 && !read_small_constant(aml, n, &at, &b))
            continue;
        *type_a = a & 7; /* a field of three bits */
        *type_b = b & 7;
        return true;
    }
    return false;
}

/* Name (_CBA, constant), or Method (_CBA) { Return (constant) }, whose package length is one byte.
 */
bool acpi_find_cba(const uint8_t *aml, size_t n, uint64_t *base)
{
    const struct acpi_table table = {aml, n};
    for (size_t i = 2; n >= 6 && i <= n - 4; i++) {
        if (!acpi_has_name(aml + i, "_CBA"))
            continue;
        size_t at = i + 4;
        if (aml[i - 2] == AML_METHOD && acpi_field(table, at + 1, 1) == AML_RETURN)
            at += 2;
        else if (aml[i - 1] != AML_NAME)
            continue;
        uint64_t op = acpi_field(table, at, 1);
        size_t bytes = op == AML_DWORD ? 4 : op == AML_QWORD ? 8 : 0;
        *base = bytes ? acpi_field(table, at + 1, bytes) : 0; /* 0 also where it is cut off */
        if (*base != 0 && *base % ECAM_BUS_BYTES == 0)
            return true;
    }
    return false;
}

/* Name (_HID, "LNRO0005") ... Name (_CRS, ResourceTemplate () { Memory32Fixed, Interrupt }). */
bool acpi_find_virtio_mmio(const uint8_t *aml, size_t n, size_t *at,
                           struct acpi_virtio_mmio *device)
{
    const size_t name_bytes = sizeof(VIRTIO_MMIO_NAME); /* with its final NUL */

    for (size_t i = *at; n >= name_bytes && i <= n - name_bytes; i++) {
        if (memcmp(aml + i, VIRTIO_MMIO_NAME, name_bytes) != 0)
            continue;
        const struct acpi_table table = {aml, MIN(n, i + name_bytes + VIRTIO_MMIO_REACH)};
        *at = i + name_bytes;
        for (size_t m = *at; m + AML_MEMORY32_BYTES + AML_INTERRUPT_BYTES <= table.n; m++) {
            const size_t irq = m + AML_MEMORY32_BYTES;
            if (memcmp(aml + m, VIRTIO_MMIO_NAME, name_bytes) == 0)
                break; /* the next, and this one has none */
            if (memcmp(aml + m, AML_MEMORY32, 3) != 0 || memcmp(aml + irq, AML_INTERRUPT, 3) != 0 ||
                aml[irq + AML_INTERRUPT_COUNT] != 1)
                continue;
            device->base = acpi_field(table, m + AML_MEMORY32_BASE, 4);
            device->bytes = (uint32_t)acpi_field(table, m + AML_MEMORY32_LENGTH, 4);
            device->gsi = (uint32_t)acpi_field(table, irq + AML_INTERRUPT_NUMBER, 4);
            device->level = !(aml[irq + AML_INTERRUPT_FLAGS] & AML_INTERRUPT_EDGE);
            return true;
        }
        i = *at - 1;
    }
    return false;
}

void acpi_read_aml(struct acpi_table table, struct acpi_facts *facts)
{
    if (table.n == 0)
        return;
    const uint8_t *aml = table.bytes + ACPI_TABLE_HEADER_BYTES;
    size_t n = table.n - ACPI_TABLE_HEADER_BYTES;
    if (facts->cba == 0 && !acpi_find_cba(aml, n, &facts->cba))
        facts->cba = 0;
    if (!facts->have_s5)
        facts->have_s5 = acpi_find_s5(aml, n, &facts->s5_type_a, &facts->s5_type_b);
    size_t at = 0;
    while (facts->virtio_mmio_count < ACPI_VIRTIO_MMIO_MAX &&
           acpi_find_virtio_mmio(aml, n, &at, &facts->virtio_mmio[facts->virtio_mmio_count]))
        facts->virtio_mmio_count++;
}
