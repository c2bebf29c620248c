/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a port lets in (net/dataplane_admit.c): only from a MAC, from the first one, from addresses
 * that were given; so much a second; so many floods.
 *
 *     port 0: uplink                          ports 1 2 3: lan
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/rig_frames.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

#include <string.h>

enum { LAN };
#define PORTS 4

static struct rig r;
static struct config c;
static const uint8_t broadcast[MAC_BYTES] = {255, 255, 255, 255, 255, 255};
static const uint8_t multicast[MAC_BYTES] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t a[] = {2, 1, 0, 0, 0, 0xA}, b[] = {2, 1, 0, 0, 0, 0xB},
                     x[] = {2, 1, 0, 0, 0, 0x99}, zero[MAC_BYTES];
static const uint8_t own1[] = {2, 0, 0, 0, 0, 0xE1};

static int setup(void **state)
{
    (void)state;
    memset(&c, 0, sizeof(c));
    c.ok = true;
    c.port_count = PORTS;
    c.net_count = 1;
    c.nets[LAN] = (struct config_net){
        .name = "lan", .mode = NET_NAT, .prefix = 24, .ports = 0x0E, .ip = RIG_ROUTER};
    c.nets[LAN].pool_first = RIG_HOST(100);
    c.nets[LAN].pool_last = RIG_HOST(200);
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

static void start(void)
{
    rig_start_config(&r, &c, 0);
}

static void test_lock_mac(void **state)
{
    static const struct rig_row rows[] = {
        {1, 1, b, a, 0x86DD, 0x0C, 0, 0},           {2, 1, b, x, 0x86DD, 0, 0, DROP_LOCKED},
        {3, 1, own1, x, 0x0806, 0, 0, DROP_LOCKED}, {4, 1, b, zero, 0x86DD, 0, 0, DROP_LOCKED},
        {5, 2, x, b, 0x86DD, 0x0A, 0, 0}, /* x was not learned, and others are free */
        {6, 1, own1, a, 0x0806, 0, 1, 0},
    };

    (void)state;
    c.ports[1].lock = LOCK_MAC;
    memcpy(c.ports[1].lock_mac, a, MAC_BYTES);
    start();
    rig_run_rows(&r, rows, ARRAY_COUNT(rows));
    r.in.n = 5;
    rig_input_raw(&r, 1);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_ETH_SHORT), 1);
}

static void test_lock_first(void **state)
{
    static const struct rig_row rows[] = {
        {1, 1, b, zero, 0x86DD, 0, 0, DROP_ETH_SOURCE}, /* these do not count as anybody */
        {2, 1, b, multicast, 0x86DD, 0, 0, DROP_ETH_SOURCE},
        {3, 1, b, own1, 0x86DD, 0, 0, DROP_ETH_SOURCE},
        {4, 1, b, a, 0x8100, 0, 0, DROP_VLAN}, /* a's frame, but no good one: it is pinned all the
                                                  same */
        {5, 1, b, x, 0x86DD, 0, 0, DROP_LOCKED},
        {6, 1, b, a, 0x86DD, 0x0C, 0, 0},
        {7, 1, b, multicast, 0x86DD, 0, 0, DROP_LOCKED},
        {8, 2, b, x, 0x86DD, 0x0A, 0, 0},
    };

    (void)state;
    c.ports[1].lock = LOCK_FIRST;
    start();
    rig_run_rows(&r, rows, ARRAY_COUNT(rows));
    r.nics[1].up = false;
    rig_pass(&r, 1000, 100);
    r.nics[1].up = true;
    rig_pass(&r, 1000, 100);
    assert_int_equal(rig_ask(&r, 1, b, x, 0x86DD), 0x0C);
    assert_int_equal(rig_ask(&r, 1, b, a, 0x86DD), 0);
}

/* An ARP packet from src's MAC: its operation, the sender it names. */
static void arp(unsigned port, const uint8_t *src, uint16_t op, const uint8_t *sender, be32 ip)
{
    memset(r.in.b, 0, 60);
    memcpy(r.in.b, broadcast, MAC_BYTES);
    memcpy(r.in.b + 6, src, MAC_BYTES);
    store_be16(r.in.b + 12, 0x0806);
    memcpy(r.in.b + 14, "\0\1\10\0\6\4", 6);
    store_be16(r.in.b + 20, op);
    memcpy(r.in.b + 22, sender, MAC_BYTES);
    store_raw32(r.in.b + 28, ip);
    store_raw32(r.in.b + 38, RIG_HOST(77));
    r.in.n = 60;
    rig_input_raw(&r, port);
}

