/* SPDX-License-Identifier: BSD-3-Clause
 *
 * VLAN tags through the whole dataplane (net/dataplane_vlan.c, dataplane_tx.c): which network a
 * frame belongs to, which tag it carries where, and that offload metadata stays right.
 *
 *     port 0: uplink (VLAN 10), lan (20): a router on a stick     port 1: lan
 *     port 2: int untagged, lan (20), lab (30): a trunk           port 3: int
 *     port 5: lan (20), and nothing untagged                      port 4: lab
 *     port 6: nothing
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

enum { LAN, LAB, INT };
#define PORTS 7
#define QINQ  0x10000u /* in a list of tags: with the other EtherType */

static struct rig r;
static const uint8_t broadcast[MAC_BYTES] = {255, 255, 255, 255, 255, 255};
static const uint8_t a[] = {2, 1, 0, 0, 0, 0xA}, b[] = {2, 1, 0, 0, 0, 0xB};
static const uint8_t own0[] = {2, 0, 0, 0, 0, 0xE0}; /* the router's in lan and outside */

static void configure(struct config *c)
{
    memset(c, 0, sizeof(*c));
    c->ok = true;
    c->port_count = PORTS;
    c->net_count = 3;
    c->nets[LAN] = (struct config_net){.name = "lan",
                                       .mode = NET_NAT,
                                       .prefix = 24,
                                       .ports = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 5,
                                       .tag = {[0] = 20, [2] = 20, [5] = 20},
                                       .ip = RIG_ROUTER};
    c->nets[LAB] = (struct config_net){.name = "lab",
                                       .mode = NET_HOSTONLY,
                                       .prefix = 24,
                                       .ports = 1 << 2 | 1 << 4,
                                       .tag = {[2] = 30},
                                       .ip = RIG_LAB_ROUTER};
    c->nets[INT] =
        (struct config_net){.name = "int", .mode = NET_INTERNAL, .ports = 1 << 2 | 1 << 3};
    c->uplink = (struct config_uplink){
        .present = true, .vlan = 10, .ip = RIG_OUTSIDE, .prefix = 24, .gw = RIG_GATEWAY};
}

static void start(uint32_t offloads, const uint16_t *mtu)
{
    static struct config c;

    configure(&c);
    rig_start_config_mtu(&r, &c, offloads, mtu);
}

