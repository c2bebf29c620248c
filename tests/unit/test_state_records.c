/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What becomes of leases that are read again: of a network that is another now, two of one address
 * or client, and ten thousand of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/lease_judge.h"
#include "tests/fake/state_rig.h"

#include <stdio.h>

/* ---- a configuration that is another now ---- */

static void change(int what)
{
    struct config *config = &dhcp_lab.config;

    switch (what) {
    case 1: /* the pool is elsewhere */
        config->nets[0].pool_first = POOL(50);
        config->nets[0].pool_last = POOL(60);
        break;
    case 2: /* the network has another name */
        snprintf(config->nets[0].name, sizeof(config->nets[0].name), "home");
        break;
    case 3: /* client 1's address is reserved for client 7, */
    case 4: /* or for itself */
        config->host_count = 1;
        config->hosts[0] = (struct config_host){.net = 0, .ip = POOL(1)};
        dhcp_lab_mac_of(config->hosts[0].mac, what == 3 ? 7 : 1);
        break;
    case 5: /* the name is another's */
        snprintf(config->hostname, sizeof(config->hostname), "mint");
        break;
    case 6: /* the subnet is another */
        config->nets[0].ip = BE_IP4(10, 0, 0, 1);
        config->nets[0].pool_first = BE_IP4(10, 0, 0, 100);
        config->nets[0].pool_last = BE_IP4(10, 0, 0, 110);
        break;
    case 7: /* clients are known in another way */
        config->ports[0].lock = LOCK_IP;
        config->port_count = 1;
        config->nets[0].ports = 1;
        break;
    }
}

static void test_the_configuration_wins(void **state)
{
    static const struct {
        int id;
        unsigned restored, outside;
        unsigned type; /* what client 1 is answered when it asks for its address again */
        bool named;
    } rows[] = {
        {0, 2, 0, DHCP_TYPE_ACK, true},  {1, 0, 2, DHCP_TYPE_NAK, false},
        {2, 2, 0, DHCP_TYPE_ACK, true},  {3, 1, 1, DHCP_TYPE_NAK, false},
        {4, 2, 0, DHCP_TYPE_ACK, true},  {5, 2, 0, DHCP_TYPE_ACK, false},
        {6, 0, 2, DHCP_TYPE_NAK, false}, {7, 2, 0, DHCP_TYPE_ACK, false},
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        state_rig_teardown(state);
        state_rig_setup(state);
        state_rig_boot();
        struct dhcp_lab_request request = {.type = DHCP_TYPE_REQUEST,
                                           .client = 1,
                                           .id = "one",
                                           .name = "mint",
                                           .requested = POOL(1)};
        assert_int_equal(dhcp_lab_ask(request), DHCP_TYPE_ACK);
        assert_int_equal(state_rig_init_reboot(2, POOL(2)), DHCP_TYPE_ACK);
        fake_now_us = dhcp_lab.now_us;
        state_rig_settle();
        change(rows[i].id);
        assert_true(state_rig_boot());
        const struct lease *l = lease_known(state_rig_leases(), POOL(1));
        bool named = l && strcmp(l->name, "mint") == 0;
        request.name = NULL;
        unsigned type = dhcp_lab_ask(request);
        if (state_rig.keeper.store.counters.restored != rows[i].restored ||
            state_rig.keeper.store.counters.outside != rows[i].outside || type != rows[i].type ||
            named != rows[i].named)
            fail_msg("row %d: restored %u, outside %u, answer %u, named %d", rows[i].id,
                     state_rig.keeper.store.counters.restored,
                     state_rig.keeper.store.counters.outside, type, named);
        lease_judge(state_rig_leases());
        state_rig_settle();
    }
}

