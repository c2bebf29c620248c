/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Packets that are too big, and packets with offload metadata, through the whole dataplane (U13;
 * net/dataplane_way.c, dataplane_tx.c): refused, fragmented, cut, completed, or passed on as they
 * are. See router_rig.h for the topology.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/rig_frames.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

static struct rig r;

static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

/* The connection that later super-packets belong to. */
static void connect_first(void)
{
    struct rig_packet syn = {.src = RIG_HOST(5),
                             .dst = RIG_SERVER,
                             .sport = 1,
                             .dport = 2,
                             .proto = IP_PROTO_TCP,
                             .tcp_flags = TCP_SYN};
    rig_input(&r, 1, &syn);
    rig_step(&r);
    assert_int_equal(rig_flush(&r), 1);
}

static void test_too_big_and_not_to_be_fragmented(void **state)
{
    struct rig_packet k = {
        .src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1, .dport = 2, .payload_bytes = 1372};

    (void)state;
    rig_start(&r, RIG_SMALL_MTU);
    rig_input(&r, 1, &k); /* 1400 bytes: fits */
    rig_step(&r);
    assert_true(rig_output(&r, 0));
    k.payload_bytes++;
    rig_input(&r, 1, &k);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_TOO_BIG), 1);
    assert_int_equal(fake_nic_sent_count(&r.nics[0]), 0);
    assert_true(rig_output(&r, 1));
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    assert_int_equal(r.out.b[34], 3);
    assert_int_equal(r.out.b[35], 4);
    assert_int_equal(load_be16(r.out.b + 38), 0);
    assert_int_equal(load_be16(r.out.b + 40), 1400);
    assert_memory_equal(r.out.b + 42, r.in.b + 14, 548);
}

/* Every fragment comes out, in order, with the same identification, and together they are the
 * datagram with a right checksum. */
static void test_fragmented(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5),
                           .dst = RIG_SERVER,
                           .sport = 1,
                           .dport = 2,
                           .payload_bytes = 1450,
                           .may_fragment = true};
    static struct frame whole;
    size_t at = 0;
    bool more = true;

    (void)state;
    for (unsigned partial = 0; partial < 2; partial++) {
        rig_start(&r, RIG_SMALL_MTU);
        r.no_answers = partial; /* held, too */
        rig_make(&r, 1, &k);
        if (partial)
            rig_input_partial(&r, 1, 0);
        else
            rig_input_raw(&r, 1);
        rig_step(&r);
        if (partial)
            dataplane_neighbor(r.dp, NETWORK_UPLINK, RIG_GATEWAY, rig_mac(RIG_GATEWAY));
        rig_step(&r);
        at = 0;
        while (rig_output(&r, 0)) {
            uint16_t field = load_be16(r.out.b + 20);
            assert_true(r.out.n <= 1414);
            assert_int_equal((field & 0x1FFF) * 8, at);
            assert_int_equal(frame_naive_sum(r.out.b + 14, 20), 0xFFFF);
            if (at == 0)
                memcpy(whole.b, r.out.b, 34);
            assert_int_equal(load_raw16(whole.b + 18), load_raw16(r.out.b + 18));
            memcpy(whole.b + 34 + at, r.out.b + 34, r.out.n - 34);
            at += r.out.n - 34;
            more = field & 0x2000;
        }
        assert_false(more);
        assert_int_equal(at, 1458);
        whole.n = 34 + at;
        whole.l3 = 14;
        whole.l4 = 34;
        frame_fix_lengths(&whole);
        store_be16(whole.b + 20, 0);
        frame_fix_ip_csum(&whole);
        assert_true(frame_sums_right(whole.b, whole.n, 14, false));
        assert_memory_equal(whole.b + 42, r.in.b + 42, 1450);
        if (partial == 0)
            rig_stop(&r);
    }
}

