/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drivers/pci.c and drivers/pci_msi.c against configuration space in software, with what firmware
 * and devices may get wrong: bridges that lead in circles, capability lists that do not end, BARs
 * nobody has placed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/pci.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_pci.h"

#include <stdlib.h>

static struct pci_dev devs[PCI_DEVS_MAX];

static int setup(void **state)
{
    (void)state;
    fake_machine_reset();
    fake_pci_reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_null(fake_pci_fault);
    fake_machine_reset();
    return 0;
}

static struct fake_pci_fn *add_bridge(unsigned bus, unsigned device, uint8_t secondary)
{
    struct fake_pci_fn *fn = fake_pci_add(bus, device, 0, 0x8086, 0x244E, PCI_HEADER_TYPE_BRIDGE);
    fn->config[PCI_SECONDARY_BUS] = secondary;
    return fn;
}

/* 00:01 bridge to 5, 00:02 bridge to 2, 02:00 bridge to 3: still in the order of the buses. */
static void test_scan_order(void **state)
{
    static const char *const expected[] = {"00:00.0", "00:03.0", "00:03.1", "00:03.7",
                                           "00:1f.0", "02:01.0", "03:00.0", "05:00.0"};

    (void)state;
    fake_pci_add(5, 0, 0, 0x1AF4, 0x1041, 0);
    fake_pci_add(0, 3, 7, 0x1AF4, 0x1041, 0);
    fake_pci_add(0, 3, 1, 0x1AF4, 0x1041, 0);
    fake_pci_add(0, 3, 0, 0x1AF4, 0x1041, PCI_HEADER_MULTI);
    fake_pci_add(0, 4, 1, 0x1AF4, 0x1041, 0); /* no function 0: not there */
    fake_pci_add(0, 31, 0, 0x1AF4, 0x1041, 0);
    fake_pci_add(0, 31, 1, 0x1AF4, 0x1041, 0); /* function 0 does not say that there are more */
    fake_pci_add(0, 0, 0, 0x8086, 0x1237, 0);
    add_bridge(0, 1, 5);
    add_bridge(0, 2, 2);
    add_bridge(2, 0, 3);
    fake_pci_add(2, 1, 0, 0x1AF4, 0x1005, 0);
    fake_pci_add(3, 0, 0, 0x1AF4, 0x1000, 0);
    fake_pci_add(4, 0, 0, 0x1AF4, 0x1000, 0); /* nothing leads there */
    fake_pci_add(0, 5, 0, 0x104C, 0xAC56, 2); /* a CardBus bridge */
    assert_int_equal(pci_scan(devs, PCI_DEVS_MAX), ARRAY_COUNT(expected));
    for (unsigned i = 0; i < ARRAY_COUNT(expected); i++)
        assert_string_equal(devs[i].location, expected[i]);
    assert_int_equal(devs[6].device, 0x1000);
    assert_int_equal(pci_scan(devs, 3), 3);
}

static void test_bridges_that_lie(void **state)
{
    (void)state;
    add_bridge(0, 1, 0); /* to itself */
    add_bridge(0, 2, 7);
    add_bridge(7, 0, 7); /* to itself */
    add_bridge(7, 1, 3); /* back */
    add_bridge(7, 2, 0); /* to the start */
    add_bridge(0, 3, 7); /* a second way */
    add_bridge(0, 4, 200);
    fake_pci_access.last_bus = 100;
    fake_pci_add(7, 5, 0, 0x1AF4, 0x1041, 0);
    fake_pci_add(3, 5, 0, 0x1AF4, 0x1041, 0);
    fake_pci_add(200, 5, 0, 0x1AF4, 0x1041, 0);
    assert_int_equal(pci_scan(devs, PCI_DEVS_MAX), 1);
    assert_string_equal(devs[0].location, "07:05.0");
}

