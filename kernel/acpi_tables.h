/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the ACPI tables into plain facts. Pure: memory is reached through a function, so it runs on
 * a host against hostile tables. Nothing in a table is believed before its length and checksum are.
 */
#ifndef ACPI_TABLES_H
#define ACPI_TABLES_H

#include "acpi.h"
#include "base.h"

/* Generic address (ACPI 6.4, 5.2.3.2). */
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1
#define ACPI_SPACE_PCI    2

#define ACPI_GPES 2 /* blocks of general-purpose events */

struct acpi_register {
    uint8_t space;
    uint64_t address; /* 0: the machine has no such register */
};

/* A controller of the I/O APIC kind (5.2.12.3): its first pin is global interrupt gsi_base. */
#define ACPI_IOAPICS_MAX 8
struct acpi_ioapic {
    uint32_t address, gsi_base;
};

/* Where the 16 lines of ISA lead beside the 8259 (5.2.12.5), and how they ask. */
#define ACPI_LINES 16
struct acpi_line {
    uint32_t gsi;
    bool active_low, level;
};

#define ACPI_VIRTIO_MMIO_MAX 32

struct acpi_facts {
    /* From the FADT (5.2.9). Ports; 0 where there is none. */
    uint16_t pm1a_control, pm1b_control;
    uint16_t pm_timer;
    uint16_t smi_command;
    uint8_t smi_acpi_enable;
    bool reduced_hardware;
    struct acpi_register reset;
    uint8_t reset_value;
    struct acpi_register sleep; /* of reduced hardware (4.8.3.7) */

    /* Event blocks (4.8.1): each half status, half enable. button_by_aml: the power button is a
     * device of the AML instead of an event of PM1. */
    uint16_t pm1a_event, pm1b_event;
    uint8_t pm1_event_bytes;
    struct acpi_gpe {
        uint16_t port;
        uint8_t bytes;
    } gpe[ACPI_GPES];
    bool button_by_aml;
    uint16_t sci; /* line of the system control interrupt, or its global number; 0: none */

    /* From the MADT (5.2.12). Without overrides line n is global interrupt n, edge-triggered and
     * active high; the SCI is level-triggered and active low unless an override says otherwise. */
    struct acpi_ioapic ioapics[ACPI_IOAPICS_MAX];
    unsigned ioapic_count;
    struct acpi_line lines[ACPI_LINES];

    /* From \_S5 (7.4.2): what to write to sleep for good. */
    bool have_s5;
    uint8_t s5_type_a, s5_type_b;

    /* From the MCFG; in its absence from _CBA in the AML, for all 256 buses (QEMU's microvm has
     * only that). */
    bool have_mcfg;
    uint64_t mcfg_base;
    uint8_t mcfg_first_bus, mcfg_last_bus;
    uint64_t cba; /* 0: none */

    /* From the AML: devices LNRO0005 with a _CRS as QEMU and Firecracker write it. */
    struct acpi_virtio_mmio virtio_mmio[ACPI_VIRTIO_MMIO_MAX];
    unsigned virtio_mmio_count;
};

/* Readable bytes at a physical address, or NULL if there are none. */
typedef const uint8_t *(*acpi_map)(uint64_t phys, size_t bytes);

#define ACPI_RSDP_BYTES 20 /* of its first version, which is all a search can look at */

/* The offset of a valid RSDP in n bytes, which it stands in on 16-byte boundaries; -1 if there is
 * none. */
long acpi_search_rsdp(const uint8_t *bytes, size_t n);

/* Fills facts from the tables below the RSDP at that address. -ENOENT if there is no valid root; a
 * bad table is left out and the others are read. */
int acpi_read(uint64_t rsdp, acpi_map map, struct acpi_facts *facts);

#endif
