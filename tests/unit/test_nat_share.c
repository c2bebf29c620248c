/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/nat_share.c and net/flow_user.c: what a host and a network can take of flows and ports, and
 * who makes room for whom. After each test the accounts are counted again from the flows. (The
 * rules one by one, at random: also in test_nat_model.c.)
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/share_rig.h"

#define ROOM 4096
#define C    BE_IP4(192, 168, 8, 4)
#define D    BE_IP4(192, 168, 8, 5)
#define MANY 6000

static be32 remote(unsigned i)
{
    return hton32(ntoh32(R1) + (i << 8));
}

static be32 host(unsigned i)
{
    return hton32(ntoh32(A) + 100 + i);
}

/* ---- floods ---- */

/* So many of a host's flows are there. */
static void has_flows(be32 ip, uint32_t count)
{
    assert_int_equal(share_account(ip)->flows, count);
}

/* B opens 1,000 of 1,000, which all come about and are there together; and C's are as they were. */
static void others_go_on(uint8_t zone, uint8_t proto)
{
    for (uint16_t i = 0; i < 1000; i++)
        PASSES(share_out(zone, proto, B, (uint16_t)(20000 + i), R2));
    has_flows(B, 1000);
    has_flows(C, 100);
    for (uint16_t i = 0; i < 100; i++)
        PASSES(rig_in(UDP, R1, 80, (uint16_t)(30000 + i), 0));
    share_check_books();
}

static void talkative_third(void)
{
    for (uint16_t i = 0; i < 100; i++)
        PASSES(share_talk(0, C, (uint16_t)(30000 + i), R1));
}

static void test_one_floods(void **state)
{
    (void)state;
    static const uint8_t protos[] = {TCP, UDP, ICMP};
    for (unsigned p = 0; p < ARRAY_COUNT(protos); p++) {
        share_start(ROOM);
        talkative_third();
        for (unsigned i = 0; i < MANY; i++)
            PASSES(share_out(0, protos[p], A, (uint16_t)(1024 + i), R1));
        assert_in_range(share_account(A)->flows, (ROOM - 100) * 8 / 9 - 1,
                        (ROOM - 100) * 8 / 9 + 2);
        has_flows(C, 100);
        others_go_on(0, p == 0 ? UDP : TCP);
        for (unsigned i = 0; i < MANY; i++) /* and goes on flooding */
            PASSES(share_out(0, protos[p], A, (uint16_t)(1024 + i), R2));
        has_flows(B, 1000);
        has_flows(C, 100);
        assert_true(rig_nat.counters.evicted > MANY);
        assert_int_equal(rig_nat.counters.refused, 0);
        assert_int_equal(rig_nat.pressure.ip, A);
    }
}

static void test_two_flood(void **state)
{
    (void)state;
    share_start(ROOM);
    talkative_third();
    for (unsigned i = 0; i < MANY; i++) {
        PASSES(share_out(0, TCP, A, (uint16_t)(1024 + i), R1));
        PASSES(share_out(0, UDP, D, (uint16_t)(1024 + i), R1));
    }
    uint32_t a = share_account(A)->flows, d = share_account(D)->flows;
    assert_in_range(a, d - d / 8, d + d / 8);
    others_go_on(0, UDP);
}

/* What comes in by a forward displaces its own kind, and leads no host to lose anything. */
static void test_flood_by_a_forward(void **state)
{
    (void)state;
    static const struct nat_forward web[] = {{.proto = TCP,
                                              .first_port = 80,
                                              .last_port = 80,
                                              .target_port = 80,
                                              .target_count = 1,
                                              .targets = {BE_IP4(192, 168, 8, 2)}}};
    share_start(ROOM);
    nat_set_forwards(&rig_nat, web, 1);
    talkative_third();
    for (uint16_t i = 0; i < 50; i++)
        PASSES(share_out(0, TCP, D, (uint16_t)(1024 + i), R1)); /* half open */
    for (unsigned i = 0; i < MANY; i++)
        PASSES(rig_in(TCP, remote(i), 999, 80, TCP_SYN));
    has_flows(D, 50);
    others_go_on(0, UDP);
    for (unsigned i = 0; i < MANY; i++)
        PASSES(rig_in(TCP, remote(i), 998, 80, TCP_SYN));
    has_flows(D, 50);
    has_flows(B, 1000);
}

