/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drivers/watchdog.c, i6300esb.c and tco.c, against both devices in software. Registers that count
 * only in a certain order say so when it was another.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "drivers/watchdog.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_pci.h"
#include "tests/fake/fake_ports.h"
#include "tests/fake/fake_registers.h"

#define S             1000000ull
#define REGISTERS     0xFEBF0000u /* where the page of registers is found */
#define ACPI_PORTS    0x600
#define TCO_PORTS     (ACPI_PORTS + 0x60)
#define ESB_LOCK      0x68
#define ESB_CONFIG    0x60
#define ESB_TICK_NS   992969ull /* 2^15 periods of 33 MHz */
#define TCO_TICK_MS   600
#define TCO_HALT      (1u << 11)
#define TCO_LOCK      (1u << 12)
#define TCO_KEPT      0x0100u /* another's bit */
#define NO_REBOOT     (1u << 5)
#define CONTROL_OTHER 0x84u

static struct watchdog w;
static struct fake_pci_fn *pci;

static struct {
    uint32_t timers[2];
    unsigned unlocked; /* so many words of the sequence of two */
    unsigned feeds;
} esb;

static struct {
    uint16_t timer, control, status[2];
    uint32_t chipset; /* GCS */
    bool wired;       /* NO_REBOOT */
    unsigned feeds;
} tco;

/* ---- the 6300ESB ---- */

static uint32_t esb_read(void *device, unsigned reg)
{
    (void)device;
    fail_msg("nothing is to be read from 0x%x", reg);
    return 0;
}

static void esb_write(void *device, unsigned reg, uint32_t value)
{
    uint16_t low = (uint16_t)value;

    (void)device;
    if (esb.unlocked < 2) {
        assert_int_equal(reg, 0x0C);
        assert_int_equal(low, esb.unlocked == 0 ? 0x80 : 0x86);
        esb.unlocked++;
        return;
    }
    esb.unlocked = 0;
    if (reg == 0x0C) {
        assert_int_equal(low, 0x300); /* starts anew, and what ran out is forgotten */
        esb.feeds++;
        return;
    }
    assert_true(reg == 0 || reg == 4);
    assert_int_equal(pci->config[ESB_LOCK], 0); /* only while it stands still */
    esb.timers[reg / 4] = value;
}

static void add_esb(void)
{
    pci = fake_pci_add(0, 5, 0, 0x8086, 0x25AB, PCI_HEADER_TYPE_DEVICE);
    fake_pci_set_bar(pci, 0, REGISTERS, 16, false);
    fake_machine_map(REGISTERS, 16, fake_registers(esb_read, esb_write, NULL));
}

/* ---- the TCO ---- */

static uint32_t tco_in(void *device, uint16_t port, unsigned bytes)
{
    (void)device;
    assert_int_equal(port, TCO_PORTS + 8);
    assert_int_equal(bytes, 2);
    return tco.control;
}

static void tco_out(void *device, uint16_t port, unsigned bytes, uint32_t value)
{
    (void)device;
    assert_int_equal(bytes, 2);
    switch (port - TCO_PORTS) {
    case 0x00:
        tco.feeds++;
        break;
    case 0x04:
        tco.status[0] &= (uint16_t)~value;
        break;
    case 0x06:
        tco.status[1] &= (uint16_t)~value;
        break;
    case 0x08:
        tco.control = (uint16_t)value;
        break;
    case 0x12:
        assert_true(tco.control & TCO_HALT);
        tco.timer = (uint16_t)value;
        break;
    default:
        fail_msg("port 0x%x is another's", port);
    }
}

static uint32_t tco_read(void *device, unsigned reg)
{
    (void)device;
    assert_int_equal(reg, 0x410);
    return tco.chipset;
}

static void tco_write(void *device, unsigned reg, uint32_t value)
{
    (void)device;
    assert_int_equal(reg, 0x410);
    tco.chipset = value | (tco.wired ? NO_REBOOT : 0);
}

static struct fake_pci_fn *add_tco(uint16_t id)
{
    struct fake_pci_fn *lpc = fake_pci_add(0, 0x1F, 0, 0x8086, id, PCI_HEADER_TYPE_DEVICE);

    fake_pci_set32(lpc, 0x40, ACPI_PORTS | 1);
    lpc->config[0x44] = 0x80;
    fake_pci_set32(lpc, 0xF0, 0xFED1C001);
    fake_machine_map(0xFED1F000, FAKE_REGISTERS_BYTES, fake_registers(tco_read, tco_write, NULL));
    fake_ports(tco_in, tco_out, NULL);
    return lpc;
}

/* ---- tests ---- */

static int set_up(void **state)
{
    (void)state;
    fake_machine_reset();
    fake_pci_reset();
    fake_log_clear();
    memset(&esb, 0, sizeof(esb));
    memset(&tco, 0, sizeof(tco));
    tco.chipset = NO_REBOOT | CONTROL_OTHER;
    tco.control = TCO_KEPT;
    tco.status[0] = tco.status[1] = 0xFFFF;
    return 0;
}

