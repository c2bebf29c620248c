/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The dataplane's uplink: its address by DHCP, collisions with our own subnets, the ports of the
 * router's own sockets, and the time flows take to go (net/dataplane.c, dataplane_route.c). See
 * router_rig.h for the topology.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dataplane_internal.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/router_rig.h"
#include "net/wire/ip4.h"

static struct rig r;

static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

/* One packet in, the same translated out by that port and no other. */
static void pass(unsigned in, const struct rig_packet *k, unsigned out)
{
    rig_input(&r, in, k);
    rig_step(&r);
    assert_true(rig_output(&r, out));
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    assert_int_equal(rig_flush(&r), 0);
}

/* One packet in, dropped for this reason. */
static void refused(unsigned in, const struct rig_packet *k, enum drop_reason reason)
{
    uint64_t before = rig_dropped(&r, reason);

    rig_input(&r, in, k);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, reason), before + 1);
    assert_int_equal(r.delivered_count, 0);
}

static void test_uplink_address(void **state)
{
    struct rig_packet offer = {
        .src = BE_IP4(10, 9, 9, 1), .dst = BE_IP4(10, 9, 9, 77), .sport = 67, .dport = 68};
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1, .dport = 2};
    struct rig_packet no_address = {.src = RIG_HOST(5), .dst = 0, .proto = IP_PROTO_ICMP};

    (void)state;
    rig_start(&r, RIG_DHCP);
    refused(1, &k, DROP_NO_UPLINK);
    assert_int_equal(rig_flush(&r), 1);
    refused(1, &no_address, DROP_IP_DEST); /* 0.0.0.0 is not the address that is not known yet */
    rig_input(&r, 0, &offer);
    offer.dst = BE_IP4(255, 255, 255, 255);
    offer.broadcast = true;
    rig_input(&r, 0, &offer);
    offer.src = RIG_HOST(1); /* a server in a subnet of ours: that has to be noticed */
    rig_input(&r, 0, &offer);
    offer.sport = 68;
    rig_input(&r, 0, &offer);
    rig_step(&r);
    assert_int_equal(r.delivered_count, 3);
    assert_int_equal(r.delivered_network[0], NETWORK_UPLINK);
    rig_flush(&r);

    dataplane_set_uplink(r.dp, RIG_OUTSIDE, prefix_mask(24), RIG_GATEWAY);
    rig_flush(&r);
    pass(1, &k, 0);
    uint16_t port = rig_out_sport(&r);
    struct rig_packet in = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 2, .dport = port};
    dataplane_set_uplink(r.dp, RIG_OUTSIDE, prefix_mask(24), RIG_GATEWAY);
    pass(0, &in, 1); /* a renewal changes nothing */
    unsigned questions = r.questions;
    dataplane_set_uplink(r.dp, BE_IP4(203, 0, 113, 3), prefix_mask(24), RIG_GATEWAY);
    in.dst = BE_IP4(203, 0, 113, 3);
    refused(0, &in, DROP_UNSOLICITED);
    rig_flush(&r);
    pass(1, &k, 0);
    assert_int_equal(rig_out_src(&r), BE_IP4(203, 0, 113, 3));
    assert_int_equal(r.questions, questions + 1); /* another network may have another gateway */
    dataplane_set_uplink(r.dp, RIG_OUTSIDE, prefix_mask(24), 0);
    refused(1, &k, DROP_NO_ROUTE);
    dataplane_set_uplink(r.dp, 0, 0, 0);
    refused(1, &k, DROP_NO_UPLINK);
}

/* U7: never misroute; say so. */
static void test_uplink_collides(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1, .dport = 2};

    (void)state;
    rig_start(&r, RIG_DHCP);
    fake_log_clear();
    dataplane_set_uplink(r.dp, BE_IP4(192, 168, 8, 77), prefix_mask(24), RIG_HOST(1));
    assert_true(fake_log_has("the uplink's subnet overlaps network lan"));
    refused(1, &k, DROP_NO_UPLINK);
    dataplane_set_uplink(r.dp, BE_IP4(192, 168, 77, 77), prefix_mask(16), RIG_GATEWAY);
    refused(1, &k, DROP_NO_UPLINK);
    dataplane_set_uplink(r.dp, RIG_OUTSIDE, prefix_mask(24), RIG_GATEWAY);
    rig_flush(&r);
    pass(1, &k, 0);
}

/* What the router's own sockets hold no host gets, and what comes for them reaches the stack. */
static void test_own_ports(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .dport = 53};
    struct rig_packet in = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 53};

    (void)state;
    rig_start(&r, 0);
    be16 own = dataplane_reserve_port(r.dp, IP_PROTO_UDP);
    assert_true(own != 0);
    k.sport = ntoh16(own);
    rig_flush(&r);
    pass(1, &k, 0);
    assert_true(rig_out_sport(&r) != ntoh16(own));
    in.dport = ntoh16(own);
    rig_input(&r, 0, &in);
    rig_step(&r);
    assert_int_equal(r.delivered_count, 1);
    assert_int_equal(r.delivered_network[0], NETWORK_UPLINK);
    rig_flush(&r);
    in.proto = IP_PROTO_TCP;
    in.tcp_flags = TCP_SYN;
    refused(0, &in, DROP_UNSOLICITED);
    in.proto = IP_PROTO_UDP;
    dataplane_release_port(r.dp, IP_PROTO_UDP, own);
    refused(0, &in, DROP_UNSOLICITED);
    assert_false(dataplane_reserve_this_port(r.dp, IP_PROTO_UDP, BE16(68))); /* taken at start */
    assert_memory_equal(dataplane_mac(r.dp, RIG_LAB), rig_router_mac(&r, RIG_LAB), 6);
    assert_int_equal(dataplane_mtu(r.dp, NETWORK_UPLINK), 1500);
}

/* Flows end by themselves, then the rest of their ports; and an idle router has nothing to wake up
 * for. */
static void test_flows_expire(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1, .dport = 2};
    struct dataplane_totals t;
    uint64_t began_us, ended_us = 0;
    unsigned wakes = 0;

    (void)state;
    rig_start(&r, 0);
    rig_flush(&r);
    pass(1, &k, 0);
    began_us = r.now_us;
    for (; dataplane_next_us(r.dp, r.now_us) != UINT64_MAX; wakes++) {
        uint64_t next_us = dataplane_next_us(r.dp, r.now_us);
        assert_true(next_us > r.now_us);
        r.now_us = next_us;
        rig_step(&r);
        assert_true(wakes < 10);
        dataplane_totals(r.dp, &t);
        if (t.flows_live == 0 && ended_us == 0)
            ended_us = r.now_us;
    }
    assert_in_range(ended_us - began_us, 120 * 1000000, 121 * 1000000);
    assert_in_range(r.now_us - ended_us, 120 * 1000000, 121 * 1000000);
    assert_int_equal(r.dp->nat.resting[NAT_POOLS + 1].count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_uplink_address, teardown),
        cmocka_unit_test_teardown(test_uplink_collides, teardown),
        cmocka_unit_test_teardown(test_own_ports, teardown),
        cmocka_unit_test_teardown(test_flows_expire, teardown),
    };
    return cmocka_run_group_tests_name("dataplane_uplink", tests, NULL, NULL);
}
