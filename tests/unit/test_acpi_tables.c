/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kernel/acpi_tables.c and acpi_aml.c: a small machine's tables built by hand, each way of damaging
 * them, and random damage. Every mapping is a copy of exactly the bytes asked for, so that the
 * address sanitizer sees any read beyond.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include "kernel/acpi_aml.h"

#define BASE      0x7FFE0000ULL
#define ROM_BYTES 4096

#define AT_RSDP 0
#define AT_RSDT 0x100
#define AT_XSDT 0x200
#define AT_FADT 0x300
#define AT_MCFG 0x500
#define AT_DSDT 0x600
#define AT_SSDT 0x700
#define AT_MADT 0x800

static uint8_t rom[ROM_BYTES];
static void *copies[4096];
static unsigned copy_count;

static const uint8_t *map(uint64_t phys, size_t bytes)
{
    if (phys < BASE || phys - BASE > ROM_BYTES || bytes > ROM_BYTES - (phys - BASE))
        return NULL;
    if (copy_count == ARRAY_COUNT(copies))
        return NULL;
    uint8_t *copy = malloc(bytes ? bytes : 1);
    memcpy(copy, rom + (phys - BASE), bytes);
    copies[copy_count++] = copy;
    return copy;
}

static int read_rom(struct acpi_facts *facts)
{
    int err = acpi_read(BASE + AT_RSDP, map, facts);
    while (copy_count > 0)
        free(copies[--copy_count]);
    return err;
}

static void put(size_t at, uint64_t value, size_t bytes)
{
    memcpy(rom + at, &value, bytes);
}

static void sign(size_t at, size_t n, size_t sum_at)
{
    uint8_t sum = 0;
    rom[at + sum_at] = 0;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + rom[at + i]);
    rom[at + sum_at] = (uint8_t)-sum;
}

static void finish(size_t at, const char *name, uint32_t length)
{
    memcpy(rom + at, name, 4);
    put(at + 4, length, 4);
    sign(at, length, 9);
}

static const uint8_t s5[] = {0x08, '_',  'S',  '5',  '_',  0x12, 0x08,
                             0x04, 0x0A, 0x05, 0x0A, 0x03, 0x00, 0x00};

/* A processor, a controller, and the override that QEMU's machines have of the timer. */
static const uint8_t madt[] = {0, 8,  0, 0, 1, 0, 0,    0,                /**/
                               1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0, /**/
                               2, 10, 0, 0, 2, 0, 0,    0,    0, 0};

/* The lengths of this machine's tables. */
#define FADT_BYTES 276
#define MCFG_BYTES 60
#define DSDT_BYTES (36 + 10 + (uint32_t)sizeof(s5))

static void build(void)
{
    memset(rom, 0, sizeof(rom));
    memcpy(rom + AT_DSDT + 36 + 10, s5, sizeof(s5));
    finish(AT_DSDT, "DSDT", DSDT_BYTES);
    finish(AT_SSDT, "SSDT", 36);

    put(AT_FADT + 40, BASE + AT_DSDT, 4);
    put(AT_FADT + 46, 9, 2);
    put(AT_FADT + 48, 0xB2, 4);
    put(AT_FADT + 52, 0xF1, 1);
    put(AT_FADT + 56, 0x600, 4);
    put(AT_FADT + 64, 0x604, 4);
    put(AT_FADT + 76, 0x608, 4);
    put(AT_FADT + 80, 0xAFE0, 4);
    put(AT_FADT + 88, 4, 1);
    put(AT_FADT + 92, 16, 1);
    put(AT_FADT + 112, 1u << 10, 4);
    put(AT_FADT + 116, 1, 1);
    put(AT_FADT + 120, 0xCF9, 8);
    put(AT_FADT + 128, 0x0F, 1);
    finish(AT_FADT, "FACP", FADT_BYTES);

    put(AT_MCFG + 44, 0xB0000000, 8);
    put(AT_MCFG + 55, 255, 1);
    finish(AT_MCFG, "MCFG", MCFG_BYTES);

    const size_t tables[] = {AT_SSDT, AT_MADT, AT_FADT, AT_MCFG};
    for (unsigned i = 0; i < ARRAY_COUNT(tables); i++) {
        put(AT_RSDT + 36 + 4 * i, BASE + tables[i], 4);
        put(AT_XSDT + 36 + 8 * i, BASE + tables[i], 8);
    }
    finish(AT_RSDT, "RSDT", 36 + 4 * ARRAY_COUNT(tables));
    finish(AT_XSDT, "XSDT", 36 + 8 * ARRAY_COUNT(tables));

    memcpy(rom + AT_MADT + 44, madt, sizeof(madt));
    finish(AT_MADT, "APIC", 44 + sizeof(madt));

    memcpy(rom + AT_RSDP, "RSD PTR ", 8);
    put(AT_RSDP + 15, 2, 1);
    put(AT_RSDP + 16, BASE + AT_RSDT, 4);
    put(AT_RSDP + 20, 36, 4);
    put(AT_RSDP + 24, BASE + AT_XSDT, 8);
    sign(AT_RSDP, 20, 8);
    sign(AT_RSDP, 36, 32);
}