static uint64_t esb_armed_us(void)
{
    return (esb.timers[0] + (uint64_t)esb.timers[1]) * ESB_TICK_NS / 1000;
}

static uint64_t tco_armed_us(void)
{
    return 2ull * tco.timer * TCO_TICK_MS * 1000;
}

/* Never later than was asked for, and not much earlier: the feeds are a third apart. */
static void armed_for(uint64_t armed_us, uint64_t timeout_s)
{
    if (armed_us > timeout_s * S || armed_us < timeout_s * S * 19 / 20)
        fail_msg("%llu us instead of %llu s", (unsigned long long)armed_us,
                 (unsigned long long)timeout_s);
}

static void both_count(void **state)
{
    static const struct {
        bool is_tco;
        uint32_t timeout_s;
    } rows[] = {{false, 5}, {false, 30}, {false, 60}, {false, 600},
                {true, 5},  {true, 30},  {true, 61},  {true, 600}};

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint32_t timeout_s = rows[i].timeout_s;
        uint64_t (*armed_us)(void) = rows[i].is_tco ? tco_armed_us : esb_armed_us;
        set_up(state);
        if (rows[i].is_tco)
            add_tco(0x2918);
        else
            add_esb();
        assert_true(watchdog_start(&w, timeout_s, 7 * S));
        armed_for(armed_us(), MAX(timeout_s, 60));
        assert_true(watchdog_next_us(&w) <= 7 * S + armed_us() / 2);
        watchdog_ready(&w, 8 * S);
        armed_for(armed_us(), timeout_s);
        assert_true(watchdog_next_us(&w) == 8 * S + timeout_s * S / 3);
    }
}

static void esb_is_armed_and_fed(void **state)
{
    (void)state;
    add_esb();
    fake_pci_set16(pci, ESB_CONFIG, 0x24); /* somebody's: in us, and without a reset */
    assert_true(watchdog_start(&w, 30, 0));
    assert_true(fake_log_has("i6300esb at 00:05.0") && fake_log_has("30 s"));
    watchdog_ready(&w, 0);
    assert_int_equal(fake_pci_get32(pci, ESB_CONFIG) & 0xFFFF, 0x03);
    assert_int_equal(pci->config[ESB_LOCK], 0x02);
    assert_true(pci->config[PCI_COMMAND] & PCI_COMMAND_MEMORY);
    assert_true(esb.feeds > 0);
    esb.feeds = 0;
    watchdog_poll(&w, watchdog_next_us(&w) - 1);
    assert_int_equal(esb.feeds, 0);
    watchdog_poll(&w, 10 * S);
    assert_int_equal(esb.feeds, 1);
    assert_true(watchdog_next_us(&w) == 20 * S);
    watchdog_feed(&w, 15 * S);
    assert_int_equal(esb.feeds, 2);
    assert_true(watchdog_next_us(&w) == 25 * S);
    assert_int_equal(esb.unlocked, 0);
    watchdog_stop(&w);
    assert_int_equal(pci->config[ESB_LOCK], 0);
    assert_null(fake_pci_fault);
}

static void tco_is_armed_and_fed(void **state)
{
    (void)state;
    add_tco(0x2918);
    assert_true(watchdog_start(&w, 30, 0));
    assert_true(fake_log_has("tco at 00:1f.0"));
    watchdog_ready(&w, 0);
    assert_int_equal(tco.chipset, CONTROL_OTHER);
    assert_int_equal(tco.control, TCO_KEPT);
    assert_int_equal(tco.status[1], 0xFFFF & ~2);
    assert_true(tco.feeds > 0);
    tco.feeds = 0;
    tco.status[0] = 0xFFFF; /* it has run out once */
    watchdog_poll(&w, 10 * S - 1);
    assert_int_equal(tco.feeds, 0);
    watchdog_poll(&w, 10 * S);
    assert_int_equal(tco.feeds, 1);
    assert_int_equal(tco.status[0], 0xFFFF & ~8);
    watchdog_stop(&w);
    assert_int_equal(tco.control, TCO_KEPT | TCO_HALT);
}

static char printed[80];
static unsigned lines;

static void print(const char *text)
{
    lines++;
    snprintf(printed, sizeof(printed), "%s", text);
}

