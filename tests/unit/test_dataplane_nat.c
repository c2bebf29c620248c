/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Packets through the whole dataplane (net/dataplane_route.c, dataplane_way.c and the services they
 * compose): round trips, forwards, hairpins, next hops. See router_rig.h for the topology.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/router_rig.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

static struct rig r;

static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

/* One packet in, one out by that port, and all about it that must always be so. */
static void pass(unsigned in, const struct rig_packet *k, unsigned out)
{
    uint64_t dropped = rig_dropped_in_all(&r);

    rig_input(&r, in, k);
    rig_step(&r);
    assert_int_equal(rig_dropped_in_all(&r), dropped);
    assert_true(rig_output(&r, out));
    for (unsigned i = 0; i < RIG_PORTS; i++)
        assert_int_equal(fake_nic_sent_count(&r.nics[i]), 0);
    assert_int_equal(r.delivered_count, 0);
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    assert_int_equal(r.out.b[14 + 8], (k->ttl ? k->ttl : 64) - 1);
    assert_memory_equal(r.out.b + 6, rig_router_mac(&r, out == 0 ? NETWORK_UPLINK : out > 3), 6);
    /* The payload is nobody's business. */
    assert_memory_equal(r.out.b + r.out.n - k->payload_bytes, r.in.b + r.in.payload,
                        k->payload_bytes);
}

static void expect(be32 src, uint16_t sport, be32 dst, uint16_t dport)
{
    assert_int_equal(rig_out_src(&r), src);
    assert_int_equal(rig_out_dst(&r), dst);
    assert_int_equal(rig_out_sport(&r), sport);
    assert_int_equal(rig_out_dport(&r), dport);
}

/* One packet in, dropped for this reason, with nothing sent but an error. */
static void refused(unsigned in, const struct rig_packet *k, enum drop_reason reason)
{
    uint64_t before = rig_dropped(&r, reason);

    rig_input(&r, in, k);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, reason), before + 1);
    assert_int_equal(r.delivered_count, 0);
}

static void test_round_trips(void **state)
{
    static const struct {
        int id;
        uint8_t proto;
        uint8_t flags_out, flags_in;
        be32 remote, hop;
    } rows[] = {
        {1, IP_PROTO_UDP, 0, 0, RIG_SERVER, RIG_GATEWAY},
        {2, IP_PROTO_TCP, TCP_SYN, TCP_SYN | TCP_ACK, RIG_SERVER, RIG_GATEWAY},
        {3, IP_PROTO_ICMP, 0, 0, RIG_SERVER, RIG_GATEWAY},
        {4, IP_PROTO_UDP, 0, 0, BE_IP4(203, 0, 113, 77), BE_IP4(203, 0, 113, 77)},
    };

    (void)state;
    rig_start(&r, 0);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct rig_packet out = {.src = RIG_HOST(5),
                                 .dst = rows[i].remote,
                                 .sport = 4000,
                                 .dport = 80,
                                 .proto = rows[i].proto,
                                 .tcp_flags = rows[i].flags_out,
                                 .payload_bytes = 100 + i};
        pass(2, &out, 0);
        uint16_t port = rig_out_sport(&r);
        assert_memory_equal(r.out.b, rig_mac(rows[i].hop), 6);
        assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
        assert_int_equal(rig_out_dst(&r), rows[i].remote);
        if (rows[i].proto == IP_PROTO_ICMP)
            port = load_be16(r.out.b + r.out.l4 + 4);

        struct rig_packet in = {.src = rows[i].remote,
                                .dst = RIG_OUTSIDE,
                                .sport = 80,
                                .dport = port,
                                .proto = rows[i].proto,
                                .icmp_type = 255,
                                .tcp_flags = rows[i].flags_in,
                                .payload_bytes = 200 + i};
        if (rows[i].proto == IP_PROTO_ICMP)
            in.sport = port;
        pass(0, &in, 2);
        assert_memory_equal(r.out.b, rig_mac(RIG_HOST(5)), 6);
        assert_int_equal(rig_out_src(&r), rows[i].remote);
        assert_int_equal(rig_out_dst(&r), RIG_HOST(5));
        if (rows[i].proto == IP_PROTO_ICMP)
            assert_int_equal(load_be16(r.out.b + r.out.l4 + 4), 4000);
        else
            expect(rows[i].remote, 80, RIG_HOST(5), 4000);
    }
    struct dataplane_totals t;
    dataplane_totals(r.dp, &t);
    assert_int_equal(t.flows_live, 4);
}

