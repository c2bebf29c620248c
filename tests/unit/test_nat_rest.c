/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The rest of freed ports (net/nat_mapping.c): how long a port is nobody else's, and what ends its
 * rest early.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/nat_mapping.h"
#include "tests/fake/share_rig.h"

#define ROOM 4096
#define C    BE_IP4(192, 168, 8, 4)
#define D    BE_IP4(192, 168, 8, 5)

static be32 host(unsigned i)
{
    return hton32(ntoh32(A) + 100 + i);
}

static uint16_t port_of(be32 ip, uint16_t port)
{
    PASSES(share_out(0, UDP, ip, port, R1));
    return rig_outside_port();
}

static void test_rest(void **state)
{
    (void)state;
    assert_int_equal(port_of(A, 5000), 5000);
    rig_wait_ms(121 * 1000);
    assert_int_equal(rig_nat.flows.live, 0);
    assert_int_equal(rig_nat.resting[1].count, 1);
    assert_int_equal(rig_nat.flows.users.live, 0); /* it is nobody's */
    assert_false(nat_claims(&rig_nat, UDP, BE16(5000)));
    REFUSED(rig_in(UDP, R1, 80, 5000, 0), UNSOLICITED);
    assert_int_not_equal(port_of(B, 5000), 5000);
    assert_int_equal(port_of(A, 5000), 5000);
    assert_int_equal(rig_nat.resting[1].count, 0);
    PASSES(rig_in(UDP, R2, 80, 5000, 0));
    rig_wait_ms(121 * 1000); /* A's and B's rest */
    assert_int_equal(rig_nat.resting[1].count, 2);
    rig_wait_ms(119 * 1000);
    assert_int_not_equal(port_of(C, 5000), 5000);
    rig_wait_ms(1000);
    assert_int_equal(rig_nat.resting[1].count, 0);
    assert_int_equal(port_of(D, 5000), 5000);
    /* The router may have it at any time. */
    rig_wait_ms(121 * 1000);
    assert_true(nat_reserve_port(&rig_nat, UDP, BE16(5000)));
    assert_int_equal(rig_nat.resting[1].count, 1);
    nat_release(&rig_nat, UDP, BE16(5000));
}

/* A connection seen to its end leaves its port to anybody, as does an echo; one that just fell
 * silent does not. */
static void test_no_rest(void **state)
{
    (void)state;
    rig_handshake(5000);
    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_RST | TCP_ACK));
    PASSES(rig_out(TCP, A, 5001, R1, 80, TCP_SYN));
    PASSES(rig_out(ICMP, A, 5000, R1, 0, ICMP_ECHO));
    assert_int_equal(rig_nat.counters.mappings_live, 3);
    rig_wait_ms(241 * 1000);
    assert_int_equal(rig_nat.counters.mappings_live, 0);
    assert_int_equal(rig_nat.resting[0].count, 1);
    assert_int_equal(rig_nat.resting[2].count, 0);
    PASSES(rig_out(TCP, B, 5000, R1, 80, TCP_SYN));
    assert_int_equal(rig_outside_port(), 5000);
    PASSES(rig_out(TCP, B, 5001, R1, 80, TCP_SYN));
    assert_int_not_equal(rig_outside_port(), 5001);
}

/* Ports below 1024 that rest are no room for who wants another one, and go on resting. */
static void test_low_ports_at_rest(void **state)
{
    (void)state;
    share_start(ROOM);
    for (uint32_t port = 1024; port < 65536 - 10; port++)
        assert_true(nat_reserve_port(&rig_nat, UDP, hton16((uint16_t)port)));
    for (uint16_t port = 1; port <= 500; port++)
        PASSES(share_out(0, UDP, B, port, R1));
    rig_wait_ms(121 * 1000);
    assert_int_equal(rig_nat.resting[1].count, 0);
    assert_int_equal(rig_nat.resting[NAT_POOLS + 1].count, 500);
    for (uint16_t i = 0; i < 9; i++)
        PASSES(share_talk(0, A, (uint16_t)(2000 + i), R1));
    REFUSED(share_talk(0, A, 2009, R1), SHARE);
    PASSES(share_out(0, UDP, C, 2000, R1));
    PASSES(share_out(0, UDP, C, 2001, R1)); /* the first makes room, and what rests of it goes */
    assert_int_equal(rig_nat.counters.evicted, 1);
    assert_int_equal(rig_nat.counters.cut_short, 1);
    assert_int_equal(rig_nat.resting[NAT_POOLS + 1].count, 500);
    for (uint16_t port = 1; port < 524; port++) /* nobody has so much of them */
        PASSES(share_out(0, UDP, D, port, R1));
    assert_int_equal(rig_nat.counters.cut_short, 1);
    PASSES(share_out(0, UDP, D, 524, R1)); /* the last free one is had */
    assert_int_equal(rig_nat.resting[NAT_POOLS + 1].count, 499);
    for (uint32_t port = 1024; port < 65536 - 10; port++)
        nat_release(&rig_nat, UDP, hton16((uint16_t)port));
}

/* It ends in time though nothing else happens. */
static void test_rest_has_its_alarm(void **state)
{
    (void)state;
    assert_int_equal(nat_next_ms(&rig_nat, rig_now_ms), UINT32_MAX);
    assert_int_equal(port_of(A, 500), 500);
    rig_wait_ms(121 * 1000);
    assert_int_equal(rig_nat.flows.live, 0);
    assert_int_equal(nat_next_ms(&rig_nat, rig_now_ms), NAT_REST_MS);
    rig_wait_ms(1000);
    assert_int_equal(port_of(B, 5000), 5000);
    assert_int_equal(nat_next_ms(&rig_nat, rig_now_ms), NAT_REST_MS - 1000);
    rig_now_ms += NAT_REST_MS;
    assert_int_equal(nat_next_ms(&rig_nat, rig_now_ms), 0);
    rig_wait_ms(FLOW_TICK_MS); /* B's flow ends, and A's port has rested */
    assert_int_equal(nat_next_ms(&rig_nat, rig_now_ms), NAT_REST_MS);
    rig_wait_ms(NAT_REST_MS);
    assert_int_equal(nat_next_ms(&rig_nat, rig_now_ms), UINT32_MAX);
}

/* There is no room to rest: the oldest goes. */
static void test_rest_without_room(void **state)
{
    (void)state;
    share_start(64); /* and mappings for 1,024 holds more */
    for (unsigned i = 0; i < 1200; i++)
        PASSES(share_out(0, UDP, host(i % 250), (uint16_t)(2000 + i), R1));
    assert_int_equal(rig_nat.counters.mappings_live + rig_nat.resting[1].count, 64 + NAT_MAX_HOLDS);
    assert_int_equal(rig_nat.counters.cut_short, 1200 - 64 - NAT_MAX_HOLDS);
    assert_int_equal(port_of(host(1100 % 250), 3100), 3100); /* a young one is there */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, share_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_rest),
        TEST(test_no_rest),
        TEST(test_low_ports_at_rest),
        TEST(test_rest_has_its_alarm),
        TEST(test_rest_without_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