static void udp(unsigned port, const uint8_t *mac, be32 src, uint16_t sport, uint16_t dport,
                const uint8_t *chaddr, uint16_t frag)
{
    struct rig_packet k = {.src = src,
                           .dst = BE_IP4(255, 255, 255, 255),
                           .sport = sport,
                           .dport = dport,
                           .payload_bytes = 240,
                           .frag = frag,
                           .broadcast = true};
    rig_make(&r, port, &k);
    memcpy(r.in.b + 6, mac, MAC_BYTES);
    if (chaddr)
        memcpy(r.in.b + r.in.payload + 28, chaddr, MAC_BYTES);
    frame_fix_l4_csum(&r.in);
    rig_input_raw(&r, port);
}

/* a has .5 by a lease on port 1, b has .6 by a reservation, x has nothing. */
static void start_locked(void)
{
    c.ports[1].lock = c.ports[2].lock = LOCK_IP;
    start();
    arp(1, a, 1, a, 0);
    rig_step(&r);
    rig_flush(&r);
    assert_true(dataplane_bind(r.dp, LAN, RIG_HOST(5), a, r.now_us + 3600000000ull));
    assert_true(dataplane_bind(r.dp, LAN, RIG_HOST(6), b, UINT64_MAX));
}

struct lock_row {
    int id;
    unsigned port;
    const uint8_t *src;
    enum { ARP, ARP_REPLY, UDP, DHCP, DHCP_REPLY, RAW } what;
    be32 ip;
    const uint8_t *inner; /* MAC inside; NULL: src */
    bool passes;
};

static void input_row(const struct lock_row *row)
{
    const uint8_t *inner = row->inner ? row->inner : row->src;

    if (row->what == RAW)
        rig_raw(&r, row->port, broadcast, row->src, (uint16_t)row->ip, 60);
    else if (row->what <= ARP_REPLY)
        arp(row->port, row->src, row->what == ARP ? 1 : 2, inner, row->ip);
    else if (row->what == UDP)
        udp(row->port, row->src, row->ip, 1000, 1001, NULL, 0);
    else if (row->what == DHCP_REPLY)
        udp(row->port, row->src, row->ip, 67, 68, NULL, 0);
    else
        udp(row->port, row->src, row->ip, 68, 67, inner, 0);
}

static void test_lock_ip(void **state)
{
    static const struct lock_row rows[] = {
        {1, 1, a, ARP, RIG_HOST(5), NULL, true},
        {2, 1, a, ARP_REPLY, RIG_HOST(5), NULL, true},
        {3, 1, a, ARP, RIG_HOST(6), NULL, false}, /* b's */
        {4, 1, a, ARP, RIG_HOST(7), NULL, false}, /* nobody's */
        {5, 1, a, ARP, RIG_ROUTER, NULL, false},
        {6, 1, a, ARP, RIG_HOST(5), b, false}, /* a's address at b's MAC */
        {7, 1, x, ARP, RIG_HOST(5), NULL, false},
        {8, 1, x, ARP, RIG_HOST(5), a, false},
        {9, 1, x, ARP, 0, NULL, true}, /* a probe */
        {10, 1, x, ARP, 0, a, false},
        {11, 1, x, ARP_REPLY, 0, NULL, false},
        {12, 1, b, ARP, RIG_HOST(6), NULL, true}, /* a reservation holds on any port */
        {13, 2, b, ARP, RIG_HOST(6), NULL, true},
        {14, 2, a, ARP, RIG_HOST(5), NULL, false}, /* a lease where it was given */
        {15, 3, a, ARP, RIG_HOST(99), NULL, true}, /* this port is free */
        {16, 1, a, ARP, RIG_HOST(5), NULL, true},
        {17, 2, a, ARP, 0, NULL, false}, /* a is on port 1, says the switch */
        {20, 1, a, UDP, RIG_HOST(5), NULL, true},
        {21, 1, a, UDP, RIG_HOST(6), NULL, false},
        {22, 1, x, UDP, RIG_HOST(5), NULL, false},
        {23, 1, a, UDP, 0, NULL, false},
        {24, 1, b, UDP, RIG_HOST(6), NULL, true},
        {30, 1, x, DHCP, 0, NULL, true},
        {31, 1, x, DHCP, 0, a, false}, /* in a's name */
        {32, 1, a, DHCP, RIG_HOST(5), NULL, true},
        {33, 1, a, DHCP, RIG_HOST(5), b, false}, /* would release b's */
        {34, 1, x, DHCP, RIG_HOST(7), NULL, false},
        {35, 2, a, DHCP, 0, NULL, false},                 /* would take or end a's lease */
        {36, 1, a, DHCP_REPLY, RIG_HOST(5), NULL, false}, /* the router is the server */
        {40, 1, a, RAW, 0x86DD, NULL, false},
        {41, 1, a, RAW, 0x1234, NULL, false},
        {42, 1, a, RAW, 0x8100, NULL, false},
        {43, 1, a, RAW, 0x0806, NULL, false}, /* nothing that ARP knows */
        {44, 1, a, RAW, 0x0800, NULL, false},
    };

    (void)state;
    start_locked();
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t locked = rig_dropped(&r, DROP_LOCKED);
        input_row(&rows[i]);
        rig_step(&r);
        bool passed = rig_ports_sent(&r) == (0x0Eu & ~(1u << rows[i].port));
        if (passed != rows[i].passes || rig_dropped(&r, DROP_LOCKED) != locked + !rows[i].passes)
            fail_msg("row %d", rows[i].id);
        rig_flush(&r);
        arp(1, a, 1, a, 0); /* a is back on port 1 */
        rig_step(&r);
        rig_flush(&r);
    }
}

