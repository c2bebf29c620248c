/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the ACPI tables say that drivers need (ACPI 6.4; PCI Firmware Specification 3.2 for MCFG).
 */
#ifndef ACPI_H
#define ACPI_H

#include "base.h"

/* Where the extended configuration space (ECAM) of PCI segment 0 lies, by the MCFG table or else by
 * the AML's _CBA: 1 MB a bus, *base being that of bus 0 even if the first bus is another. False if
 * neither is there, or cannot be true. */
bool acpi_find_mcfg(uint64_t *base, uint8_t *first_bus, uint8_t *last_bus);

/* A virtio device on the bus of memory (VIRTIO 1.2, section 4.2), as the AML describes it. */
struct acpi_virtio_mmio {
    uint64_t base;
    uint32_t bytes;
    uint32_t gsi;
    bool level; /* how it asks; active high */
};

/* The at-th of them, in the order of the AML; NULL: there are no more. */
const struct acpi_virtio_mmio *acpi_virtio_mmio_at(unsigned at);

#endif
