/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kernel/ioapic.c: against two I/O APICs in software, and places where there is none. The file is
 * part of this one, since the controllers it keeps are there once and for all.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "kernel/ioapic.c"

#include "tests/fake/fake_base.h"
#include "tests/fake/fake_registers.h"

#define APART    0x100 /* from one controller's registers to the next one's, in the page of both */
#define VECTOR   0x40  /* of the first pin that is attached */
#define CPU      5
#define MASKED   0x10000u
#define LEVEL    0x8000u
#define LOW      0x2000u
#define UNMARKED 0xDEADu /* no entry of ours */

static struct machine {
    unsigned controllers;
    uint32_t version[2], selected[2];
    uint32_t pins[2][2 * 256];
    irq_handler handlers[PINS_MAX + 1];
    void *args[PINS_MAX + 1];
    unsigned vectors, vectors_max;
} machine;
static void *page;
static struct acpi_facts facts;
static unsigned calls[PIN_HANDLERS + 1];

const struct acpi_facts *acpi_get_facts(void)
{
    return &facts;
}

volatile void *mem_map_device(uint64_t phys, size_t bytes)
{
    assert_int_equal(bytes, 32);
    for (unsigned i = 0; i < machine.controllers; i++)
        if (phys == (i ? 0xFEC10000u : 0xFEC00000u))
            return (uint8_t *)page + i * APART;
    return NULL;
}

int irq_alloc_msi(irq_handler handler, void *arg, uint64_t *address, uint32_t *data)
{
    if (machine.vectors == machine.vectors_max)
        return -ENOSPC;
    *address = 0xFEE00000u | CPU << 12;
    *data = VECTOR + machine.vectors;
    machine.handlers[machine.vectors] = handler;
    machine.args[machine.vectors++] = arg;
    return 0;
}

static uint32_t machine_read(void *device, unsigned reg)
{
    unsigned i = reg / APART;
    uint32_t selected = machine.selected[i];

    (void)device;
    assert_int_equal(reg % APART, 0x10);
    if (machine.version[i] == 0 || machine.version[i] == UINT32_MAX) /* nobody is there */
        return machine.version[i];
    return selected == 1 ? machine.version[i] : machine.pins[i][selected - 0x10];
}

static void machine_write(void *device, unsigned reg, uint32_t value)
{
    unsigned i = reg / APART;

    (void)device;
    if (reg % APART == 0) {
        machine.selected[i] = value;
        return;
    }
    assert_int_equal(reg % APART, 0x10);
    assert_in_range(machine.selected[i], 0x10, 0x10 + 2 * (machine.version[i] >> 16 & 0xFF) + 1);
    machine.pins[i][machine.selected[i] - 0x10] = value;
}

/* 24 pins, and 16 more from number 24 on. Not a fixture: fake_registers() is for the test's time.
 */
static void set_up(void)
{
    memset(&machine, 0, sizeof(machine));
    memset(&facts, 0, sizeof(facts));
    memset(ioapics, 0, sizeof(ioapics));
    memset(pins, 0, sizeof(pins));
    memset(calls, 0, sizeof(calls));
    looked = pin_came = false;
    ioapic_count = pin_count = 0;
    fake_log_clear();
    page = fake_registers(machine_read, machine_write, NULL);
    machine.controllers = 2;
    machine.vectors_max = ARRAY_COUNT(machine.handlers);
    machine.version[0] = 23u << 16 | 0x20;
    machine.version[1] = 15u << 16 | 0x11;
    for (unsigned i = 0; i < ARRAY_COUNT(machine.pins[0]); i++)
        machine.pins[0][i] = machine.pins[1][i] = UNMARKED;
    facts.ioapics[0] = (struct acpi_ioapic){0xFEC00000u, 0};
    facts.ioapics[1] = (struct acpi_ioapic){0xFEC10000u, 24};
    facts.ioapic_count = 2;
    for (unsigned i = 0; i < ACPI_LINES; i++)
        facts.lines[i].gsi = i;
}

static void on_call(void *arg)
{
    calls[(uintptr_t)arg]++;
}

static void raise_vector(unsigned n)
{
    assert_true(n < machine.vectors);
    machine.handlers[n](machine.args[n]);
}

/* ---- attaching ---- */

/* A global interrupt's pin has vector, CPU and kind; all the others are masked. */
static void test_gsis(void **state)
{
    static const struct {
        uint32_t gsi;
        bool level;
        unsigned controller, pin;
        int status;
    } rows[] = {
        {0, false, 0, 0, 0},  {23, true, 0, 23, 0},      {24, false, 1, 0, 0},
        {39, true, 1, 15, 0}, {40, true, 0, 0, -ENODEV}, {UINT32_MAX, true, 0, 0, -ENODEV},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        set_up();
        int status = irq_attach_gsi(rows[i].gsi, rows[i].level, on_call, NULL);
        if (status != rows[i].status)
            fail_msg("%u: %d", rows[i].gsi, status);
        for (unsigned c = 0; c < 2; c++)
            for (unsigned pin = 0; pin < (c ? 16 : 24); pin++) {
                const uint32_t *is = &machine.pins[c][2 * pin];
                bool ours = status == 0 && c == rows[i].controller && pin == rows[i].pin;
                if (is[0] != (ours ? VECTOR | (rows[i].level ? LEVEL : 0) : MASKED) ||
                    is[1] != (ours ? CPU << 24 : UNMARKED))
                    fail_msg("%u: pin %u.%u is %x, %x", rows[i].gsi, c, pin, is[0], is[1]);
            }
        assert_int_equal(machine.vectors, status == 0);
    }
}

