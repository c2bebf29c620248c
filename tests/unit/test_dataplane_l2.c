/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The dataplane's switching (net/dataplane_l2.c, dataplane_tx.c): where frames go and where they do
 * not, what the router hears, what a port cannot send, links. See router_rig.h for the topology.
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

#include <stdio.h>

static struct rig r;

static const uint8_t broadcast[MAC_BYTES] = {255, 255, 255, 255, 255, 255};
static const uint8_t multicast[MAC_BYTES] = {1, 0, 0x5E, 0, 0, 0xFB};

static int setup(void **state)
{
    (void)state;
    rig_start(&r, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

/* Stations a on port 1, b on port 2 of lan; c on port 4 of lab; x outside. */
static void test_where_frames_go(void **state)
{
    static const uint8_t a[] = {2, 1, 0, 0, 0, 0xA}, b[] = {2, 1, 0, 0, 0, 0xB},
                         c[] = {2, 1, 0, 0, 0, 0xC}, x[] = {2, 1, 0, 0, 0, 0x99},
                         stp[] = {1, 0x80, 0xC2, 0, 0, 0}, lldp[] = {1, 0x80, 0xC2, 0, 0, 0xF},
                         not_reserved[] = {1, 0x80, 0xC2, 0, 0, 0x10}, zero[MAC_BYTES],
                         own[] = {2, 0, 0, 0, 0, 0xE1}, own_up[] = {2, 0, 0, 0, 0, 0xE0};
    static const struct {
        int id;
        unsigned port;
        const uint8_t *dst, *src;
        uint16_t type;
        unsigned sent, heard; /* ports; frames for the stack */
        enum drop_reason dropped;
    } rows[] = {
        {1, 1, b, a, 0x86DD, 0x0C, 0, 0},           /* unknown: flooded within lan */
        {2, 2, a, b, 0x86DD, 0x02, 0, 0},           /* known */
        {3, 1, b, a, 0x86DD, 0x04, 0, 0},           /* and the other way */
        {4, 4, a, c, 0x86DD, 0x20, 0, 0},           /* a is nobody in lab */
        {5, 5, c, x, 0x86DD, 0x10, 0, 0},           /* x in lab, for now */
        {6, 1, c, a, 0x86DD, 0x0C, 0, 0},           /* and c nobody in lan */
        {7, 2, b, a, 0x86DD, 0, 0, DROP_SAME_PORT}, /* a moved to port 2, where b is */
        {8, 3, a, c, 0x86DD, 0x04, 0, 0},           /* believed at once; this c is another one */
        {9, 1, broadcast, a, 0x86DD, 0x0C, 0, 0},   /* the router does not listen to IPv6 */
        {10, 1, broadcast, a, 0x0806, 0x0C, 1, 0},
        {11, 1, multicast, a, 0x0806, 0x0C, 0, 0},
        {12, 1, multicast, a, 0x0800, 0x0C, 0, 0},
        {13, 1, own, a, 0x0806, 0, 1, 0},
        {14, 1, own, a, 0x86DD, 0, 0, DROP_ETH_TYPE},
        {15, 1, own_up, a, 0x0806, 0x0C, 0, 0}, /* the uplink's MAC is nobody in lan */
        {16, 1, stp, a, 0x0027, 0, 0, DROP_ETH_RESERVED},
        {17, 1, lldp, a, 0x88CC, 0, 0, DROP_ETH_RESERVED},
        {18, 1, not_reserved, a, 0x88CC, 0x0C, 0, 0},
        {19, 1, b, multicast, 0x86DD, 0, 0, DROP_ETH_SOURCE},
        {20, 1, b, broadcast, 0x86DD, 0, 0, DROP_ETH_SOURCE},
        {21, 1, b, zero, 0x86DD, 0, 0, DROP_ETH_SOURCE},
        {22, 1, b, own, 0x86DD, 0, 0, DROP_ETH_SOURCE},
        {37, 1, b, own, 0x86DD, 0, 0, DROP_ETH_SOURCE}, /* again, while it could be remembered */
        {23, 1, b, a, 0x8100, 0, 0, DROP_VLAN},
        {24, 1, b, a, 0x88A8, 0, 0, DROP_VLAN},
        {25, 0, own_up, x, 0x0806, 0, 1, 0},
        {26, 0, broadcast, x, 0x0806, 0, 1, 0},
        {27, 0, a, x, 0x86DD, 0, 0, DROP_ETH_NOT_FOR_US}, /* the uplink is not switched */
        {28, 0, own, x, 0x0806, 0, 0, DROP_ETH_NOT_FOR_US},
        {29, 0, multicast, x, 0x86DD, 0, 0, DROP_ETH_NOT_FOR_US},
        {30, 0, broadcast, x, 0x86DD, 0, 0, DROP_ETH_TYPE},
        {31, 0, own_up, x, 0x86DD, 0, 0, DROP_ETH_TYPE},
        {32, 0, own_up, own_up, 0x0806, 0, 0, DROP_ETH_SOURCE},
        {33, 0, stp, x, 0x0027, 0, 0, DROP_ETH_RESERVED},
        {34, 0, own_up, x, 0x8100, 0, 0, DROP_VLAN},
        {35, 6, a, x, 0x86DD, 0, 0, DROP_NO_NETWORK},
        {36, 6, broadcast, x, 0x0806, 0, 0, DROP_NO_NETWORK},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t all = rig_dropped_in_all(&r), one = rig_dropped(&r, rows[i].dropped);
        unsigned sent = rig_ask(&r, rows[i].port, rows[i].dst, rows[i].src, rows[i].type);
        if (sent != rows[i].sent || r.delivered_count != rows[i].heard)
            fail_msg("row %d: ports %x, heard %u", rows[i].id, sent, r.delivered_count);
        if (rows[i].dropped && rig_dropped(&r, rows[i].dropped) != one + 1)
            fail_msg("row %d: not dropped for the right reason", rows[i].id);
        if (rig_dropped_in_all(&r) != all + (rows[i].dropped != 0))
            fail_msg("row %d: dropped %u", rows[i].id, (unsigned)(rig_dropped_in_all(&r) - all));
        rig_flush(&r);
    }
}

/* Stations a on port 1, b on port 2 of lan, known to the switch, so that all but the tagged and the
 * broadcast frames come by its short way. */
static void test_who_says_what_in_arp(void **state)
{
    static const uint8_t a[] = {2, 1, 0, 0, 0, 0xA}, b[] = {2, 1, 0, 0, 0, 0xB},
                         own[] = {2, 0, 0, 0, 0, 0xE1}, own_lab[] = {2, 0, 0, 0, 0, 0xE4};
    static const struct {
        int id;
        unsigned port;
        const uint8_t *dst, *sender_mac;
        be32 sender_ip;
        uint16_t tag; /* 0: none */
        uint8_t op, hardware;
        unsigned sent;
        enum drop_reason dropped;
        unsigned told;
    } rows[] = {
        {1, 1, b, a, RIG_HOST(5), 0, 2, 1, 0x04, 0, 0},
        {2, 1, b, a, RIG_ROUTER, 0, 2, 1, 0, DROP_ARP_FORGED, 1},
        {3, 1, b, a, RIG_ROUTER, 0, 1, 1, 0, DROP_ARP_FORGED, 1},
        {4, 1, b, a, RIG_ROUTER, 0, 2, 6, 0, DROP_ARP_FORGED, 1}, /* Linux believes IEEE 802 too */
        {5, 1, broadcast, a, RIG_ROUTER, 0, 1, 1, 0, DROP_ARP_FORGED, 1},
        {6, 1, multicast, a, RIG_ROUTER, 0, 2, 1, 0, DROP_ARP_FORGED, 1},
        {7, 1, own, a, RIG_ROUTER, 0, 2, 1, 0, DROP_ARP_FORGED, 1},
        {8, 1, b, a, RIG_ROUTER, 0x8100, 2, 1, 0, DROP_ARP_FORGED, 1}, /* a priority tag */
        {9, 1, broadcast, a, RIG_ROUTER, 0x8100, 1, 1, 0, DROP_ARP_FORGED, 1},
        {10, 1, b, own, RIG_HOST(5), 0, 2, 1, 0, DROP_ARP_FORGED, 0},
        {11, 1, b, own_lab, RIG_HOST(5), 0, 2, 1, 0x04, 0, 0}, /* it is nobody's here */
        {12, 1, b, a, RIG_LAB_ROUTER, 0, 2, 1, 0x04, 0, 0},    /* as is this */
        {13, 1, b, a, RIG_HOST(5), 0, 2, 1, 0x04, 0, 0},
        {14, 0, broadcast, a, RIG_OUTSIDE, 0, 1, 1, 0, 0, 0}, /* outside: the stack sees to it */
    };

    (void)state;
    rig_ask(&r, 1, b, a, 0x86DD);
    rig_ask(&r, 2, a, b, 0x86DD);
    rig_flush(&r);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t f[60] = {0}, *arp = f + ETH_HDR_BYTES;
        uint64_t before = rig_dropped(&r, DROP_ARP_FORGED);
        memcpy(f, rows[i].dst, MAC_BYTES);
        memcpy(f + ETH_SRC_OFF, a, MAC_BYTES);
        if (rows[i].tag) {
            store_be16(f + ETH_TYPE_OFF, rows[i].tag);
            arp += 4;
        }
        store_be16(arp - 2, 0x0806);
        memcpy(arp, (uint8_t[]){0, rows[i].hardware, 8, 0, 6, 4, 0, rows[i].op}, 8);
        memcpy(arp + 8, rows[i].sender_mac, MAC_BYTES);
        store_raw32(arp + 14, rows[i].sender_ip);
        store_raw32(arp + 24, RIG_HOST(6));
        memcpy(r.in.b, f, r.in.n = sizeof(f));
        r.conflicts = 0;
        rig_input_raw(&r, rows[i].port);
        rig_step(&r);
        unsigned sent = rig_ports_sent(&r);
        if (sent != rows[i].sent || r.conflicts != rows[i].told)
            fail_msg("row %d: ports %x, told %u", rows[i].id, sent, r.conflicts);
        if (rig_dropped(&r, DROP_ARP_FORGED) - before != (rows[i].dropped != 0))
            fail_msg("row %d: dropped or not", rows[i].id);
        if (r.conflicts && (r.conflict_network != RIG_LAN || !mac_equal(r.conflict_mac, a)))
            fail_msg("row %d: told of another", rows[i].id);
        if (r.delivered_count != (rows[i].port == 0))
            fail_msg("row %d: heard %u", rows[i].id, r.delivered_count);
        rig_flush(&r);
    }
}

/* What is cut short is made whole with zeros by whoever takes it further, and then believed. */
static void test_arp_cut_short(void **state)
{
    static const uint8_t a[] = {2, 1, 0, 0, 0, 0xA}, b[] = {2, 1, 0, 0, 0, 0xB};

    (void)state;
    rig_ask(&r, 1, b, a, 0x86DD);
    rig_ask(&r, 2, a, b, 0x86DD);
    rig_flush(&r);
    for (unsigned n = ETH_HDR_BYTES; n <= ETH_HDR_BYTES + 28; n++) {
        uint8_t f[ETH_HDR_BYTES + 28] = {0}, *arp = f + ETH_HDR_BYTES;
        bool whole = n == sizeof(f);
        memcpy(f, b, MAC_BYTES);
        memcpy(f + ETH_SRC_OFF, a, MAC_BYTES);
        store_be16(f + ETH_TYPE_OFF, 0x0806);
        memcpy(arp, (uint8_t[]){0, 1, 8, 0, 6, 4, 0, 2}, 8);
        memcpy(arp + 8, a, MAC_BYTES);
        store_raw32(arp + 14, RIG_ROUTER);
        memcpy(r.in.b, f, r.in.n = n);
        r.conflicts = 0;
        rig_input_raw(&r, 1);
        rig_step(&r);
        if (rig_ports_sent(&r) != 0 || rig_dropped(&r, DROP_ARP_FORGED) != n - ETH_HDR_BYTES + 1)
            fail_msg("%u bytes were passed on", n);
        assert_int_equal(r.conflicts, whole);
        rig_flush(&r);
    }
}

/* Where the router has no address it hears nothing, and the MAC of nobody is not its own either. */
static void test_mute_network(void **state)
{
    static const uint8_t a[] = {2, 1, 0, 0, 0, 0xA}, zero[MAC_BYTES], own[] = {2, 0, 0, 0, 0, 0xE4};
    static const uint8_t *const dst[] = {zero, own, broadcast};
    static const uint16_t types[] = {0x0800, 0x0806};

    (void)state;
    rig_stop(&r);
    rig_start(&r, RIG_LAB_MUTE);
    for (unsigned i = 0; i < 2 * ARRAY_COUNT(dst); i++) {
        if (rig_ask(&r, 4, dst[i / 2], a, types[i % 2]) != 0x20 || r.delivered_count != 0)
            fail_msg("frame %u: heard %u", i, r.delivered_count);
        rig_flush(&r);
    }
    assert_int_equal(rig_dropped_in_all(&r), 0);
}

static void test_frames_are_untouched(void **state)
{
    (void)state;
    for (size_t n = 14; n <= 1514; n += 250) {
        rig_raw(&r, 1, rig_mac(RIG_HOST(7)), rig_mac(RIG_HOST(5)), 0x1234, n);
        rig_step(&r);
        for (unsigned port = 2; port <= 3; port++) {
            assert_true(rig_output(&r, port));
            assert_int_equal(r.out.n, n);
            assert_memory_equal(r.out.b, r.in.b, n);
        }
    }
    for (size_t n = 1; n < 14; n++) {
        r.in.n = n;
        rig_input_raw(&r, 1);
    }
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_ETH_SHORT), 13);
    rig_raw(&r, 1, rig_mac(RIG_HOST(7)), rig_mac(RIG_HOST(5)), 0x1234, 1515);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0);
    assert_int_equal(rig_dropped(&r, DROP_TOO_BIG), 2); /* one a port */
}

