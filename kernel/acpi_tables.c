/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ACPI tables (ACPI 6.4, chapter 5). Fields are read by offset through bounds-checked loads.
 */
#include "acpi_aml.h"
#include "acpi_tables.h"

#define TABLE_LENGTH    4 /* in the header */
#define TABLE_BYTES_MAX (4u << 20)
#define TABLES_MAX      256

#define RSDP_REVISION 15
#define RSDP_RSDT     16
#define RSDP_LENGTH   20
#define RSDP_XSDT     24
#define RSDP_V2_BYTES 36
#define RSDP_ALIGN    16

#define FADT_DSDT           40
#define FADT_SCI            46
#define FADT_SMI_COMMAND    48
#define FADT_ACPI_ENABLE    52
#define FADT_PM1A_EVENT     56
#define FADT_PM1B_EVENT     60
#define FADT_PM1A_CONTROL   64
#define FADT_PM1B_CONTROL   68
#define FADT_PM_TIMER       76
#define FADT_GPE0           80
#define FADT_GPE1           84
#define FADT_PM1_EVENT_LEN  88
#define FADT_GPE0_LEN       92
#define FADT_GPE1_LEN       93
#define FADT_FLAGS          112
#define FADT_FLAGS_BUTTON   (1u << 4) /* the power button is a device of the AML */
#define FADT_FLAGS_RESET    (1u << 10)
#define FADT_FLAGS_REDUCED  (1u << 20)
#define FADT_RESET          116
#define FADT_RESET_VALUE    128
#define FADT_X_DSDT         140
#define FADT_X_PM1A_EVENT   148
#define FADT_X_PM1B_EVENT   160
#define FADT_X_PM1A_CONTROL 172
#define FADT_X_PM1B_CONTROL 184
#define FADT_X_PM_TIMER     208
#define FADT_X_GPE0         220
#define FADT_X_GPE1         232
#define FADT_SLEEP          244

#define MADT_ENTRIES         44
#define MADT_ENTRY_BYTES_MIN 2 /* type, length */
#define MADT_IOAPIC          1
#define MADT_IOAPIC_BYTES    12
#define MADT_OVERRIDE        2
#define MADT_OVERRIDE_BYTES  10
#define MADT_POLARITY        0x3 /* 0: as the bus has it, which the SCI's is the other way round */
#define MADT_POLARITY_LOW    0x3
#define MADT_TRIGGER         0xC
#define MADT_TRIGGER_LEVEL   0xC

#define MCFG_ENTRIES     44
#define MCFG_ENTRY_BYTES 16

