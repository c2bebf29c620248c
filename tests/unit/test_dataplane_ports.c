/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What ports are told to be (net/dataplane_l2.c): isolated, watching, filtered; and the bridged
 * uplink, whose ports are one segment with it.
 *
 *     port 0: uplink                          ports 1 2 3: lan
 *     port 4, and 5 with VLAN 50: bridge, if there is one
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_base.h"
#include "tests/fake/rig_frames.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

#include <string.h>

enum { LAN, BRIDGE };
#define PORTS 6

static struct rig r;
static struct config c;
static const uint8_t broadcast[MAC_BYTES] = {255, 255, 255, 255, 255, 255};
static const uint8_t multicast[MAC_BYTES] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t a[] = {2, 1, 0, 0, 0, 0xA}, b[] = {2, 1, 0, 0, 0, 0xB},
                     x[] = {2, 1, 0, 0, 0, 0x99}, zero[MAC_BYTES];
static const uint8_t own0[] = {2, 0, 0, 0, 0, 0xE0}, own1[] = {2, 0, 0, 0, 0, 0xE1};

static int setup(void **state)
{
    (void)state;
    memset(&c, 0, sizeof(c));
    c.ok = true;
    c.port_count = PORTS;
    c.net_count = 1;
    c.nets[LAN] = (struct config_net){
        .name = "lan", .mode = NET_NAT, .prefix = 24, .ports = 0x0E, .ip = RIG_ROUTER};
    c.uplink =
        (struct config_uplink){.present = true, .ip = RIG_OUTSIDE, .prefix = 24, .gw = RIG_GATEWAY};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

static void add_bridge(void)
{
    c.net_count = 2;
    c.nets[BRIDGE] =
        (struct config_net){.name = "vmnet0", .mode = NET_BRIDGE, .ports = 0x30, .tag = {[5] = 50}};
}

static void start(void)
{
    rig_start_config(&r, &c, 0);
}

/* ---- the bridged uplink ---- */

static void test_bridge(void **state)
{
    static const uint8_t stp[] = {1, 0x80, 0xC2, 0, 0, 0};
    static const struct rig_row rows[] = {
        {1, 4, b, a, 0x86DD, 0x21, 0, 0}, /* unknown: to the uplink and the other port */
        {2, 0, a, x, 0x86DD, 0x10, 0, 0}, /* learned */
        {3, 4, x, a, 0x86DD, 0x01, 0, 0},
        {4, 4, broadcast, a, 0x86DD, 0x21, 0, 0}, /* IPv6, and whatever there may be */
        {5, 0, multicast, x, 0x86DD, 0x30, 0, 0},
        {6, 0, broadcast, x, 0x0806, 0x30, 1, 0}, /* the router hears what it did */
        {7, 4, broadcast, a, 0x0806, 0x21, 1, 0},
        {8, 4, own0, a, 0x0806, 0, 1, 0},
        {9, 0, own0, x, 0x0806, 0, 1, 0},
        {10, 0, own0, x, 0x86DD, 0, 0, DROP_ETH_TYPE},
        {11, 4, x, own0, 0x86DD, 0, 0, DROP_ETH_SOURCE},
        {12, 0, stp, x, 0x0027, 0, 0, DROP_ETH_RESERVED},
        {13, 0, x, b, 0x86DD, 0, 0, DROP_SAME_PORT},
        {14, 1, x, a, 0x86DD, 0x0C, 0, 0}, /* lan is another segment */
        {15, 1, own0, a, 0x0806, 0x0C, 0, 0},
        {16, 4, own1, a, 0x0806, 0x21, 0, 0},
        {17, 4, b, a, 0x8100, 0x01, 0, 0}, /* tags pass (b is outside since row 13) */
        {18, 0, a, x, 0x88A8, 0x10, 0, 0},
        {19, 5, a, b, 0x86DD, 0, 0, DROP_VLAN}, /* this port's are tagged */
        {20, 0, zero, x, 0x86DD, 0x30, 0, 0},
        {21, 4, x, zero, 0x86DD, 0, 0, DROP_ETH_SOURCE},
    };

    (void)state;
    add_bridge();
    start();
    rig_run_rows(&r, rows, ARRAY_COUNT(rows));
}

/* A priority tag does not keep a frame from the router, and is not for others to lose. */
static void test_bridge_priority_tags(void **state)
{
    (void)state;
    add_bridge();
    start();
    for (unsigned i = 0; i < 2; i++) {
        rig_raw(&r, 0, i ? broadcast : own0, x, 0x8100, 64);
        store_be16(r.nics[0].rx[(r.nics[0].rx_tail - 1) % FAKE_NIC_QUEUE]->data + 14, 0xE000);
        store_be16(r.nics[0].rx[(r.nics[0].rx_tail - 1) % FAKE_NIC_QUEUE]->data + 16, 0x0806);
        rig_step(&r);
        assert_int_equal(r.delivered_count, 1);
        assert_int_equal(r.delivered[0]->total_bytes, 60);
        assert_int_equal(load_be16(r.delivered[0]->data + 12), 0x0806);
        assert_int_equal(rig_output(&r, 4), i);
        if (i)
            assert_int_equal(load_be16(r.out.b + 12), 0x8100);
        rig_flush(&r);
    }
}

/* The router routes and translates by a bridged uplink as by any; it finds its neighbors on
 * whatever port they are. */
static void test_bridge_routes(void **state)
{
    struct rig_packet out = {
        .src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1000, .dport = 53, .payload_bytes = 40};
    struct rig_packet in = {
        .src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 53, .payload_bytes = 40};

    (void)state;
    add_bridge();
    start();
    rig_input(&r, 1, &out);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x31); /* nobody knows yet where the gateway is */
    rig_appear(&r, 0, RIG_GATEWAY);
    for (unsigned i = 0; i < 4; i++) {
        rig_input(&r, 1, &out);
        rig_step(&r);
        assert_true(rig_output(&r, 0));
        assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
        assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
        in.dport = rig_out_sport(&r);
        rig_input(&r, 0, &in);
        rig_step(&r);
        assert_true(rig_output(&r, 1));
        assert_int_equal(rig_out_dst(&r), RIG_HOST(5));
        assert_int_equal(rig_flush(&r), 0);
    }
    rig_appear(&r, 4, RIG_GATEWAY); /* it moves */
    rig_input(&r, 1, &out);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x10);
    for (unsigned i = 0; i < 2; i++) { /* once everybody knows, by the short way */
        rig_input(&r, 4, &in);
        rig_step(&r);
        assert_int_equal(rig_ports_sent(&r), 0x02);
    }
    /* The gateway's move is seen in packets too, not only in what is flooded. */
    rig_input(&r, 0, &in);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x02);
    rig_input(&r, 1, &out);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x01);

    struct pkt *p = pkt_alloc(&r.pool);
    memset(r.in.b, 0, 60);
    memcpy(r.in.b, rig_mac(RIG_GATEWAY), MAC_BYTES);
    assert_true(pkt_append(p, r.in.b, 60));
    dataplane_send(r.dp, NETWORK_UPLINK, p);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x01);
}