static void assert_whole(const struct acpi_facts *facts)
{
    assert_int_equal(facts->pm1a_control, 0x604);
    assert_int_equal(facts->pm1b_control, 0);
    assert_int_equal(facts->pm_timer, 0x608);
    assert_int_equal(facts->pm1a_event, 0x600);
    assert_int_equal(facts->pm1b_event, 0);
    assert_int_equal(facts->pm1_event_bytes, 4);
    assert_int_equal(facts->gpe[0].port, 0xAFE0);
    assert_int_equal(facts->gpe[0].bytes, 16);
    assert_int_equal(facts->gpe[1].port, 0);
    assert_false(facts->button_by_aml);
    assert_int_equal(facts->smi_command, 0xB2);
    assert_int_equal(facts->smi_acpi_enable, 0xF1);
    assert_false(facts->reduced_hardware);
    assert_int_equal(facts->reset.space, ACPI_SPACE_IO);
    assert_int_equal(facts->reset.address, 0xCF9);
    assert_int_equal(facts->reset_value, 0x0F);
    assert_int_equal(facts->sci, 9);
    assert_int_equal(facts->ioapic_count, 1);
    assert_int_equal(facts->ioapics[0].address, 0xFEC00000);
    assert_int_equal(facts->ioapics[0].gsi_base, 0);
    assert_int_equal(facts->lines[0].gsi, 2);
    assert_true(facts->have_s5);
    assert_int_equal(facts->s5_type_a, 5);
    assert_int_equal(facts->s5_type_b, 3);
    assert_true(facts->have_mcfg);
    assert_int_equal(facts->mcfg_base, 0xB0000000);
    assert_int_equal(facts->mcfg_first_bus, 0);
    assert_int_equal(facts->mcfg_last_bus, 255);
}

static void good_tables(void **state)
{
    (void)state;
    struct acpi_facts facts;
    build();
    assert_int_equal(read_rom(&facts), 0);
    assert_whole(&facts);

    /* By the RSDT alone: version 1, or an XSDT that is damaged. */
    build();
    put(AT_RSDP + 15, 0, 1);
    sign(AT_RSDP, 20, 8);
    assert_int_equal(read_rom(&facts), 0);
    assert_whole(&facts);
    build();
    rom[AT_XSDT + 40] ^= 1;
    assert_int_equal(read_rom(&facts), 0);
    assert_whole(&facts);
    build();
    put(AT_RSDT + 36, 0, 4); /* and the XSDT alone */
    assert_int_equal(read_rom(&facts), 0);
    assert_whole(&facts);
}