/* 250 forged hosts: who completes its connections gets on all the same. */
static void test_forged_sources(void **state)
{
    (void)state;
    share_start(ROOM);
    talkative_third();
    for (unsigned i = 0; i < 3 * MANY; i++) {
        PASSES(share_out(0, TCP, host(i % 250), (uint16_t)(1024 + i / 250), R1));
        if (i >= MANY && i % 10 == 0) {
            uint16_t port = (uint16_t)(20000 + i / 10);
            PASSES(share_out(0, TCP, B, port, R2));
            PASSES(rig_in(TCP, R2, 80, rig_outside_port(), TCP_SYN | TCP_ACK));
            nat_rig_make(&(struct rig_send){TCP, B, port, R2, 80, TCP_ACK});
            PASSES(rig_send_frame(0, FLOW_OUT));
            assert_int_equal(rig_last_flow->state, FLOW_TCP_ESTABLISHED);
        }
    }
    has_flows(B, 1200);
    has_flows(C, 100);
}

/* Hosts of another network, however many, are one. */
static void test_networks(void **state)
{
    (void)state;
    const struct nat_limits none = {0};
    share_start(ROOM);
    nat_set_limits(&rig_nat, 0, &none);
    nat_set_limits(&rig_nat, 1, &none);
    talkative_third();
    for (unsigned i = 0; i < MANY; i++)
        PASSES(share_out(1, UDP, host(i % 500), (uint16_t)(1024 + i / 500), R1));
    assert_in_range(rig_nat.flows.users.network[1].flows, 3000, ROOM * 8 / 9);
    others_go_on(0, UDP);
}

/* What goes both ways is refused beyond the share, rather than displaced; and there is room. */
static void test_established(void **state)
{
    (void)state;
    share_start(ROOM);
    unsigned passed = 0;
    for (unsigned i = 0; i < MANY; i++) {
        enum drop_reason why = share_talk(0, A, (uint16_t)(1024 + i), R1);
        assert_true(why == DROP_NONE || why == DROP_SHARE);
        passed += why == DROP_NONE;
    }
    assert_in_range(passed, ROOM * 8 / 9 - 1, ROOM * 8 / 9 + 1);
    assert_int_equal(rig_nat.counters.evicted, 0);
    assert_int_equal(rig_nat.counters.refused, MANY - passed);
    assert_true(rig_nat.pressure.refused);
    for (uint16_t i = 0; i < 300; i++)
        PASSES(share_talk(0, B, (uint16_t)(20000 + i), R1));
    has_flows(A, passed);
}

/* Connections that are over make room, before those that are only being opened; and a port of
 * theirs is free at once. */
static void test_closed_go_first(void **state)
{
    (void)state;
    const struct nat_limits limits = {.host_flows = 20};
    nat_set_limits(&rig_nat, 0, &limits);
    PASSES(share_out(0, UDP, A, 3000, R1));
    PASSES(share_out(0, TCP, A, 3001, R1));
    for (uint16_t i = 0; i < 500; i++) {
        rig_handshake((uint16_t)(5000 + i));
        PASSES(rig_out(TCP, A, (uint16_t)(5000 + i), R1, 80, TCP_RST | TCP_ACK));
        assert_int_equal(rig_last_flow->state, FLOW_TCP_CLOSING);
    }
    has_flows(A, 20);
    assert_int_equal(share_account(A)->spare[SPARE_CLOSING], 18);
    assert_int_equal(share_account(A)->spare[SPARE_OPENING], 1);
    assert_int_equal(share_account(A)->ports[0], 19);
    assert_int_equal(rig_nat.resting[0].count, 0);
    assert_int_equal(rig_nat.counters.refused, 0);
    PASSES(share_out(0, TCP, B, 5481, R1)); /* the oldest went */
    assert_int_equal(rig_outside_port(), 5481);
    PASSES(share_out(0, TCP, B, 5482, R1));
    assert_int_not_equal(rig_outside_port(), 5482);
    for (uint16_t i = 0; i < 18; i++)
        PASSES(share_out(0, TCP, A, (uint16_t)(7000 + i), R1));
    assert_int_equal(share_account(A)->spare[SPARE_CLOSING], 0);
    assert_int_equal(share_account(A)->spare[SPARE_OPENING], 19);
    assert_int_equal(rig_nat.pressure.limit, NAT_LIMIT_HOST);
    assert_int_equal(rig_nat.pressure.flows, 20);
}

/* The flow that makes room is the last one of the very mapping that the new one comes in by: the
 * mapping, which would not even rest after it, stays. */