/* Stations of a bridged uplink that know each other are switched by the short way, too. */
static void test_bridge_bursts(void **state)
{
    (void)state;
    add_bridge();
    start();
    rig_ask(&r, 0, broadcast, x, 0x1234);
    rig_ask(&r, 4, broadcast, a, 0x1234);
    for (unsigned i = 0; i < 32; i++)
        rig_raw(&r, i % 2 ? 0 : 4, i % 2 ? a : x, i % 2 ? x : a, 0x1234, 60);
    rig_step(&r);
    assert_int_equal(fake_nic_sent_count(&r.nics[0]), 16);
    assert_int_equal(fake_nic_sent_count(&r.nics[4]), 16);
    assert_int_equal(rig_flush(&r), 32);
}

/* The router without an address there: a switch, and nothing for it. And a MAC it was given. */
static void test_uplink_mac(void **state)
{
    static const uint8_t given[] = {2, 0x77, 0, 0, 0, 1};
    static const struct rig_row silent[] = {
        {1, 4, own0, a, 0x0806, 0x21, 0, 0},
        {2, 0, broadcast, x, 0x0806, 0x30, 0, 0},
        {3, 0, a, own0, 0x0806, 0x10, 0, 0}, /* nobody's own */
        {4, 0, zero, x, 0x0806, 0x30, 0, 0},
    };
    static const struct rig_row other[] = {
        {5, 0, given, x, 0x0806, 0, 1, 0},
        {6, 0, own0, x, 0x0806, 0, 0, DROP_ETH_NOT_FOR_US},
        {7, 0, given, given, 0x0806, 0, 0, DROP_ETH_SOURCE},
    };

    (void)state;
    c.uplink.mac_given = true;
    memcpy(c.uplink.mac, given, MAC_BYTES);
    start();
    rig_run_rows(&r, other, ARRAY_COUNT(other));
    assert_memory_equal(dataplane_mac(r.dp, NETWORK_UPLINK), given, MAC_BYTES);
    rig_stop(&r);

    setup(NULL);
    add_bridge();
    c.uplink = (struct config_uplink){.present = true, .silent = true};
    start();
    rig_run_rows(&r, silent, ARRAY_COUNT(silent));
}

