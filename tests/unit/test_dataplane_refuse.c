/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the dataplane does not forward, why, and what it says about it (RFC 1812, RFC 2827;
 * net/dataplane_route.c, dataplane_icmp.c): every reason that a packet can provoke, the ICMP errors
 * byte by byte, their rate, and packets that are too big. See router_rig.h for the topology.
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

#define OTHER BE_IP4(203, 0, 113, 9)
#define ANY   BE_IP4(255, 255, 255, 255)

/* Rows: a packet, what becomes of it, and which ICMP error (-1: none) goes back by the port it came
 * from. "self": it reaches the stack. */
struct row {
    int id;
    unsigned port;
    struct rig_packet k;
    enum drop_reason dropped;
    bool self;
    int type, code;
};

static void run_rows(const struct row *rows, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        uint64_t all = rig_dropped_in_all(&r), one = rig_dropped(&r, row->dropped);
        r.now_us += 2000000; /* errors are not limited */
        rig_input(&r, row->port, &row->k);
        rig_step(&r);
        if (r.delivered_count != row->self)
            fail_msg("row %d: delivered %u", row->id, r.delivered_count);
        if (row->dropped && rig_dropped(&r, row->dropped) != one + 1)
            fail_msg("row %d: not dropped for the right reason", row->id);
        if (rig_dropped_in_all(&r) != all + (row->dropped != 0))
            fail_msg("row %d: dropped", row->id);
        int type = -1;
        if (rig_output(&r, row->port))
            type = r.out.b[14 + 20];
        if (type != row->type || (type >= 0 && r.out.b[14 + 21] != row->code))
            fail_msg("row %d: ICMP type %d", row->id, type);
        unsigned sent = rig_flush(&r);
        bool flooded = row->k.broadcast && row->port != 0; /* to the network's other two ports */
        if ((row->dropped || row->self) && sent != (flooded ? 2 : 0))
            fail_msg("row %d: something was sent", row->id);
    }
}

#define UDP(from, to) .k = {.src = from, .dst = to, .sport = 1, .dport = 2}
#define NO            -1, 0

/* R5: the source must be a host of the network. */
static void test_sources_inside(void **state)
{
    static const struct row rows[] = {
        {1, 1, UDP(RIG_HOST(5), RIG_SERVER), 0, false, NO},
        {2, 1, UDP(RIG_LAB_HOST(5), RIG_SERVER), DROP_IP_SOURCE, false, NO},
        {3, 1, UDP(RIG_ROUTER, RIG_SERVER), DROP_IP_SOURCE, false, NO},
        {4, 1, UDP(RIG_HOST(0), RIG_SERVER), DROP_IP_SOURCE, false, NO},
        {5, 1, UDP(RIG_HOST(255), RIG_SERVER), DROP_IP_SOURCE, false, NO},
        {6, 1, UDP(RIG_OUTSIDE, RIG_SERVER), DROP_IP_SOURCE, false, NO},
        {7, 1, UDP(0, RIG_SERVER), DROP_IP_SOURCE, false, NO},
        {8, 1, UDP(BE_IP4(127, 0, 0, 1), RIG_ROUTER), DROP_IP_SOURCE, false, NO},
        {9, 1, UDP(RIG_SERVER, RIG_ROUTER), DROP_IP_SOURCE, false, NO},
        {10, 1, .k = {.src = 0, .dst = ANY, .sport = 68, .dport = 67, .broadcast = true}, 0, true,
         NO},
        {11, 1, .k = {.src = 0, .dst = ANY, .sport = 68, .dport = 67}, 0, true, NO},
        {12, 1, .k = {.src = 0, .dst = RIG_ROUTER, .sport = 68, .dport = 67}, 0, true, NO},
        {13, 1, .k = {.src = 0, .dst = ANY, .sport = 68, .dport = 53}, DROP_IP_SOURCE, false, NO},
        {14, 1, .k = {.src = 0, .dst = RIG_SERVER, .sport = 68, .dport = 67}, DROP_IP_SOURCE, false,
         NO},
    };

    (void)state;
    rig_start(&r, 0);
    run_rows(rows, ARRAY_COUNT(rows));
}

