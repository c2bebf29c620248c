/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/nat_hold.c: ports that hosts have asked for, with flows and without, beside mappings that
 * flows have made, forwards and the router's own ports.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/nat_rig.h"

#define HOUR_MS 3600000u

static struct flow_tuple inside(uint8_t proto, be32 ip, uint16_t port, uint8_t zone)
{
    return (struct flow_tuple){.src = ip, .sport = hton16(port), .proto = proto, .zone = zone};
}

static unsigned hold(uint8_t proto, be32 ip, uint16_t port, uint16_t wanted, bool exact)
{
    struct flow_tuple k = inside(proto, ip, port, 0);
    return ntoh16(nat_hold(&rig_nat, &k, hton16(wanted), exact));
}

static void let_go(uint8_t proto, be32 ip, uint16_t port)
{
    struct flow_tuple k = inside(proto, ip, port, 0);
    nat_let_go(&rig_nat, &k, rig_now_ms);
}

static void test_which_port(void **state)
{
    (void)state;
    assert_int_equal(hold(TCP, A, 8080, 9090, true), 9090);
    assert_int_equal(hold(TCP, A, 8080, 1234, false), 9090); /* it has one */
    assert_int_equal(hold(TCP, A, 8080, 1234, true), 0);
    assert_int_equal(hold(UDP, A, 8080, 9090, true), 9090);
    assert_int_equal(hold(TCP, B, 8080, 9090, true), 0);
    unsigned port = hold(TCP, B, 8080, 9090, false);
    assert_true(port >= 1024 && port != 9090 && port % 2 == 0);
    assert_int_equal(hold(TCP, B, 80, 80, false), 80);
    assert_in_range(hold(TCP, A, 80, 80, false), 1024, 65535); /* not another low one */
    assert_in_range(hold(TCP, A, 81, 0, false), 1024, 65535);

    /* Not a forward's, not the router's. */
    static const struct nat_forward forward = {.proto = TCP,
                                               .target_count = 1,
                                               .first_port = 5000,
                                               .last_port = 5009,
                                               .target_port = 5000,
                                               .targets = {B}};
    nat_set_forwards(&rig_nat, &forward, 1);
    assert_true(nat_reserve_port(&rig_nat, UDP, BE16(5353)));
    assert_int_equal(hold(TCP, A, 7, 5004, true), 0);
    assert_int_equal(hold(UDP, A, 7, 5353, true), 0);
    port = hold(TCP, A, 7, 5004, false);
    assert_true(port < 5000 || port > 5009);
    assert_int_not_equal(hold(UDP, A, 7, 5353, false), 5353);
    assert_int_equal(hold(UDP, A, 8, 5004, true), 5004);
}

static void test_open_without_flows(void **state)
{
    (void)state;
    REFUSED(rig_in(UDP, R1, 53, 9090, 0), UNSOLICITED);
    assert_int_equal(hold(UDP, A, 8080, 9090, true), 9090);
    assert_true(nat_claims(&rig_nat, UDP, BE16(9090)));
    rig_wait_ms(5 * HOUR_MS);
    PASSES(rig_in(UDP, R1, 53, 9090, 0));
    assert_int_equal(rig_last.dst, A);
    assert_int_equal(ntoh16(rig_last.dport), 8080);
    PASSES(rig_in(UDP, R2, 54, 9090, 0)); /* anybody */
    PASSES(rig_out(UDP, A, 8080, R2, 99, 0));
    assert_int_equal(rig_outside_port(), 9090);
    assert_int_equal(rig_nat.flows.live, 3);
    rig_wait_ms(5 * HOUR_MS);
    assert_int_equal(rig_nat.flows.live, 0);
    PASSES(rig_in(UDP, R2, 55, 9090, 0));
    rig_wait_ms(5 * HOUR_MS);
    let_go(UDP, A, 8080);
    REFUSED(rig_in(UDP, R1, 53, 9090, 0), UNSOLICITED);
    assert_false(nat_claims(&rig_nat, UDP, BE16(9090)));
    assert_int_equal(rig_nat.counters.mappings_live, 0);
    assert_int_equal(hold(UDP, B, 8080, 9090, true), 0); /* it rests */
    rig_wait_ms(121 * 1000);
    assert_int_equal(hold(UDP, B, 8080, 9090, true), 9090);
    let_go(UDP, B, 8080);
    assert_int_equal(hold(UDP, B, 8080, 9090, false), 9090); /* but not from him */
    let_go(UDP, B, 8080);
    assert_int_equal(hold(UDP, B, 8080, 9091, true), 9091); /* nor does it keep him */
    assert_int_equal(rig_nat.resting[1].count, 0);
    let_go(UDP, B, 8080);
}

/* The end of the hold is not that of flows. They let others in only as any flow does: while the
 * host inside has spoken in one.  */