/* A host that moves to another port, or goes silent, is found again. */
static void test_station_moves(void **state)
{
    struct rig_packet out = {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 9, .dport = 9};
    struct rig_packet in = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 9};

    (void)state;
    rig_start(&r, 0);
    pass(1, &out, 0);
    in.dport = rig_out_sport(&r);
    pass(0, &in, 1);
    rig_appear(&r, 3, RIG_HOST(5));
    pass(0, &in, 3);
    rig_appear(&r, 2, RIG_HOST(5));
    pass(0, &in, 2);
    r.nics[2].up = false;
    r.now_us += 1000000;
    rig_step(&r); /* what was learned there is forgotten: flooded */
    rig_input(&r, 0, &in);
    rig_step(&r);
    assert_int_equal(fake_nic_sent_count(&r.nics[1]), 1);
    assert_int_equal(fake_nic_sent_count(&r.nics[3]), 1);
    assert_int_equal(rig_flush(&r), 2);
    rig_appear(&r, 1, RIG_HOST(5));
    pass(0, &in, 1);
}

static void test_padding_is_cut_off(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1, .dport = 2};

    (void)state;
    rig_start(&r, 0);
    rig_make(&r, 1, &k);
    size_t true_bytes = r.in.n;
    memset(r.in.b + r.in.n, 0x77, 60 - r.in.n);
    r.in.n = 60;
    rig_input_raw(&r, 1);
    rig_step(&r);
    assert_true(rig_output(&r, 0));
    assert_int_equal(r.out.n, true_bytes);
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
}

static void test_forwards(void **state)
{
    struct rig_packet in = {.src = RIG_SERVER,
                            .dst = RIG_OUTSIDE,
                            .sport = 33333,
                            .dport = 8080,
                            .proto = IP_PROTO_TCP,
                            .tcp_flags = TCP_SYN};
    struct rig_packet out = {.src = RIG_HOST(10),
                             .dst = RIG_SERVER,
                             .sport = 80,
                             .dport = 33333,
                             .proto = IP_PROTO_TCP,
                             .tcp_flags = TCP_SYN | TCP_ACK};
    struct rig_packet udp = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 7, .dport = 5000};

    (void)state;
    rig_start(&r, RIG_FORWARDS);
    rig_appear(&r, 1, RIG_HOST(10));
    rig_appear(&r, 5, RIG_LAB_HOST(20));
    pass(0, &in, 1);
    expect(RIG_SERVER, 33333, RIG_HOST(10), 80);
    pass(1, &out, 0);
    expect(RIG_OUTSIDE, 8080, RIG_SERVER, 33333);
    pass(0, &udp, 5);
    expect(RIG_SERVER, 7, RIG_LAB_HOST(20), 5001);
    /* The same ports of the other protocol lead nowhere. */
    in.proto = IP_PROTO_UDP;
    refused(0, &in, DROP_UNSOLICITED);
    udp.proto = IP_PROTO_TCP;
    udp.tcp_flags = TCP_SYN;
    refused(0, &udp, DROP_UNSOLICITED);
    assert_int_equal(rig_flush(&r), 0); /* silently */
}