/* What is the router's own, and what is never forwarded (R4). */
static void test_destinations_inside(void **state)
{
    static const struct row rows[] = {
        {20, 1, UDP(RIG_HOST(5), RIG_ROUTER), 0, true, NO},
        {21, 1, UDP(RIG_HOST(5), RIG_HOST(255)), 0, true, NO},
        {22, 1, UDP(RIG_HOST(5), ANY), 0, true, NO},
        {23, 1, .k = {.src = RIG_HOST(5), .dst = RIG_ROUTER, .ttl = 1, .sport = 1, .dport = 53}, 0,
         true, NO},
        {24, 1, .k = {.src = RIG_HOST(5), .dst = RIG_OUTSIDE, .proto = IP_PROTO_ICMP}, 0, true, NO},
        {25, 1,
         .k = {.src = RIG_HOST(5), .dst = RIG_OUTSIDE, .proto = IP_PROTO_ICMP, .icmp_type = 255},
         DROP_UNSOLICITED, false, NO},
        {26, 1, UDP(RIG_HOST(5), RIG_OUTSIDE), DROP_HAIRPIN, false, NO},
        {30, 1, UDP(RIG_HOST(5), RIG_HOST(0)), DROP_IP_DEST, false, NO},
        {31, 1, UDP(RIG_HOST(5), BE_IP4(224, 0, 0, 251)), DROP_IP_DEST, false, NO},
        {32, 1, UDP(RIG_HOST(5), BE_IP4(127, 0, 0, 1)), DROP_IP_DEST, false, NO},
        {33, 1, UDP(RIG_HOST(5), BE_IP4(0, 1, 2, 3)), DROP_IP_DEST, false, NO},
        {34, 1, UDP(RIG_HOST(5), BE_IP4(240, 0, 0, 1)), DROP_IP_DEST, false, NO},
        {35, 1, UDP(RIG_HOST(5), BE_IP4(203, 0, 113, 255)), DROP_IP_DEST, false, NO},
        {36, 1, UDP(RIG_HOST(5), BE_IP4(203, 0, 113, 0)), DROP_IP_DEST, false, NO},
    };

    (void)state;
    rig_start(&r, 0);
    run_rows(rows, ARRAY_COUNT(rows));
}

/* Between networks, the router's other address included. */
static void test_between_networks(void **state)
{
    static const struct row rows[] = {
        {40, 1, UDP(RIG_HOST(5), RIG_LAB_HOST(5)), DROP_POLICY, false, 3, 13},
        {41, 1, UDP(RIG_HOST(5), RIG_LAB_ROUTER), DROP_POLICY, false, 3, 13},
        {42, 1, UDP(RIG_HOST(5), RIG_LAB_HOST(255)), DROP_POLICY, false, 3, 13},
        {43, 4, UDP(RIG_LAB_HOST(5), RIG_ROUTER), DROP_POLICY, false, 3, 13},
        {44, 4, UDP(RIG_LAB_HOST(5), RIG_HOST(5)), DROP_POLICY, false, 3, 13},
        {45, 1, .k = {.src = RIG_HOST(5), .dst = RIG_LAB_HOST(5), .proto = 47}, DROP_POLICY, false,
         3, 13},
        {46, 1,
         .k = {.src = RIG_HOST(5),
               .dst = RIG_LAB_HOST(5),
               .proto = IP_PROTO_ICMP,
               .icmp_type = 3,
               .payload_bytes = 28},
         DROP_POLICY, false, NO},
    };

    (void)state;
    rig_start(&r, 0);
    run_rows(rows, ARRAY_COUNT(rows));
}