/* B3: 300 s, and not a second longer. */
static void test_ageing(void **state)
{
    (void)state;
    r.now_us = r.now_us / 1000000 * 1000000;
    rig_ask(&r, 2, broadcast, rig_mac(RIG_HOST(7)), 0x1234);
    r.now_us += 300 * 1000000ull;
    assert_int_equal(rig_ask(&r, 1, rig_mac(RIG_HOST(7)), rig_mac(RIG_HOST(5)), 0x1234), 0x04);
    r.now_us += 20 * 1000000; /* it is told in ticks of sixteen seconds */
    assert_int_equal(rig_ask(&r, 1, rig_mac(RIG_HOST(7)), rig_mac(RIG_HOST(5)), 0x1234), 0x0C);
}

/* The shortcut for a source that was learned a moment ago must not outlive a move. */
static void test_quick_moves(void **state)
{
    static const uint8_t a[] = {2, 1, 0, 0, 0, 0xA};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        unsigned port = 1 + i % 2;
        rig_ask(&r, port, broadcast, a, 0x1234);
        assert_int_equal(rig_ask(&r, 3, a, rig_mac(RIG_HOST(7)), 0x1234), 1u << port);
    }
}

/* B4: bursts larger than the dataplane takes at once keep their order. */
static void test_order(void **state)
{
    (void)state;
    rig_ask(&r, 2, broadcast, rig_mac(RIG_HOST(7)), 0x1234);
    rig_flush(&r);
    rig_raw(&r, 1, rig_mac(RIG_HOST(7)), rig_mac(RIG_HOST(5)), 0x1234, 60);
    for (uint32_t i = 0; i < 200; i++) {
        r.in.b[20] = (uint8_t)i;
        rig_input_raw(&r, 1);
        if (i % 77 == 0)
            rig_step(&r);
    }
    while (rig_step(&r) > 0)
        ;
    rig_output(&r, 2); /* the unnumbered one */
    for (uint32_t i = 0; i < 200; i++) {
        assert_true(rig_output(&r, 2));
        assert_int_equal(r.out.b[20], i);
    }
}