static void test_flows_go_on(void **state)
{
    (void)state;
    assert_int_equal(hold(TCP, A, 80, 80, true), 80);
    REFUSED(rig_in(TCP, R1, 5000, 80, TCP_ACK), UNSOLICITED);
    PASSES(rig_in(TCP, R1, 5000, 80, TCP_SYN));
    PASSES(rig_out(TCP, A, 80, R1, 5000, TCP_SYN | TCP_ACK));
    PASSES(rig_in(TCP, R1, 5000, 80, TCP_ACK));
    let_go(TCP, A, 80);
    rig_wait_ms(HOUR_MS);
    PASSES(rig_in(TCP, R1, 5000, 80, TCP_ACK));
    assert_int_equal(rig_last.dst, A);
    PASSES(rig_in(TCP, R2, 5000, 80, TCP_SYN));
    assert_int_equal(hold(TCP, B, 80, 80, true), 0); /* still A's */
    rig_wait_ms(3 * HOUR_MS);
    assert_int_equal(rig_nat.counters.mappings_live, 0);
    rig_wait_ms(121 * 1000);
    assert_int_equal(hold(TCP, B, 80, 80, true), 80);
    PASSES(rig_in(TCP, R1, 5000, 80, TCP_SYN));
    let_go(TCP, B, 80);
    PASSES(rig_in(TCP, R1, 5000, 80, TCP_SYN)); /* again */
    REFUSED(rig_in(TCP, R2, 5000, 80, TCP_SYN), UNSOLICITED);
    assert_int_equal(rig_nat.counters.mappings_live, 1);
}

/* A mapping that a flow has made stays what it is, and outlives it. */
static void test_existing_mapping(void **state)
{
    (void)state;
    PASSES(rig_out(UDP, A, 4000, R1, 53, 0));
    PASSES(rig_out(UDP, B, 4000, R1, 53, 0));
    uint16_t port = rig_outside_port();
    assert_int_not_equal(port, 4000);
    assert_int_equal(hold(UDP, B, 4000, 7000, true), 0);
    assert_int_equal(hold(UDP, B, 4000, 7000, false), port);
    rig_wait_ms(HOUR_MS);
    assert_int_equal(rig_nat.counters.mappings_live, 1);
    PASSES(rig_out(UDP, B, 4000, R2, 53, 0));
    assert_int_equal(rig_outside_port(), port);
    PASSES(rig_in(UDP, R1, 9, port, 0));
    let_go(UDP, B, 4000);
    assert_int_equal(rig_nat.counters.mappings_live, 1); /* the flows have it */
    rig_wait_ms(HOUR_MS);
    assert_int_equal(rig_nat.counters.mappings_live, 0);
}

/* The last resort's host may have two mappings at rest; one of them is by the port it wants. */
static void test_two_at_rest(void **state)
{
    (void)state;
    static const struct nat_forward resort[] = {
        {.target_count = 1, .targets = {BE_IP4(192, 168, 8, 2)}}};
    assert_true(nat_reserve_port(&rig_nat, UDP, BE16(5000)));
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    assert_int_not_equal(rig_outside_port(), 5000);
    nat_release(&rig_nat, UDP, BE16(5000));
    nat_set_forwards(&rig_nat, resort, 1);
    PASSES(rig_in(UDP, R2, 53, 5000, 0));
    rig_wait_ms(121 * 1000);
    assert_int_equal(rig_nat.counters.mappings_live, 0);
    assert_int_equal(rig_nat.resting[1].count, 2);
    assert_int_equal(hold(UDP, A, 5000, 5000, true), 5000);
    assert_int_equal(rig_nat.resting[1].count, 0);
    let_go(UDP, A, 5000);
}

static void test_counted(void **state)
{
    (void)state;
    assert_int_equal(hold(UDP, A, 8080, 9090, true), 9090);
    assert_int_equal(hold(UDP, A, 8080, 9090, true), 9090);
    let_go(UDP, A, 8080);
    PASSES(rig_in(UDP, R1, 53, 9090, 0));
    rig_set_outside(0);
    REFUSED(rig_in(UDP, R1, 53, 9090, 0), UNSOLICITED);
    rig_set_outside(OUTSIDE);
    PASSES(rig_in(UDP, R1, 54, 9090, 0)); /* the port outlives the address */
    rig_set_outside(0);
    let_go(UDP, A, 8080);
    assert_int_equal(rig_nat.counters.mappings_live, 0);
    assert_int_equal(rig_nat.holds, 0);
}

/* As many holds as there may be, in a translator for one flow: and one flow still has room. */
static void test_room(void **state)
{
    (void)state;
    rig_restart(1);
    for (unsigned i = 0; i < NAT_MAX_HOLDS; i++)
        assert_int_equal(hold(UDP, A, (uint16_t)(2000 + i), (uint16_t)(2000 + i), true), 2000 + i);
    assert_int_equal(hold(UDP, A, 9000, 9000, false), 0);
    assert_int_equal(hold(UDP, A, 2000, 2000, false), 0);
    PASSES(rig_out(UDP, B, 2000, R1, 53, 0));
    let_go(UDP, A, 2000);
    assert_int_equal(hold(UDP, A, 9000, 9000, false), 9000);

    assert_int_equal(rig_nat.counters.mappings_live, NAT_MAX_HOLDS + 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_which_port),  TEST(test_open_without_flows),
        TEST(test_flows_go_on), TEST(test_existing_mapping),
        TEST(test_counted),     TEST(test_two_at_rest),
        TEST(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