/* What has ports is looked at, what has none has a source. */
static void test_lock_ip_fragments(void **state)
{
    (void)state;
    start_locked();
    udp(1, a, RIG_HOST(5), 68, 67, b, 0x2000);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0);
    udp(1, a, RIG_HOST(5), 68, 67, b, 0x2001);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x0C);
    udp(1, x, 0, 68, 67, x, 0x2001);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0);
}

/* Nothing is read that is not there, and nothing passes. */
static void test_lock_ip_cut_short(void **state)
{
    (void)state;
    start_locked();
    for (size_t n = 14; n < 76; n++) {
        udp(1, x, 0, 68, 67, x, 0);
        fake_nic_clear(&r.nics[1]);
        r.in.n = n;
        rig_input_raw(&r, 1);
        arp(1, a, 1, a, RIG_HOST(5));
        r.nics[1].rx[(r.nics[1].rx_tail - 1) % FAKE_NIC_QUEUE]->len = (uint32_t)MIN(n, 41);
        r.nics[1].rx[(r.nics[1].rx_tail - 1) % FAKE_NIC_QUEUE]->total_bytes = (uint32_t)MIN(n, 41);
        rig_step(&r);
        assert_int_equal(rig_flush(&r), 0);
    }
}

/* A lease that has passed, one that is given back, one that is given to another. */
static void test_lock_ip_ends(void **state)
{
    (void)state;
    start_locked();
    r.now_us += 3599000000ull;
    arp(1, a, 1, a, RIG_HOST(5));
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x0C);
    r.now_us += 2000000ull;
    arp(1, a, 1, a, RIG_HOST(5));
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0);
    dataplane_unbind(r.dp, LAN, RIG_HOST(6));
    arp(2, b, 1, b, RIG_HOST(6));
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0);
    arp(2, b, 1, b, 0);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x0A);
    assert_true(dataplane_bind(r.dp, LAN, RIG_HOST(5), b, r.now_us + 1000000));
    arp(1, b, 1, b, RIG_HOST(5)); /* where b is now is port 2 */
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0);
    arp(2, b, 1, b, RIG_HOST(5));
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x0A);
}

/* A forged MAC is let in where the switch does not know better: its owner has been silent, or its
 * link is down. Where the router serves no DHCP another server may. */
static void test_lock_ip_elsewhere(void **state)
{
    (void)state;
    c.nets[LAN].pool_first = c.nets[LAN].pool_last = 0;
    c.ports[1].lock = c.ports[2].lock = LOCK_IP;
    start();
    assert_true(dataplane_bind(r.dp, LAN, RIG_HOST(5), a, UINT64_MAX));
    arp(1, a, 1, a, 0);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x0C);
    udp(2, a, 0, 68, 67, a, 0);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0);
    r.nics[1].up = false;
    rig_pass(&r, 1000, 100);
    udp(2, a, 0, 68, 67, a, 0);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x08);
    r.nics[1].up = true;
    r.now_us += 320000000ull;
    rig_pass(&r, 1000, 100);
    rig_flush(&r);
    arp(1, a, 1, a, 0);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x0C);
    udp(1, a, RIG_HOST(5), 67, 68, NULL, 0);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0x0C);
}