static void test_the_last_flow_makes_room_for_the_next(void **state)
{
    (void)state;
    const struct nat_limits one = {.host_flows = 1};
    nat_set_limits(&rig_nat, 0, &one);
    rig_handshake(5000);
    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_RST | TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_CLOSING);
    PASSES(rig_in(TCP, R2, 80, 5000, TCP_SYN));
    assert_int_equal(rig_last.dst, A);
    assert_int_equal(ntoh16(rig_last.dport), 5000);
    assert_int_equal(rig_nat.counters.evicted, 1);
    share_check_books();
    assert_true(nat_claims(&rig_nat, TCP, BE16(5000)));
    PASSES(share_out(0, TCP, B, 5000, R1));
    assert_int_not_equal(rig_outside_port(), 5000);
}

/* Between these two ends there is a conversation already, by another outside port: nothing makes
 * room for a second one. */
static void test_nobody_makes_room_in_vain(void **state)
{
    (void)state;
    static const struct nat_forward resort[] = {
        {.target_count = 1, .targets = {BE_IP4(192, 168, 8, 2)}}};
    const struct nat_limits two = {.host_flows = 2};
    nat_set_limits(&rig_nat, 0, &two);
    assert_true(nat_reserve_port(&rig_nat, UDP, BE16(5000)));
    PASSES(share_out(0, UDP, A, 4000, R2));
    PASSES(share_out(0, UDP, A, 5000, R1));
    assert_int_not_equal(rig_outside_port(), 5000);
    nat_release(&rig_nat, UDP, BE16(5000));
    nat_set_forwards(&rig_nat, resort, 1);
    REFUSED(rig_in(UDP, R1, 80, 5000, 0), UNSOLICITED);
    has_flows(A, 2);
    assert_int_equal(rig_nat.counters.evicted, 0);
    assert_int_equal(rig_nat.counters.mappings_live, 2);
    PASSES(rig_in(UDP, R1, 81, 5000, 0));
    assert_int_equal(rig_nat.counters.evicted, 1);
    nat_set_forwards(&rig_nat, NULL, 0);
}

/* ---- limits ---- */

static void test_limits(void **state)
{
    (void)state;
    const struct nat_limits limits = {.flows = 30, .host_flows = 20}, none = {0};
    nat_set_limits(&rig_nat, 0, &limits);
    nat_set_limits(&rig_nat, 1, &none);
    for (uint16_t i = 0; i < 10; i++)
        PASSES(share_talk(0, A, (uint16_t)(2000 + i), R1));
    for (uint16_t i = 0; i < 25; i++)
        PASSES(share_out(0, UDP, A, (uint16_t)(3000 + i), R1));
    has_flows(A, 20);
    assert_int_equal(rig_nat.counters.evicted, 15);
    PASSES(rig_in(UDP, R1, 80, 3024, 0)); /* the youngest are there, */
    PASSES(rig_in(UDP, R1, 80, 3015, 0));
    REFUSED(rig_in(UDP, R1, 80, 3014, 0), UNSOLICITED); /* the others not */
    for (uint16_t i = 16; i < 24; i++)
        PASSES(rig_in(UDP, R1, 80, (uint16_t)(3000 + i), 0));
    REFUSED(share_out(0, UDP, A, 4000, R1), SHARE);
    for (uint16_t i = 0; i < 9; i++)
        PASSES(share_talk(0, B, (uint16_t)(2000 + i), R1));
    REFUSED(share_talk(0, B, 2100, R1), SHARE); /* 30, or a share of what is left of them */
    assert_int_equal(rig_nat.flows.users.network[0].flows, 29);
    for (uint16_t i = 0; i < 100; i++)
        PASSES(share_talk(1, D, (uint16_t)(2000 + i), R1));
}

/* At the end of what its own network may have, a host displaces nobody in another. */
static void test_a_limit_is_the_networks_own(void **state)
{
    (void)state;
    const struct nat_limits limits = {.flows = 30}, none = {0};
    nat_set_limits(&rig_nat, 0, &limits);
    nat_set_limits(&rig_nat, 1, &none);
    for (uint16_t i = 0; i < 50; i++)
        PASSES(share_out(1, UDP, D, (uint16_t)(2000 + i), R1));
    for (uint16_t i = 0; i < 27; i++)
        PASSES(share_talk(0, A, (uint16_t)(2000 + i), R1));
    REFUSED(share_talk(0, A, 2100, R1), SHARE); /* 8 times what is left of 30 */
    assert_int_equal(rig_nat.pressure.limit, NAT_LIMIT_NETWORK);
    has_flows(D, 50);
}

/* ---- ports ---- */