static void new_addresses_win(void **state)
{
    (void)state;
    struct acpi_facts facts;
    build();
    const size_t generic[] = {148, 160, 172, 208, 220, 232};
    for (unsigned i = 0; i < ARRAY_COUNT(generic); i++) {
        put(AT_FADT + generic[i], 1, 1);
        put(AT_FADT + generic[i] + 4, 0xB000 + 0x10 * i, 8);
    }
    put(AT_FADT + 112, 1u << 4, 4);
    put(AT_FADT + 208, 0, 1); /* in memory: the port of old stays */
    put(AT_FADT + 212, 0xFED00000, 8);
    finish(AT_FADT, "FACP", FADT_BYTES);
    assert_int_equal(read_rom(&facts), 0);
    assert_int_equal(facts.pm1a_event, 0xB000);
    assert_int_equal(facts.pm1b_event, 0xB010);
    assert_int_equal(facts.pm1a_control, 0xB020);
    assert_int_equal(facts.gpe[0].port, 0xB040);
    assert_int_equal(facts.gpe[1].port, 0xB050);
    assert_true(facts.button_by_aml);
    assert_int_equal(facts.pm_timer, 0x608);

    /* Reduced hardware has the sleep register and none of the ports. */
    build();
    put(AT_FADT + 112, 1u << 20, 4);
    put(AT_FADT + 244, 0, 1);
    put(AT_FADT + 248, 0xFEA00000, 8);
    finish(AT_FADT, "FACP", FADT_BYTES);
    assert_int_equal(read_rom(&facts), 0);
    assert_true(facts.reduced_hardware);
    assert_int_equal(facts.pm1a_control, 0);
    assert_int_equal(facts.sleep.address, 0xFEA00000);
    assert_int_equal(facts.reset.address, 0);

    /* Of two, the first counts: half of each is no machine. */
    build();
    put(AT_MCFG + 112, 1u << 20, 4);
    finish(AT_MCFG, "FACP", 244);
    assert_int_equal(read_rom(&facts), 0);
    assert_false(facts.reduced_hardware);
    assert_int_equal(facts.pm1a_control, 0x604);

    /* A FADT of version 1 ends before all that. */
    build();
    finish(AT_FADT, "FACP", 116);
    assert_int_equal(read_rom(&facts), 0);
    assert_int_equal(facts.pm1a_control, 0x604);
    assert_int_equal(facts.reset.address, 0);
    assert_true(facts.have_s5);
}

static void damage_is_noticed(void **state)
{
    (void)state;
    struct acpi_facts facts;
    build();
    rom[AT_RSDP + 17] ^= 1;
    assert_int_equal(read_rom(&facts), -ENOENT);
    assert_int_equal(facts.lines[15].gsi, 15);
    build();
    rom[AT_XSDT + 20] ^= 1;
    rom[AT_RSDT + 20] ^= 1;
    assert_int_equal(read_rom(&facts), -ENOENT);
    build();
    rom[AT_FADT + 64] ^= 1;
    assert_int_equal(read_rom(&facts), 0);
    assert_int_equal(facts.pm1a_control, 0);
    assert_true(facts.have_mcfg);
    build();
    rom[AT_DSDT + 40] ^= 1;
    assert_int_equal(read_rom(&facts), 0);
    assert_false(facts.have_s5);
    assert_int_equal(facts.pm1a_control, 0x604);

    const uint32_t lengths[] = {0, 35, ROM_BYTES, UINT32_MAX};
    for (unsigned i = 0; i < ARRAY_COUNT(lengths); i++) {
        build();
        put(AT_MCFG + 4, lengths[i], 4);
        assert_int_equal(read_rom(&facts), 0);
        assert_false(facts.have_mcfg);
        assert_true(facts.have_s5);
    }
}

static void mcfg_must_make_sense(void **state)
{
    (void)state;
    static const struct {
        uint64_t base;
        uint16_t segment;
        uint8_t first, last;
        uint32_t length;
        bool good;
    } rows[] = {
        {0xB0000000, 0, 0, 255, 60, true},  {0xB0000000, 0, 0, 0, 60, true},
        {0, 0, 0, 255, 60, false},          {0xB0000000, 1, 0, 255, 60, false},
        {0xB0000000, 0, 5, 4, 60, false},   {0xB0001000, 0, 0, 255, 60, false},
        {0xB0000000, 0, 0, 255, 59, false}, {0xB0000000, 0, 0, 255, 44, false},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct acpi_facts facts;
        build();
        put(AT_MCFG + 44, rows[i].base, 8);
        put(AT_MCFG + 52, rows[i].segment, 2);
        put(AT_MCFG + 54, rows[i].first, 1);
        put(AT_MCFG + 55, rows[i].last, 1);
        finish(AT_MCFG, "MCFG", rows[i].length);
        assert_int_equal(read_rom(&facts), 0);
        if (facts.have_mcfg != rows[i].good)
            fail_msg("row %u", i + 1);
    }
}

