/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The two ways to PCI configuration space: I/O ports 0xCF8 and 0xCFC (PCI 3.0, section 3.2.2.3.2)
 * and the memory window that ACPI's MCFG table names (PCI Express Base, section 7.2.2).
 *
 * The ports come first: every PC has them, all we need lies in the first 256 bytes, and they need
 * no mapping. Only machines without them (microvm) take the window, and there no firmware has
 * placed the BARs either.
 */
#include "drivers/pci.h"

#include "acpi.h"
#include "io.h"
#include "mem.h"

#define CONFIG_ADDRESS        0xCF8
#define CONFIG_ADDRESS_ENABLE (1u << 31)
#define CONFIG_DATA           0xCFC

#define ECAM_BUS_BYTES      (1u << 20)
#define ECAM_FUNCTION_BYTES 4096u

/* Between the RAM below 4 GB and the configuration window: QEMU's microvm, hw/i386 memory map. */
#define MMIO_WINDOW_START 0xC0000000u

static uint32_t ports_read(unsigned bdf, unsigned offset, unsigned bytes)
{
    out32(CONFIG_ADDRESS, CONFIG_ADDRESS_ENABLE | bdf << 8 | (offset & 0xFCu));
    uint16_t port = (uint16_t)(CONFIG_DATA + (offset & 3));
    return bytes == 1 ? in8(port) : bytes == 2 ? in16(port) : in32(port);
}

static void ports_write(unsigned bdf, unsigned offset, unsigned bytes, uint32_t value)
{
    out32(CONFIG_ADDRESS, CONFIG_ADDRESS_ENABLE | bdf << 8 | (offset & 0xFCu));
    uint16_t port = (uint16_t)(CONFIG_DATA + (offset & 3));
    if (bytes == 1)
        out8(port, (uint8_t)value);
    else if (bytes == 2)
        out16(port, (uint16_t)value);
    else
        out32(port, value);
}

static struct pci_access ports = {
    .name = "0xCF8", .read = ports_read, .write = ports_write, .last_bus = 255};

static bool ports_present(void)
{
    uint32_t before = in32(CONFIG_ADDRESS);
    out32(CONFIG_ADDRESS, CONFIG_ADDRESS_ENABLE);
    bool present = in32(CONFIG_ADDRESS) == CONFIG_ADDRESS_ENABLE;
    out32(CONFIG_ADDRESS, before);
    return present;
}

static uint64_t ecam_base;
static uint8_t ecam_first_bus;
static volatile uint8_t
    *ecam_bus[256]; /* mapped when first used: 256 MB at once would cost page tables */

static volatile uint8_t *ecam_register(unsigned bdf, unsigned offset)
{
    unsigned bus = bdf >> 8;
    if (bus < ecam_first_bus || bus > 255)
        return NULL;
    if (!ecam_bus[bus])
        ecam_bus[bus] = mem_map_device(ecam_base + (uint64_t)bus * ECAM_BUS_BYTES, ECAM_BUS_BYTES);
    if (!ecam_bus[bus])
        return NULL;
    return ecam_bus[bus] + (bdf & 0xFFu) * ECAM_FUNCTION_BYTES + offset;
}

static uint32_t ecam_read(unsigned bdf, unsigned offset, unsigned bytes)
{
    volatile uint8_t *reg = ecam_register(bdf, offset);
    if (!reg)
        return bytes == 1 ? 0xFFu : bytes == 2 ? 0xFFFFu : UINT32_MAX;
    return bytes == 1 ? read8(reg) : bytes == 2 ? read16(reg) : read32(reg);
}

static void ecam_write(unsigned bdf, unsigned offset, unsigned bytes, uint32_t value)
{
    volatile uint8_t *reg = ecam_register(bdf, offset);
    if (!reg)
        return;
    if (bytes == 1)
        write8(reg, (uint8_t)value);
    else if (bytes == 2)
        write16(reg, (uint16_t)value);
    else
        write32(reg, value);
}

static struct pci_access ecam = {.name = "ECAM", .read = ecam_read, .write = ecam_write};

const struct pci_access *pci_find_access(void)
{
    uint8_t last_bus;

    if (ports_present())
        return &ports;
    /* The table gives the address of bus 0, whatever the first bus is (PCI Firmware 3.0,
     * section 4.1.2). */
    if (!acpi_find_mcfg(&ecam_base, &ecam_first_bus, &last_bus))
        return NULL;
    ecam.last_bus = last_bus;
    if (ecam_base > MMIO_WINDOW_START && ecam_base <= UINT32_MAX) {
        ecam.window_start = MMIO_WINDOW_START;
        ecam.window_end = ecam_base;
    }
    return &ecam;
}
