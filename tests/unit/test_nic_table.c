/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drivers/nic_table.c and nic.c: the table of NIC drivers and what they share.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/nic_driver.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_pci.h"
#include "tests/fake/fake_ports.h"

#define IDS_MAX 100

/* Every id is one that a device can have, has a name, and belongs to one driver. */
static void test_every_id_is_there_once(void **state)
{
    const struct nic_id *ids[IDS_MAX];
    unsigned n = 0;

    (void)state;
    for (const struct nic_driver *const *driver = nic_drivers; *driver; driver++) {
        unsigned before = n;
        assert_non_null((*driver)->probe);
        for (const struct nic_id *id = (*driver)->ids; id->name; id++) {
            assert_true(n < IDS_MAX);
            assert_int_not_equal(id->vendor, 0);
            assert_int_not_equal(id->vendor, 0xFFFF);
            for (unsigned i = 0; i < n; i++)
                if (ids[i]->vendor == id->vendor && ids[i]->device == id->device)
                    fail_msg("%04x:%04x is there twice", id->vendor, id->device);
            ids[n++] = id;
        }
        assert_true(n > before);
    }
    assert_true(n >= 2);
}

static void test_macs(void **state)
{
    static const struct {
        int id;
        uint8_t mac[MAC_BYTES];
        bool usable;
    } rows[] = {
        {1, {0x52, 0x54, 0, 0x12, 0, 1}, true},
        {2, {0, 0, 0, 0, 0, 0}, false},
        {3, {0, 0, 0, 0, 0, 1}, true},
        {4, {1, 0, 0x5E, 0, 0, 1}, false},
        {5, {255, 255, 255, 255, 255, 255}, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++)
        if (nic_mac_is_usable(rows[i].mac) != rows[i].usable)
            fail_msg("row %d", rows[i].id);
    for (unsigned i = 0; i < 20; i++) {
        uint8_t mac[MAC_BYTES];
        nic_mac_make(mac);
        assert_true(nic_mac_is_usable(mac));
        assert_int_equal(mac[0] & 3, 2);
    }
}

/* Whatever its driver's operations were, they are not called any more. */
static void test_taken_down(void **state)
{
    static const struct nic_ops none;
    struct nic nic = {.ops = &none, .location = "00:03.0"};
    struct pkt *p = NULL;

    (void)state;
    fake_log_clear();
    nic_taken_down(&nic, "a lie");
    nic_taken_down(&nic, "another");
    assert_string_equal(nic.dead, "a lie");
    assert_int_equal(fake_log_count, 1);
    assert_true(fake_log_has("00:03.0") && fake_log_has("a lie"));
    assert_int_equal(nic.ops->rx_batch(&nic, &p, 1), 0);
    assert_int_equal(nic.ops->tx_batch(&nic, &p, 1), 0);
    nic.ops->tx_reclaim(&nic);
    assert_false(nic.ops->irq_arm(&nic));
    nic.ops->irq_disarm(&nic);
    assert_false(nic.ops->link_up(&nic));
    nic.ops->stop(&nic);
}

/* ---- the walk: devices that do not start, on a bus that is found through the I/O ports ---- */

#define CONFIG_ADDRESS 0xCF8
#define CONFIG_DATA    0xCFC
#define NOBODY         0xFFFF

static uint32_t config_address;
static struct pkt_pool pool; /* nobody gets as far as to take from it */

static uint32_t config_in(void *device, uint16_t port, unsigned bytes)
{
    (void)device;
    if (port == CONFIG_ADDRESS)
        return config_address;
    return fake_pci_access.read(config_address >> 8 & 0xFFFF,
                                (config_address & 0xFC) + port - CONFIG_DATA, bytes);
}

static void config_out(void *device, uint16_t port, unsigned bytes, uint32_t value)
{
    (void)device;
    if (port == CONFIG_ADDRESS)
        config_address = value;
    else
        fake_pci_access.write(config_address >> 8 & 0xFFFF,
                              (config_address & 0xFC) + port - CONFIG_DATA, bytes, value);
}

/* None of them has registers. */
static const struct {
    uint16_t vendor, id;
    const char *name; /* NULL: it is no port */
    const char *location;
} bus[] = {
    {0x1AF4, 0x1000, "virtio-net (transitional)", "00:00.0"},
    {0x8086, 0x100E, "e1000", "00:01.0"},
    {0x10EC, 0x8139, NULL, "00:02.0"}, /* a NIC that has no driver */
    {0x1AF4, 0x1005, NULL, "00:03.0"}, /* no NIC */
    {0x15AD, 0x07B0, "vmxnet3", "00:04.0"},
    {0x1AF4, 0x1041, "virtio-net", "00:05.0"},
};
#define BUS_PORTS 4

static struct nic_limits make_bus(void)
{
    fake_machine_reset();
    fake_pci_reset();
    fake_log_clear();
    fake_ports(config_in, config_out, NULL);
    for (unsigned i = 0; i < ARRAY_COUNT(bus); i++) {
        struct fake_pci_fn *fn =
            fake_pci_add(0, i, 0, bus[i].vendor, bus[i].id, PCI_HEADER_TYPE_DEVICE);
        fn->config[PCI_CLASS] = bus[i].id == 0x1005 ? 0 : PCI_CLASS_NETWORK;
    }
    return (struct nic_limits){.pool = &pool, .rx_buffers_max = 8};
}

/* Whatever a device does, those behind it have the numbers they had; a port that failed has a MAC
 * that a network may take, and takes and gives nothing. */
static void test_failed_ports_keep_their_numbers(void **state)
{
    static const struct {
        size_t memory;
        unsigned max, ports;
    } rows[] = {{SIZE_MAX, 16, BUS_PORTS}, {0, 16, BUS_PORTS}, {SIZE_MAX, 3, 3}, {SIZE_MAX, 0, 0}};

    (void)state;
    for (unsigned row = 0; row < ARRAY_COUNT(rows); row++) {
        struct nic_limits limits = make_bus();
        struct nic *nics[16];
        struct pkt *p = NULL;
        fake_mem_limit = rows[row].memory;
        assert_int_equal(nic_count(), BUS_PORTS);
        assert_int_equal(nic_probe_all(&limits, nics, rows[row].max), rows[row].ports);
        for (unsigned i = 0, port = 0; i < ARRAY_COUNT(bus) && port < rows[row].ports; i++) {
            if (!bus[i].name)
                continue;
            struct nic *nic = nics[port++];
            assert_non_null(nic->dead);
            assert_string_equal(nic->location, bus[i].location);
            assert_true(nic_mac_is_usable(nic->mac));
            assert_int_equal(nic->mtu_max, UINT16_MAX); /* limits no network's */
            assert_int_equal(nic->ops->rx_batch(nic, &p, 1), 0);
            if (rows[row].memory == 0)
                assert_string_equal(nic->dead, "too little memory");
            else
                assert_string_equal(nic->driver, bus[i].name);
        }
        assert_true(fake_log_has("00:02.0: no driver for this network device (10ec:8139)"));
        assert_false(fake_log_has("00:03.0: no driver"));
        assert_int_equal(fake_log_has("more network devices than"), rows[row].ports < BUS_PORTS);
    }
}

/* One that runs and has left the bus goes down, once; the others stay as they are. */
static void test_gone(void **state)
{
    static const struct nic_ops works;
    struct nic_limits limits = make_bus();
    struct nic *nics[BUS_PORTS];

    (void)state;
    assert_int_equal(nic_probe_all(&limits, nics, BUS_PORTS), BUS_PORTS);
    for (unsigned i = 1; i < BUS_PORTS; i++) { /* as if they had started */
        nics[i]->dead = NULL;
        nics[i]->ops = &works;
    }
    fake_log_clear();
    nic_look_for_gone();
    assert_int_equal(fake_log_count, 0);
    fake_pci_set16(&fake_pci_fns[0], PCI_VENDOR_ID, NOBODY); /* port 0 was dead already */
    fake_pci_set16(&fake_pci_fns[4], PCI_VENDOR_ID, NOBODY);
    nic_look_for_gone();
    nic_look_for_gone();
    assert_int_equal(fake_log_count, 1);
    assert_true(fake_log_has("00:04.0: device offered nothing any more"));
    assert_non_null(nics[2]->dead);
    assert_ptr_not_equal(nics[2]->ops, &works);
    assert_null(nics[1]->dead);
    assert_null(nics[3]->dead);
    assert_string_not_equal(nics[0]->dead, "nothing any more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_id_is_there_once),
        cmocka_unit_test(test_macs),
        cmocka_unit_test(test_taken_down),
        cmocka_unit_test(test_failed_ports_keep_their_numbers),
        cmocka_unit_test(test_gone),
    };
    return cmocka_run_group_tests_name("nic_table", tests, NULL, NULL);
}