/* U9 and T8: both see the other's outside address, on one network and across two. */
static void test_hairpin(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5),
                           .dst = RIG_OUTSIDE,
                           .sport = 1111,
                           .dport = 8080,
                           .proto = IP_PROTO_TCP,
                           .tcp_flags = TCP_SYN};
    struct rig_packet back = {.src = RIG_HOST(10),
                              .dst = RIG_OUTSIDE,
                              .sport = 80,
                              .proto = IP_PROTO_TCP,
                              .tcp_flags = TCP_SYN | TCP_ACK};
    struct rig_packet open = {.src = RIG_LAB_HOST(6), .dst = RIG_SERVER, .sport = 2222, .dport = 3};
    struct rig_packet udp = {.src = RIG_HOST(5), .dst = RIG_OUTSIDE, .sport = 1112};

    (void)state;
    rig_start(&r, RIG_FORWARDS);
    rig_appear(&r, 1, RIG_HOST(10));
    rig_appear(&r, 2, RIG_HOST(5));
    pass(2, &k, 1);
    uint16_t outside_port = rig_out_sport(&r);
    expect(RIG_OUTSIDE, outside_port, RIG_HOST(10), 80);
    back.dport = outside_port;
    pass(1, &back, 2);
    expect(RIG_OUTSIDE, 8080, RIG_HOST(5), 1111);

    /* To a mapping that a host of lab has opened. */
    pass(4, &open, 0);
    udp.dport = rig_out_sport(&r);
    pass(2, &udp, 4);
    outside_port = rig_out_sport(&r);
    expect(RIG_OUTSIDE, outside_port, RIG_LAB_HOST(6), 2222);
    open.dst = RIG_OUTSIDE;
    open.dport = outside_port;
    pass(4, &open, 2);
    expect(RIG_OUTSIDE, udp.dport, RIG_HOST(5), 1112);

    /* To nothing. */
    udp.dport = 9;
    refused(2, &udp, DROP_HAIRPIN);
    udp.ttl = 1;
    refused(2, &udp, DROP_TTL);
    assert_int_equal(rig_flush(&r), 1);
}

/* A hairpin flow is known by its outside tuple as well; that does not let the outside use it, by
 * taking our own address for its source. */
static void test_hairpin_is_not_open_to_outside(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_OUTSIDE, .sport = 1111, .dport = 5000};
    struct rig_packet back = {.src = RIG_LAB_HOST(20), .dst = RIG_OUTSIDE, .sport = 5001};
    struct rig_packet forged = {
        .src = RIG_OUTSIDE, .dst = RIG_OUTSIDE, .sport = 5000, .payload_bytes = 60};

    (void)state;
    rig_start(&r, RIG_FORWARDS);
    rig_appear(&r, 1, RIG_HOST(5));
    rig_appear(&r, 4, RIG_LAB_HOST(20));
    for (unsigned i = 0; i < 3; i++) {
        pass(1, &k, 4);
        back.dport = rig_out_sport(&r);
        pass(4, &back, 1);
    }
    forged.dport = back.dport;
    refused(0, &forged, DROP_IP_SOURCE);
    forged.sport = back.dport;
    forged.dport = 5000;
    refused(0, &forged, DROP_IP_SOURCE);
    assert_int_equal(rig_flush(&r), 0);
}

/* What goes wrong behind the first half of a hairpin is nobody's business: the packet no longer is
 * what its sender has sent. */
static void test_hairpin_fails_silently(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_OUTSIDE, .sport = 1111, .dport = 5000};

    (void)state;
    rig_start(&r, RIG_FORWARDS);
    r.no_answers = true;
    rig_input(&r, 1, &k);
    rig_pass(&r, 4000, 500);
    refused(1, &k, DROP_NO_NEIGHBOR);
    assert_int_equal(rig_flush(&r), 0);
}

