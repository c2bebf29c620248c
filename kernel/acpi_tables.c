/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ACPI tables (ACPI 6.4, chapter 5; AML, chapter 20). Fields are read by offset through
 * bounds-checked loads. There is no AML interpreter: \_S5 is a constant package in every machine's
 * tables, so its bytes are looked for.
 */
#include "acpi_tables.h"

/* Every table but the RSDP begins with this header. */
#define TABLE_LENGTH       4
#define TABLE_HEADER_BYTES 36
#define TABLE_BYTES_MAX    (4u << 20)
#define TABLES_MAX         256

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
#define ECAM_BUS_BYTES   (1u << 20)

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

struct table {
    const uint8_t *bytes;
    size_t n;
};

/* A little-endian number; 0 if it is not all inside the table, which is what a field of a later
 * version means in a table of an earlier one. */
static uint64_t field(struct table table, size_t at, size_t bytes)
{
    if (at > table.n || table.n - at < bytes)
        return 0;
    uint64_t v = 0;
    for (size_t i = bytes; i > 0; i--)
        v = v << 8 | table.bytes[at + i - 1];
    return v;
}

static bool sums_to_zero(const uint8_t *bytes, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

static bool has_name(const uint8_t *bytes, const char *name)
{
    return memcmp(bytes, name, strlen(name)) == 0;
}

static bool is_rsdp(const uint8_t *bytes)
{
    return has_name(bytes, "RSD PTR ") && sums_to_zero(bytes, ACPI_RSDP_BYTES);
}

long acpi_search_rsdp(const uint8_t *bytes, size_t n)
{
    for (size_t at = 0; n >= ACPI_RSDP_BYTES && at <= n - ACPI_RSDP_BYTES; at += RSDP_ALIGN)
        if (is_rsdp(bytes + at))
            return (long)at;
    return -1;
}

/* The whole table at phys, checked; n = 0 if it cannot be trusted. */
static struct table open_table(uint64_t phys, acpi_map map)
{
    const struct table none = {NULL, 0};
    const uint8_t *header = phys ? map(phys, TABLE_HEADER_BYTES) : NULL;
    if (!header)
        return none;
    uint32_t length = load_raw32(header + TABLE_LENGTH);
    if (length < TABLE_HEADER_BYTES || length > TABLE_BYTES_MAX)
        return none;
    const uint8_t *bytes = map(phys, length);
    if (!bytes || !sums_to_zero(bytes, length))
        return none;
    return (struct table){bytes, length};
}

static struct acpi_register read_register(struct table table, size_t at)
{
    return (struct acpi_register){(uint8_t)field(table, at, 1), field(table, at + 4, 8)};
}

/* A port given twice: as a number of old, and as a generic address that wins where it is set. */
static uint16_t read_port(struct table table, size_t old_at, size_t new_at)
{
    struct acpi_register reg = read_register(table, new_at);
    if (reg.space == ACPI_SPACE_IO && reg.address != 0 && reg.address <= UINT16_MAX)
        return (uint16_t)reg.address;
    uint64_t port = field(table, old_at, 4);
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

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
        if (!has_name(aml + i, "_S5_"))
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
    const struct table table = {aml, n};
    for (size_t i = 2; n >= 6 && i <= n - 4; i++) {
        if (!has_name(aml + i, "_CBA"))
            continue;
        size_t at = i + 4;
        if (aml[i - 2] == AML_METHOD && field(table, at + 1, 1) == AML_RETURN)
            at += 2;
        else if (aml[i - 1] != AML_NAME)
            continue;
        uint64_t op = field(table, at, 1);
        size_t bytes = op == AML_DWORD ? 4 : op == AML_QWORD ? 8 : 0;
        *base = bytes ? field(table, at + 1, bytes) : 0; /* 0 also where it is cut off */
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
        const struct table table = {aml, MIN(n, i + name_bytes + VIRTIO_MMIO_REACH)};
        *at = i + name_bytes;
        for (size_t m = *at; m + AML_MEMORY32_BYTES + AML_INTERRUPT_BYTES <= table.n; m++) {
            const size_t irq = m + AML_MEMORY32_BYTES;
            if (memcmp(aml + m, VIRTIO_MMIO_NAME, name_bytes) == 0)
                break; /* the next, and this one has none */
            if (memcmp(aml + m, AML_MEMORY32, 3) != 0 || memcmp(aml + irq, AML_INTERRUPT, 3) != 0 ||
                aml[irq + AML_INTERRUPT_COUNT] != 1)
                continue;
            device->base = field(table, m + AML_MEMORY32_BASE, 4);
            device->bytes = (uint32_t)field(table, m + AML_MEMORY32_LENGTH, 4);
            device->gsi = (uint32_t)field(table, irq + AML_INTERRUPT_NUMBER, 4);
            device->level = !(aml[irq + AML_INTERRUPT_FLAGS] & AML_INTERRUPT_EDGE);
            return true;
        }
        i = *at - 1;
    }
    return false;
}

static void read_aml(struct table table, struct acpi_facts *facts)
{
    if (table.n == 0)
        return;
    const uint8_t *aml = table.bytes + TABLE_HEADER_BYTES;
    size_t n = table.n - TABLE_HEADER_BYTES;
    if (facts->cba == 0 && !acpi_find_cba(aml, n, &facts->cba))
        facts->cba = 0;
    if (!facts->have_s5)
        facts->have_s5 = acpi_find_s5(aml, n, &facts->s5_type_a, &facts->s5_type_b);
    size_t at = 0;
    while (facts->virtio_mmio_count < ACPI_VIRTIO_MMIO_MAX &&
           acpi_find_virtio_mmio(aml, n, &at, &facts->virtio_mmio[facts->virtio_mmio_count]))
        facts->virtio_mmio_count++;
}

static void read_fixed_hardware(struct table fadt, uint32_t flags, struct acpi_facts *facts)
{
    facts->pm1a_control = read_port(fadt, FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL);
    facts->pm1b_control = read_port(fadt, FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL);
    facts->pm_timer = read_port(fadt, FADT_PM_TIMER, FADT_X_PM_TIMER);
    uint64_t smi = field(fadt, FADT_SMI_COMMAND, 4);
    facts->smi_command = smi <= UINT16_MAX ? (uint16_t)smi : 0;
    facts->smi_acpi_enable = (uint8_t)field(fadt, FADT_ACPI_ENABLE, 1);
    facts->pm1a_event = read_port(fadt, FADT_PM1A_EVENT, FADT_X_PM1A_EVENT);
    facts->pm1b_event = read_port(fadt, FADT_PM1B_EVENT, FADT_X_PM1B_EVENT);
    facts->pm1_event_bytes = (uint8_t)field(fadt, FADT_PM1_EVENT_LEN, 1);
    facts->gpe[0].port = read_port(fadt, FADT_GPE0, FADT_X_GPE0);
    facts->gpe[0].bytes = (uint8_t)field(fadt, FADT_GPE0_LEN, 1);
    facts->gpe[1].port = read_port(fadt, FADT_GPE1, FADT_X_GPE1);
    facts->gpe[1].bytes = (uint8_t)field(fadt, FADT_GPE1_LEN, 1);
    facts->button_by_aml = flags & FADT_FLAGS_BUTTON;
    facts->sci = (uint16_t)field(fadt, FADT_SCI, 2);
}

static void read_fadt(struct table fadt, acpi_map map, struct acpi_facts *facts)
{
    uint32_t flags = (uint32_t)field(fadt, FADT_FLAGS, 4);
    facts->reduced_hardware = flags & FADT_FLAGS_REDUCED;
    if (!facts->reduced_hardware)
        read_fixed_hardware(fadt, flags, facts);
    else
        facts->sleep = read_register(fadt, FADT_SLEEP);
    if (flags & FADT_FLAGS_RESET) {
        facts->reset = read_register(fadt, FADT_RESET);
        facts->reset_value = (uint8_t)field(fadt, FADT_RESET_VALUE, 1);
    }
    struct table dsdt = open_table(field(fadt, FADT_X_DSDT, 8), map);
    if (dsdt.n == 0)
        dsdt = open_table(field(fadt, FADT_DSDT, 4), map);
    read_aml(dsdt, facts);
}

static void read_mcfg(struct table mcfg, struct acpi_facts *facts)
{
    for (size_t at = MCFG_ENTRIES; at + MCFG_ENTRY_BYTES <= mcfg.n; at += MCFG_ENTRY_BYTES) {
        uint64_t base = field(mcfg, at, 8);
        uint64_t segment = field(mcfg, at + 8, 2);
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

static void read_ioapic(struct table madt, size_t at, struct acpi_facts *facts)
{
    uint32_t address = (uint32_t)field(madt, at + 4, 4);
    if (address == 0 || facts->ioapic_count == ACPI_IOAPICS_MAX)
        return;
    facts->ioapics[facts->ioapic_count++] =
        (struct acpi_ioapic){address, (uint32_t)field(madt, at + 8, 4)};
}

static void read_override(struct table madt, size_t at, struct acpi_facts *facts)
{
    unsigned bus = madt.bytes[at + 2], line = madt.bytes[at + 3];
    if (bus != 0 || line >= ACPI_LINES)
        return;
    unsigned flags = (unsigned)field(madt, at + 8, 2);
    unsigned polarity = flags & MADT_POLARITY, trigger = flags & MADT_TRIGGER;
    bool is_sci = line != 0 && line == facts->sci;
    facts->lines[line] = (struct acpi_line){
        .gsi = (uint32_t)field(madt, at + 4, 4),
        .active_low = polarity ? polarity == MADT_POLARITY_LOW : is_sci,
        .level = trigger ? trigger == MADT_TRIGGER_LEVEL : is_sci,
    };
}

/* Last of all, as what it leaves open depends on the FADT. No MADT is one without entries. */
static void read_madt(struct table madt, struct acpi_facts *facts)
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
    struct table madt = {NULL, 0};
    read_madt(madt, facts);
    const uint8_t *root = rsdp ? map(rsdp, ACPI_RSDP_BYTES) : NULL;
    if (!root || !is_rsdp(root))
        return -ENOENT;

    uint64_t xsdt = 0;
    if (root[RSDP_REVISION] >= 2) {
        const uint8_t *extended = map(rsdp, RSDP_V2_BYTES);
        if (extended && load_raw32(extended + RSDP_LENGTH) == RSDP_V2_BYTES &&
            sums_to_zero(extended, RSDP_V2_BYTES))
            xsdt = field((struct table){extended, RSDP_V2_BYTES}, RSDP_XSDT, 8);
    }
    size_t entry_bytes = 8;
    struct table list = open_table(xsdt, map);
    if (list.n == 0 || !has_name(list.bytes, "XSDT")) {
        entry_bytes = 4;
        list = open_table(load_raw32(root + RSDP_RSDT), map);
        if (list.n == 0 || !has_name(list.bytes, "RSDT"))
            return -ENOENT;
    }

    size_t count = MIN((list.n - TABLE_HEADER_BYTES) / entry_bytes, TABLES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct table t =
            open_table(field(list, TABLE_HEADER_BYTES + i * entry_bytes, entry_bytes), map);
        if (t.n == 0)
            continue;
        if (has_name(t.bytes, "FACP"))
            read_fadt(t, map, facts);
        else if (has_name(t.bytes, "MCFG"))
            read_mcfg(t, facts);
        else if (has_name(t.bytes, "APIC"))
            madt = t;
        else if (has_name(t.bytes, "SSDT"))
            read_aml(t, facts);
    }
    read_madt(madt, facts);
    if (!facts->have_mcfg && facts->cba != 0) {
        facts->have_mcfg = true;
        facts->mcfg_base = facts->cba;
        facts->mcfg_last_bus = UINT8_MAX;
    }
    return 0;
}