/* Stations the table knows, in one second: the switch's fast path (net/dataplane_switch.c). */
static void test_known_stations(void **state)
{
    static const uint8_t a[] = {2, 1, 0, 0, 0, 0xA}, b[] = {2, 1, 0, 0, 0, 0xB},
                         d[] = {2, 1, 0, 0, 0, 0xD};
    static const uint16_t types[] = {0x1111, 0x2222, 0x3333, 0x8100, 0x4444, 0x5555};
    (void)state;

    rig_ask(&r, 1, broadcast, a, 0x1234);
    rig_ask(&r, 1, broadcast, d, 0x1234);
    rig_ask(&r, 2, broadcast, b, 0x1234);
    assert_int_equal(rig_ask(&r, 1, b, a, 0x1234), 1 << 2);
    assert_int_equal(rig_ask(&r, 1, d, a, 0x1234), 0);
    assert_int_equal(rig_dropped(&r, DROP_SAME_PORT), 1);

    /* What takes the general path does not get out of line: the second and the last are broadcasts,
     * the fourth is a VLAN's, and dropped. */
    for (unsigned i = 0; i < ARRAY_COUNT(types); i++)
        rig_raw(&r, 1, i == 1 || i == 5 ? broadcast : b, a, types[i], 60);
    rig_step(&r);
    for (unsigned i = 0; i < ARRAY_COUNT(types); i++) {
        if (types[i] == 0x8100)
            continue;
        assert_true(rig_output(&r, 2));
        assert_int_equal(load_be16(r.out.b + ETH_TYPE_OFF), types[i]);
    }
    assert_int_equal(rig_dropped(&r, DROP_VLAN), 1);
    rig_flush(&r);
}

