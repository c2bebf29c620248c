/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random traffic through the whole dataplane. Every frame carries a mark of the network it began
 * on, so that wherever it comes out it can be seen whether it may be there: nothing of one network
 * on another's port but what was routed, and nothing at all between a host-only network and the
 * rest (B6). What is switched is compared with tests/model/naive_switch.c; what is translated must
 * come back to who sent it. See router_rig.h for the topology.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_random.h"
#include "tests/fake/router_rig.h"
#include "tests/model/naive_switch.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

#include <stdlib.h>

#define OUTSIDE_NET 2 /* marks and stations: lan, lab, outside */
#define STATIONS    6
#define MARK        "MARK"
#define MARK_BYTES  8

static struct rig r;
static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

static unsigned net_of_port(unsigned port)
{
    return port == 0 ? OUTSIDE_NET : port < 4 ? RIG_LAN : RIG_LAB;
}

static unsigned random_port(unsigned net)
{
    return net == OUTSIDE_NET ? 0 : net == RIG_LAN ? 1 + rnd(3) : 4 + rnd(2);
}

static be32 station(unsigned net, unsigned n)
{
    return net == OUTSIDE_NET ? BE_IP4(198, 51, 100, n + 1)
           : net == RIG_LAN   ? RIG_HOST(n + 10)
                              : RIG_LAB_HOST(n + 10);
}

static void put_mark(uint8_t *at, unsigned net)
{
    memcpy(at, MARK, 4);
    memset(at + 4, 'a' + (int)net, 4);
}

/* The network that a frame's mark names, or -1. */
static int find_mark(const uint8_t *b, size_t n)
{
    for (size_t i = 14; i + MARK_BYTES <= n; i++)
        if (memcmp(b + i, MARK, 4) == 0 && b[i + 4] == b[i + 7] && b[i + 4] >= 'a')
            return b[i + 4] - 'a';
    return -1;
}

/* Any address a host could think of. */
static be32 random_address(unsigned net)
{
    switch (rnd(8)) {
    case 0:
        return RIG_OUTSIDE;
    case 1:
        return rnd(2) ? RIG_ROUTER : RIG_LAB_ROUTER;
    case 2:
        return BE_IP4(255, 255, 255, 255);
    case 3:
        return rnd(2) ? RIG_HOST(255) : BE_IP4(224, 0, 0, rnd(255));
    default:
        return station(rnd(4) ? OUTSIDE_NET : net == RIG_LAN ? RIG_LAB : rnd(3), rnd(STATIONS));
    }
}

static void random_ip_packet(unsigned port)
{
    static const uint8_t protos[] = {IP_PROTO_UDP, IP_PROTO_UDP, IP_PROTO_TCP, IP_PROTO_ICMP, 47};
    unsigned net = net_of_port(port);
    struct rig_packet k = {
        .src = rnd(10) ? station(net, rnd(STATIONS)) : random_address(net),
        .dst = net == OUTSIDE_NET && rnd(4) ? RIG_OUTSIDE : random_address(net),
        .sport = (uint16_t)(rnd(20) ? 1024 + rnd(8) : 67),
        .dport = (uint16_t)(rnd(3)   ? 1024 + rnd(8)
                            : rnd(2) ? 8080
                                     : 5000),
        .proto = protos[rnd(ARRAY_COUNT(protos))],
        .ttl = (uint8_t)(rnd(20) ? 64 : 1),
        .tcp_flags = (uint8_t)(rnd(3) ? TCP_SYN : rnd(32)),
        .icmp_type = (uint8_t)(rnd(3)   ? 8
                               : rnd(2) ? 255
                                        : rnd(20)),
        .may_fragment = rnd(2),
        .frag = (uint16_t)(rnd(30) ? 0 : rnd(65536)),
        .broadcast = rnd(20) == 0,
        .payload_bytes = MARK_BYTES + (rnd(10) ? rnd(100) : rnd(1400)),
    };
    rig_make(&r, port, &k);
    put_mark(r.in.b + r.in.payload, net);
    if (k.proto != 47)
        frame_fix_l4_csum(&r.in);
    rig_input_raw(&r, port);
}