/* ---- isolated ports ---- */

static void test_isolate(void **state)
{
    static const struct rig_row lan[] = {
        {1, 1, b, a, 0x86DD, 0, 0, DROP_UNKNOWN_FLOOD},
        {2, 2, broadcast, b, 0x86DD, 0, 0, DROP_UNKNOWN_FLOOD},
        {3, 2, a, b, 0x86DD, 0, 0, DROP_ISOLATED},
        {4, 1, broadcast, a, 0x0806, 0, 1, 0}, /* the router is reached */
        {5, 1, own1, a, 0x0806, 0, 1, 0},
        {6, 1, a, b, 0x86DD, 0, 0, DROP_SAME_PORT},
    };
    static const struct rig_row bridge[] = {
        {11, 4, broadcast, a, 0x0806, 0x01, 1, 0}, /* the uplink's port is reached */
        {12, 4, x, a, 0x86DD, 0x01, 0, 0},
        {13, 0, broadcast, x, 0x86DD, 0x30, 0, 0}, /* and reaches all */
        {14, 0, a, x, 0x86DD, 0x10, 0, 0},
        {15, 4, x, a, 0x86DD, 0x01, 0, 0},
    };

    (void)state;
    c.nets[LAN].isolate = true;
    start();
    rig_run_rows(&r, lan, ARRAY_COUNT(lan));
    /* By the short way neither: a burst of what is known. */
    rig_ask(&r, 1, broadcast, a, 0x86DD);
    rig_ask(&r, 2, broadcast, b, 0x86DD);
    for (unsigned i = 0; i < 8; i++)
        rig_raw(&r, 2, a, b, 0x1234, 60);
    rig_step(&r);
    assert_int_equal(rig_flush(&r), 0);
    rig_stop(&r);

    setup(NULL);
    add_bridge();
    c.nets[BRIDGE].isolate = true;
    c.nets[BRIDGE].tag[5] = 0;
    start();
    rig_run_rows(&r, bridge, ARRAY_COUNT(bridge));
    assert_int_equal(rig_ask(&r, 5, a, b, 0x86DD), 0);
    assert_int_equal(rig_dropped(&r, DROP_ISOLATED), 1);
}

/* ---- mirror ports ---- */