/* An entry of the MADT by itself, and what becomes of a line and of the controllers. */
static void madt_entries(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        unsigned line, gsi;
        bool active_low, level;
        unsigned ioapics;
    } rows[] = {
        {"", 0, 4, 4, false, false, 0},
        {"", 0, 9, 9, true, true, 0}, /* the SCI */
        {"\x02\x0A\x00\x00\x02\0\0\0\x00\x00", 10, 0, 2, false, false, 0},
        {"\x02\x0A\x00\x05\x05\0\0\0\x0D\x00", 10, 5, 5, false, true, 0},
        {"\x02\x0A\x00\x05\x15\0\0\0\x0F\x00", 10, 5, 21, true, true, 0},
        {"\x02\x0A\x00\x05\x05\0\0\0\x07\x00", 10, 5, 5, true, false, 0},
        {"\x02\x0A\x00\x09\x14\0\0\0\x00\x00", 10, 9, 20, true, true, 0},  /* SCI: left open */
        {"\x02\x0A\x00\x09\x09\0\0\0\x05\x00", 10, 9, 9, false, false, 0}, /* SCI: said */
        {"\x02\x0A\x01\x05\x15\0\0\0\x0F\x00", 10, 5, 5, false, false, 0}, /* another bus */
        {"\x02\x0A\x00\x10\x15\0\0\0\x0F\x00", 10, 5, 5, false, false, 0}, /* line 16 */
        {"\x02\x09\x00\x05\x15\0\0\0\x0F\x00", 10, 5, 5, false, false, 0}, /* too short */
        {"\x02\x0B\x00\x05\x15\0\0\0\x0F\x00", 10, 5, 5, false, false, 0}, /* too long */
        {"\x02\x00\x02\x0A\x00\x05\x15\0\0\0\x0F\x00", 12, 5, 5, false, false, 0}, /* of none */
        {"\x02\x01\x02\x0A\x00\x05\x15\0\0\0\x0F\x00", 12, 5, 5, false, false, 0}, /* of one */
        {"\xFF\x02\x02\x0A\x00\x05\x15\0\0\0\x0F\x00", 12, 5, 21, true, true, 0},  /* unknown */
        {"\x01\x0C\x00\x00\0\0\xC0\xFE\x18\0\0\0", 12, 4, 4, false, false, 1},
        {"\x01\x0C\x00\x00\0\0\x00\x00\x18\0\0\0", 12, 4, 4, false, false, 0}, /* nowhere */
        {"\x01\x0B\x00\x00\0\0\xC0\xFE\x18\0\0\0", 12, 4, 4, false, false, 0}, /* too short */
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct acpi_facts facts;
        build();
        memset(rom + AT_MADT + 44, 0, sizeof(madt));
        memcpy(rom + AT_MADT + 44, rows[i].bytes, rows[i].n);
        finish(AT_MADT, "APIC", 44 + (uint32_t)rows[i].n);
        assert_int_equal(read_rom(&facts), 0);
        const struct acpi_line *line = &facts.lines[rows[i].line];
        if (line->gsi != rows[i].gsi || line->active_low != rows[i].active_low ||
            line->level != rows[i].level || facts.ioapic_count != rows[i].ioapics)
            fail_msg("row %u: %u %d %d, %u", i + 1, line->gsi, line->active_low, line->level,
                     facts.ioapic_count);
    }
}

/* There may be more than are kept. */
static void many_ioapics(void **state)
{
    (void)state;
    static const uint8_t one[] = {1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0};
    struct acpi_facts facts;
    build();
    for (unsigned i = 0; i <= ACPI_IOAPICS_MAX; i++) {
        memcpy(rom + AT_MADT + 44 + i * sizeof(one), one, sizeof(one));
        rom[AT_MADT + 44 + i * sizeof(one) + 8] = (uint8_t)(24 * i);
    }
    finish(AT_MADT, "APIC", 44 + (ACPI_IOAPICS_MAX + 1) * sizeof(one));
    assert_int_equal(read_rom(&facts), 0);
    assert_int_equal(facts.ioapic_count, ACPI_IOAPICS_MAX);
    assert_int_equal(facts.ioapics[ACPI_IOAPICS_MAX - 1].gsi_base, 24 * (ACPI_IOAPICS_MAX - 1));
}