/* What cannot be translated, and what has no time left (R1). */
static void test_not_translated(void **state)
{
    static const struct row rows[] = {
        {50, 1, .k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .proto = 51}, DROP_PROTOCOL, false, 3,
         2},
        {51, 1,
         .k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .proto = IP_PROTO_ICMP, .icmp_type = 13},
         DROP_PROTOCOL, false, 3, 2},
        /* One host a peer. */
        {47, 1, .k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .proto = 47}, 0, false, NO},
        {48, 2, .k = {.src = RIG_HOST(6), .dst = RIG_SERVER, .proto = 47}, DROP_PEER_TAKEN, false,
         3, 13},
        {49, 1, .k = {.src = RIG_HOST(5), .dst = RIG_OUTSIDE, .proto = 50}, DROP_PROTOCOL, false, 3,
         2},
        {52, 1, .k = {.src = RIG_HOST(5), .dst = BE_IP4(224, 0, 0, 5), .proto = 89}, DROP_IP_DEST,
         false, NO},
        {54, 1,
         .k = {.src = RIG_HOST(5),
               .dst = RIG_SERVER,
               .proto = IP_PROTO_TCP,
               .tcp_flags = TCP_RST,
               .sport = 9,
               .dport = 9},
         DROP_UNSOLICITED, false, NO},
        {55, 1,
         .k = {.src = RIG_HOST(5),
               .dst = RIG_SERVER,
               .proto = IP_PROTO_ICMP,
               .icmp_type = 3,
               .payload_bytes = 28},
         DROP_L4_HEADER, false, NO},
        /* R1. */
        {60, 1, .k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .ttl = 1, .sport = 1, .dport = 2},
         DROP_TTL, false, 11, 0},
        {61, 1, .k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .ttl = 1, .sport = 77, .dport = 2},
         DROP_TTL, false, 11, 0},
        {62, 1, .k = {.src = RIG_HOST(5), .dst = RIG_HOST(6), .ttl = 1, .sport = 77, .dport = 2},
         DROP_TTL, false, 11, 0},
        /* R2: but not about just anything. */
        {63, 1,
         .k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1, .dport = 2, .broadcast = true},
         DROP_IP_DEST, false, NO},
    };

    (void)state;
    rig_start(&r, 0);
    run_rows(rows, ARRAY_COUNT(rows));
}

static void test_from_outside(void **state)
{
    static const struct row rows[] = {
        {1, 0, UDP(RIG_SERVER, RIG_OUTSIDE), DROP_UNSOLICITED, false, NO},
        {2, 0,
         .k = {.src = RIG_SERVER,
               .dst = RIG_OUTSIDE,
               .proto = IP_PROTO_TCP,
               .tcp_flags = TCP_SYN,
               .dport = 80},
         DROP_UNSOLICITED, false, NO},
        {3, 0, .k = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .proto = IP_PROTO_ICMP}, 0, true, NO},
        {4, 0,
         .k = {.src = RIG_SERVER,
               .dst = RIG_OUTSIDE,
               .proto = IP_PROTO_ICMP,
               .icmp_type = 255,
               .sport = 5},
         DROP_UNSOLICITED, false, NO},
        {5, 0, .k = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .proto = 51}, DROP_PROTOCOL, false, NO},
        {6, 0, .k = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .proto = 47}, DROP_UNSOLICITED, false,
         NO},
        {7, 0, .k = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .ttl = 1, .dport = 9}, DROP_UNSOLICITED,
         false, NO},
        {8, 0, .k = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 67, .dport = 68}, 0, true,
         NO}, /* its port is ours */
        /* R5 and martians. */
        {10, 0, UDP(RIG_HOST(5), RIG_OUTSIDE), DROP_IP_SOURCE, false, NO},
        {11, 0, UDP(RIG_LAB_HOST(5), RIG_OUTSIDE), DROP_IP_SOURCE, false, NO},
        {12, 0, UDP(RIG_OUTSIDE, RIG_OUTSIDE), DROP_IP_SOURCE, false, NO},
        {13, 0, UDP(BE_IP4(127, 0, 0, 1), RIG_OUTSIDE), DROP_IP_SOURCE, false, NO},
        {14, 0, UDP(BE_IP4(224, 0, 0, 1), RIG_OUTSIDE), DROP_IP_SOURCE, false, NO},
        {15, 0, UDP(0, RIG_OUTSIDE), DROP_IP_SOURCE, false, NO},
        {16, 0, UDP(BE_IP4(203, 0, 113, 255), RIG_OUTSIDE), DROP_IP_SOURCE, false, NO},
        {17, 0, .k = {.src = RIG_HOST(5), .dst = RIG_OUTSIDE, .proto = IP_PROTO_ICMP},
         DROP_IP_SOURCE, false, NO},
        {18, 0,
         .k = {.src = RIG_HOST(5),
               .dst = RIG_OUTSIDE,
               .proto = IP_PROTO_ICMP,
               .icmp_type = 3,
               .payload_bytes = 28},
         DROP_IP_SOURCE, false, NO},
        {19, 0, .k = {.src = RIG_HOST(5), .dst = RIG_OUTSIDE, .proto = 47}, DROP_IP_SOURCE, false,
         NO},
        {20, 0,
         .k = {.src = RIG_SERVER,
               .dst = RIG_OUTSIDE,
               .proto = IP_PROTO_ICMP,
               .icmp_type = 3,
               .payload_bytes = 28},
         DROP_L4_HEADER, false, NO},
        /* Not ours. */
        {30, 0, UDP(RIG_SERVER, RIG_HOST(5)), DROP_IP_DEST, false, NO},
        {31, 0, UDP(RIG_SERVER, RIG_ROUTER), DROP_IP_DEST, false, NO},
        {32, 0, UDP(RIG_SERVER, OTHER), DROP_IP_DEST, false, NO},
        {33, 0, .k = {.src = OTHER, .dst = ANY, .dport = 137, .broadcast = true}, DROP_UNSOLICITED,
         false, NO},
        {34, 0, .k = {.src = OTHER, .dst = RIG_OUTSIDE, .dport = 137, .broadcast = true},
         DROP_UNSOLICITED, false, NO},
        {35, 0, .k = {.src = OTHER, .dst = ANY, .sport = 68, .dport = 67, .broadcast = true},
         DROP_UNSOLICITED, false, NO},
    };

    (void)state;
    rig_start(&r, 0);
    run_rows(rows, ARRAY_COUNT(rows));
}