/* I7: an error about a hairpinned packet comes back as one about what was sent. */
static void test_hairpin_error(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5),
                           .dst = RIG_OUTSIDE,
                           .sport = 1111,
                           .dport = 8080,
                           .proto = IP_PROTO_TCP,
                           .tcp_flags = TCP_SYN};
    struct rig_packet error = {.src = RIG_HOST(10),
                               .dst = RIG_OUTSIDE,
                               .proto = IP_PROTO_ICMP,
                               .icmp_type = 3,
                               .payload_bytes = 40};

    (void)state;
    rig_start(&r, RIG_FORWARDS);
    rig_appear(&r, 1, RIG_HOST(10));
    rig_appear(&r, 2, RIG_HOST(5));
    pass(2, &k, 1);
    struct frame *sent = &r.out;
    uint8_t quoted[40];
    memcpy(quoted, sent->b + 14, sizeof(quoted));
    rig_make(&r, 1, &error);
    store_be32(r.in.b + r.in.l4 + 4, 0);
    memcpy(r.in.b + r.in.payload, quoted, sizeof(quoted));
    frame_fix_l4_csum(&r.in);
    rig_input_raw(&r, 1);
    rig_step(&r);
    assert_true(rig_output(&r, 2));
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
    assert_int_equal(rig_out_dst(&r), RIG_HOST(5));
    const uint8_t *inner = r.out.b + 14 + 20 + 8;
    assert_int_equal(load_raw32(inner + 12), RIG_HOST(5));
    assert_int_equal(load_raw32(inner + 16), RIG_OUTSIDE);
    assert_int_equal(load_be16(inner + 20), 1111);
    assert_int_equal(load_be16(inner + 22), 8080);
    assert_int_equal(frame_naive_sum(inner, 20), 0xFFFF);
}

/* I4, I5: errors from outside about a flow. */
static void test_error_about_a_flow(void **state)
{
    struct rig_packet k = {
        .src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1111, .dport = 53, .payload_bytes = 20};
    struct rig_packet error = {.src = BE_IP4(192, 0, 2, 1),
                               .dst = RIG_OUTSIDE,
                               .proto = IP_PROTO_ICMP,
                               .icmp_type = 11,
                               .payload_bytes = 28};

    (void)state;
    rig_start(&r, 0);
    pass(1, &k, 0);
    uint8_t quoted[28];
    memcpy(quoted, r.out.b + 14, sizeof(quoted));
    rig_make(&r, 0, &error);
    store_be32(r.in.b + r.in.l4 + 4, 0);
    memcpy(r.in.b + r.in.payload, quoted, sizeof(quoted));
    frame_fix_l4_csum(&r.in);
    rig_input_raw(&r, 0);
    rig_step(&r);
    assert_true(rig_output(&r, 1));
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    assert_int_equal(rig_out_src(&r), BE_IP4(192, 0, 2, 1));
    assert_int_equal(rig_out_dst(&r), RIG_HOST(5));
    assert_int_equal(load_raw32(r.out.b + 14 + 28 + 12), RIG_HOST(5));
    assert_int_equal(load_be16(r.out.b + 14 + 28 + 20), 1111);

    /* About nothing. */
    store_be16(r.in.b + r.in.payload + 20, 77);
    frame_fix_l4_csum(&r.in);
    rig_input_raw(&r, 0);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_NO_MAPPING), 1);

    /* About what the router itself has sent. */
    assert_true(dataplane_reserve_this_port(r.dp, IP_PROTO_UDP, BE16(77)));
    rig_input_raw(&r, 0);
    rig_step(&r);
    assert_int_equal(r.delivered_count, 1);
    rig_flush(&r);

    /* The other way: a host complains about what came from outside. */
    struct rig_packet in = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 53, .dport = 1111};
    in.dport = load_be16(quoted + 20);
    pass(0, &in, 1);
    memcpy(quoted, r.out.b + 14, sizeof(quoted));
    struct rig_packet complaint = {.src = RIG_HOST(5),
                                   .dst = RIG_SERVER,
                                   .proto = IP_PROTO_ICMP,
                                   .icmp_type = 3,
                                   .payload_bytes = 28};
    rig_make(&r, 1, &complaint);
    store_be32(r.in.b + r.in.l4 + 4, 0);
    r.in.b[r.in.l4 + 1] = 3;
    memcpy(r.in.b + r.in.payload, quoted, sizeof(quoted));
    frame_fix_l4_csum(&r.in);
    rig_input_raw(&r, 1);
    rig_step(&r);
    assert_true(rig_output(&r, 0));
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
    assert_int_equal(rig_out_dst(&r), RIG_SERVER);
    assert_int_equal(load_raw32(r.out.b + 14 + 28 + 16), RIG_OUTSIDE);
}