static void test_one_batch_a_burst(void **state)
{
    (void)state;
    rig_ask(&r, 2, broadcast, rig_mac(RIG_HOST(7)), 0x1234);
    rig_flush(&r);
    unsigned before = r.nics[2].tx_batches;
    for (uint32_t i = 0; i < 32; i++)
        rig_raw(&r, 1, rig_mac(RIG_HOST(7)), rig_mac(RIG_HOST(5)), 0x1234, 60);
    assert_int_equal(rig_step(&r), 32);
    assert_int_equal(r.nics[2].tx_batches, before + 1);
    assert_int_equal(fake_nic_sent_count(&r.nics[2]), 32);
    assert_int_equal(rig_step(&r), 0);
}

static void test_full_and_down(void **state)
{
    (void)state;
    rig_ask(&r, 2, broadcast, rig_mac(RIG_HOST(7)), 0x1234);
    r.nics[2].tx_room = 3;
    for (unsigned i = 0; i < 5; i++)
        rig_raw(&r, 1, rig_mac(RIG_HOST(7)), rig_mac(RIG_HOST(5)), 0x1234, 60);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_TX_FULL), 2);
    rig_flush(&r);
    r.nics[2].tx_room = UINT32_MAX;
    r.nics[2].nic.dead = "nonsense";
    rig_raw(&r, 1, rig_mac(RIG_HOST(7)), rig_mac(RIG_HOST(5)), 0x1234, 60);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_TX_DOWN), 1);
    rig_pass(&r, 1000, 100);
    assert_true(fake_log_has("port 2 down: nonsense"));
    /* Nobody is there any more, and the others are not told twice. */
    assert_int_equal(rig_ask(&r, 1, rig_mac(RIG_HOST(7)), rig_mac(RIG_HOST(5)), 0x1234), 0x08);
    assert_int_equal(rig_dropped(&r, DROP_TX_DOWN), 1);
}