/* An IPv4 header that is shorter than one: its ports would be read out of its addresses. */
static void test_lock_ip_short_header(void **state)
{
    (void)state;
    c.ports[1].lock = LOCK_IP;
    start();
    udp(1, x, 0, 68, 67, x, 0);
    fake_nic_clear(&r.nics[1]);
    r.in.b[14] = 0x44;
    memcpy(r.in.b + 30, "\0\x44\0\x43", 4);
    memcpy(r.in.b + 30 + 8 + 28, x, MAC_BYTES);
    rig_input_raw(&r, 1);
    rig_step(&r);
    assert_int_equal(rig_ports_sent(&r), 0);
    assert_int_equal(rig_dropped(&r, DROP_LOCKED), 1);
}

/* ---- storms and rates ---- */

static unsigned burst(unsigned port, const uint8_t *dst, const uint8_t *src, unsigned n,
                      size_t size)
{
    for (unsigned i = 0; i < n; i++)
        rig_raw(&r, port, dst, src, 0x1234, size);
    while (rig_step(&r) > 0)
        ;
    return rig_flush(&r);
}

static void test_storm(void **state)
{
    (void)state;
    c.ports[1].storm_pps = 1000; /* a hundred at once */
    start();
    rig_ask(&r, 2, broadcast, b, 0x1234);
    assert_int_equal(burst(1, broadcast, a, 80, 60), 160);
    assert_int_equal(burst(1, x, a, 80, 60), 40); /* unknown unicast floods, too */
    assert_int_equal(rig_dropped(&r, DROP_STORM), 60);
    assert_int_equal(burst(1, b, a, 200, 60), 200); /* what is known does not */
    assert_int_equal(burst(3, broadcast, x, 200, 60), 400);
    r.now_us += 50000;
    assert_int_equal(burst(1, multicast, a, 80, 60), 100);
    r.now_us += 1000000000ull;
    assert_int_equal(burst(1, multicast, a, 150, 60), 200); /* no more is saved up */
    assert_int_equal(rig_dropped(&r, DROP_STORM), 60 + 30 + 50);
    /* Of each millisecond one, however often it is looked. */
    unsigned sent = 0;
    for (unsigned i = 0; i < 10000; i++) {
        r.now_us += 100;
        sent += burst(1, multicast, a, 1, 60);
    }
    assert_in_range(sent, 1998, 2002);
}

/* A super-packet for an unknown address, of 43 frames. */
#define SUPER_FRAMES 43

static struct pkt *super_packet(void)
{
    struct rig_packet k = {.src = RIG_HOST(5),
                           .dst = RIG_HOST(6),
                           .proto = IP_PROTO_TCP,
                           .tcp_flags = TCP_ACK,
                           .payload_bytes = 60000};

    rig_make(&r, 1, &k);
    memcpy(r.in.b, rig_mac(RIG_HOST(6)), MAC_BYTES);
    frame_partial_csum(&r.in);
    struct pkt *p = pkt_alloc(&r.pool);
    assert_true(pkt_append(p, r.in.b, r.in.n));
    p->flags = PKT_NEEDS_CSUM;
    p->csum_start = (uint16_t)r.in.l4;
    p->csum_offset = 16;
    p->hdr_len = (uint16_t)r.in.payload;
    p->gso_size = 1400;
    p->gso_type = PKT_GSO_TCP4;
    return p;
}

/* As many frames as it becomes, but however little there is, now and then one. */
static void test_storm_of_super_packets(void **state)
{
    static const struct {
        uint32_t pps;
        unsigned pass;
    } rows[] = {{1000, 2}, {1290, 3}, {1289, 2}, {1, 1}, {0, 5}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        unsigned passed = 0;
        c.ports[1].storm_pps = rows[i].pps;
        rig_start_config(&r, &c, NIC_TX_CSUM | NIC_TX_TSO4);
        for (unsigned n = 0; n < 5; n++) {
            fake_nic_receive_pkt(&r.nics[1], super_packet());
            rig_step(&r);
            passed += rig_ports_sent(&r) != 0;
        }
        if (passed != rows[i].pass || rig_dropped(&r, DROP_STORM) != 5 - passed)
            fail_msg("%u a second: %u passed", rows[i].pps, passed);
        if (i + 1 < ARRAY_COUNT(rows))
            rig_stop(&r);
    }
}

static uint64_t bytes_sent(unsigned port)
{
    return r.nics[port].nic.counters.tx_bytes;
}