/* From lan to the uplink, with every set of offloads the uplink may have. */
static void test_super_packet(void **state)
{
    static const uint32_t offloads[] = {0, NIC_TX_CSUM, NIC_TX_CSUM | NIC_TX_TSO4,
                                        NIC_TX_CSUM | NIC_TX_TSO6};
    struct rig_packet k = {.src = RIG_HOST(5),
                           .dst = RIG_SERVER,
                           .sport = 1,
                           .dport = 2,
                           .proto = IP_PROTO_TCP,
                           .tcp_flags = TCP_ACK | TCP_PSH,
                           .payload_bytes = 14600};
    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(offloads); i++) {
        rig_start_with(&r, 0, offloads[i]);
        connect_first();
        rig_make(&r, 1, &k);
        static uint8_t payload[14600];
        memcpy(payload, r.in.b + r.in.payload, sizeof(payload));
        rig_input_partial(&r, 1, 1460);
        if (offloads[i] & NIC_TX_TSO4) {
            struct pkt *p = fake_nic_sent(&r.nics[0]);
            assert_non_null(p);
            assert_int_equal(p->gso_size, 1460);
            assert_int_equal(p->total_bytes, r.in.n);
            assert_int_equal(p->flags & PKT_NEEDS_CSUM, PKT_NEEDS_CSUM);
            /* The field holds the pseudo-header's sum of the new addresses. */
            assert_true(pkt_copy_out(p, 0, r.out.b, r.in.n));
            r.out.n = r.in.n;
            r.out.l3 = 14;
            r.out.l4 = 34;
            uint16_t field = load_be16(r.out.b + 50);
            frame_partial_csum(&r.out);
            assert_int_equal(field, load_be16(r.out.b + 50));
            assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
            pkt_free(p);
        } else {
            for (unsigned seg = 0; seg < 10; seg++) {
                assert_true(rig_output(&r, 0));
                assert_int_equal(r.out.n, 54 + 1460);
                assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
                assert_memory_equal(r.out.b + 54, payload + seg * 1460, 1460);
            }
        }
        assert_int_equal(fake_nic_sent_count(&r.nics[0]), 0);
        if (i + 1 < ARRAY_COUNT(offloads))
            rig_stop(&r);
    }
}

/* mtu= over a NIC's own is obeyed as far as every NIC of the network takes it. */
static void test_configured_mtu(void **state)
{
    static const struct {
        int id;
        uint16_t lan, uplink;         /* configured */
        uint16_t takes[RIG_PORTS];    /* by port; 0: no more than 1500 */
        uint16_t lan_mtu, uplink_mtu; /* what comes of it */
    } rows[] = {
        {1, 0, 0, {9000, 9000, 9000, 9000}, 1500, 1500},
        {2, 9000, 0, {9000, 9000, 9000, 9000}, 9000, 1500},
        {3, 0, 9000, {9000, 9000, 9000, 9000}, 1500, 9000},
        {4, 9000, 9000, {9000, 9000, 0, 9000}, 1500, 9000},
        {5, 9000, 1400, {9000, 9000, 4000, 9000}, 4000, 1400},
        {6, 9000, 9000, {0, 0, 0, 0}, 1500, 1500},
        {7, 1200, 9000, {8000, 9000, 9000, 9000}, 1200, 8000},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct rig_packet k = {
            .src = RIG_HOST(5), .dst = RIG_HOST(6), .sport = 1, .dport = 2, .payload_bytes = 3900};
        struct config c;
        rig_configure(&c, 0);
        c.nets[0].mtu = rows[i].lan;
        c.uplink.mtu = rows[i].uplink;
        rig_start_config_mtu(&r, &c, 0, NULL, rows[i].takes);
        if (dataplane_mtu(r.dp, 0) != rows[i].lan_mtu ||
            dataplane_mtu(r.dp, NETWORK_UPLINK) != rows[i].uplink_mtu)
            fail_msg("row %d: %u and %u", rows[i].id, dataplane_mtu(r.dp, 0),
                     dataplane_mtu(r.dp, NETWORK_UPLINK));
        rig_appear(&r, 2, RIG_HOST(6));
        rig_make(&r, 1, &k);
        memcpy(r.in.b, rig_mac(RIG_HOST(6)), 6);
        rig_input_raw(&r, 1);
        rig_step(&r);
        if (rig_output(&r, 2) != (rows[i].lan_mtu > 3900))
            fail_msg("row %d", rows[i].id);
        if (i + 1 < ARRAY_COUNT(rows))
            rig_stop(&r);
    }
}

/* Segments larger than the way takes: refused, or cut and fragmented if that is allowed. */
static void test_super_packet_too_big(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5),
                           .dst = RIG_SERVER,
                           .sport = 1,
                           .dport = 2,
                           .proto = IP_PROTO_TCP,
                           .tcp_flags = TCP_ACK,
                           .payload_bytes = 4380};

    (void)state;
    rig_start(&r, RIG_SMALL_MTU);
    connect_first();
    rig_make(&r, 1, &k);
    rig_input_partial(&r, 1, 1460);
    assert_int_equal(rig_dropped(&r, DROP_TOO_BIG), 1);
    assert_true(rig_output(&r, 1));
    assert_int_equal(r.out.b[35], 4);
    assert_int_equal(load_be16(r.out.b + 40), 1400);
    k.may_fragment = true;
    rig_make(&r, 1, &k);
    rig_input_partial(&r, 1, 1460);
    assert_int_equal(rig_flush(&r), 6); /* three segments in two fragments each */
    rig_make(&r, 1, &k);
    rig_input_partial(&r, 1, 1360);
    assert_int_equal(rig_flush(&r), 4); /* 1360 three times, and the rest */
}

