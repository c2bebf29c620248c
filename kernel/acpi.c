/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ACPI as this kernel uses it: finds the tables once, keeps the facts, and can put the machine off
 * or reset it (ACPI 6.4, 4.8 and 7.4). Registers in memory are mapped at start, since a panic must
 * not need a page.
 */
#include "acpi.h"
#include "acpi_private.h"
#include "acpi_tables.h"
#include "clock.h"
#include "init.h"
#include "io.h"
#include "log.h"
#include "mem.h"

#define BIOS_AREA       0xE0000
#define BIOS_AREA_BYTES 0x20000

#define PM1_CONTROL_SCI_ENABLE       0x0001
#define PM1_CONTROL_SLEEP_TYPE_SHIFT 10
#define PM1_CONTROL_SLEEP_TYPE_MASK  0x1C00
#define PM1_CONTROL_SLEEP            0x2000
#define SLEEP_TYPE_SHIFT             2
#define SLEEP_ENABLE                 0x20

/* Configuration space by ports (PCI 3.0, 3.2.2.3.2). */
#define PCI_ADDRESS        0xCF8
#define PCI_ADDRESS_ENABLE (1u << 31)
#define PCI_DATA           0xCFC
#define PCI_DEVICES        32
#define PCI_FUNCTIONS      8
#define PCI_CONFIG_BYTES   256

#define ENABLE_MAX_WAIT_US 300000
#define EFFECT_WAIT_US     20000

static struct acpi_facts facts;

static const uint8_t *map_table(uint64_t phys, size_t bytes)
{
    return mem_map_firmware(phys, bytes);
}

/* Drops a register that we could not reach when it is needed. In PCI configuration space the
 * address is device, function and offset on bus 0, 16 bits each (5.2.3.2). */
static void map_register(struct acpi_register *reg)
{
    uint64_t address = reg->address;
    bool usable = (reg->space == ACPI_SPACE_IO && address <= UINT16_MAX) ||
                  (reg->space == ACPI_SPACE_PCI && address >> 32 < PCI_DEVICES &&
                   (address >> 16 & UINT16_MAX) < PCI_FUNCTIONS &&
                   (address & UINT16_MAX) < PCI_CONFIG_BYTES) ||
                  (reg->space == ACPI_SPACE_MEMORY && reg->address != 0 &&
                   mem_map_device(reg->address, 1) != NULL);
    if (!usable)
        reg->address = 0;
}

static void write_register(const struct acpi_register *reg, uint8_t value)
{
    if (reg->address == 0)
        return;
    if (reg->space == ACPI_SPACE_IO) {
        out8((uint16_t)reg->address, value);
    } else if (reg->space == ACPI_SPACE_PCI) {
        uint32_t device = (uint32_t)(reg->address >> 32), function = (uint32_t)reg->address >> 16;
        uint32_t offset = (uint32_t)reg->address & UINT16_MAX;
        out32(PCI_ADDRESS, PCI_ADDRESS_ENABLE | device << 11 | function << 8 | (offset & ~3u));
        out8((uint16_t)(PCI_DATA + (offset & 3)), value);
    } else {
        write8((volatile void *)reg->address, value);
    }
}

void acpi_init(uint64_t rsdp)
{
    if (rsdp == 0) {
        const uint8_t *area = mem_map_firmware(BIOS_AREA, BIOS_AREA_BYTES);
        long at = area ? acpi_search_rsdp(area, BIOS_AREA_BYTES) : -1;
        rsdp = at >= 0 ? BIOS_AREA + (uint64_t)at : 0;
    }
    if (acpi_read(rsdp, map_table, &facts) < 0) {
        log_debug("acpi: no tables");
        return;
    }
    map_register(&facts.reset);
    map_register(&facts.sleep);
    log_debug("acpi: off by %s, reset register %s, extended PCI space %s",
              !facts.have_s5           ? "nothing"
              : facts.reduced_hardware ? "sleep register"
                                       : "PM1",
              facts.reset.address ? "yes" : "no", facts.have_mcfg ? "yes" : "no");
}

const struct acpi_facts *acpi_get_facts(void)
{
    return &facts;
}

const struct acpi_virtio_mmio *acpi_virtio_mmio_at(unsigned at)
{
    return at < facts.virtio_mmio_count ? &facts.virtio_mmio[at] : NULL;
}

uint16_t acpi_pm_timer_port(void)
{
    return facts.pm_timer;
}

bool acpi_find_mcfg(uint64_t *base, uint8_t *first_bus, uint8_t *last_bus)
{
    if (!facts.have_mcfg)
        return false;
    *base = facts.mcfg_base;
    *first_bus = facts.mcfg_first_bus;
    *last_bus = facts.mcfg_last_bus;
    return true;
}

bool acpi_enter(void)
{
    if (facts.pm1a_control == 0)
        return false;
    if (in16(facts.pm1a_control) & PM1_CONTROL_SCI_ENABLE)
        return true;
    if (facts.smi_command == 0 || facts.smi_acpi_enable == 0)
        return false;
    out8(facts.smi_command, facts.smi_acpi_enable);
    for (unsigned waited = 0; waited < ENABLE_MAX_WAIT_US; waited += 100) {
        if (in16(facts.pm1a_control) & PM1_CONTROL_SCI_ENABLE)
            return true;
        clock_delay_us(100);
    }
    return false;
}

static void sleep_by_pm1(uint16_t port, uint8_t type)
{
    if (port == 0)
        return;
    uint16_t keep = in16(port) & (uint16_t) ~(PM1_CONTROL_SLEEP_TYPE_MASK | PM1_CONTROL_SLEEP);
    uint16_t value = keep | (uint16_t)(type << PM1_CONTROL_SLEEP_TYPE_SHIFT);
    out16(port, value);
    out16(port, value | PM1_CONTROL_SLEEP);
}

void acpi_try_power_off(void)
{
    if (!facts.have_s5)
        return;
    if (facts.reduced_hardware) {
        write_register(&facts.sleep, (uint8_t)(facts.s5_type_a << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
    } else if (facts.pm1a_control != 0) {
        acpi_enter(); /* the last chance is taken also if it fails */
        acpi_forget_wakers();
        sleep_by_pm1(facts.pm1a_control, facts.s5_type_a);
        sleep_by_pm1(facts.pm1b_control, facts.s5_type_b);
    }
    clock_delay_us(EFFECT_WAIT_US);
}

void acpi_try_reset(void)
{
    if (facts.reset.address == 0)
        return;
    write_register(&facts.reset, facts.reset_value);
    clock_delay_us(EFFECT_WAIT_US);
}