/* Over ten seconds what passes is what was said, plus one bucket. */
static void test_rate(void **state)
{
    uint64_t before;

    (void)state;
    c.ports[1].rate_in_bps = 8000000;  /* 1 MB/s */
    c.ports[2].rate_out_bps = 4000000; /* 0.5 MB/s */
    c.ports[3].rate_in_bps = 1;        /* less than a byte a second is a limit, too */
    start();
    rig_ask(&r, 3, broadcast, x, 0x1234);
    rig_ask(&r, 2, broadcast, b, 0x1234);
    for (unsigned in = 0; in < 2; in++) {
        before = bytes_sent(in ? 3 : 2);
        for (unsigned ms = 0; ms < 10000; ms += 2) {
            r.now_us += 2000;
            burst(1, in ? x : b, a, 4, 1000);
            if (ms % 2000 == 0) { /* stations are not to age */
                rig_raw(&r, 3, broadcast, x, 0x1234, 14);
                rig_raw(&r, 2, broadcast, b, 0x1234, 14);
                rig_step(&r);
                rig_flush(&r);
            }
        }
        uint64_t got = bytes_sent(in ? 3 : 2) - before;
        if (in)
            assert_in_range(got, 10000000, 10000000 + 140000);
        else
            assert_in_range(got, 5000000, 5000000 + 140000);
    }
    assert_true(rig_dropped(&r, DROP_RATE) > 1000);
    r.now_us += 10000000;
    assert_int_equal(burst(3, broadcast, x, 200, 1514) / 2, 131072 / 1514);
}

/* Super-packets fit through however little there is, and are charged for the frames that they are
 * cut into; what the router sends counts as well. */
static void test_rate_of_super_packets(void **state)
{
    (void)state;
    c.ports[1].rate_in_bps = 100;
    c.ports[2].rate_out_bps = 100;
    rig_start_config(&r, &c, NIC_TX_CSUM | NIC_TX_TSO4);
    rig_appear(&r, 2, RIG_HOST(6));
    for (unsigned i = 0; i < 3; i++) {
        fake_nic_receive_pkt(&r.nics[1], super_packet());
        rig_step(&r);
        assert_int_equal(rig_ports_sent(&r), i < 2 ? 0x04 : 0);
    }
    assert_int_equal(rig_dropped(&r, DROP_RATE), 1);
    for (unsigned i = 0; i < 20; i++) {
        struct pkt *p = pkt_alloc(&r.pool);
        memcpy(r.in.b, rig_mac(RIG_HOST(6)), MAC_BYTES);
        assert_true(pkt_append(p, r.in.b, 1514));
        dataplane_send(r.dp, LAN, p);
    }
    rig_step(&r);
    assert_int_equal(rig_flush(&r), (131072 - 2 * (60000 + SUPER_FRAMES * 54)) / 1514);
}

/* What a device says of the headers has not been looked at when the rate is: it is charged for
 * whatever it is, and no more than there is. */
static void test_rate_of_lies(void **state)
{
    static const struct {
        int id;
        uint16_t hdr_len, gso_size;
        unsigned left; /* frames of 1,514 bytes for which there is room then */
    } rows[] = {
        {1, 0, 1440, (131072 - 60054) / 1514},
        {2, UINT16_MAX, 1, (131072 - 60054) / 1514}, /* more headers than bytes */
        {3, 60054, 1, (131072 - 60054) / 1514},
        {4, 2000, 8, 0}, /* more than the bucket holds */
        {5, 54, 1, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        if (i > 0)
            rig_stop(&r);
        c.ports[1].rate_in_bps = 100;
        rig_start_config(&r, &c, NIC_TX_CSUM | NIC_TX_TSO4);
        struct pkt *p = super_packet();
        p->hdr_len = rows[i].hdr_len;
        p->gso_size = rows[i].gso_size;
        fake_nic_receive_pkt(&r.nics[1], p);
        rig_step(&r);
        uint64_t before = rig_dropped(&r, DROP_RATE);
        assert_int_equal(before, 0);
        burst(1, broadcast, a, 100, 1514);
        if (100 - (rig_dropped(&r, DROP_RATE) - before) != rows[i].left)
            fail_msg("row %d", rows[i].id);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lock_mac),
        TEST(test_lock_first),
        TEST(test_lock_ip),
        TEST(test_lock_ip_fragments),
        TEST(test_lock_ip_cut_short),
        TEST(test_lock_ip_ends),
        TEST(test_lock_ip_elsewhere),
        TEST(test_lock_ip_short_header),
        TEST(test_storm),
        TEST(test_storm_of_super_packets),
        TEST(test_rate),
        TEST(test_rate_of_super_packets),
        TEST(test_rate_of_lies),
    };
    return cmocka_run_group_tests_name("dataplane_admit", tests, NULL, NULL);
}