/* A host-only network reaches its own subnet and the router, and nothing else by any way. */
static void test_hostonly(void **state)
{
    static const struct row rows[] = {
        {1, 4, UDP(RIG_LAB_HOST(5), RIG_SERVER), DROP_POLICY, false, 3, 13},
        {2, 4, UDP(RIG_LAB_HOST(5), RIG_GATEWAY), DROP_POLICY, false, 3, 13},
        {3, 4, UDP(RIG_LAB_HOST(5), RIG_OUTSIDE), DROP_POLICY, false, 3, 13},
        {4, 4, .k = {.src = RIG_LAB_HOST(5), .dst = RIG_OUTSIDE, .proto = IP_PROTO_ICMP},
         DROP_POLICY, false, 3, 13},
        {5, 4,
         .k = {.src = RIG_LAB_HOST(5),
               .dst = RIG_OUTSIDE,
               .proto = IP_PROTO_TCP,
               .tcp_flags = TCP_SYN,
               .dport = 8080},
         DROP_POLICY, false, 3, 13},
        {6, 4, UDP(RIG_LAB_HOST(5), RIG_HOST(5)), DROP_POLICY, false, 3, 13},
        {7, 4, .k = {.src = RIG_LAB_HOST(5), .dst = RIG_SERVER, .proto = IP_PROTO_ICMP},
         DROP_POLICY, false, 3, 13},
        {8, 4, .k = {.src = RIG_LAB_HOST(5), .dst = RIG_SERVER, .proto = 47}, DROP_POLICY, false, 3,
         13},
        {9, 4,
         .k = {.src = RIG_LAB_HOST(5),
               .dst = RIG_SERVER,
               .proto = IP_PROTO_ICMP,
               .icmp_type = 11,
               .payload_bytes = 28},
         DROP_POLICY, false, NO},
        {10, 4, UDP(RIG_LAB_HOST(5), RIG_LAB_ROUTER), 0, true, NO},
        {11, 1, UDP(RIG_HOST(5), RIG_LAB_HOST(5)), DROP_POLICY, false, 3, 13},
    };

    (void)state;
    rig_start(&r, RIG_LAB_HOSTONLY);
    run_rows(rows, ARRAY_COUNT(rows));
}