static void test_ports(void **state)
{
    (void)state;
    share_start(200000);
    for (unsigned i = 0; i < 65535 + 5000; i++)
        PASSES(share_out(0, UDP, i < 64000 ? A : D, (uint16_t)(1024 + i % 64000), R1));
    assert_in_range(share_account(A)->ports[1], 50000, 65535 * 8 / 9 + 1);
    for (uint16_t i = 0; i < 2000; i++)
        PASSES(share_out(0, UDP, B, (uint16_t)(2000 + i), R1));
    assert_int_equal(share_account(B)->ports[1], 2000);
    assert_true(rig_nat.counters.evicted > 5000);
    assert_true(rig_nat.counters.cut_short > 0);
    for (uint16_t i = 0; i < 2000; i++) /* TCP has its own */
        PASSES(share_out(0, TCP, A, (uint16_t)(2000 + i), R1));
    /* One flow more by a port that it has takes none. */
    uint64_t evicted = rig_nat.counters.evicted;
    PASSES(share_out(0, UDP, B, 2000, R2));
    assert_int_equal(rig_nat.counters.evicted, evicted);
}

static void test_ports_established(void **state)
{
    (void)state;
    share_start(200000);
    unsigned passed = 0;
    for (unsigned i = 0; i < 64000; i++)
        passed += share_talk(0, A, (uint16_t)(1024 + i), R1) == DROP_NONE;
    assert_int_equal(passed, 64512 * 8 / 9); /* those below 1024 are not for such as him */
    assert_int_equal(rig_nat.counters.evicted, 0);
    REFUSED(share_talk(0, A, 65100, R1), SHARE);
    PASSES(share_talk(0, A, 1024, R2));
    for (uint16_t i = 0; i < 1000; i++)
        PASSES(share_talk(0, B, (uint16_t)(1024 + i), R1));
}

/* Ports of connections that are over go to new ones. */
static void test_ports_closed(void **state)
{
    (void)state;
    share_start(200000);
    for (unsigned i = 0; i < 60000; i++) {
        rig_handshake((uint16_t)(1024 + i));
        PASSES(rig_out(TCP, A, (uint16_t)(1024 + i), R1, 80, TCP_RST | TCP_ACK));
    }
    assert_int_equal(rig_nat.counters.refused, 0);
    assert_int_equal(rig_nat.counters.evicted, 60000 - 64512 * 8 / 9);
    assert_int_equal(rig_nat.pressure.limit, NAT_LIMIT_PORTS);
}

/* ---- accounts ---- */

static void test_big_ones_are_no_attempts(void **state)
{
    (void)state;
    PASSES(share_out(0, UDP, A, 5000, R1));
    struct flow *f = rig_last_flow;
    PASSES(share_out(0, UDP, A, 5001, R1));
    assert_int_equal(share_account(A)->spare[SPARE_ONE_WAY], 2);
    uint64_t before = flow_bytes(&rig_nat.flows, f, FLOW_OUT);
    for (unsigned i = 0; i < 70000; i++)
        flow_count(&rig_nat.flows, f, FLOW_OUT, 65535);
    assert_int_equal(flow_bytes(&rig_nat.flows, f, FLOW_OUT), before + 70000ull * 65535);
    assert_int_equal(share_account(A)->spare[SPARE_ONE_WAY], 1);
    PASSES(rig_in(UDP, R1, 80, 5000, 0));
    assert_int_equal(flow_bytes(&rig_nat.flows, f, FLOW_OUT), before + 70000ull * 65535);
    share_check_books();
}

/* More hosts than accounts. */
static void test_hosts_without_number(void **state)
{
    (void)state;
    share_start(60000);
    for (unsigned i = 0; i < 50000; i++)
        PASSES(share_out(0, i % 2 ? UDP : TCP, hton32(0x0A000000 + i), (uint16_t)(2000 + i), R1));
    assert_int_equal(rig_nat.flows.users.live, FLOW_USERS_MAX);
    assert_int_equal(rig_nat.flows.users.user[FLOW_USER_REST].flows, 50000 - FLOW_USERS_MAX);
    share_check_books();
    for (unsigned i = 0; i < 20000; i++)
        PASSES(share_out(0, UDP, hton32(0x0A100000 + i), (uint16_t)(2000 + i), R1));
    assert_true(rig_nat.counters.evicted > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, share_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_floods),
        TEST(test_two_flood),
        TEST(test_flood_by_a_forward),
        TEST(test_forged_sources),
        TEST(test_networks),
        TEST(test_established),
        TEST(test_closed_go_first),
        TEST(test_the_last_flow_makes_room_for_the_next),
        TEST(test_nobody_makes_room_in_vain),
        TEST(test_limits),
        TEST(test_a_limit_is_the_networks_own),
        TEST(test_ports),
        TEST(test_ports_established),
        TEST(test_ports_closed),
        TEST(test_big_ones_are_no_attempts),
        TEST(test_hosts_without_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
