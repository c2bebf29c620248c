/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Leases on a disk that loses power at any time, or of which a bit is another.
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

#define CLIENTS 60

/* ---- damage ---- */

/* Two copies of one group, the second the newer one: whatever bit of it is another, the first one
 * counts, and whatever bit of the first one is, nothing is lost. */
static void test_every_bit_counts(void **state)
{
    (void)state;
    state_rig_boot();
    state_rig_lease(1);
    state_rig_settle();
    state_rig_lease(2);
    state_rig_settle();
    uint8_t *copies[2] = {state_rig.disks[0].cache + FIRST_GROUP,
                          state_rig.disks[0].cache + FIRST_GROUP + STORE_BLOCK_BYTES};
    unsigned newer = load_raw32(copies[0] + offsetof(struct store_group, round)) <
                     load_raw32(copies[1] + offsetof(struct store_group, round));
    static struct store_group pair[2];
    static struct dhcp_store store;
    for (unsigned which = 0; which < 2; which++)
        for (unsigned bit = 0; bit < 8 * STORE_BLOCK_BYTES; bit += which ? 7 : 1) {
            dhcp_lab_start();
            memcpy(pair, state_rig.disks[0].cache + FIRST_GROUP, sizeof(pair));
            ((uint8_t *)&pair[which ? !newer : newer])[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(dhcp_store_init(&store, &dhcp_lab.server, 1, state_rig.keeper.id,
                                             fake_alloc, fake_alloc_dirty),
                             0);
            dhcp_store_load(&store, 0, pair, 0);
            if (store.counters.restored != (which ? 2 : 1) || store.counters.half_done != 1)
                fail_msg("bit %u of copy %u: %u leases", bit, which, store.counters.restored);
        }
}

/* ---- power ---- */

/* What the test knows of each client. Rounds are those of the store that were over by then; what
 * was there before the start is on the disk for sure. */
static struct {
    be32 ip; /* 0: none */
    uint64_t end_us;
    int64_t given, renewed;
} known[CLIENTS];

#define ON_DISK (-2)

static void note(unsigned client, be32 ip)
{
    int64_t rounds = (int64_t)state_rig.keeper.store.counters.rounds;

    if (known[client].ip != ip)
        known[client].given = rounds;
    known[client].ip = ip;
    known[client].renewed = rounds;
    known[client].end_us = fake_now_us + LEASE_S * 1000000ull;
}

static void live(void)
{
    unsigned client = dhcp_lab_rnd(CLIENTS);

    switch (dhcp_lab_rnd(8)) {
    case 0:
        if (known[client].ip && dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_RELEASE,
                                                                       .client = client,
                                                                       .ciaddr = known[client].ip,
                                                                       .server = ROUTER}) == 0)
            known[client].ip = 0;
        break;
    case 1:
        state_rig_pass(dhcp_lab_rnd(3000000));
        break;
    default:
        if (known[client].ip) {
            if (state_rig_init_reboot(client, known[client].ip) != DHCP_TYPE_ACK)
                fail_msg("client %u is refused what it has", client);
            note(client, known[client].ip);
        } else {
            be32 ip = state_rig_lease(client);
            if (ip)
                note(client, ip);
        }
    }
    fake_now_us = dhcp_lab.now_us;
    state_poll(&state_rig.keeper, fake_now_us);
    if (dhcp_lab_rnd(2))
        fake_disk_finish(&state_rig.disks[0]);
}

/* After a restart: a lease is there, with no less time than it has, if two rounds went by since
 * (the first may have begun before). */
static void judge(int64_t rounds, uint64_t cut_us)
{
    for (unsigned c = 0; c < CLIENTS; c++) {
        if (!known[c].ip || known[c].end_us <= cut_us) {
            known[c].ip = 0;
            continue;
        }
        const struct lease *l = lease_known(state_rig_leases(), known[c].ip);
        uint64_t left_us = known[c].end_us - cut_us;
        uint8_t mac[MAC_BYTES];
        dhcp_lab_mac_of(mac, c);
        bool there = l && lease_live(l, 0) && memcmp(l->mac, mac, MAC_BYTES) == 0;
        if (!there && known[c].given + 2 <= rounds)
            fail_msg("client %u has lost its lease", c);
        if (there && known[c].renewed + 2 <= rounds &&
            l->expires_s * 1000000ull < fake_now_us + left_us)
            fail_msg("client %u has lost time", c);
        if (!there)
            known[c].ip = 0;
        known[c].end_us = fake_now_us + left_us;
        if (there) /* what was not safe yet may be lost */
            known[c].end_us = MIN(known[c].end_us, l->expires_s * 1000000ull);
        known[c].given = known[c].renewed = ON_DISK;
    }
    lease_judge(state_rig_leases());
}

static void test_power_fails_at_any_time(void **state)
{
    (void)state;
    dhcp_lab.config.nets[0].pool_last = POOL(79);
    memset(known, 0, sizeof(known));
    for (unsigned run = 0; run < 400; run++) {
        state_rig.disks[0].slow = false;
        assert_true(state_rig_boot());
        assert_int_equal(state_rig.keeper.store.counters.damaged, 0);
        state_rig.disks[0].slow = true;
        unsigned steps = dhcp_lab_rnd(200);
        for (unsigned i = 0; i < steps; i++)
            live();
        int64_t rounds = (int64_t)state_rig.keeper.store.counters.rounds;
        uint64_t cut_us = fake_now_us;
        assert_false(state_rig.disks[0].overlaps);
        fake_disk_cut(&state_rig.disks[0], dhcp_lab_rnd);
        state_rig.disks[0].slow = false;
        assert_true(state_rig_boot());
        judge(rounds, cut_us);
    }
}

/* While a disk is made ours, too: then it is empty the next time, or ours. */
static void test_power_fails_while_a_disk_is_made_ours(void **state)
{
    unsigned torn = 0;

    (void)state;
    for (unsigned run = 0; run < 1000; run++) {
        fake_disk_free(&state_rig.disks[0]);
        fake_disk_init(&state_rig.disks[0], 64 * KB);
        state_rig.disks[0].hang_at =
            5 + run % 5; /* four reads; then two writes and their flushes */
        assert_int_equal(state_rig_boot(), run % 5 == 4);
        state_rig.disks[0].hung = false;
        state_rig.disks[0].hang_at = 0;
        fake_disk_cut(&state_rig.disks[0], dhcp_lab_rnd);
        torn += !state_rig_boot(); /* but for a sector that was cut within its first bytes */
    }
    assert_in_range(torn, 0, 8);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, state_rig_setup, state_rig_teardown)
    const struct CMUnitTest tests[] = {
        T(test_every_bit_counts),
        T(test_power_fails_at_any_time),
        T(test_power_fails_while_a_disk_is_made_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
