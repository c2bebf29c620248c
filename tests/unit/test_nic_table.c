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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_id_is_there_once),
        cmocka_unit_test(test_macs),
        cmocka_unit_test(test_taken_down),
    };
    return cmocka_run_group_tests_name("nic_table", tests, NULL, NULL);
}