/* Switched, flooded, and for the router itself: nobody gets a partial checksum who cannot finish
 * it. */
static void test_partial_checksums(void **state)
{
    struct rig_packet k = {
        .src = RIG_HOST(5), .dst = RIG_HOST(6), .sport = 1, .dport = 2, .payload_bytes = 33};

    (void)state;
    rig_start(&r, 0);
    r.nics[3].nic.offloads = 0;
    rig_make(&r, 1, &k);
    memcpy(r.in.b, rig_mac(RIG_HOST(6)), 6);
    rig_input_partial(&r, 1, 0); /* flooded: shared between two ports */
    for (unsigned port = 2; port <= 3; port++) {
        assert_true(rig_output(&r, port));
        assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    }
    rig_appear(&r, 2, RIG_HOST(6));
    rig_make(&r, 1, &k);
    memcpy(r.in.b, rig_mac(RIG_HOST(6)), 6);
    rig_input_partial(&r, 1, 0);
    assert_true(rig_output(&r, 2));
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));

    k.dst = RIG_ROUTER;
    rig_make(&r, 1, &k);
    rig_input_partial(&r, 1, 0);
    assert_int_equal(r.delivered_count, 1);
    assert_true(pkt_copy_out(r.delivered[0], 0, r.out.b, r.in.n));
    assert_true(frame_sums_right(r.out.b, r.in.n, 14, false));
    rig_flush(&r);

    k.proto = IP_PROTO_TCP;
    k.payload_bytes = 3000;
    rig_make(&r, 1, &k);
    rig_input_partial(&r, 1, 1000);
    assert_int_equal(r.delivered_count, 3);
    rig_flush(&r);

    /* Metadata that lies is refused at the door. */
    rig_make(&r, 1, &k);
    struct pkt *p = pkt_alloc(&r.pool);
    assert_true(pkt_append(p, r.in.b, r.in.n));
    p->flags = PKT_NEEDS_CSUM;
    p->csum_start = 14;
    p->csum_offset = 10;
    fake_nic_receive_pkt(&r.nics[1], p);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_L4_HEADER), 1);
}

/* Cutting takes buffers; what there are none for is counted. */
static void test_cut_without_buffers(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5),
                           .dst = RIG_SERVER,
                           .sport = 1,
                           .dport = 2,
                           .proto = IP_PROTO_TCP,
                           .tcp_flags = TCP_ACK,
                           .payload_bytes = 14600};
    struct pkt *hog[RIG_BUFFERS];
    unsigned n = 0;

    (void)state;
    rig_start(&r, 0);
    connect_first();
    for (unsigned spare = 0; spare < 12; spare += 3) {
        rig_make(&r, 1, &k);
        while (r.pool.free_count > 4 + spare) /* the packet itself takes four */
            hog[n++] = pkt_alloc(&r.pool);
        rig_input_partial(&r, 1, 1460);
        while (n > 0)
            pkt_free(hog[--n]);
        rig_flush(&r);
    }
    assert_true(rig_dropped(&r, DROP_BUFFERS) > 0);
}

/* U14: r.in in fragments of at most n payload bytes, sent by in; what came out by out, put
 * together, in r.out. */
