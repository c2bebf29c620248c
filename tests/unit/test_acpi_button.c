/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kernel/acpi_button.c: against two PM1 blocks and a block of general events in software. The file
 * is part of this one, since the button it keeps is there once and for all.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "kernel/acpi_button.c"

#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_ports.h"

#define BLOCK_A 0x600
#define BLOCK_B 0x700
#define GPE     0xAFE0
#define SCI     9
#define BUTTON  (1u << 8)
#define ALL     0x8721u /* every event there is */

static struct acpi_facts facts;
static bool enters;
static bool bus_floats; /* nobody answers */
static struct {
    uint16_t status[2], enable[2];
    uint8_t gpe[4];
    unsigned writes;
} machine;

const struct acpi_facts *acpi_get_facts(void)
{
    return &facts;
}

bool acpi_enter(void)
{
    return enters;
}

/* A register of a block: its first half is status, the second enable. */
static uint16_t *register_at(uint16_t port, unsigned bytes)
{
    unsigned block = port >= BLOCK_B, at = port - (block ? BLOCK_B : BLOCK_A);

    assert_int_equal(bytes, 2);
    assert_true(at == 0 || at == facts.pm1_event_bytes / 2);
    return at ? &machine.enable[block] : &machine.status[block];
}

static uint32_t machine_in(void *device, uint16_t port, unsigned bytes)
{
    (void)device;
    return bus_floats ? 0xFFFF : *register_at(port, bytes);
}

static void machine_out(void *device, uint16_t port, unsigned bytes, uint32_t value)
{
    (void)device;
    machine.writes++;
    if (port >= GPE && port < GPE + sizeof(machine.gpe)) {
        assert_int_equal(bytes, 1);
        machine.gpe[port - GPE] = (uint8_t)value;
        return;
    }
    uint16_t *reg = register_at(port, bytes);
    if (reg == &machine.enable[0] || reg == &machine.enable[1])
        *reg = (uint16_t)value;
    else
        *reg &= (uint16_t)~value;
}

/* As firmware leaves it: all events on, all of them noted. */
static int set_up(void **state)
{
    (void)state;
    fake_machine_reset();
    fake_log_clear();
    memset(&button, 0, sizeof(button));
    memset(&machine, 0xFF, sizeof(machine));
    machine.writes = 0;
    machine.status[0] = machine.status[1] = machine.enable[0] = machine.enable[1] = ALL;
    facts = (struct acpi_facts){.pm1a_event = BLOCK_A,
                                .pm1b_event = BLOCK_B,
                                .pm1_event_bytes = 4,
                                .gpe = {{GPE, sizeof(machine.gpe)}},
                                .sci = SCI};
    enters = true;
    bus_floats = false;
    return 0;
}

/* The ports are caught here, as a test has cmocka's own signal handlers. */
static void start(void)
{
    fake_ports(machine_in, machine_out, NULL);
    acpi_button_init();
}

static bool asks(void)
{
    return (machine.status[0] & machine.enable[0]) || (machine.status[1] & machine.enable[1]);
}

/* The line asks for nothing else, and not for what was before. */
static void only_the_button_is_on(void **state)
{
    for (unsigned bytes = 4; bytes <= 8; bytes += 4) {
        set_up(state);
        facts.pm1_event_bytes = (uint8_t)bytes;
        start();
        for (unsigned block = 0; block < 2; block++) {
            assert_int_equal(machine.enable[block], BUTTON);
            assert_int_equal(machine.status[block] & PM1_WAKERS, 0);
        }
        assert_int_equal(machine.gpe[0] & machine.gpe[1], 0xFF); /* status, left as it is */
        assert_int_equal(machine.gpe[2] | machine.gpe[3], 0);
        assert_int_equal(fake_irq_count, 1);
        assert_false(asks());
        assert_false(power_button_pressed(0));
    }
}

static void a_press_interrupts(void **state)
{
    for (unsigned block = 0; block < 2; block++) {
        set_up(state);
        start();
        assert_false(power_button_pressed(0));
        assert_true(power_button_next_us() == CLOCK_NEVER);
        unsigned writes = machine.writes;
        fake_irq_raise(0); /* another's, on the same line */
        assert_false(power_button_pressed(1));
        assert_int_equal(machine.writes, writes);
        machine.status[block] |= BUTTON;
        assert_true(asks());
        fake_irq_raise(0);
        assert_false(asks());
        assert_true(power_button_pressed(2)); /* at once, and for good */
        assert_true(power_button_pressed(3));
    }
}

/* Also where the interrupt got lost, but it then ends no sleep. */
static void a_press_is_looked_for(void **state)
{
    static const struct {
        uint16_t sci;
        unsigned irqs;
        bool interrupts;
    } rows[] = {
        {SCI, 0, false}, {0, FAKE_IRQ_MAX, false}, {16, FAKE_IRQ_MAX, false}, {SCI, 1, true}};

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        set_up(state);
        facts.sci = rows[i].sci;
        fake_irq_limit = rows[i].irqs;
        start();
        assert_int_equal(machine.enable[0], BUTTON);
        assert_false(power_button_pressed(1000));
        uint64_t next_us = rows[i].interrupts ? CLOCK_NEVER : 1000 + LOOK_US;
        if (power_button_next_us() != next_us)
            fail_msg("row %u: next at %llu", i + 1, (unsigned long long)power_button_next_us());
        machine.status[0] |= BUTTON;
        assert_false(power_button_pressed(1000 + LOOK_US - 1));
        assert_true(power_button_pressed(1000 + LOOK_US));
        assert_false(asks());
        assert_true(power_button_pressed(1000 + LOOK_US + 1));
    }
}

static void no_button(void **state)
{
    static const struct {
        bool by_aml, reduced, stays, floats;
        uint16_t port;
        uint8_t bytes;
    } rows[] = {
        {.by_aml = true, .port = BLOCK_A, .bytes = 4},
        {.reduced = true, .port = BLOCK_A, .bytes = 4},
        {.stays = true, .port = BLOCK_A, .bytes = 4},
        {.floats = true, .port = BLOCK_A, .bytes = 4},
        {.port = 0, .bytes = 4},
        {.port = BLOCK_A, .bytes = 3},
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        set_up(state);
        facts.button_by_aml = rows[i].by_aml;
        facts.reduced_hardware = rows[i].reduced;
        facts.pm1a_event = rows[i].port;
        facts.pm1b_event = 0;
        facts.pm1_event_bytes = rows[i].bytes;
        enters = !rows[i].stays;
        bus_floats = rows[i].floats;
        start();
        if (machine.writes != 0 || fake_irq_count != 0 || power_button_pressed(LOOK_US) ||
            power_button_next_us() != CLOCK_NEVER)
            fail_msg("row %u: there is one", i + 1);
    }
}

/* What is noted when the machine is put to sleep would wake it. */
static void wakers_are_forgotten(void **state)
{
    (void)state;
    start();
    machine.status[0] = machine.status[1] = ALL;
    acpi_forget_wakers();
    assert_int_equal((machine.status[0] | machine.status[1]) & 0x8700, 0);
    assert_int_equal(machine.status[0], ALL & ~0x8700u); /* the others are nobody's business */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_the_button_is_on, set_up),
        cmocka_unit_test_setup(a_press_interrupts, set_up),
        cmocka_unit_test_setup(a_press_is_looked_for, set_up),
        cmocka_unit_test_setup(no_button, set_up),
        cmocka_unit_test_setup(wakers_are_forgotten, set_up),
    };
    return cmocka_run_group_tests_name("acpi_button", tests, NULL, NULL);
}