static void random_raw_frame(unsigned port)
{
    unsigned net = net_of_port(port);
    uint8_t *b = r.in.b;

    r.in.n = 60 + rnd(100);
    memset(b, 0, r.in.n);
    if (rnd(4))
        memcpy(b, rig_mac(station(rnd(3), rnd(STATIONS))), 6);
    else
        memset(b, 0xFF, 6);
    /* Stations of all networks, so that one MAC is on several. */
    memcpy(b + 6, rig_mac(station(rnd(3), rnd(STATIONS))), 6);
    store_be16(b + 12, 0x1234);
    put_mark(b + 14, net);
    rig_input_raw(&r, port);
}

/* Takes everything that was sent, and checks that it may be where it is. */
static void check_outputs(bool lab_hostonly)
{
    for (unsigned port = 0; port < RIG_PORTS; port++) {
        while (rig_output(&r, port)) {
            int mark = find_mark(r.out.b, r.out.n);
            unsigned net = net_of_port(port);
            if (load_be16(r.out.b + 12) != 0x0800) {
                assert_int_equal(mark, net);
                continue;
            }
            bool own = mark < 0 || mark == (int)net;
            if (!own && lab_hostonly)
                assert_false(mark == RIG_LAB || net == RIG_LAB);
            if (own)
                continue;
            /* What came from elsewhere was routed: it carries the router's MAC. */
            assert_memory_equal(r.out.b + 6,
                                rig_router_mac(&r, net == OUTSIDE_NET ? NETWORK_UPLINK : net), 6);
            if (net == OUTSIDE_NET)
                assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
        }
    }
}

static void run_isolation(unsigned flags, unsigned steps)
{
    rig_start(&r, flags);
    for (unsigned step = 0; step < steps; step++) {
        for (unsigned i = rnd(6); i > 0; i--) {
            unsigned port = random_port(rnd(3));
            if (rnd(3))
                random_ip_packet(port);
            else
                random_raw_frame(port);
        }
        r.silent_ip = rnd(4) ? 0 : station(rnd(3), rnd(STATIONS));
        r.stack_busy = rnd(30) == 0;
        r.nics[rnd(RIG_PORTS)].tx_room = rnd(20) ? UINT32_MAX : rnd(3);
        if (rnd(50) == 0)
            r.nics[rnd(RIG_PORTS)].up = rnd(3);
        r.now_us += rnd(20) ? rnd(5000) : rnd(3000000);
        rig_step(&r);
        if (rnd(100) == 0)
            dataplane_set_uplink(r.dp, rnd(4) ? RIG_OUTSIDE : 0, prefix_mask(24), RIG_GATEWAY);
        check_outputs(flags & RIG_LAB_HOSTONLY);
        rig_flush(&r);
    }
}

static void test_isolation(void **state)
{
    (void)state;
    run_isolation(RIG_FORWARDS, 30000);
}

static void test_isolation_hostonly(void **state)
{
    (void)state;
    /* The second forward leads into lab, which config.h rules out for a host-only one. */
    run_isolation(RIG_LAB_HOSTONLY, 30000);
    struct dataplane_totals t;
    dataplane_totals(r.dp, &t);
    assert_true(t.dropped[DROP_POLICY] > 0 && t.sent > 1000);
}

