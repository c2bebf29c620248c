/* SPDX-License-Identifier: BSD-3-Clause
 *
 * VLAN tags and what is behind them, through the whole dataplane (net/dataplane_vlan.c,
 * dataplane_tx.c): offload metadata stays right, super-packets whole where they can, and packets
 * are routed from one VLAN of a port to another. See vlan_rig.h for the topology.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/vlan_rig.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

#include <string.h>

static struct rig *const r = &vlan_rig;
static const uint8_t broadcast[MAC_BYTES] = {255, 255, 255, 255, 255, 255};
static const uint8_t b[] = {2, 1, 0, 0, 0, 0xB};

/* Takes what port has sent: TCP of `bytes` payload in all behind so many tags, whole or in pieces,
 * whose metadata and sums are right; the first bytes of payload are those of r->in. */
static void take_tcp(unsigned port, unsigned tags, size_t bytes, bool whole)
{
    size_t got = 0, l3 = 14 + 4 * tags;
    struct pkt *p;

    while ((p = fake_nic_sent(&r->nics[port])) != NULL) {
        r->out.n = p->total_bytes;
        assert_true(pkt_copy_out(p, 0, r->out.b, r->out.n));
        r->out.l3 = l3;
        r->out.l4 = l3 + 20;
        assert_int_equal(load_be16(r->out.b + l3 - 2), 0x0800);
        assert_int_equal(r->out.b[l3], 0x45);
        assert_int_equal(!!(p->flags & PKT_NEEDS_CSUM), whole);
        if (whole) {
            uint16_t field = load_be16(r->out.b + r->out.l4 + 16);
            assert_int_equal(p->csum_start, r->out.l4);
            assert_int_equal(p->csum_offset, 16);
            assert_int_equal(p->hdr_len, r->out.l4 + 20);
            frame_partial_csum(&r->out);
            assert_int_equal(field, load_be16(r->out.b + r->out.l4 + 16));
            assert_int_equal(frame_naive_sum(r->out.b + l3, 20), 0xFFFF);
        } else {
            assert_true(frame_sums_right(r->out.b, r->out.n, l3, false));
        }
        assert_memory_equal(r->out.b + r->out.l4 + 20, r->in.b + r->in.payload + got,
                            r->out.n - r->out.l4 - 20);
        got += r->out.n - r->out.l4 - 20;
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
        rig_stop(r);
        vlan_rig_start(offloads[i / ARRAY_COUNT(rows)], NULL);
        if (out > 0 && out < 16) { /* b is there */
            vlan_rig_frame(broadcast, rig_mac(RIG_HOST(6)), 0x1234, 60, lan_tag, out == 1 ? 0 : 1);
            rig_input_raw(r, out);
            rig_step(r);
            rig_flush(r);
        }
        k.dst = out == 0 ? RIG_SERVER : RIG_HOST(6);
        if (out == 0) {
            struct rig_packet syn = k;
            syn.tcp_flags = TCP_SYN;
            syn.payload_bytes = 0;
            rig_make(r, 1, &syn);
            frame_add_tags(&r->in, lan_tag, in != 1);
            rig_input_raw(r, in);
            rig_step(r);
            assert_int_equal(rig_flush(r), 1);
        }
        rig_make(r, 1, &k);
        if (out != 0)
            memcpy(r->in.b, rig_mac(RIG_HOST(6)), MAC_BYTES);
        else
            memcpy(r->in.b, vlan_rig_own, MAC_BYTES);
        frame_add_tags(&r->in, lan_tag, in != 1);
        rig_input_partial(r, in, 1400);
        if (out < 16) {
            take_tcp(out, out != 1, 14000, whole);
        } else {
            for (unsigned p = 0; p < 6; p++)
                if (p != in && vlan_rig_tag[LAN][p] >= 0)
                    take_tcp(p, vlan_rig_tag[LAN][p] > 0, 14000, whole);
        }
        if (out == 0) {
            assert_int_equal(load_be16(r->out.b + 14), 10);
            assert_int_equal(load_raw32(r->out.b + 30), RIG_OUTSIDE);
        }
        assert_int_equal(rig_flush(r), 0);
        assert_int_equal(rig_dropped_in_all(r), 0);
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
        rig_make(r, 1, &k);
        memcpy(r->in.b, b, MAC_BYTES);
        frame_add_tags(&r->in, tags, n);
        rig_input_partial(r, 3, 1000);
        take_tcp(2, n, 5000, false);
    }
    /* A third one, of ours, on the way out; three are one too many on the way in. */
    static struct config tagged;
    rig_stop(r);
    vlan_rig_configure(&tagged);
    tagged.nets[INT].tag[2] = 40;
    rig_start_config(r, &tagged, 0);
    for (unsigned n = 0; n <= 3; n++) {
        rig_make(r, 1, &k);
        memcpy(r->in.b, b, MAC_BYTES);
        frame_add_tags(&r->in, tags, n);
        rig_input_partial(r, 3, 1000);
        take_tcp(2, n + 1, n <= 2 ? 5000 : 0, false);
    }
    assert_int_equal(rig_dropped(r, DROP_L4_HEADER), 1);
    rig_stop(r);
    vlan_rig_start(0, NULL);

    rig_make(r, 1, &k);
    frame_add_tags(&r->in, tags, 1);
    r->in.l4 -= 4;
    rig_input_partial(r, 3, 1000);
    assert_int_equal(rig_dropped(r, DROP_L4_HEADER), 1);
    assert_int_equal(rig_flush(r), 0);
    /* Metadata that points before what is behind the tag. */
    rig_make(r, 1, &k);
    frame_add_tags(&r->in, tags + 1, 1);
    store_be16(r->in.b + 14, 20);
    r->in.l4 = 14;
    rig_input_partial(r, 2, 1000);
    assert_int_equal(rig_dropped(r, DROP_L4_HEADER), 2);
    assert_int_equal(rig_flush(r), 0);
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
        rig_make(r, 1, &out);
        memcpy(r->in.b, vlan_rig_own, MAC_BYTES);
        frame_add_tags(&r->in, lan_tag, 1);
        rig_input_raw(r, 0);
        rig_step(r);
        assert_true(rig_output(r, 0));
        assert_int_equal(load_be16(r->out.b + 14), 10);
        assert_true(frame_sums_right(r->out.b, r->out.n, 18, false));
        assert_int_equal(load_raw32(r->out.b + 30), RIG_OUTSIDE);
        in.dport = load_be16(r->out.b + 38);
        rig_make(r, 0, &in);
        memcpy(r->in.b, vlan_rig_own, MAC_BYTES);
        memcpy(r->in.b + 6, rig_mac(RIG_GATEWAY), MAC_BYTES);
        frame_add_tags(&r->in, up_tag, 1);
        rig_input_raw(r, 0);
        rig_step(r);
        assert_true(rig_output(r, 0));
        assert_int_equal(load_be16(r->out.b + 14), 20);
        assert_true(frame_sums_right(r->out.b, r->out.n, 18, false));
        assert_int_equal(load_raw32(r->out.b + 34), RIG_HOST(5));
        assert_int_equal(rig_flush(r), 0);
    }
    /* The outside's packet on the inside's VLAN is the inside's, and forged. */
    rig_make(r, 0, &in);
    memcpy(r->in.b, vlan_rig_own, MAC_BYTES);
    frame_add_tags(&r->in, lan_tag, 1);
    rig_input_raw(r, 0);
    rig_step(r);
    assert_int_equal(rig_dropped(r, DROP_IP_SOURCE), 1);
    assert_int_equal(rig_flush(r), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, vlan_rig_setup, vlan_rig_teardown)
        TEST(test_super_packets),
        TEST(test_tagged_payload),
        TEST(test_router_on_a_stick),
    };
    return cmocka_run_group_tests_name("dataplane_vlan_offload", tests, NULL, NULL);
}