static void test_promisc(void **state)
{
    static const struct rig_row rows[] = {
        {1, 1, b, a, 0x86DD, 0x0C, 0, 0}, /* flooded: one copy */
        {2, 2, a, b, 0x86DD, 0x0A, 0, 0},
        {3, 1, b, a, 0x86DD, 0x0C, 0, 0},
        {4, 1, broadcast, a, 0x0806, 0x0C, 1, 0},
        {5, 1, own1, a, 0x0806, 0x08, 1, 0}, /* to the router */
        {6, 3, a, x, 0x86DD, 0x02, 0, 0},    /* from the mirror port itself */
        {7, 1, x, a, 0x86DD, 0x08, 0, 0},    /* to it */
        {8, 1, a, b, 0x86DD, 0x08, 0, DROP_SAME_PORT},
        {9, 1, b, multicast, 0x86DD, 0, 0, DROP_ETH_SOURCE}, /* no frame at all */
        {10, 0, own0, x, 0x0806, 0, 1, 0},                   /* not its network */
    };
    struct rig_packet out = {
        .src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1000, .dport = 53, .payload_bytes = 40};
    struct rig_packet in = {
        .src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 53, .payload_bytes = 40};

    (void)state;
    c.ports[3].promisc = true;
    start();
    rig_run_rows(&r, rows, ARRAY_COUNT(rows));
    rig_appear(&r, 1, RIG_HOST(5));
    for (unsigned i = 0; i < 3; i++) {
        rig_input(&r, 1, &out);
        rig_step(&r);
        assert_true(rig_output(&r, 3)); /* as it was, though the router has rewritten it */
        assert_memory_equal(r.out.b, r.in.b, r.in.n);
        assert_true(rig_output(&r, 0));
        assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
        in.dport = rig_out_sport(&r);
        rig_input(&r, 0, &in);
        rig_step(&r);
        for (unsigned port = 1; port <= 3; port += 2) { /* and as it went to its host */
            assert_true(rig_output(&r, port));
            assert_int_equal(rig_out_dst(&r), RIG_HOST(5));
            assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
        }
        assert_int_equal(rig_flush(&r), 0);
    }
    /* The router's own: to one, to all, and to who watches. */
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t *dst = i == 0 ? rig_mac(RIG_HOST(5)) : i == 1 ? broadcast : x;
        struct pkt *p = pkt_alloc(&r.pool);
        memset(r.in.b, 0, 60);
        memcpy(r.in.b, dst, MAC_BYTES);
        assert_true(pkt_append(p, r.in.b, 60));
        dataplane_send(r.dp, LAN, p);
        rig_step(&r);
        assert_int_equal(rig_ports_sent(&r), i == 0 ? 0x0A : i == 1 ? 0x0E : 0x08);
    }
    r.nics[3].up = false; /* who watches must not keep others from talking */
    rig_pass(&r, 1000, 100);
    rig_flush(&r);
    assert_int_equal(rig_ask(&r, 1, multicast, a, 0x86DD), 0x04);
    assert_int_equal(rig_dropped(&r, DROP_TX_DOWN), 0);
}

/* An isolated network that is watched; and copies with a tag, each with its own. */
static void test_promisc_isolated_and_tagged(void **state)
{
    (void)state;
    c.ports[3].promisc = true;
    c.nets[LAN].isolate = true;
    c.nets[LAN].tag[3] = 30;
    c.nets[LAN].tag[2] = 20;
    start();
    rig_raw(&r, 1, b, a, 0x1234, 60);
    rig_step(&r);
    assert_true(rig_output(&r, 3));
    assert_int_equal(load_be16(r.out.b + 14), 30);
    assert_int_equal(load_be16(r.out.b + 16), 0x1234);
    assert_int_equal(rig_flush(&r), 0);
    assert_int_equal(rig_dropped(&r, DROP_UNKNOWN_FLOOD), 1);
    rig_raw(&r, 1, own1, a, 0x0806, 60);
    rig_step(&r);
    assert_int_equal(r.delivered_count, 1);
    assert_int_equal(load_be16(r.delivered[0]->data + 12), 0x0806);
    assert_true(rig_output(&r, 3));
    assert_int_equal(load_be16(r.out.b + 14), 30);
    rig_flush(&r);
}

/* ---- rules between stations ---- */

/* a (.5, port 1) may not talk to b (.6, port 2); a question to all is not one to b, unless it is
 * one to b in a frame for all. */