static void test_links(void **state)
{
    (void)state;
    rig_ask(&r, 4, broadcast, rig_mac(RIG_LAB_HOST(5)), 0x1234);
    assert_int_equal(rig_ask(&r, 5, rig_mac(RIG_LAB_HOST(5)), rig_mac(RIG_LAB_HOST(6)), 0x1234),
                     0x10);
    r.nics[4].up = false;
    dataplane_disarm(r.dp); /* an interrupt ended the sleep */
    assert_true(rig_step(&r) > 0);
    assert_true(fake_log_has("port 4 link down"));
    assert_int_equal(r.link_calls, 0); /* port 5 is still up */
    assert_int_equal(rig_ask(&r, 5, rig_mac(RIG_LAB_HOST(5)), rig_mac(RIG_LAB_HOST(6)), 0x1234), 0);
    assert_int_equal(rig_dropped(&r, DROP_UNKNOWN_FLOOD), 1);
    assert_int_equal(rig_ask(&r, 5, broadcast, rig_mac(RIG_LAB_HOST(6)), 0x0806), 0);
    assert_int_equal(r.delivered_count, 1); /* the router still hears it */
    r.nics[5].up = false;
    rig_pass(&r, 1000, 100);
    assert_int_equal(r.link_calls, 1);
    assert_int_equal(r.link_network, RIG_LAB);
    assert_false(r.link_up);
    r.nics[4].up = true;
    rig_pass(&r, 1000, 100);
    assert_int_equal(r.link_calls, 2);
    assert_true(r.link_up);
    r.nics[0].up = false;
    rig_pass(&r, 1000, 100);
    assert_int_equal(r.link_calls, 3);
    assert_int_equal(r.link_network, NETWORK_UPLINK);
    r.nics[6].up = false; /* in no network: a line on the console, and that is all */
    rig_pass(&r, 1000, 100);
    assert_int_equal(r.link_calls, 3);
    assert_true(fake_log_has("port 6 link down"));
}