static void test_no_uplink(void **state)
{
    static const struct row rows[] = {
        {1, 1, UDP(RIG_HOST(5), RIG_SERVER), DROP_POLICY, false, 3, 13},
        {2, 1, UDP(RIG_HOST(5), RIG_ROUTER), 0, true, NO},
        {3, 0, UDP(RIG_SERVER, RIG_OUTSIDE), DROP_NO_NETWORK, false, NO},
    };

    (void)state;
    rig_start(&r, RIG_NO_UPLINK);
    run_rows(rows, ARRAY_COUNT(rows));
    struct pkt *p = pkt_alloc(&r.pool);
    assert_true(pkt_append(p, r.in.b, 60));
    dataplane_send(r.dp, NETWORK_UPLINK, p);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, DROP_NO_UPLINK), 1);
}

static void test_uplink_down(void **state)
{
    static const struct row rows[] = {
        {1, 1, UDP(RIG_HOST(5), RIG_SERVER), DROP_NO_UPLINK, false, 3, 0},
    };

    (void)state;
    rig_start(&r, 0);
    r.nics[0].up = false;
    rig_pass(&r, 1000, 100);
    run_rows(rows, ARRAY_COUNT(rows));
}

/* Headers that lie: the parser's own tests have them all; here, that they are dropped and counted.
 */
static void test_bad_headers(void **state)
{
    static const struct {
        int id;
        size_t at;
        uint8_t value;
        bool fix;
        enum drop_reason reason;
    } rows[] = {
        {1, 14, 0x65, true, DROP_IP_HEADER}, {2, 14, 0x44, true, DROP_IP_HEADER},
        {3, 16, 0xFF, true, DROP_IP_HEADER}, {4, 24, 0x11, false, DROP_IP_CSUM},
        {5, 38, 0xFF, true, DROP_L4_HEADER},
    };
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1, .dport = 2};

    (void)state;
    rig_start(&r, 0);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        rig_make(&r, 1, &k);
        r.in.b[rows[i].at] = rows[i].value;
        if (rows[i].fix)
            frame_fix_ip_csum(&r.in);
        rig_input_raw(&r, 1);
        rig_step(&r);
        if (rig_dropped(&r, rows[i].reason) == 0 || rig_dropped_in_all(&r) != i + 1)
            fail_msg("row %d", rows[i].id);
    }
    assert_int_equal(rig_flush(&r), 0);
}

static void test_full_table(void **state)
{
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .dport = 2};

    (void)state;
    struct rig_packet answer = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 2};

    rig_start(&r, RIG_TINY);
    for (uint16_t i = 0; i < 4; i++) { /* answered, or they would make room */
        k.sport = answer.dport = 10 + i;
        k.src = RIG_HOST(5u + i);
        rig_input(&r, 1, &k);
        rig_step(&r);
        rig_input(&r, 0, &answer);
        rig_step(&r);
        assert_true(rig_output(&r, 1));
    }
    k.src = RIG_HOST(9);
    rig_input(&r, 1, &k);
    rig_step(&r);
    assert_int_equal(fake_nic_sent_count(&r.nics[0]), 4);
    assert_int_equal(rig_dropped(&r, DROP_FLOWS_FULL), 1);
    assert_true(rig_output(&r, 1));
    assert_int_equal(r.out.b[34], 3);
    assert_int_equal(r.out.b[35], 13);
}

/* An error, byte by byte, and as much of the packet as fits 576. */
static void test_error_bytes(void **state)
{
    static const size_t payloads[] = {0, 10, 500, 520, 521, 1400};

    (void)state;
    rig_start(&r, 0);
    for (unsigned i = 0; i < ARRAY_COUNT(payloads); i++) {
        struct rig_packet k = {.src = RIG_HOST(5),
                               .dst = RIG_SERVER,
                               .sport = 1,
                               .dport = 2,
                               .ttl = 1,
                               .payload_bytes = payloads[i]};
        r.now_us += 1000000;
        rig_input(&r, 3, &k);
        rig_step(&r);
        assert_true(rig_output(&r, 3));
        const uint8_t *b = r.out.b;
        size_t quoted = MIN(r.in.n - 14, 548u);
        assert_int_equal(r.out.n, 14 + 28 + quoted);
        assert_memory_equal(b, rig_mac(RIG_HOST(5)), 6);
        assert_memory_equal(b + 6, rig_router_mac(&r, RIG_LAN), 6);
        assert_int_equal(load_be16(b + 12), 0x0800);
        assert_int_equal(rig_out_src(&r), RIG_ROUTER);
        assert_int_equal(rig_out_dst(&r), RIG_HOST(5));
        assert_int_equal(b[34], 11);
        assert_int_equal(b[35], 0);
        assert_int_equal(load_be32(b + 38), 0);
        assert_true(frame_sums_right(b, r.out.n, 14, false));
        assert_memory_equal(b + 42, r.in.b + 14, quoted); /* as the host has sent it */
    }
}