/* A line of old leads where the MADT says, and asks as it says. */
static void test_lines(void **state)
{
    static const struct {
        struct acpi_line as;
        uint32_t entry;
    } rows[] = {
        {{9, true, true}, VECTOR | LEVEL | LOW},
        {{2, false, false}, VECTOR},
        {{2, true, false}, VECTOR | LOW},
        {{20, false, true}, VECTOR | LEVEL},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        set_up();
        facts.lines[15] = rows[i].as;
        assert_int_equal(ioapic_attach_line(15, on_call, NULL), 0);
        assert_int_equal(machine.pins[0][2 * rows[i].as.gsi], rows[i].entry);
    }
    assert_int_equal(ioapic_attach_line(16, on_call, NULL), -ENODEV);
    facts.lines[3].gsi = 99;
    assert_int_equal(ioapic_attach_line(3, on_call, NULL), -ENODEV);
}

/* Where the tables say nothing there may be one; where they say something there may be none. */
static void test_controllers(void **state)
{
    static const struct {
        int id;
        unsigned in_tables;
        uint32_t version[2];
        bool mapped[2], found[2];
    } rows[] = {
        {1, 2, {23u << 16, 15u << 16}, {true, true}, {true, true}},
        {2, 0, {23u << 16, 15u << 16}, {true, true}, {true, false}},
        {3, 0, {0, 0}, {true, true}, {false, false}},
        {4, 2, {UINT32_MAX, 15u << 16}, {true, true}, {false, true}},
        {5, 2, {0, 15u << 16}, {true, true}, {false, true}},
        {6, 2, {240u << 16, 15u << 16}, {true, true}, {false, true}},
        {7, 2, {23u << 16, 0}, {true, false}, {true, false}},
        {8, 2, {23u << 16, 0}, {false, false}, {false, false}},
        {9, 2, {23u << 16 | 0x20, 239u << 16}, {true, true}, {true, true}},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        set_up();
        facts.ioapic_count = rows[i].in_tables;
        memcpy(machine.version, rows[i].version, sizeof(machine.version));
        machine.controllers = rows[i].mapped[1] ? 2 : rows[i].mapped[0];
        for (unsigned c = 0; c < 2; c++)
            if ((irq_attach_gsi(c ? 24 : 0, true, on_call, NULL) == 0) != rows[i].found[c])
                fail_msg("row %d: %u", rows[i].id, c);
    }
}

/* ---- interrupts ---- */

/* Whoever shares a pin is called; it has one vector. One too many is refused, and all go on. */
static void test_sharing(void **state)
{
    (void)state;
    set_up();
    for (unsigned i = 0; i < PIN_HANDLERS; i++)
        assert_int_equal(irq_attach_gsi(10, true, on_call, (void *)(uintptr_t)i), 0);
    assert_int_equal(irq_attach_gsi(10, true, on_call, (void *)(uintptr_t)PIN_HANDLERS), -ENOSPC);
    assert_int_equal(irq_attach_gsi(11, true, on_call, (void *)(uintptr_t)PIN_HANDLERS), 0);
    assert_int_equal(machine.vectors, 2);
    raise_vector(0);
    for (unsigned i = 0; i < PIN_HANDLERS; i++)
        assert_int_equal(calls[i], 1);
    assert_int_equal(calls[PIN_HANDLERS], 0);
    raise_vector(1);
    assert_int_equal(calls[PIN_HANDLERS], 1);
}

static void test_no_more_pins(void **state)
{
    (void)state;
    set_up();
    for (unsigned i = 0; i < PINS_MAX; i++)
        assert_int_equal(irq_attach_gsi(i, true, on_call, NULL), 0);
    assert_int_equal(irq_attach_gsi(PINS_MAX, true, on_call, NULL), -ENOSPC);
    assert_int_equal(machine.pins[1][2 * (PINS_MAX - 24)], MASKED);
    assert_int_equal(irq_attach_gsi(0, true, on_call, NULL), 0);
}

static void test_no_more_vectors(void **state)
{
    (void)state;
    set_up();
    machine.vectors_max = 0;
    assert_int_equal(irq_attach_gsi(5, true, on_call, NULL), -ENOSPC);
    assert_int_equal(machine.pins[0][10], MASKED);
    machine.vectors_max = 1;
    assert_int_equal(irq_attach_gsi(5, true, on_call, NULL), 0);
    assert_int_equal(machine.pins[0][10], VECTOR | LEVEL);
}

/* A pin that asks without end is masked, and said once; one that is merely busy is not. */
static void test_storm(void **state)
{
    (void)state;
    set_up();
    assert_int_equal(irq_attach_gsi(30, true, on_call, NULL), 0);
    assert_int_equal(irq_attach_gsi(31, true, on_call, NULL), 0);
    fake_log_clear();
    for (unsigned stay = 0; stay < 3; stay++) {
        for (unsigned i = 0; i < PIN_STORM; i++)
            raise_vector(0);
        ioapic_end_stay();
    }
    assert_int_equal(fake_log_count, 0);
    assert_int_equal(machine.pins[1][12], VECTOR | LEVEL);
    for (unsigned stay = 0; stay < 2; stay++) {
        for (unsigned i = 0; i < PIN_STORM + 10; i++)
            raise_vector(0);
        ioapic_end_stay();
        ioapic_end_stay();
        assert_int_equal(fake_log_count, 1);
        assert_int_equal(machine.pins[1][12], MASKED);
    }
    assert_non_null(strstr(fake_log_last, "interrupt 30 never falls silent"));
    assert_int_equal(machine.pins[1][14], (VECTOR + 1) | LEVEL);
}

int main(void)
{
#define T(f) cmocka_unit_test(f)
    const struct CMUnitTest tests[] = {
        T(test_gsis),         T(test_lines),           T(test_controllers), T(test_sharing),
        T(test_no_more_pins), T(test_no_more_vectors), T(test_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