/* R7, both ways, and never raised. */
static void test_mss(void **state)
{
    struct rig_packet out = {.src = RIG_HOST(5),
                             .dst = RIG_SERVER,
                             .sport = 1,
                             .dport = 2,
                             .proto = IP_PROTO_TCP,
                             .tcp_flags = TCP_SYN,
                             .mss = 1460};
    struct rig_packet in = {.src = RIG_SERVER,
                            .dst = RIG_OUTSIDE,
                            .sport = 2,
                            .proto = IP_PROTO_TCP,
                            .tcp_flags = TCP_SYN | TCP_ACK,
                            .mss = 1460};

    (void)state;
    rig_start(&r, RIG_SMALL_MTU);
    pass(1, &out, 0);
    assert_int_equal(load_be16(r.out.b + r.out.l4 + 22), 1360);
    in.dport = rig_out_sport(&r);
    pass(0, &in, 1);
    assert_int_equal(load_be16(r.out.b + r.out.l4 + 22), 1360);
    out.mss = 500;
    out.sport = 3;
    pass(1, &out, 0);
    assert_int_equal(load_be16(r.out.b + r.out.l4 + 22), 500);
    /* Not a SYN: those bytes are data of somebody's. */
    out.mss = 1460;
    out.sport = 1;
    out.tcp_flags = TCP_ACK;
    pass(1, &out, 0);
    assert_int_equal(load_be16(r.out.b + r.out.l4 + 22), 1460);
}

static void test_held_until_resolved(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1, .dport = 2};

    (void)state;
    rig_start(&r, 0);
    r.no_answers = true;
    for (uint16_t i = 0; i < NEIGHBOR_HELD_MAX; i++) {
        k.sport = 100 + i;
        rig_input(&r, 1, &k);
    }
    rig_step(&r);
    assert_int_equal(r.questions, 1);
    assert_int_equal(r.asked_ip, RIG_GATEWAY);
    assert_int_equal(r.asked_network, NETWORK_UPLINK);
    assert_true(dataplane_next_us(r.dp, r.now_us) <= r.now_us + 1000000);
    dataplane_neighbor(r.dp, NETWORK_UPLINK, RIG_GATEWAY, rig_mac(RIG_GATEWAY));
    rig_step(&r);
    for (uint16_t i = 0; i < NEIGHBOR_HELD_MAX; i++) {
        assert_true(rig_output(&r, 0));
        assert_int_equal(rig_out_sport(&r), 100 + i);
        assert_memory_equal(r.out.b, rig_mac(RIG_GATEWAY), 6);
        assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    }
}

/* Nobody answers: what was held is dropped after three tries, and then senders are told at once. */
static void test_nobody_answers(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1, .dport = 2};

    (void)state;
    rig_start(&r, 0);
    r.no_answers = true;
    for (unsigned i = 0; i < NEIGHBOR_HELD_MAX + 2; i++)
        rig_input(&r, 1, &k);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_NO_NEIGHBOR), 2);
    rig_pass(&r, 3500, 100);
    assert_int_equal(r.questions, 3);
    assert_int_equal(rig_dropped(&r, DROP_NO_NEIGHBOR), NEIGHBOR_HELD_MAX + 2);
    assert_int_equal(rig_flush(&r), 0);
    rig_input(&r, 1, &k);
    rig_step(&r);
    assert_true(rig_output(&r, 1));
    assert_int_equal(r.out.b[r.out.l4], 3);
    assert_int_equal(r.out.b[r.out.l4 + 1], 1);
    /* A host that does not answer on the inside: nobody is told. */
    rig_stop(&r);
    rig_start(&r, RIG_FORWARDS);
    r.silent_ip = RIG_LAB_HOST(20);
    struct rig_packet udp = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 7, .dport = 5000};
    rig_input(&r, 0, &udp);
    rig_pass(&r, 4000, 100);
    rig_input(&r, 0, &udp);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_NO_NEIGHBOR), 2);
    assert_int_equal(rig_flush(&r), 0);
}