/* R3: per destination and in all, and not the same number every time. 10^5 that want an error. */
static void test_error_rate(void **state)
{
    struct dataplane_totals t;
    unsigned counts[4];

    (void)state;
    rig_start(&r, 0);
    struct rig_packet k = {.src = RIG_HOST(5), .dst = RIG_SERVER, .ttl = 1, .sport = 1, .dport = 2};
    for (unsigned i = 0; i < 100; i++)
        rig_input(&r, 1, &k);
    while (rig_step(&r) > 0)
        ;
    assert_in_range(rig_flush(&r), 10, 30);
    r.now_us += 1000000;
    rig_input(&r, 1, &k);
    rig_step(&r);
    assert_int_equal(rig_flush(&r), 1); /* one host's share is its own, and comes back */

    for (unsigned round = 0; round < ARRAY_COUNT(counts); round++) {
        counts[round] = 0;
        r.now_us += 10000000;
        for (unsigned i = 0; i < 25000; i++) {
            k.src = RIG_HOST(10 + i % 200);
            rig_input(&r, 1, &k);
            rig_step(&r);
            counts[round] += rig_flush(&r);
        }
        assert_in_range(counts[round], 50, 120);
    }
    assert_false(counts[0] == counts[1] && counts[1] == counts[2] && counts[2] == counts[3]);
    dataplane_totals(r.dp, &t);
    assert_true(t.icmp_errors_limited > 99000);
    assert_int_equal(t.icmp_errors_sent + t.icmp_errors_limited, rig_dropped(&r, DROP_TTL));
}

/* TTL and size towards the outside are told about packets of a flow, and only those. */
static void test_errors_to_outside(void **state)
{
    struct rig_packet out = {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 1, .dport = 2};
    struct rig_packet in = {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 2, .ttl = 1};

    (void)state;
    rig_start(&r, 0);
    rig_input(&r, 1, &out);
    rig_step(&r);
    assert_true(rig_output(&r, 0));
    in.dport = rig_out_sport(&r);
    rig_input(&r, 0, &in);
    rig_step(&r);
    assert_true(rig_output(&r, 0));
    assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
    assert_int_equal(rig_out_dst(&r), RIG_SERVER);
    assert_memory_equal(r.out.b, rig_mac(RIG_GATEWAY), 6);
    assert_int_equal(r.out.b[34], 11);
    assert_memory_equal(r.out.b + 42, r.in.b + 14, r.in.n - 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_sources_inside, teardown),
        cmocka_unit_test_teardown(test_destinations_inside, teardown),
        cmocka_unit_test_teardown(test_between_networks, teardown),
        cmocka_unit_test_teardown(test_not_translated, teardown),
        cmocka_unit_test_teardown(test_from_outside, teardown),
        cmocka_unit_test_teardown(test_hostonly, teardown),
        cmocka_unit_test_teardown(test_no_uplink, teardown),
        cmocka_unit_test_teardown(test_uplink_down, teardown),
        cmocka_unit_test_teardown(test_bad_headers, teardown),
        cmocka_unit_test_teardown(test_full_table, teardown),
        cmocka_unit_test_teardown(test_error_bytes, teardown),
        cmocka_unit_test_teardown(test_error_rate, teardown),
        cmocka_unit_test_teardown(test_errors_to_outside, teardown),
    };
    return cmocka_run_group_tests_name("dataplane_refuse", tests, NULL, NULL);
}