static void send_in_fragments(unsigned in, unsigned out, size_t n)
{
    static struct frame whole, joined;

    whole = r.in;
    size_t bytes = whole.n - 34, got = 0;
    for (size_t at = 0; at < bytes; at += n) {
        size_t part = MIN(n, bytes - at);
        memcpy(r.in.b, whole.b, 34);
        memcpy(r.in.b + 34, whole.b + 34 + at, part);
        r.in.n = 34 + part;
        store_be16(r.in.b + 16, (uint16_t)(20 + part));
        store_be16(r.in.b + 20, (uint16_t)(at / 8 | (at + part < bytes ? 0x2000 : 0)));
        frame_fix_ip_csum(&r.in);
        rig_input_raw(&r, in);
    }
    rig_step(&r);
    while (out != UINT32_MAX && rig_output(&r, out)) {
        size_t at = (load_be16(r.out.b + 20) & 0x1FFFu) * 8;
        assert_int_equal(at, got);
        assert_int_equal(frame_naive_sum(r.out.b + 14, 20), 0xFFFF);
        memcpy(joined.b, r.out.b, 34);
        memcpy(joined.b + 34 + at, r.out.b + 34, r.out.n - 34);
        got += r.out.n - 34;
    }
    if (out == UINT32_MAX)
        return;
    assert_int_equal(got, bytes);
    joined.n = whole.n;
    joined.l3 = 14;
    joined.l4 = 34;
    store_be16(joined.b + 16, (uint16_t)(20 + bytes));
    store_be16(joined.b + 20, 0);
    frame_fix_ip_csum(&joined);
    r.out = joined;
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
}

static void test_fragments_are_translated(void **state)
{
    struct rig_packet out = {
        .src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1, .dport = 2, .payload_bytes = 2000};
    struct rig_packet in = {
        .src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 2, .payload_bytes = 3000};
    struct rig_packet hair = {
        .src = RIG_HOST(5), .dst = RIG_OUTSIDE, .sport = 9, .dport = 5000, .payload_bytes = 2500};
    struct rig_packet ping = {.src = RIG_SERVER,
                              .dst = RIG_OUTSIDE,
                              .sport = 77,
                              .proto = IP_PROTO_ICMP,
                              .payload_bytes = 2500};

    (void)state;
    rig_start(&r, RIG_FORWARDS);
    rig_appear(&r, 1, RIG_HOST(5));
    rig_appear(&r, 4, RIG_LAB_HOST(20));
    rig_make(&r, 1, &out);
    send_in_fragments(1, 0, 1480);
    assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
    in.dport = rig_out_sport(&r);
    rig_make(&r, 0, &in);
    send_in_fragments(0, 1, 800);
    assert_int_equal(rig_out_dst(&r), RIG_HOST(5));
    assert_int_equal(rig_out_dport(&r), 1);
    rig_make(&r, 1, &hair);
    send_in_fragments(1, 4, 1000);
    assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
    assert_int_equal(rig_out_dst(&r), RIG_LAB_HOST(20));
    assert_int_equal(rig_out_dport(&r), 5001);

    /* For the router itself: a ping, and an answer to one of its own questions. */
    rig_make(&r, 0, &ping);
    send_in_fragments(0, UINT32_MAX, 1000);
    assert_int_equal(r.delivered_count, 3);
    rig_flush(&r);
    ping.src = RIG_HOST(5); /* to the outside address, from inside */
    rig_make(&r, 1, &ping);
    send_in_fragments(1, UINT32_MAX, 1000);
    assert_int_equal(r.delivered_count, 3);
    rig_flush(&r);
    assert_true(dataplane_reserve_this_port(r.dp, IP_PROTO_UDP, BE16(3333)));
    in.dport = 3333;
    rig_make(&r, 0, &in);
    store_be16(r.in.b + 18, 4711);
    send_in_fragments(0, UINT32_MAX, 1480);
    assert_int_equal(r.delivered_count, 3);
    rig_flush(&r);

    /* The datagram's first fragment never came. */
    out.frag = 0x2000 | 5;
    rig_make(&r, 1, &out);
    store_be16(r.in.b + 18, 9999);
    frame_fix_ip_csum(&r.in);
    r.in.n = 34 + 80;
    store_be16(r.in.b + 16, 100);
    frame_fix_ip_csum(&r.in);
    rig_input_raw(&r, 1);
    rig_step(&r);
    rig_pass(&r, 3000, 100);
    assert_int_equal(rig_dropped(&r, DROP_FRAGMENT_ALONE), 1);
    assert_int_equal(rig_dropped_in_all(&r), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_too_big_and_not_to_be_fragmented, teardown),
        cmocka_unit_test_teardown(test_fragmented, teardown),
        cmocka_unit_test_teardown(test_fragments_are_translated, teardown),
        cmocka_unit_test_teardown(test_super_packet, teardown),
        cmocka_unit_test_teardown(test_configured_mtu, teardown),
        cmocka_unit_test_teardown(test_super_packet_too_big, teardown),
        cmocka_unit_test_teardown(test_partial_checksums, teardown),
        cmocka_unit_test_teardown(test_cut_without_buffers, teardown),
    };
    return cmocka_run_group_tests_name("dataplane_size", tests, NULL, NULL);
}