/* The uplink's address by DHCP: what reaches the client before and after, and what flows survive.
 */
/* Two hosts of one network that talk through the router, and one that asks it to. */
static void test_within_a_network(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_HOST(6), .sport = 1, .dport = 2};

    (void)state;
    rig_start(&r, 0);
    rig_appear(&r, 2, RIG_HOST(6));
    pass(1, &k, 2);
    expect(RIG_HOST(5), 1, RIG_HOST(6), 2);
    assert_memory_equal(r.out.b, rig_mac(RIG_HOST(6)), 6);
}

/* What a router chooses after it has opened a flow: outside ports and identifications. In the
 * second of two it has been reseeded, and the flow is still there. */
static void choose(bool reseed, uint16_t chosen[2][8])
{
    static const uint8_t random[DATAPLANE_RANDOM_BYTES + 1] =
        "and other bytes, as many, that nobody else has been given so far";
    struct rig_packet out = {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 9, .dport = 9};
    struct rig_packet in = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 9};

    rig_start(&r, RIG_SMALL_MTU);
    pass(1, &out, 0);
    in.dport = rig_out_sport(&r);
    if (reseed)
        dataplane_reseed(r.dp, random);
    out.may_fragment = true;
    out.payload_bytes = 1420; /* more than the uplink takes in one */
    for (unsigned i = 0; i < 8; i++) {
        chosen[0][i] = ntoh16(dataplane_reserve_port(r.dp, IP_PROTO_UDP));
        rig_input(&r, 1, &out);
        rig_step(&r);
        assert_true(rig_output(&r, 0));
        assert_int_equal(rig_out_sport(&r), in.dport);
        assert_int_equal(rig_flush(&r), 1);
        chosen[1][i] = load_be16(r.out.b + 18);
    }
    pass(0, &in, 1);
    rig_stop(&r);
}

static void test_copies_part(void **state)
{
    uint16_t chosen[3][2][8];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        choose(i == 2, chosen[i]);
    assert_memory_equal(chosen[0], chosen[1], sizeof(chosen[0]));
    for (unsigned what = 0; what < 2; what++)
        for (unsigned i = 0; i < 8; i++)
            assert_int_not_equal(chosen[1][what][i], chosen[2][what][i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_round_trips, teardown),
        cmocka_unit_test_teardown(test_station_moves, teardown),
        cmocka_unit_test_teardown(test_padding_is_cut_off, teardown),
        cmocka_unit_test_teardown(test_forwards, teardown),
        cmocka_unit_test_teardown(test_hairpin, teardown),
        cmocka_unit_test_teardown(test_hairpin_is_not_open_to_outside, teardown),
        cmocka_unit_test_teardown(test_hairpin_fails_silently, teardown),
        cmocka_unit_test_teardown(test_hairpin_error, teardown),
        cmocka_unit_test_teardown(test_error_about_a_flow, teardown),
        cmocka_unit_test_teardown(test_mss, teardown),
        cmocka_unit_test_teardown(test_held_until_resolved, teardown),
        cmocka_unit_test_teardown(test_nobody_answers, teardown),
        cmocka_unit_test_teardown(test_within_a_network, teardown),
        cmocka_unit_test(test_copies_part),
    };
    return cmocka_run_group_tests_name("dataplane_nat", tests, NULL, NULL);
}