/* A loose cable has ten lines a minute, and one that says so. */
static void test_loose_cable(void **state)
{
    (void)state;
    for (unsigned minute = 0; minute < 2; minute++) {
        fake_log_clear();
        for (unsigned i = 0; i < 20; i++) {
            r.nics[6].up = !r.nics[6].up;
            rig_pass(&r, 1000, 100);
            assert_int_equal(fake_log_count, MIN(i + 1, 11u));
        }
        assert_true(fake_log_has("port 6 link goes up and down"));
        rig_pass(&r, 60000, 1000);
    }
}

/* The router's own frames. */
static void test_sending(void **state)
{
    static const struct {
        int id;
        uint8_t network;
        bool to_known, group;
        unsigned sent;
    } rows[] = {
        {1, RIG_LAN, false, false, 0x0E},
        {2, RIG_LAN, true, false, 0x04},
        {3, RIG_LAN, false, true, 0x0E},
        {4, RIG_LAB, true, false, 0x30}, /* known in lan only */
        {5, NETWORK_UPLINK, false, false, 0x01},
        {6, NETWORK_UPLINK, false, true, 0x01},
    };

    (void)state;
    rig_ask(&r, 2, broadcast, rig_mac(RIG_HOST(7)), 0x1234);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct pkt *p = pkt_alloc(&r.pool);
        uint8_t bytes[60] = {0};
        memcpy(bytes, rows[i].group ? broadcast : rig_mac(RIG_HOST(rows[i].to_known ? 7 : 8)), 6);
        assert_true(pkt_append(p, bytes, sizeof(bytes)));
        dataplane_send(r.dp, rows[i].network, p);
        struct dataplane_totals t;
        dataplane_totals(r.dp, &t);
        assert_true(dataplane_sum_holds(&t));
        assert_true(t.held > 0);
        assert_int_equal(dataplane_next_us(r.dp, r.now_us), r.now_us);
        dataplane_flush(r.dp);
        unsigned sent = rig_ports_sent(&r);
        if (sent != rows[i].sent)
            fail_msg("row %d: %x", rows[i].id, sent);
    }
    struct pkt *p = pkt_alloc(&r.pool);
    assert_true(pkt_append(p, "short", 5));
    dataplane_send(r.dp, RIG_LAN, p);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_ETH_SHORT), 1);
}