static void test_no_pci(void **state)
{
    (void)state;
    pci_use(NULL);
    assert_int_equal(pci_scan(devs, PCI_DEVS_MAX), 0);
}

static void test_capabilities(void **state)
{
    struct fake_pci_fn *fn = fake_pci_add(0, 1, 0, 0x1AF4, 0x1041, 0);

    (void)state;
    pci_scan(devs, 1);
    fn->config[PCI_CAP_POINTER] = 0x40;
    fn->config[0x40] = PCI_CAP_ID_VENDOR;
    assert_int_equal(pci_find_cap(devs, PCI_CAP_ID_VENDOR, 0),
                     0); /* status says there is no list */
    fn->config[PCI_CAP_POINTER] = 0;
    fake_pci_add_cap(fn, 0x40, PCI_CAP_ID_VENDOR);
    fake_pci_add_cap(fn, 0x60, PCI_CAP_ID_MSIX);
    fake_pci_add_cap(fn, 0x50, PCI_CAP_ID_VENDOR);
    assert_int_equal(pci_find_cap(devs, PCI_CAP_ID_VENDOR, 0), 0x50);
    assert_int_equal(pci_find_cap(devs, PCI_CAP_ID_VENDOR, 0x50), 0x40);
    assert_int_equal(pci_find_cap(devs, PCI_CAP_ID_VENDOR, 0x40), 0);
    assert_int_equal(pci_find_cap(devs, PCI_CAP_ID_MSIX, 0), 0x60);
    assert_int_equal(pci_find_cap(devs, 0x05, 0), 0);

    fn->config[0x41] = 0x50; /* a circle */
    fake_pci_reads = 0;
    assert_int_equal(pci_find_cap(devs, 0x05, 0), 0);
    assert_true(fake_pci_reads < 150);
    fn->config[0x41] = 0x3C; /* into the header */
    assert_int_equal(pci_find_cap(devs, 0x00, 0), 0);
    fn->config[0x41] = 0xFF; /* the last dword, and from there nowhere */
    assert_int_equal(pci_find_cap(devs, 0x05, 0), 0);
    fn->config[PCI_CAP_POINTER] = 0x43; /* the low bits are reserved */
    assert_int_equal(pci_find_cap(devs, PCI_CAP_ID_VENDOR, 0), 0x40);
}