/* Two records of one address or of one client: the newer one counts. */
static void test_the_newer_record_counts(void **state)
{
    static const struct {
        int id;
        uint32_t rounds[2], left_s[2];
        bool same_ip, same_client;
        unsigned live[2];
    } rows[] = {
        {1, {5, 6}, {100, 50}, true, false, {0, 1}},  {2, {6, 5}, {50, 100}, true, false, {1, 0}},
        {3, {5, 6}, {100, 50}, false, true, {0, 1}},  {4, {6, 5}, {50, 100}, false, true, {1, 0}},
        {5, {5, 5}, {50, 100}, true, false, {0, 1}},  {6, {5, 5}, {100, 50}, false, true, {1, 0}},
        {7, {5, 6}, {50, 100}, false, false, {1, 1}}, {8, {5, 6}, {100, 0}, true, true, {0, 0}},
    };
    static struct store_group pair[2];
    static struct dhcp_store store;

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        dhcp_lab_start();
        assert_int_equal(
            dhcp_store_init(&store, &dhcp_lab.server, 2, 7, fake_alloc, fake_alloc_dirty), 0);
        for (unsigned k = 0; k < 2; k++) {
            struct store_record *r = &pair[0].records[3];
            memset(pair, 0, sizeof(pair));
            *r = (struct store_record){.who = {{rows[i].same_client ? 1 : k + 1, 2}},
                                       .ip = POOL(rows[i].same_ip ? 0 : k),
                                       .network = store_network("lan"),
                                       .left_s = rows[i].left_s[k],
                                       .state = rows[i].left_s[k] ? STORE_GRANTED : STORE_OVER};
            r->mac[5] = (uint8_t)k;
            store_group_seal(&pair[0], 7, k, rows[i].rounds[k]);
            dhcp_store_load(&store, k, pair, 0);
        }
        for (unsigned k = 0; k < 2; k++) {
            const struct lease *l = lease_known(state_rig_leases(), POOL(rows[i].same_ip ? 0 : k));
            bool live = l && lease_live(l, 0) && l->mac[5] == k;
            if (live != rows[i].live[k])
                fail_msg("row %d: record %u is %d", rows[i].id, k, live);
        }
        lease_judge(state_rig_leases());
    }
}

/* ---- scale ---- */

static void test_ten_thousand_leases(void **state)
{
    (void)state;
    const unsigned count = 10000;
    fake_disk_free(&state_rig.disks[0]);
    fake_disk_init(&state_rig.disks[0], store_bytes(count));
    state_rig_put_header(&state_rig.disks[0], 0, HEADER_OURS);
    assert_int_equal(state_rig.disks[0].blk.bytes, 2064 * KB);
    dhcp_lab.config.net_count = 1;
    dhcp_lab.config.nets[0].prefix = 16;
    dhcp_lab.config.nets[0].ip = BE_IP4(10, 7, 0, 1);
    dhcp_lab.config.nets[0].pool_first = BE_IP4(10, 7, 1, 0);
    dhcp_lab.config.nets[0].pool_last = BE_IP4(10, 7, 255, 254);
    assert_true(state_rig_boot());
    for (unsigned c = 0; c < count; c++) {
        assert_int_equal(state_rig_init_reboot(c, hton32(0x0A070100 + c * 6)), DHCP_TYPE_ACK);
        fake_now_us = dhcp_lab.now_us;
        if (c % 100 == 0)
            state_rig_pass(100000);
    }
    state_rig_settle();
    assert_true(state_rig_boot());
    assert_int_equal(state_rig.keeper.store.counters.restored, count);
    assert_int_equal(state_rig.keeper.store.counters.unkept, 0);
    lease_judge(state_rig_leases());
    for (unsigned c = 0; c < count; c += 7)
        assert_int_equal(state_rig_init_reboot(c, hton32(0x0A070100 + c * 6)), DHCP_TYPE_ACK);
    assert_int_equal(store_groups(store_bytes(65536)) * STORE_GROUP_RECORDS >= 65536, 1);
    assert_int_equal(store_bytes(65536), 13456 * KB);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, state_rig_setup, state_rig_teardown)
    const struct CMUnitTest tests[] = {
        T(test_the_configuration_wins),
        T(test_the_newer_record_counts),
        T(test_ten_thousand_leases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