/* A pool that runs empty while frames are flooded costs the router its own copy, and is counted. */
static void test_empty_pool(void **state)
{
    struct pkt *hog[RIG_BUFFERS];
    unsigned n = 0;

    (void)state;
    rig_raw(&r, 1, broadcast, rig_mac(RIG_HOST(5)), 0x0806, 60);
    while (r.pool.free_count > 0)
        hog[n++] = pkt_alloc(&r.pool);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_BUFFERS), 1);
    assert_int_equal(r.delivered_count, 0);
    assert_int_equal(rig_ports_sent(&r), 0x0C);
    while (n > 0)
        pkt_free(hog[--n]);
    r.stack_busy = true;
    rig_ask(&r, 1, broadcast, rig_mac(RIG_HOST(5)), 0x0806);
    assert_int_equal(rig_dropped(&r, DROP_HOST_BUSY), 1);
}

static void test_arm(void **state)
{
    (void)state;
    assert_false(dataplane_arm(r.dp));
    for (unsigned i = 0; i < RIG_PORTS; i++)
        assert_true(r.nics[i].armed);
    rig_raw(&r, 3, broadcast, rig_mac(RIG_HOST(5)), 0x1234, 60);
    assert_true(dataplane_arm(r.dp));
    dataplane_disarm(r.dp);
    for (unsigned i = 0; i < RIG_PORTS; i++)
        assert_false(r.nics[i].armed);
    rig_step(&r);
    /* Idle, no flows: no timer at all. */
    assert_int_equal(dataplane_next_us(r.dp, r.now_us), UINT64_MAX);
}

static char status[4096];

static void status_line(const char *text)
{
    size_t at = strlen(status);
    snprintf(status + at, sizeof(status) - at, "%s\n", text);
}

static void test_status(void **state)
{
    (void)state;
    rig_ask(&r, 1, rig_mac(RIG_HOST(7)), broadcast, 0x1234);
    rig_ask(&r, 1, broadcast, rig_mac(RIG_HOST(7)), 0x0806);
    r.nics[5].up = false;
    rig_pass(&r, 1000, 500);
    status[0] = '\0';
    dataplane_print_status(r.dp, status_line);
    assert_non_null(strstr(status, "port 0  up    uplink"));
    assert_non_null(strstr(status, "port 5  down  lab"));
    assert_non_null(strstr(status, "port 6  up    -"));
    assert_non_null(
        strstr(status, "packets received 2 created 2 sent 2 consumed 1 held 0 dropped 1\n"));
    assert_non_null(strstr(status, "dropped eth-source 1\n"));
    assert_non_null(strstr(status, "flows 0 of 1024 "));
    assert_null(strstr(status, "SUM WRONG"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_where_frames_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_says_what_in_arp, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arp_cut_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mute_network, setup, teardown),
        cmocka_unit_test_setup_teardown(test_frames_are_untouched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ageing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quick_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_known_stations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_batch_a_burst, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_and_down, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loose_cable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sending, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_pool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status, setup, teardown),
    };
    return cmocka_run_group_tests_name("dataplane_l2", tests, NULL, NULL);
}