static void test_bar_sizes(void **state)
{
    struct fake_pci_fn *fn = fake_pci_add(0, 1, 0, 0x1AF4, 0x1041, 0);

    (void)state;
    fake_pci_set_io_bar(fn, 0, 0xC040, 0x20);
    fake_pci_set_bar(fn, 1, 0xFEBD1000u, 0x1000, false);
    fake_pci_set_bar(fn, 2, 0x8000000000ull, 0x200000000ull, true);
    fake_pci_set_bar(fn, 4, 0xFE000000u, 0x4000, true);
    fake_pci_set16(fn, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    pci_scan(devs, 1);
    assert_int_equal(pci_enable(devs), 0);
    static const struct pci_bar expected[6] = {{0xC040, 0x20, true},
                                               {0xFEBD1000u, 0x1000, false},
                                               {0x8000000000ull, 0x200000000ull, false},
                                               {0, 0, false},
                                               {0xFE000000u, 0x4000, false},
                                               {0, 0, false}};
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(devs[0].bars[i].base, expected[i].base);
        assert_int_equal(devs[0].bars[i].bytes, expected[i].bytes);
        assert_int_equal(devs[0].bars[i].io, expected[i].io);
    }
    /* Sizing left them where they were. */
    assert_int_equal(fake_pci_get32(fn, PCI_BAR(0)), 0xC041);
    assert_int_equal(fake_pci_get32(fn, PCI_BAR(1)), 0xFEBD1000u);
    assert_int_equal(fake_pci_get32(fn, PCI_BAR(3)), 0x80);
    /* What firmware's driver left running is cut off until it has been reset. */
    assert_int_equal(fn->config[PCI_COMMAND], PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    pci_enable_dma(devs);
    assert_true(fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    pci_disable(devs);
    assert_false(fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
}

static void test_bars_nobody_placed(void **state)
{
    struct fake_pci_fn *a = fake_pci_add(0, 1, 0, 0x1AF4, 0x1041, 0);
    struct fake_pci_fn *b = fake_pci_add(0, 2, 0, 0x1AF4, 0x1041, 0);
    struct fake_pci_fn *c = fake_pci_add(0, 3, 0, 0x1AF4, 0x1041, 0);

    (void)state;
    fake_pci_set_io_bar(a, 0, 0, 0x20);
    fake_pci_set_bar(a, 1, 0, 0x1000, false);
    fake_pci_set_bar(a, 4, 0, 0x4000, true);
    fake_pci_set_bar(b, 1, 0, 0x10, false);
    fake_pci_set_bar(b, 4, 0, 0x4000, true);
    fake_pci_set_bar(c, 1, 0, 0x20000000, false);
    pci_scan(devs, 3);
    assert_int_equal(pci_enable(&devs[0]), -ENOSPC); /* no window */
    assert_false(a->config[PCI_COMMAND] & PCI_COMMAND_MEMORY);

    fake_pci_access.window_start = 0xC0000000u;
    fake_pci_access.window_end = 0xE0000000u;
    pci_use(&fake_pci_access);
    assert_int_equal(pci_enable(&devs[0]), 0);
    assert_int_equal(devs[0].bars[0].bytes, 0); /* ports cannot be had */
    assert_int_equal(devs[0].bars[1].base, 0xC0000000u);
    assert_int_equal(devs[0].bars[4].base, 0xC0004000u);
    assert_int_equal(fake_pci_get32(a, PCI_BAR(4)), 0xC0004000u | PCI_BAR_TYPE_64);
    assert_int_equal(pci_enable(&devs[1]), 0);
    assert_int_equal(devs[1].bars[1].base, 0xC0008000u); /* a page of its own */
    assert_int_equal(devs[1].bars[4].base, 0xC000C000u);
    assert_int_equal(pci_enable(&devs[2]), -ENOSPC); /* as large as the window */

    pci_use(&fake_pci_access);
    fake_ram_end = 0xD0000000u; /* RAM where the window should be */
    fake_pci_set_bar(b, 1, 0, 0x10, false);
    assert_int_equal(pci_enable(&devs[1]), -ENOSPC);
}

static void test_map_bar_stays_inside(void **state)
{
    static const struct {
        int id;
        unsigned bar;
        uint64_t offset, bytes;
        bool mapped;
    } rows[] = {
        {1, 1, 0, 0x1000, true},
        {2, 1, 0xFFF, 1, true},
        {3, 1, 0xFFF, 2, false},
        {4, 1, 0x1000, 1, false},
        {5, 1, 0, 0, false},
        {6, 1, UINT64_MAX, 2, false},
        {7, 1, 8, UINT64_MAX - 4, false},
        {8, 0, 0, 1, false}, /* ports */
        {9, 2, 0, 1, false}, /* absent */
        {10, 6, 0, 1, false},
        {11, 0xFFFFFFFFu, 0, 1, false},
    };
    static uint8_t memory[0x1000];
    struct fake_pci_fn *fn = fake_pci_add(0, 1, 0, 0x1AF4, 0x1041, 0);

    (void)state;
    fake_pci_set_io_bar(fn, 0, 0xC040, 0x20);
    fake_pci_set_bar(fn, 1, 0xFEBD1000u, sizeof(memory), false);
    fake_machine_map(0xFEBD0000u, 0x1000, memory); /* neighbours are mappable, too */
    fake_machine_map(0xFEBD1000u, sizeof(memory), memory);
    fake_machine_map(0xFEBD2000u, 0x1000, memory);
    pci_scan(devs, 1);
    pci_enable(devs);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        bool mapped = pci_map_bar(devs, rows[i].bar, rows[i].offset, rows[i].bytes) != NULL;
        if (mapped != rows[i].mapped)
            fail_msg("row %d", rows[i].id);
    }
}

static unsigned called;

static void on_irq(void *arg)
{
    called += *(unsigned *)arg;
}

static void test_msix(void **state)
{
    static uint8_t table[0x1000];
    struct fake_pci_fn *fn = fake_pci_add(0, 1, 0, 0x1AF4, 0x1041, 0);
    unsigned weight = 7;

    (void)state;
    memset(table, 0, sizeof(table));
    fake_pci_set_bar(fn, 1, 0xFEBD1000u, sizeof(table), false);
    fake_machine_map(0xFEBD1000u, sizeof(table), table);
    pci_scan(devs, 1);
    pci_enable(devs);
    assert_int_equal(pci_msix_open(devs), -ENODEV);

    fake_pci_add_cap(fn, 0x98, PCI_CAP_ID_MSIX);
    fake_pci_set16(fn, 0x98 + PCI_MSIX_CONTROL, 2); /* three entries */
    fake_pci_set32(fn, 0x98 + PCI_MSIX_TABLE, 0x800 | 1);
    assert_int_equal(pci_msix_open(devs), 0);
    assert_int_equal(devs[0].msix_count, 3);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(table[0x800 + 16 * i + 12], i < 3 ? PCI_MSIX_ENTRY_CONTROL_MASKED : 0);

    assert_int_equal(pci_msix_set(devs, 3, on_irq, &weight), -EINVAL);
    assert_int_equal(pci_msix_set(devs, 1, on_irq, &weight), 0);
    assert_int_equal(load_raw32(table + 0x810), 0xFEE00000u);
    assert_int_equal(load_raw32(table + 0x818), 0x40);
    assert_int_equal(table[0x81C], 0);
    assert_int_equal(table[0x80C], PCI_MSIX_ENTRY_CONTROL_MASKED);
    fake_irq_raise(0);
    assert_int_equal(called, 7);
    fake_irq_limit = fake_irq_count;
    assert_int_equal(pci_msix_set(devs, 0, on_irq, &weight), -ENOSPC);

    pci_msix_enable(devs, true);
    assert_int_equal(fn->config[0x98 + PCI_MSIX_CONTROL + 1], 0x80);
    assert_int_equal(fn->config[PCI_COMMAND + 1], PCI_COMMAND_INTX_OFF >> 8);
    pci_msix_enable(devs, false);
    assert_int_equal(fn->config[0x98 + PCI_MSIX_CONTROL + 1], 0);
    assert_int_equal(fn->config[PCI_COMMAND + 1], 0);

    /* A table that leaves its BAR, or lies in none. */
    fake_pci_set32(fn, 0x98 + PCI_MSIX_TABLE, 0xFE0 | 1);
    assert_int_equal(pci_msix_open(devs), -ENODEV);
    fake_pci_set32(fn, 0x98 + PCI_MSIX_TABLE, 0x800 | 7);
    assert_int_equal(pci_msix_open(devs), -ENODEV);
    fake_pci_set32(fn, 0x98 + PCI_MSIX_TABLE, 0xFFFFFFF8u | 1);
    assert_int_equal(pci_msix_open(devs), -ENODEV);
}

/* The one message, with an address of four bytes or of eight, and one that was left on. */
static void test_msi(void **state)
{
    static const struct {
        int id;
        uint8_t at;
        uint16_t control;
        unsigned vectors;
        int status;
        unsigned data_at;
    } rows[] = {
        {1, 0xD0, 0x0000, 1, 0, 0xD8},
        {2, 0xD0, PCI_MSI_CONTROL_WIDE, 1, 0, 0xDC},
        {3, 0xD0, PCI_MSI_CONTROL_WIDE | 0x77, 1, 0, 0xDC}, /* eight messages, on */
        {4, 0xF0, PCI_MSI_CONTROL_WIDE, 1, 0, 0xFC},
        {5, 0xF4, PCI_MSI_CONTROL_WIDE, 1, -ENODEV, 0}, /* ends outside */
        {6, 0xD0, PCI_MSI_CONTROL_WIDE, 0, -ENOSPC, 0},
        {7, 0, 0, 1, -ENODEV, 0},
    };
    unsigned weight = 9;

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        setup(NULL);
        struct fake_pci_fn *fn = fake_pci_add(0, 1, 0, 0x8086, 0x10D3, 0);
        if (rows[i].at != 0) {
            fake_pci_add_cap(fn, rows[i].at, PCI_CAP_ID_MSI);
            fake_pci_set16(fn, rows[i].at + PCI_MSI_CONTROL, rows[i].control);
        }
        fake_pci_add_cap(fn, 0xA0, PCI_CAP_ID_MSIX);
        fake_pci_set16(fn, 0xA0 + PCI_MSIX_CONTROL, 4 | PCI_MSIX_CONTROL_ENABLE);
        fake_irq_limit = rows[i].vectors;
        pci_scan(devs, 1);
        if (pci_msi_attach(devs, on_irq, &weight) != rows[i].status)
            fail_msg("row %d", rows[i].id);
        if (rows[i].status != 0) {
            assert_int_equal(fn->config[PCI_COMMAND + 1], 0);
            continue;
        }
        called = 0;
        fake_irq_raise(0);
        assert_int_equal(called, 9);
        assert_int_equal(fake_pci_get32(fn, rows[i].at + PCI_MSI_ADDRESS), 0xFEE00000u);
        assert_int_equal(fn->config[rows[i].data_at], 0x40);
        assert_int_equal(fn->config[rows[i].at + PCI_MSI_CONTROL] & 0x7F,
                         0x01 | (rows[i].control & 0x0E));
        assert_int_equal(fn->config[0xA0 + PCI_MSIX_CONTROL + 1], 0);
        assert_int_equal(fn->config[PCI_COMMAND + 1], PCI_COMMAND_INTX_OFF >> 8);

        /* And back to the line. */
        fake_irq_limit = 2;
        fn->config[PCI_INTERRUPT_PIN] = 1;
        fn->config[PCI_INTERRUPT_LINE] = 11;
        assert_int_equal(pci_intx_attach(devs, on_irq, &weight), 0);
        assert_int_equal(fn->config[rows[i].at + PCI_MSI_CONTROL] & 1, 0);
        assert_int_equal(fn->config[PCI_COMMAND + 1], 0);
    }
}

static void test_intx_lines(void **state)
{
    static const struct {
        int id;
        uint8_t pin, line;
        int status;
    } rows[] = {{1, 1, 11, 0},        {2, 0, 11, -ENODEV}, {3, 1, 0, -ENODEV},
                {4, 1, 255, -ENODEV}, {5, 1, 16, -ENODEV}, {6, 4, 15, 0}};
    struct fake_pci_fn *fn = fake_pci_add(0, 1, 0, 0x1AF4, 0x1041, 0);
    unsigned weight = 1;

    (void)state;
    pci_scan(devs, 1);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        fn->config[PCI_INTERRUPT_PIN] = rows[i].pin;
        fn->config[PCI_INTERRUPT_LINE] = rows[i].line;
        if (pci_intx_attach(devs, on_irq, &weight) != rows[i].status)
            fail_msg("row %d", rows[i].id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_scan_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bridges_that_lie, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_pci, setup, teardown),
        cmocka_unit_test_setup_teardown(test_capabilities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bar_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bars_nobody_placed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_map_bar_stays_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_msix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_msi, setup, teardown),
        cmocka_unit_test_setup_teardown(test_intx_lines, setup, teardown),
    };
    return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