static void it_is_shown_until_it_is_stopped(void **state)
{
    (void)state;
    lines = 0;
    assert_false(watchdog_start(&w, 30, 0));
    watchdog_print(&w, print);
    watchdog_ready(&w, 0);
    watchdog_feed(&w, 0);
    watchdog_stop(&w); /* none: nothing happens */
    assert_int_equal(lines, 0);
    add_esb();
    watchdog_start(&w, 600, 0);
    w.fed = UINT64_MAX - 1;
    watchdog_poll(&w, 200 * S);
    watchdog_print(&w, print);
    assert_string_equal(printed, "watchdog  i6300esb  600 s  fed 18446744073709551615 times");
    watchdog_stop(&w);
    esb.feeds = 0;
    watchdog_poll(&w, UINT64_MAX);
    watchdog_ready(&w, UINT64_MAX);
    watchdog_print(&w, print);
    watchdog_stop(&w);
    assert_int_equal(esb.feeds, 0);
    assert_int_equal(pci->config[ESB_LOCK], 0);
    assert_int_equal(lines, 1);
    assert_true(watchdog_next_us(&w) == CLOCK_NEVER);
}

/* A device of its own comes first; what is of no use says so and the next is taken. */
static void the_best_is_taken(void **state)
{
    static const struct {
        uint16_t tco_id; /* 0: no such device */
        bool esb, locked;
        const char *name;
    } rows[] = {
        {0, false, false, NULL},       {0x2918, false, false, "tco"},
        {0x2918, true, true, "tco"},   {0x2918, true, false, "i6300esb"},
        {0, true, false, "i6300esb"},  {0, true, true, NULL},
        {0x2911, false, false, NULL},  {0x2912, false, false, "tco"},
        {0x2919, false, false, "tco"}, {0x291A, false, false, NULL},
        {0x7000, false, false, NULL},  {0x8C5F, false, false, "tco"},
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        set_up(state);
        if (rows[i].tco_id)
            add_tco(rows[i].tco_id);
        if (rows[i].esb)
            add_esb();
        if (rows[i].locked) {
            pci->config[ESB_LOCK] = 1;
            if (rows[i].tco_id) /* the page is the other's */
                fake_registers(tco_read, tco_write, NULL);
            fake_ports(tco_in, tco_out, NULL);
        }
        if (watchdog_start(&w, 30, 0) != (rows[i].name != NULL) ||
            (rows[i].name && strcmp(w.name, rows[i].name) != 0))
            fail_msg("row %u: %s", i + 1, w.ops ? w.name : "none");
        assert_int_equal(fake_log_has("none is armed"), rows[i].name == NULL);
        assert_int_equal(fake_log_has("i6300esb at 00:05.0 is of no use: firmware has locked it"),
                         rows[i].locked);
        if (rows[i].locked)
            assert_int_equal(pci->config[ESB_LOCK], 1);
    }
    set_up(state);
    fake_pci_add(0, 5, 0, 0x1AF4, 0x25AB, PCI_HEADER_TYPE_DEVICE);
    assert_false(watchdog_start(&w, 30, 0));
}

static void what_is_of_no_use(void **state)
{
    static const struct {
        uint32_t acpi, chipset;
        uint8_t acpi_control;
        uint16_t control;
        bool wired;
        const char *why;
    } rows[] = {
        {1, 0xFED1C001, 0x80, 0, false, "no ports"},
        {ACPI_PORTS | 1, 0xFED1C001, 0x7F, 0, false, "no ports"},
        {ACPI_PORTS | 1, 0xFED1C001, 0x80, TCO_LOCK, false, "locked"},
        {ACPI_PORTS | 1, 0xFED1C000, 0x80, 0, false, "cannot be reached"},
        {ACPI_PORTS | 1, 0xFED20001, 0x80, 0, false, "cannot be reached"},
        {ACPI_PORTS | 1, 0xFED1C001, 0x80, 0, true, "keeps it from resetting"},
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        set_up(state);
        struct fake_pci_fn *lpc = add_tco(0x2918);
        fake_pci_set32(lpc, 0x40, rows[i].acpi);
        fake_pci_set32(lpc, 0xF0, rows[i].chipset);
        lpc->config[0x44] = rows[i].acpi_control;
        tco.control = rows[i].control;
        tco.wired = rows[i].wired;
        if (watchdog_start(&w, 30, 0) || !fake_log_has(rows[i].why) || tco.feeds != 0)
            fail_msg("row %u is used", i + 1);
    }
    set_up(state);
    add_esb();
    fake_pci_set_bar(pci, 0, REGISTERS + 0x10000, 16, false); /* RAM, or beyond all */
    assert_false(watchdog_start(&w, 30, 0));
    assert_true(fake_log_has("cannot be reached"));
    set_up(state);
    add_esb();
    fake_pci_set_bar(pci, 0, 0, 16, false);
    assert_false(watchdog_start(&w, 30, 0));
    assert_true(fake_log_has("no place"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(both_count, set_up),
        cmocka_unit_test_setup(esb_is_armed_and_fed, set_up),
        cmocka_unit_test_setup(tco_is_armed_and_fed, set_up),
        cmocka_unit_test_setup(it_is_shown_until_it_is_stopped, set_up),
        cmocka_unit_test_setup(the_best_is_taken, set_up),
        cmocka_unit_test_setup(what_is_of_no_use, set_up),
    };
    return cmocka_run_group_tests_name("watchdog", tests, NULL, NULL);
}