static void s5_forms(void **state)
{
    (void)state;
    static const struct {
        const char *aml;
        size_t n;
        bool found;
        uint8_t a, b;
    } rows[] = {
        {"\x08_S5_\x12\x06\x04\x00\x00\x00\x00", 12, true, 0, 0},
        {"\x08_S5_\x12\x06\x04\x01\x01\x00\x00", 12, true, 1, 1},
        {"\x08\\_S5_\x12\x07\x04\x0A\x05\x01\x00\x00", 14, true, 5, 1},
        {"\x08_S5_\x12\x40\x08\x02\x0A\x07\x0A\x06", 13, true, 7, 6},
        {"\x08_S5_\x12\x0A\x02\x0B\x05\x00\x0B\x02\x00", 14, true, 5, 2},
        {"\x08_S5_\x12\x0A\x02\x0C\x05\x00\x00\x00\x00", 14, true, 5, 0},
        {"\x08_S5_\x12\x03\x01\x0A\x05", 10, true, 5, 0},
        {"\x08_S4_\x12\x06\x04\x00\x00\x00\x00\x08_S5_\x12\x06\x04\x01\x00\x00\x00", 24, true, 1,
         0},
        {"\x10_S5_\x12\x06\x04\x00\x00\x00\x00", 12, false, 0, 0}, /* not a name */
        {"\x08_S5_\x11\x06\x04\x00\x00\x00\x00", 12, false, 0, 0}, /* not a package */
        {"\x08_S5_\x12\x06\x04\x0D\x00\x00\x00", 12, false, 0, 0}, /* a string in it */
        {"\x08_S5_\x12\x06\x00\x00\x00", 10, false, 0, 0},         /* empty */
        {"\x08_S5_\x12\xC6\x04\x00\x00", 10, false, 0, 0},         /* cut in each place */
        {"\x08_S5_\x12\x06\x04\x0A", 9, false, 0, 0},
        {"\x08_S5_\x12\x06\x04\x0A\x05\x0A", 11, false, 0, 0},
        {"\x08_S5_\x12\x06", 7, false, 0, 0},
        {"\x08_S5_\x12", 6, false, 0, 0},
        {"\x08_S5_", 5, false, 0, 0},
        {"_S5_", 4, false, 0, 0},
        {"", 0, false, 0, 0},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t *aml = malloc(rows[i].n ? rows[i].n : 1);
        memcpy(aml, rows[i].aml, rows[i].n);
        uint8_t a = 0, b = 0;
        bool found = acpi_find_s5(aml, rows[i].n, &a, &b);
        if (found != rows[i].found || a != rows[i].a || b != rows[i].b)
            fail_msg("row %u: %d %u %u", i + 1, found, a, b);
        free(aml);
    }
}

static void cba_forms(void **state)
{
    (void)state;
    static const struct {
        const char *aml;
        size_t n;
        uint64_t base; /* 0: not found */
    } rows[] = {
        {"\x14\x0C_CBA\x00\xA4\x0C\x00\x00\x00\xE0", 13, 0xE0000000},
        {"\x00\x08_CBA\x0C\x00\x00\x00\xB0", 11, 0xB0000000},
        {"\x00\x08_CBA\x0E\x00\x00\x00\x00\x40\x00\x00\x00", 15, 0x4000000000},
        {"\x00\x08_CBA\x0C\x00\x10\x00\xB0", 11, 0},         /* not on a bus's boundary */
        {"\x00\x08_CBA\x0C\x00\x00\x00\x00", 11, 0},         /* zero */
        {"\x14\x0C_CBA\x00\x70\x0C\x00\x00\x00\xE0", 13, 0}, /* a method that does something */
        {"\x00\x10_CBA\x0C\x00\x00\x00\xB0", 11, 0},         /* not a name */
        {"\x14\x0C_CBA\x00\xA4\x0C\x00\x00\x00", 12, 0},     /* cut in each place */
        {"\x14\x0C_CBA\x00\xA4", 8, 0},
        {"\x14\x0C_CBA\x00", 7, 0},
        {"\x14\x0C_CBA", 6, 0},
        {"\x00\x08_CBA", 6, 0},
        {"_CBA", 4, 0},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t *aml = malloc(rows[i].n);
        memcpy(aml, rows[i].aml, rows[i].n);
        uint64_t base = 0;
        bool found = acpi_find_cba(aml, rows[i].n, &base);
        if (found != (rows[i].base != 0) || (found && base != rows[i].base))
            fail_msg("row %u: %d %llx", i + 1, found, (unsigned long long)base);
        free(aml);
    }
}