/* Frames one by one: the ports they leave by are those the naive switch says. */
static void test_against_naive_switch(void **state)
{
    struct naive_switch *model = calloc(1, sizeof(*model));

    (void)state;
    rig_start(&r, 0);
    naive_switch_add_self(model, rig_router_mac(&r, RIG_LAN), RIG_LAN);
    naive_switch_add_self(model, rig_router_mac(&r, RIG_LAB), RIG_LAB);
    for (unsigned step = 0; step < 50000; step++) {
        unsigned net = rnd(2), port = random_port(net), expected = 0;
        uint32_t now_s = (uint32_t)(r.now_us / 1000000);
        random_raw_frame(port);
        naive_switch_learn(model, r.in.b + 6, (uint8_t)net, (uint8_t)port, now_s);
        uint8_t out = mac_is_group(r.in.b)
                          ? NAIVE_SWITCH_NONE
                          : naive_switch_lookup(model, r.in.b, (uint8_t)net, now_s);
        for (unsigned i = 1; i < 6; i++)
            if (net_of_port(i) == net && i != port && (out == NAIVE_SWITCH_NONE || out == i))
                expected |= 1u << i;
        rig_step(&r);
        for (unsigned i = 0; i < RIG_PORTS; i++) {
            unsigned wanted = expected >> i & 1;
            assert_int_equal(fake_nic_sent_count(&r.nics[i]), wanted);
            if (wanted) {
                assert_true(rig_output(&r, i));
                assert_int_equal(r.out.n, r.in.n);
                assert_memory_equal(r.out.b, r.in.b, r.in.n);
            }
        }
        r.now_us += rnd(20) ? rnd(100000) : rnd(100000000);
    }
    free(model);
}

/* Conversations of many hosts with many servers, both ways, in bursts: every packet arrives at whom
 * it is for, unharmed. */
static void test_conversations(void **state)
{
    enum { TALKS = 200 };
    static struct {
        be32 host, server;
        unsigned port;
        uint16_t host_port, outside_port;
        uint8_t proto;
        bool answered;
    } talks[TALKS];

    (void)state;
    rig_start(&r, 0);
    for (unsigned i = 0; i < TALKS; i++) {
        unsigned net = rnd(2);
        talks[i].host = station(net, rnd(STATIONS));
        talks[i].port =
            net == RIG_LAN ? 1 + (talks[i].host >> 24) % 3 : 4 + (talks[i].host >> 24) % 2;
        talks[i].server = station(OUTSIDE_NET, rnd(STATIONS));
        talks[i].host_port = (uint16_t)(2000 + i);
        talks[i].proto = rnd(2) ? IP_PROTO_UDP : IP_PROTO_TCP;
    }
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = rnd(TALKS);
        bool in = talks[i].outside_port && rnd(2);
        struct rig_packet k = {.src = in ? talks[i].server : talks[i].host,
                               .dst = in ? RIG_OUTSIDE : talks[i].server,
                               .sport = in ? 443 : talks[i].host_port,
                               .dport = in ? talks[i].outside_port : 443,
                               .proto = talks[i].proto,
                               .tcp_flags = TCP_ACK,
                               .payload_bytes = rnd(200)};
        if (!talks[i].answered)
            k.tcp_flags = in ? TCP_SYN | TCP_ACK : TCP_SYN;
        talks[i].answered |= in;
        rig_input(&r, in ? 0 : talks[i].port, &k);
        rig_step(&r);
        if (!rig_output(&r, in ? talks[i].port : 0))
            fail_msg("step %u: talk %u, %s", step, i, in ? "in" : "out");
        assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
        assert_int_equal(rig_out_src(&r), in ? talks[i].server : RIG_OUTSIDE);
        assert_int_equal(rig_out_dst(&r), in ? talks[i].host : talks[i].server);
        if (in)
            assert_int_equal(rig_out_dport(&r), talks[i].host_port);
        else if (talks[i].outside_port)
            assert_int_equal(rig_out_sport(&r), talks[i].outside_port);
        else
            talks[i].outside_port = rig_out_sport(&r);
        assert_int_equal(rig_flush(&r), 0);
        r.now_us += rnd(2000);
    }
    assert_int_equal(rig_dropped_in_all(&r), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_isolation, teardown),
        cmocka_unit_test_teardown(test_isolation_hostonly, teardown),
        cmocka_unit_test_teardown(test_against_naive_switch, teardown),
        cmocka_unit_test_teardown(test_conversations, teardown),
    };
    return cmocka_run_group_tests_name("dataplane_random", tests, NULL, NULL);
}