static bool sums_to_zero(const uint8_t *bytes, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

static bool is_rsdp(const uint8_t *bytes)
{
    return acpi_has_name(bytes, "RSD PTR ") && sums_to_zero(bytes, ACPI_RSDP_BYTES);
}

long acpi_search_rsdp(const uint8_t *bytes, size_t n)
{
    for (size_t at = 0; n >= ACPI_RSDP_BYTES && at <= n - ACPI_RSDP_BYTES; at += RSDP_ALIGN)
        if (is_rsdp(bytes + at))
            return (long)at;
    return -1;
}

/* The whole table at phys, checked; n = 0 if it cannot be trusted. */
static struct acpi_table open_table(uint64_t phys, acpi_map map)
{
    const struct acpi_table none = {NULL, 0};
    const uint8_t *header = phys ? map(phys, ACPI_TABLE_HEADER_BYTES) : NULL;
    if (!header)
        return none;
    uint32_t length = load_raw32(header + TABLE_LENGTH);
    if (length < ACPI_TABLE_HEADER_BYTES || length > TABLE_BYTES_MAX)
        return none;
    const uint8_t *bytes = map(phys, length);
    if (!bytes || !sums_to_zero(bytes, length))
        return none;
    return (struct acpi_table){bytes, length};
}

static struct acpi_register read_register(struct acpi_table table, size_t at)
{
    return (struct acpi_register){(uint8_t)acpi_field(table, at, 1), acpi_field(table, at + 4, 8)};
}

/* A port given twice: as a number of old, and as a generic address that wins where it is set. */
static uint16_t read_port(struct acpi_table table, size_t old_at, size_t new_at)
{
    struct acpi_register reg = read_register(table, new_at);
    if (reg.space == ACPI_SPACE_IO && reg.address != 0 && reg.address <= UINT16_MAX)
        return (uint16_t)reg.address;
    uint64_t port = acpi_field(table, old_at, 4);
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static void read_fixed_hardware(struct acpi_table fadt, uint32_t flags, struct acpi_facts *facts)
{
    facts->pm1a_control = read_port(fadt, FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL);
    facts->pm1b_control = read_port(fadt, FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL);
    facts->pm_timer = read_port(fadt, FADT_PM_TIMER, FADT_X_PM_TIMER);
    uint64_t smi = acpi_field(fadt, FADT_SMI_COMMAND, 4);
    facts->smi_command = smi <= UINT16_MAX ? (uint16_t)smi : 0;
    facts->smi_acpi_enable = (uint8_t)acpi_field(fadt, FADT_ACPI_ENABLE, 1);
    facts->pm1a_event = read_port(fadt, FADT_PM1A_EVENT, FADT_X_PM1A_EVENT);
    facts->pm1b_event = read_port(fadt, FADT_PM1B_EVENT, FADT_X_PM1B_EVENT);
    facts->pm1_event_bytes = (uint8_t)acpi_field(fadt, FADT_PM1_EVENT_LEN, 1);
    facts->gpe[0].port = read_port(fadt, FADT_GPE0, FADT_X_GPE0);
    facts->gpe[0].bytes = (uint8_t)acpi_field(fadt, FADT_GPE0_LEN, 1);
    facts->gpe[1].port = read_port(fadt, FADT_GPE1, FADT_X_GPE1);
    facts->gpe[1].bytes = (uint8_t)acpi_field(fadt, FADT_GPE1_LEN, 1);
    facts->button_by_aml = flags & FADT_FLAGS_BUTTON;
    facts->sci = (uint16_t)acpi_field(fadt, FADT_SCI, 2);
}

static void read_fadt(struct acpi_table fadt, acpi_map map, struct acpi_facts *facts)
{
    uint32_t flags = (uint32_t)acpi_field(fadt, FADT_FLAGS, 4);
    facts->reduced_hardware = flags & FADT_FLAGS_REDUCED;
    if (!facts->reduced_hardware)
        read_fixed_hardware(fadt, flags, facts);
    else
        facts->sleep = read_register(fadt, FADT_SLEEP);
    if (flags & FADT_FLAGS_RESET) {
        facts->reset = read_register(fadt, FADT_RESET);
        facts->reset_value = (uint8_t)acpi_field(fadt, FADT_RESET_VALUE, 1);
    }
    struct acpi_table dsdt = open_table(acpi_field(fadt, FADT_X_DSDT, 8), map);
    if (dsdt.n == 0)
        dsdt = open_table(acpi_field(fadt, FADT_DSDT, 4), map);
    acpi_read_aml(dsdt, facts);
}

static void read_mcfg(struct acpi_table mcfg, struct acpi_facts *facts)
{
    for (size_t at = MCFG_ENTRIES; at + MCFG_ENTRY_BYTES <= mcfg.n; at += MCFG_ENTRY_BYTES) {
        uint64_t base = acpi_field(mcfg, at, 8);
        uint64_t segment = acpi_field(mcfg, at + 8, 2);
        uint8_t first = mcfg.bytes[at + 10], last = mcfg.bytes[at + 11];
        if (segment != 0 || base == 0 || base % ECAM_BUS_BYTES != 0 || first > last)
            continue;
        facts->have_mcfg = true;
        facts->mcfg_base = base;
        facts->mcfg_first_bus = first;
        facts->mcfg_last_bus = last;
        return;
    }
}

static void read_ioapic(struct acpi_table madt, size_t at, struct acpi_facts *facts)
{
    uint32_t address = (uint32_t)acpi_field(madt, at + 4, 4);
    if (address == 0 || facts->ioapic_count == ACPI_IOAPICS_MAX)
        return;
    facts->ioapics[facts->ioapic_count++] =
        (struct acpi_ioapic){address, (uint32_t)acpi_field(madt, at + 8, 4)};
}

static void read_override(struct acpi_table madt, size_t at, struct acpi_facts *facts)
{
    unsigned bus = madt.bytes[at + 2], line = madt.bytes[at + 3];
    if (bus != 0 || line >= ACPI_LINES)
        return;
    unsigned flags = (unsigned)acpi_field(madt, at + 8, 2);
    unsigned polarity = flags & MADT_POLARITY, trigger = flags & MADT_TRIGGER;
    bool is_sci = line != 0 && line == facts->sci;
    facts->lines[line] = (struct acpi_line){
        .gsi = (uint32_t)acpi_field(madt, at + 4, 4),
        .active_low = polarity ? polarity == MADT_POLARITY_LOW : is_sci,
        .level = trigger ? trigger == MADT_TRIGGER_LEVEL : is_sci,
    };
}

/* Last of all, as what it leaves open depends on the FADT. No MADT is one without entries. */
static void read_madt(struct acpi_table madt, struct acpi_facts *facts)
{
    for (unsigned line = 0; line < ACPI_LINES; line++) {
        bool is_sci = line != 0 && line == facts->sci;
        facts->lines[line] = (struct acpi_line){line, is_sci, is_sci};
    }
    size_t at = MADT_ENTRIES;
    while (at + MADT_ENTRY_BYTES_MIN <= madt.n) {
        uint8_t type = madt.bytes[at], bytes = madt.bytes[at + 1];
        if (bytes < MADT_ENTRY_BYTES_MIN || bytes > madt.n - at)
            return;
        if (type == MADT_IOAPIC && bytes >= MADT_IOAPIC_BYTES)
            read_ioapic(madt, at, facts);
        else if (type == MADT_OVERRIDE && bytes >= MADT_OVERRIDE_BYTES)
            read_override(madt, at, facts);
        at += bytes;
    }
}

int acpi_read(uint64_t rsdp, acpi_map map, struct acpi_facts *facts)
{
    *facts = (struct acpi_facts){0};
    struct acpi_table madt = {NULL, 0};
    read_madt(madt, facts);
    const uint8_t *root = rsdp ? map(rsdp, ACPI_RSDP_BYTES) : NULL;
    if (!root || !is_rsdp(root))
        return -ENOENT;

    uint64_t xsdt = 0;
    if (root[RSDP_REVISION] >= 2) {
        const uint8_t *extended = map(rsdp, RSDP_V2_BYTES);
        if (extended && load_raw32(extended + RSDP_LENGTH) == RSDP_V2_BYTES &&
            sums_to_zero(extended, RSDP_V2_BYTES))
            xsdt = acpi_field((struct acpi_table){extended, RSDP_V2_BYTES}, RSDP_XSDT, 8);
    }
    size_t entry_bytes = 8;
    struct acpi_table list = open_table(xsdt, map);
    if (list.n == 0 || !acpi_has_name(list.bytes, "XSDT")) {
        entry_bytes = 4;
        list = open_table(load_raw32(root + RSDP_RSDT), map);
        if (list.n == 0 || !acpi_has_name(list.bytes, "RSDT"))
            return -ENOENT;
    }

    size_t count = MIN((list.n - ACPI_TABLE_HEADER_BYTES) / entry_bytes, TABLES_MAX);
    bool have_fadt = false; /* there is one; of more, the first counts */
    for (size_t i = 0; i < count; i++) {
        struct acpi_table t = open_table(
            acpi_field(list, ACPI_TABLE_HEADER_BYTES + i * entry_bytes, entry_bytes), map);
        if (t.n == 0)
            continue;
        if (acpi_has_name(t.bytes, "FACP")) {
            if (!have_fadt)
                read_fadt(t, map, facts);
            have_fadt = true;
        } else if (acpi_has_name(t.bytes, "MCFG")) {
            read_mcfg(t, facts);
        } else if (acpi_has_name(t.bytes, "APIC")) {
            madt = t;
        } else if (acpi_has_name(t.bytes, "SSDT")) {
            acpi_read_aml(t, facts);
        }
    }
    read_madt(madt, facts);
    if (!facts->have_mcfg && facts->cba != 0) {
        facts->have_mcfg = true;
        facts->mcfg_base = facts->cba;
        facts->mcfg_last_bus = UINT8_MAX;
    }
    return 0;
}
