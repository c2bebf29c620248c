/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is found in the AML of a table, and how bytes of tables are read.
 */
#ifndef ACPI_AML_H
#define ACPI_AML_H

#include "acpi_tables.h"

/* Every table but the RSDP begins with this header. */
#define ACPI_TABLE_HEADER_BYTES 36

/* Of the configuration space of one bus; the base is a multiple. */
#define ECAM_BUS_BYTES (1u << 20)

struct acpi_table {
    const uint8_t *bytes;
    size_t n;
};

/* A little-endian number; 0 if it is not all inside the table, which is what a field of a later
 * version means in a table of an earlier one. */
static inline uint64_t acpi_field(struct acpi_table table, size_t at, size_t bytes)
{
    if (at > table.n || table.n - at < bytes)
        return 0;
    uint64_t v = 0;
    for (size_t i = bytes; i > 0; i--)
        v = v << 8 | table.bytes[at + i - 1];
    return v;
}

static inline bool acpi_has_name(const uint8_t *bytes, const char *name)
{
    return memcmp(bytes, name, strlen(name)) == 0;
}

/* Adds what a DSDT or an SSDT says to the facts; what an earlier one said stands. */
void acpi_read_aml(struct acpi_table table, struct acpi_facts *facts);

/* The sleep types of \_S5 in a table's AML bytes; false if it is not there in the usual form. */
bool acpi_find_s5(const uint8_t *aml, size_t n, uint8_t *type_a, uint8_t *type_b);

/* The base of PCI configuration space that _CBA names (PCI Firmware Specification 3.2, 4.1.3). */
bool acpi_find_cba(const uint8_t *aml, size_t n, uint64_t *base);

/* The next virtio device on memory from *at on, which is moved behind its name. */
bool acpi_find_virtio_mmio(const uint8_t *aml, size_t n, size_t *at,
                           struct acpi_virtio_mmio *device);

#endif