static void test_filtered(void **state)
{
    static const struct {
        int id;
        unsigned port, src, dst; /* last bytes of the addresses; dst 0: 224.0.0.251 */
        bool known, group;       /* the destination's port is; in a broadcast frame */
        unsigned sent;
        bool denied;
    } rows[] = {
        {1, 1, 5, 6, true, false, 0, true},
        {2, 1, 5, 7, true, false, 0x08, false},
        {3, 2, 6, 5, true, false, 0x02, false}, /* the other way is not forbidden */
        {4, 3, 7, 6, true, false, 0x04, false},
        {5, 1, 5, 6, false, false, 0, true}, /* flooded, or not */
        {6, 1, 5, 9, false, false, 0x0C, false},
        {7, 1, 5, 6, false, true, 0, true},
        {8, 1, 5, 9, false, true, 0x0C, false},
        {9, 1, 5, 255, false, true, 0x0C, false},
        {10, 1, 5, 0, false, true, 0x0C, false},
        {11, 1, 5, 1, false, true, 0x0C, false},
    };

    (void)state;
    c.rule_count = 1;
    c.rules[0] = (struct config_rule){
        .action = RULE_DENY,
        .from = {.kind = WHERE_HOST, .net = LAN, .prefix = 32, .ip = RIG_HOST(5)},
        .to = {.kind = WHERE_HOST, .net = LAN, .prefix = 32, .ip = RIG_HOST(6)}};
    memcpy(c.rules[0].from.mac, rig_mac(RIG_HOST(5)), MAC_BYTES);
    memcpy(c.rules[0].to.mac, rig_mac(RIG_HOST(6)), MAC_BYTES);
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        for (unsigned n = 0; n < 3 && i % 4 == 0; n++)
            rig_appear(&r, n + 1, RIG_HOST(n + 5));
        struct rig_packet k = {.src = RIG_HOST(rows[i].src),
                               .dst = rows[i].dst ? RIG_HOST(rows[i].dst) : BE_IP4(224, 0, 0, 251),
                               .sport = (uint16_t)(1000 + i),
                               .dport = 80,
                               .payload_bytes = 20,
                               .broadcast = rows[i].group};
        uint64_t policy = rig_dropped(&r, DROP_POLICY);
        rig_make(&r, rows[i].port, &k);
        if (rows[i].known)
            memcpy(r.in.b, rig_mac(k.dst), MAC_BYTES);
        else if (!rows[i].group)
            memcpy(r.in.b, x, MAC_BYTES);
        rig_input_raw(&r, rows[i].port);
        rig_step(&r);
        unsigned sent = rig_ports_sent(&r);
        if (sent != rows[i].sent || rig_dropped(&r, DROP_POLICY) != policy + rows[i].denied)
            fail_msg("row %d: ports %x", rows[i].id, sent);
        rig_flush(&r);
    }
    /* Other protocols by MAC, where the rule names none; and nothing by the short way. */
    rig_ask(&r, 2, broadcast, rig_mac(RIG_HOST(6)), 0x86DD);
    assert_int_equal(rig_ask(&r, 1, rig_mac(RIG_HOST(6)), rig_mac(RIG_HOST(5)), 0x86DD), 0);
    assert_int_equal(rig_ask(&r, 1, rig_mac(RIG_HOST(6)), a, 0x86DD), 0x04);
    assert_int_equal(rig_ask(&r, 1, rig_mac(RIG_HOST(6)), rig_mac(RIG_HOST(5)), 0x86DD), 0);
}

/* ---- status ---- */

static unsigned seen;

static void check_line(const char *text)
{
    seen += strncmp(text, "port 1  up    lan          rx 3 tx 0 locked 2 name web", 54) == 0;
    seen += strstr(text, "dropped locked 2") != NULL;
}

static void test_status(void **state)
{
    (void)state;
    c.ports[1].lock = LOCK_MAC;
    memcpy(c.ports[1].lock_mac, a, MAC_BYTES);
    memcpy(c.ports[1].name, "web", 4);
    start();
    rig_ask(&r, 1, b, a, 0x1234);
    rig_ask(&r, 1, b, x, 0x1234);
    rig_ask(&r, 1, b, x, 0x1234);
    seen = 0;
    dataplane_print_status(r.dp, check_line);
    assert_int_equal(seen, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_bridge),        TEST(test_bridge_priority_tags),
        TEST(test_bridge_routes), TEST(test_bridge_bursts),
        TEST(test_uplink_mac),    TEST(test_isolate),
        TEST(test_promisc),       TEST(test_promisc_isolated_and_tagged),
        TEST(test_filtered),      TEST(test_status),
    };
    return cmocka_run_group_tests_name("dataplane_ports", tests, NULL, NULL);
}