static int setup(void **state)
{
    (void)state;
    start(0, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

/* ---- frames with tags ---- */

/* Puts tags behind the addresses of f, the first one outermost. */
static void add_tags(struct frame *f, const uint32_t *tags, unsigned n)
{
    memmove(f->b + 12 + 4 * n, f->b + 12, f->n - 12);
    for (unsigned i = 0; i < n; i++) {
        store_be16(f->b + 12 + 4 * i, tags[i] & QINQ ? 0x88A8 : 0x8100);
        store_be16(f->b + 14 + 4 * i, (uint16_t)tags[i]);
    }
    f->n += 4 * n;
    f->l3 += 4 * n;
    f->l4 += 4 * n;
    f->payload += 4 * n;
}

/* A frame of n bytes before its tags. */
static void raw(const uint8_t *dst, const uint8_t *src, uint16_t type, size_t n,
                const uint32_t *tags, unsigned tag_count)
{
    for (size_t i = 0; i < n; i++)
        r.in.b[i] = (uint8_t)(i * 7);
    memcpy(r.in.b, dst, MAC_BYTES);
    memcpy(r.in.b + 6, src, MAC_BYTES);
    store_be16(r.in.b + 12, type);
    r.in.n = n;
    add_tags(&r.in, tags, tag_count);
}

/* The tag that each network's frames have on each port, 0: none; -1: not there. */
static const int tag_on[][PORTS] = {
    [LAN] = {20, 0, 20, -1, -1, 20, -1},
    [LAB] = {-1, -1, 30, -1, 0, -1, -1},
    [INT] = {-1, -1, 0, 0, -1, -1, -1},
    {10, -1, -1, -1, -1, -1, -1},
};

/* Bit p: r.in without its first `ours` tags came out by port p, with the tag of net there, and
 * nothing else did. */
static unsigned sent(unsigned net, unsigned ours)
{
    unsigned mask = 0;

    for (unsigned p = 0; p < PORTS; p++) {
        if (!rig_output(&r, p))
            continue;
        mask |= 1u << p;
        assert_true(tag_on[net][p] >= 0);
        unsigned out_tags = tag_on[net][p] > 0 ? 1 : 0;
        assert_int_equal(r.out.n - 4 * out_tags, r.in.n - 4 * ours);
        assert_memory_equal(r.out.b, r.in.b, 12);
        if (out_tags) {
            assert_int_equal(load_be16(r.out.b + 12), 0x8100);
            assert_int_equal(load_be16(r.out.b + 14), tag_on[net][p]);
        }
        assert_memory_equal(r.out.b + 12 + 4 * out_tags, r.in.b + 12 + 4 * ours,
                            r.in.n - 12 - 4 * ours);
        assert_int_equal(fake_nic_sent_count(&r.nics[p]), 0);
    }
    return mask;
}

static void test_where_frames_go(void **state)
{
    static const uint8_t stp[] = {1, 0x80, 0xC2, 0, 0, 0};
    static const struct {
        int id;
        unsigned port;
        uint32_t tags[3];
        unsigned tag_count;
        const uint8_t *dst;
        uint16_t type;
        unsigned net, ours; /* expected: network, and how many of the tags are taken off */
        unsigned sent, heard;
        enum drop_reason dropped;
    } rows[] = {
        /* Access, trunk and native. */
        {1, 1, {0}, 0, b, 0x86DD, LAN, 0, 0x25, 0, 0},
        {2, 2, {20}, 1, b, 0x86DD, LAN, 1, 0x23, 0, 0},
        {3, 2, {30}, 1, b, 0x86DD, LAB, 1, 0x10, 0, 0},
        {4, 2, {0}, 0, b, 0x86DD, INT, 0, 0x08, 0, 0},
        {5, 5, {20}, 1, b, 0x86DD, LAN, 1, 0x07, 0, 0},
        {6, 5, {0}, 0, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN}, /* no native */
        {7, 5, {30}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {8, 5, {0}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN}, /* a priority tag is no tag */
        {9, 0, {20}, 1, b, 0x86DD, LAN, 1, 0x26, 0, 0},
        {10, 0, {0}, 0, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {11, 0, {10}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_ETH_NOT_FOR_US},
        {12, 0, {10}, 1, own0, 0x0806, LAN, 0, 0, 1, 0},
        {13, 0, {10}, 1, own0, 0x86DD, LAN, 0, 0, 0, DROP_ETH_TYPE},
        {14, 0, {20}, 1, own0, 0x0806, LAN, 0, 0, 1, 0},
        {15, 1, {0}, 0, own0, 0x0806, LAN, 0, 0, 1, 0},
        {16, 0, {20}, 1, broadcast, 0x0806, LAN, 1, 0x26, 1, 0},
        /* Tags where there are none, and a second one. */
        {17, 1, {20}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN}, /* not even its own network's */
        {18, 1, {30}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {19, 1, {QINQ | 20}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {20, 2, {QINQ | 20}, 1, b, 0x86DD, INT, 0, 0x08, 0, 0}, /* a service tag is not ours */
        {21, 2, {20, 30}, 2, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {22, 0, {10, 20}, 2, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {23, 0, {10, 20}, 2, own0, 0x0806, LAN, 0, 0, 0, DROP_VLAN},
        /* Priority tags: untagged, with a priority. */
        {24, 1, {0xE000}, 1, b, 0x86DD, LAN, 1, 0x25, 0, 0},
        {25, 1, {0}, 1, own0, 0x0806, LAN, 0, 0, 1, 0},
        {26, 1, {0, 0}, 2, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {27, 1, {0, 20}, 2, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {28, 2, {0xE014}, 1, b, 0x86DD, LAN, 1, 0x23, 0, 0}, /* a priority beside an ID */
        {29, 0, {10, 0}, 2, own0, 0x0806, LAN, 0, 0, 1, 0},
        /* In a transparent network tags are payload... */
        {30, 3, {99}, 1, b, 0x86DD, INT, 0, 0x04, 0, 0},
        {31, 3, {QINQ | 99, 20}, 2, b, 0x86DD, INT, 0, 0x04, 0, 0},
        {32, 3, {0}, 1, b, 0x86DD, INT, 0, 0x04, 0, 0},
        {33, 2, {99}, 1, b, 0x86DD, INT, 0, 0x08, 0, 0},
        {34, 2, {4095}, 1, b, 0x86DD, INT, 0, 0x08, 0, 0},
        /* ... but not where they would name another network. */
        {35, 3, {20}, 1, b, 0x86DD, INT, 0, 0, 0, DROP_VLAN},
        {36, 3, {30}, 1, broadcast, 0x86DD, INT, 0, 0, 0, DROP_VLAN},
        {37, 3, {QINQ | 30}, 1, b, 0x86DD, INT, 0, 0, 0, DROP_VLAN},
        {38, 3, {0, 0x7014}, 2, b, 0x86DD, INT, 0, 0, 0, DROP_VLAN},
        {39, 3, {0, QINQ, 30}, 3, b, 0x86DD, INT, 0, 0, 0, DROP_VLAN},
        {40, 3, {0, 99, 30}, 3, b, 0x86DD, INT, 0, 0x04, 0, 0},
        {41, 3, {0}, 0, stp, 0x0027, INT, 0, 0, 0, DROP_ETH_RESERVED},
        {42, 2, {30}, 1, stp, 0x0027, LAB, 0, 0, 0, DROP_ETH_RESERVED},
        {43, 3, {99}, 1, stp, 0x0027, INT, 0, 0, 0, DROP_ETH_RESERVED},
        {44, 6, {20}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_NO_NETWORK},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t all = rig_dropped_in_all(&r), one = rig_dropped(&r, rows[i].dropped);
        unsigned expected = rows[i].sent;
        enum drop_reason dropped = rows[i].dropped;
        raw(rows[i].dst, a, rows[i].type, 60, rows[i].tags, rows[i].tag_count);
        rig_input_raw(&r, rows[i].port);
        rig_step(&r);
        unsigned mask = sent(rows[i].net, rows[i].ours);
        if (mask != expected || r.delivered_count != rows[i].heard)
            fail_msg("row %d: ports %x, heard %u", rows[i].id, mask, r.delivered_count);
        if (dropped && rig_dropped(&r, dropped) != one + 1)
            fail_msg("row %d: not dropped for the right reason", rows[i].id);
        if (rig_dropped_in_all(&r) != all + (dropped != 0))
            fail_msg("row %d: dropped %u", rows[i].id, (unsigned)(rig_dropped_in_all(&r) - all));
        if (rows[i].heard) /* what the stack gets has no tag */
            assert_int_equal(load_be16(r.delivered[0]->data + 12), rows[i].type);
        rig_flush(&r);
        /* Learned nowhere else: forget a, so that rows do not depend on each other. */
        r.now_us += 400 * 1000000ull;
        rig_step(&r);
    }
}

/* Runs of several networks in one burst: nothing overtakes within a network, and what is known by
 * the switch's short way keeps its place. */
static void test_order(void **state)
{
    static const uint32_t lan_tag[] = {20}, lab_tag[] = {30};
    unsigned next[2] = {0, 0};

    (void)state;
    raw(broadcast, b, 0x1234, 60, NULL, 0);
    rig_input_raw(&r, 1); /* b in lan */
    rig_input_raw(&r, 4); /* and one in lab */
    rig_step(&r);
    rig_flush(&r);
    for (unsigned i = 0; i < 32; i++) {
        bool lab = (i * 7 / 3) % 3 == 0;
        raw(i % 5 == 4 ? broadcast : b, a, 0x1234, 60, lab ? lab_tag : lan_tag, 1);
        r.in.b[30] = (uint8_t)i;
        rig_input_raw(&r, 2);
    }
    rig_step(&r);
    for (unsigned lab = 0; lab < 2; lab++)
        while (rig_output(&r, lab ? 4 : 1)) {
            unsigned i = r.out.b[26];
            assert_int_equal(load_be16(r.out.b + 12), 0x1234);
            assert_int_equal((i * 7 / 3) % 3 == 0, lab);
            assert_true(i >= next[lab]);
            next[lab] = i + 1;
        }
    assert_true(next[0] > 25 && next[1] > 25);
    /* And towards the trunk, by the short way. */
    rig_flush(&r);
    for (unsigned i = 0; i < 32; i++) {
        raw(a, b, 0x1234, 60, NULL, 0);
        r.in.b[30] = (uint8_t)i;
        rig_input_raw(&r, 1);
    }
    rig_step(&r);
    for (unsigned i = 0; i < 32; i++) {
        assert_true(rig_output(&r, 2));
        assert_int_equal(r.out.b[34], i);
        assert_int_equal(load_be16(r.out.b + 14), 20);
    }
    assert_int_equal(rig_flush(&r), 0);
    assert_int_equal(rig_dropped_in_all(&r), 0);
}

/* A frame may be four bytes longer with a tag, and not a byte more. */
static void test_sizes(void **state)
{
    static const uint16_t jumbo[PORTS] = {9202, 9202, 9202, 9202, 9202, 1500, 1500};
    static const uint32_t lan_tag[] = {20}, tag99[] = {99};

    (void)state;
    for (unsigned big = 0; big < 2; big++) {
        size_t most = big ? 9216 : 1514;
        if (big) {
            rig_stop(&r);
            start(0, jumbo);
        }
        for (size_t n = most - 1; n <= most + 1; n++) {
            uint64_t too_big = rig_dropped(&r, DROP_TOO_BIG);
            unsigned refused = n > most;
            raw(b, a, 0x1234, n, NULL, 0); /* lan: to trunks, of which port 5 takes 1514 */
            rig_input_raw(&r, 1);
            rig_step(&r);
            assert_int_equal(sent(LAN, 0), refused ? 0 : big ? 0x05 : 0x25);
            raw(b, a, 0x1234, n, lan_tag, 1);
            rig_input_raw(&r, 2);
            rig_step(&r);
            assert_int_equal(sent(LAN, 1), refused ? 0 : big ? 0x03 : 0x23);
            raw(b, a, 0x1234, n, tag99, 1); /* int: the tag is payload, with room of its own */
            rig_input_raw(&r, 3);
            rig_step(&r);
            assert_int_equal(sent(INT, 0), refused ? 0 : 0x04);
            assert_int_equal(rig_dropped(&r, DROP_TOO_BIG) - too_big, refused ? 7 : big ? 2 : 0);
        }
    }
    for (size_t n = 14; n < 18; n++) { /* too short for what they claim to be */
        raw(b, a, 0x8100, n, NULL, 0);
        r.in.b[14] = 0;
        rig_input_raw(&r, 1);
        rig_input_raw(&r, 5);
        rig_input_raw(&r, 3);
        rig_step(&r);
        assert_int_equal(sent(INT, 0), 0x04);
    }
    assert_int_equal(rig_dropped(&r, DROP_VLAN), 8);
}

/* ---- offloads ---- */

/* Takes what port has sent: TCP of `bytes` payload in all behind so many tags, whole or in pieces,
 * whose metadata and sums are right; the first bytes of payload are those of r.in. */
static void take_tcp(unsigned port, unsigned tags, size_t bytes, bool whole)
{
    size_t got = 0, l3 = 14 + 4 * tags;
    struct pkt *p;

    while ((p = fake_nic_sent(&r.nics[port])) != NULL) {
        r.out.n = p->total_bytes;
        assert_true(pkt_copy_out(p, 0, r.out.b, r.out.n));
        r.out.l3 = l3;
        r.out.l4 = l3 + 20;
        assert_int_equal(load_be16(r.out.b + l3 - 2), 0x0800);
        assert_int_equal(r.out.b[l3], 0x45);
        assert_int_equal(!!(p->flags & PKT_NEEDS_CSUM), whole);
        if (whole) {
            uint16_t field = load_be16(r.out.b + r.out.l4 + 16);
            assert_int_equal(p->csum_start, r.out.l4);
            assert_int_equal(p->csum_offset, 16);
            assert_int_equal(p->hdr_len, r.out.l4 + 20);
            frame_partial_csum(&r.out);
            assert_int_equal(field, load_be16(r.out.b + r.out.l4 + 16));
            assert_int_equal(frame_naive_sum(r.out.b + l3, 20), 0xFFFF);
        } else {
            assert_true(frame_sums_right(r.out.b, r.out.n, l3, false));
        }
        assert_memory_equal(r.out.b + r.out.l4 + 20, r.in.b + r.in.payload + got,
                            r.out.n - r.out.l4 - 20);
        got += r.out.n - r.out.l4 - 20;
        pkt_free(p);
    }
    assert_int_equal(got, bytes);
}

/* A super-packet of lan, in by an access port or by a trunk, to one station on each kind of port,
 * flooded, and translated to the uplink's VLAN: ports that can cut get it whole. */
static void test_super_packets(void **state)
{
    static const uint32_t offloads[] = {0, NIC_TX_CSUM, NIC_TX_CSUM | NIC_TX_TSO4};
    static const uint32_t lan_tag[] = {20};
    static const struct {
        unsigned in, out; /* out: 0 the uplink's VLAN, 16 flooded */
    } rows[] = {{1, 2}, {2, 1}, {2, 5}, {1, 16}, {2, 16}, {1, 0}, {2, 0}, {5, 0}};
    struct rig_packet k = {.src = RIG_HOST(5),
                           .dst = RIG_HOST(6),
                           .sport = 1,
                           .dport = 2,
                           .proto = IP_PROTO_TCP,
                           .tcp_flags = TCP_ACK,
                           .payload_bytes = 14000};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows) * ARRAY_COUNT(offloads); i++) {
        unsigned in = rows[i % ARRAY_COUNT(rows)].in, out = rows[i % ARRAY_COUNT(rows)].out;
        bool whole = offloads[i / ARRAY_COUNT(rows)] & NIC_TX_TSO4;
        rig_stop(&r);
        start(offloads[i / ARRAY_COUNT(rows)], NULL);
        if (out > 0 && out < 16) { /* b is there */
            raw(broadcast, rig_mac(RIG_HOST(6)), 0x1234, 60, lan_tag, out == 1 ? 0 : 1);
            rig_input_raw(&r, out);
            rig_step(&r);
            rig_flush(&r);
        }
        k.dst = out == 0 ? RIG_SERVER : RIG_HOST(6);
        if (out == 0) {
            struct rig_packet syn = k;
            syn.tcp_flags = TCP_SYN;
            syn.payload_bytes = 0;
            rig_make(&r, 1, &syn);
            add_tags(&r.in, lan_tag, in != 1);
            rig_input_raw(&r, in);
            rig_step(&r);
            assert_int_equal(rig_flush(&r), 1);
        }
        rig_make(&r, 1, &k);
        if (out != 0)
            memcpy(r.in.b, rig_mac(RIG_HOST(6)), MAC_BYTES);
        else
            memcpy(r.in.b, own0, MAC_BYTES);
        add_tags(&r.in, lan_tag, in != 1);
        rig_input_partial(&r, in, 1400);
        if (out < 16) {
            take_tcp(out, out != 1, 14000, whole);
        } else {
            for (unsigned p = 0; p < 6; p++)
                if (p != in && tag_on[LAN][p] >= 0)
                    take_tcp(p, tag_on[LAN][p] > 0, 14000, whole);
        }
        if (out == 0) {
            assert_int_equal(load_be16(r.out.b + 14), 10);
            assert_int_equal(load_raw32(r.out.b + 30), RIG_OUTSIDE);
        }
        assert_int_equal(rig_flush(&r), 0);
        assert_int_equal(rig_dropped_in_all(&r), 0);
    }
}

/* In a transparent network the metadata counts the payload's tags too; a device that lies about
 * where they end is found out. */
static void test_tagged_payload(void **state)
{
    static const uint32_t tags[] = {99, 98, 97};
    struct rig_packet k = {.src = RIG_HOST(5),
                           .dst = RIG_HOST(6),
                           .proto = IP_PROTO_TCP,
                           .tcp_flags = TCP_ACK,
                           .payload_bytes = 5000};

    (void)state;
    for (unsigned n = 0; n <= 2; n++) {
        rig_make(&r, 1, &k);
        memcpy(r.in.b, b, MAC_BYTES);
        add_tags(&r.in, tags, n);
        rig_input_partial(&r, 3, 1000);
        take_tcp(2, n, 5000, false);
    }
    /* A third one, of ours, on the way out; three are one too many on the way in. */
    static struct config tagged;
    rig_stop(&r);
    configure(&tagged);
    tagged.nets[INT].tag[2] = 40;
    rig_start_config(&r, &tagged, 0);
    for (unsigned n = 0; n <= 3; n++) {
        rig_make(&r, 1, &k);
        memcpy(r.in.b, b, MAC_BYTES);
        add_tags(&r.in, tags, n);
        rig_input_partial(&r, 3, 1000);
        take_tcp(2, n + 1, n <= 2 ? 5000 : 0, false);
    }
    assert_int_equal(rig_dropped(&r, DROP_L4_HEADER), 1);
    rig_stop(&r);
    start(0, NULL);

    rig_make(&r, 1, &k);
    add_tags(&r.in, tags, 1);
    r.in.l4 -= 4;
    rig_input_partial(&r, 3, 1000);
    assert_int_equal(rig_dropped(&r, DROP_L4_HEADER), 1);
    assert_int_equal(rig_flush(&r), 0);
    /* Metadata that points before what is behind the tag. */
    rig_make(&r, 1, &k);
    add_tags(&r.in, tags + 1, 1);
    store_be16(r.in.b + 14, 20);
    r.in.l4 = 14;
    rig_input_partial(&r, 2, 1000);
    assert_int_equal(rig_dropped(&r, DROP_L4_HEADER), 2);
    assert_int_equal(rig_flush(&r), 0);
}

/* ---- routed ---- */

/* Out by one VLAN of port 0 and back in by the other. */
static void test_router_on_a_stick(void **state)
{
    static const uint32_t lan_tag[] = {20}, up_tag[] = {10};
    struct rig_packet out = {
        .src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1000, .dport = 53, .payload_bytes = 40};
    struct rig_packet in = {
        .src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 53, .payload_bytes = 40};

    (void)state;
    for (unsigned i = 0; i < 4; i++) { /* the first opens the flow, the others take the short way */
        rig_make(&r, 1, &out);
        memcpy(r.in.b, own0, MAC_BYTES);
        add_tags(&r.in, lan_tag, 1);
        rig_input_raw(&r, 0);
        rig_step(&r);
        assert_true(rig_output(&r, 0));
        assert_int_equal(load_be16(r.out.b + 14), 10);
        assert_true(frame_sums_right(r.out.b, r.out.n, 18, false));
        assert_int_equal(load_raw32(r.out.b + 30), RIG_OUTSIDE);
        in.dport = load_be16(r.out.b + 38);
        rig_make(&r, 0, &in);
        memcpy(r.in.b, own0, MAC_BYTES);
        memcpy(r.in.b + 6, rig_mac(RIG_GATEWAY), MAC_BYTES);
        add_tags(&r.in, up_tag, 1);
        rig_input_raw(&r, 0);
        rig_step(&r);
        assert_true(rig_output(&r, 0));
        assert_int_equal(load_be16(r.out.b + 14), 20);
        assert_true(frame_sums_right(r.out.b, r.out.n, 18, false));
        assert_int_equal(load_raw32(r.out.b + 34), RIG_HOST(5));
        assert_int_equal(rig_flush(&r), 0);
    }
    /* The outside's packet on the inside's VLAN is the inside's, and forged. */
    rig_make(&r, 0, &in);
    memcpy(r.in.b, own0, MAC_BYTES);
    add_tags(&r.in, lan_tag, 1);
    rig_input_raw(&r, 0);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_IP_SOURCE), 1);
    assert_int_equal(rig_flush(&r), 0);
}

/* The router's own frames get the tag of the port they leave by, and each its own when flooded. */
static void test_own_frames(void **state)
{
    (void)state;
    for (unsigned known = 0; known < 2; known++) {
        struct pkt *p = pkt_alloc(&r.pool);
        raw(a, own0, 0x0806, 60, NULL, 0);
        assert_true(pkt_append(p, r.in.b, r.in.n));
        dataplane_send(r.dp, LAN, p);
        rig_step(&r);
        assert_int_equal(sent(LAN, 0), known ? 0x20 : 0x27);
        static const uint32_t lan_tag[] = {20};
        raw(own0, a, 0x0806, 60, lan_tag, 1);
        rig_input_raw(&r, 5);
        rig_step(&r);
        rig_flush(&r);
    }
    struct pkt *p = pkt_alloc(&r.pool);
    raw(a, own0, 0x0806, 60, NULL, 0);
    assert_true(pkt_append(p, r.in.b, r.in.n));
    dataplane_send(r.dp, NETWORK_UPLINK, p);
    rig_step(&r);
    assert_int_equal(sent(3, 0), 0x01);
}

/* Copies for tags take buffers; where there are none, that port's frame is lost and counted. */
static void test_empty_pool(void **state)
{
    struct pkt *hog[RIG_BUFFERS];
    unsigned n = 0;

    (void)state;
    raw(b, a, 0x1234, 60, NULL, 0);
    rig_input_raw(&r, 1);
    while (r.pool.free_count > 1)
        hog[n++] = pkt_alloc(&r.pool);
    rig_step(&r);
    while (n > 0)
        pkt_free(hog[--n]);
    assert_int_equal(rig_dropped(&r, DROP_BUFFERS), 1);
    assert_int_equal(sent(LAN, 0), 0x05);
}

/* ---- links and status ---- */

static unsigned lines_seen, drops_seen;

static void test_links(void **state)
{
    (void)state;
    r.nics[0].up = false; /* lan has other ports, the uplink none */
    rig_pass(&r, 1000, 100);
    assert_int_equal(r.link_calls, 1);
    assert_int_equal(r.link_network, NETWORK_UPLINK);
    assert_false(r.link_up);
    r.nics[4].up = false; /* lab still has port 2 */
    rig_pass(&r, 1000, 100);
    assert_int_equal(r.link_calls, 1);
    r.nics[2].up = false;
    rig_pass(&r, 1000, 100);
    assert_int_equal(r.link_calls, 2);
    assert_int_equal(r.link_network, LAB);
    r.nics[2].up = true; /* lan, lab and int */
    rig_pass(&r, 1000, 100);
    assert_int_equal(r.link_calls, 5);
    assert_true(r.link_up);
}

static void check_line(const char *text)
{
    static const char *const wanted[] = {
        "port 0  up    lan.20+uplink.10 rx", "port 1  up    lan          rx",
        "port 2  up    lan.20+lab.30+int rx", "port 6  up    -            rx"};

    for (unsigned i = 0; i < ARRAY_COUNT(wanted); i++)
        lines_seen += strncmp(text, wanted[i], strlen(wanted[i])) == 0;
    drops_seen += strstr(text, "dropped vlan 1") != NULL;
}

static void check_long_line(const char *text)
{
    lines_seen += strstr(text, "lan.20+a-name-as-long-as-names-may-be-.30+... rx ") != NULL;
}

/* What does not fit is said to be missing; half a name or half an ID would be another's. */
static void test_status_of_many(void **state)
{
    static struct config c;

    (void)state;
    rig_stop(&r);
    configure(&c);
    strcpy(c.nets[LAB].name, "a-name-as-long-as-names-may-be-");
    strcpy(c.nets[INT].name, "a-name-as-long-as-names-may-be+");
    rig_start_config_mtu(&r, &c, 0, NULL);
    lines_seen = 0;
    dataplane_print_status(r.dp, check_long_line);
    assert_int_equal(lines_seen, 1);
}

static void test_status(void **state)
{
    static const uint32_t tags[] = {77};

    (void)state;
    raw(b, a, 0x1234, 60, tags, 1);
    rig_input_raw(&r, 1);
    rig_step(&r);
    dataplane_print_status(r.dp, check_line);
    assert_int_equal(lines_seen, 4);
    assert_int_equal(drops_seen, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        TEST(test_where_frames_go), TEST(test_order),          TEST(test_sizes),
        TEST(test_super_packets),   TEST(test_tagged_payload), TEST(test_router_on_a_stick),
        TEST(test_own_frames),      TEST(test_empty_pool),     TEST(test_links),
        TEST(test_status),          TEST(test_status_of_many),
    };
    return cmocka_run_group_tests_name("dataplane_vlan", tests, NULL, NULL);
}