/* Without an MCFG the AML's word counts, with one it does not. */
static void cba_stands_in(void **state)
{
    (void)state;
    static const uint8_t cba[] = {0x14, 0x0C, '_', 'C', 'B', 'A', 0, 0xA4, 0x0C, 0, 0, 0, 0xE0};
    struct acpi_facts facts;
    build();
    memcpy(rom + AT_SSDT + 36, cba, sizeof(cba));
    finish(AT_SSDT, "SSDT", 36 + sizeof(cba));
    assert_int_equal(read_rom(&facts), 0);
    assert_int_equal(facts.mcfg_base, 0xB0000000);
    rom[AT_MCFG] = 'X';
    finish(AT_MCFG, "XCFG", MCFG_BYTES);
    assert_int_equal(read_rom(&facts), 0);
    assert_true(facts.have_mcfg);
    assert_int_equal(facts.mcfg_base, 0xE0000000);
    assert_int_equal(facts.mcfg_last_bus, 255);
}

static void rsdp_is_searched(void **state)
{
    (void)state;
    build();
    static uint8_t area[1024];
    memset(area, 0, sizeof(area));
    assert_int_equal(acpi_search_rsdp(area, sizeof(area)), -1);
    memcpy(area + 8, rom + AT_RSDP, 36); /* not on its boundary */
    assert_int_equal(acpi_search_rsdp(area, sizeof(area)), -1);
    memcpy(area + 64, "RSD PTR ", 8); /* only looks like it */
    area[72] = 1;
    memcpy(area + 512, rom + AT_RSDP, 36);
    assert_int_equal(acpi_search_rsdp(area, sizeof(area)), 512);
    assert_int_equal(acpi_search_rsdp(area, 512 + 19), -1);
    assert_int_equal(acpi_search_rsdp(area, 512 + 20), 512);
    assert_int_equal(acpi_search_rsdp(area, 0), -1);
}

/* Random bytes, with the checksums made right again half of the time so that the damage gets
 * through. */
static void random_damage(void **state)
{
    (void)state;
    srand(1);
    unsigned complete = 0;
    for (unsigned round = 0; round < 20000; round++) {
        build();
        for (int n = rand() % 4; n >= 0; n--) {
            static const size_t tables[] = {AT_RSDP, AT_RSDT, AT_XSDT, AT_FADT,
                                            AT_MCFG, AT_DSDT, AT_MADT};
            size_t at = tables[(unsigned)rand() % ARRAY_COUNT(tables)];
            rom[at + (unsigned)rand() % 80] = (uint8_t)rand();
            uint32_t length = load_raw32(rom + at + 4);
            if (at == AT_RSDP) {
                sign(AT_RSDP, 20, 8);
                sign(AT_RSDP, 36, 32);
            } else if (rand() % 2 && length >= 10 && length < ROM_BYTES - at) {
                sign(at, length, 9);
            }
        }
        struct acpi_facts facts;
        if (read_rom(&facts) == 0 && facts.have_mcfg && facts.have_s5)
            complete++;
        assert_true(facts.s5_type_a <= 7 && facts.s5_type_b <= 7);
        assert_true(facts.mcfg_first_bus <= facts.mcfg_last_bus);
    }
    assert_true(complete > 1000); /* else nothing got through and this tested nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_tables),       cmocka_unit_test(new_addresses_win),
        cmocka_unit_test(damage_is_noticed), cmocka_unit_test(mcfg_must_make_sense),
        cmocka_unit_test(s5_forms),          cmocka_unit_test(cba_forms),
        cmocka_unit_test(cba_stands_in),     cmocka_unit_test(rsdp_is_searched),
        cmocka_unit_test(random_damage),     cmocka_unit_test(madt_entries),
        cmocka_unit_test(many_ioapics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
