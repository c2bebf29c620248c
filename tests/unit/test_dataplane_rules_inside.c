/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules between hosts of one network through the whole dataplane (net/dataplane_filter.c,
 * dataplane_rules.c): switched and sent by the router, IPv4 and not, behind tags and in frames for
 * all. See rules_rig.h for the topology.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/rules_rig.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

#include <string.h>

static struct rig *const r = &rules_rig;

/* Between hosts 5 and 6 of a network: 5 may open to port 22 of 6, nothing else of TCP and UDP; no
 * pings from 6; and what is not IPv4 not from 6 to 5. */
static void segment(unsigned net, be32 five, be32 six)
{
    rule_for_port(rule_add(RULE_ALLOW, where_host(net, five), where_host(net, six)), IP_PROTO_TCP,
                  22);
    rule_add(RULE_REJECT, where_host(net, five), where_host(net, six))->proto = IP_PROTO_TCP;
    rule_add(RULE_REJECT, where_host(net, five), where_host(net, six))->proto = IP_PROTO_UDP;
    rule_add(RULE_DENY, where_host(net, six), where_host(net, five));
}

static void test_conversations(void **state)
{
    static const struct {
        unsigned net, a, b;
        be32 five, six;
    } nets[] = {{LAN, 1, 2, RIG_HOST(5), RIG_HOST(6)}, {VAULT, 4, 5, VAULT_HOST(5), VAULT_HOST(6)}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(nets); i++) {
        be32 five = nets[i].five, six = nets[i].six;
        unsigned a = nets[i].a, b = nets[i].b;
        char to_a = (char)('0' + a), to_b = (char)('0' + b);
        struct rig_packet ssh = SYN(five, six, 22), web = SYN(five, six, 80);
        struct rig_packet answer = {.src = six,
                                    .dst = five,
                                    .sport = 22,
                                    .dport = 4000,
                                    .proto = IP_PROTO_TCP,
                                    .tcp_flags = TCP_SYN | TCP_ACK};
        struct rig_packet dns = UDP(five, six, 53), back = UDP(six, five, 53);
        struct rig_packet ping = PING(five, six), pong = PING(six, five), reverse = pong;
        pong.icmp_type = 255;

        rules_rig_configure();
        segment(nets[i].net, five, six);
        rules_rig_start();
        assert_int_equal(rig_switched(r, b, &answer), '.');
        assert_int_equal(rig_switched(r, a, &ssh), to_b);
        assert_memory_equal(r->out.b, r->in.b, r->in.n);
        assert_int_equal(rig_switched(r, b, &answer), to_a);
        assert_memory_equal(r->out.b, r->in.b, r->in.n);
        assert_int_equal(rig_switched(r, a, &web), 'e');
        assert_int_equal(r->out.b[14 + 9], IP_PROTO_TCP);
        assert_int_equal(rig_out_src(r), six);
        assert_memory_equal(r->out.b, rig_mac(five), MAC_BYTES);
        assert_memory_equal(r->out.b + 6, rig_mac(six), MAC_BYTES);
        assert_int_equal(rig_switched(r, a, &dns), 'e');
        assert_int_equal(r->out.b[14 + 9], IP_PROTO_ICMP);
        assert_int_equal(rig_out_src(r), nets[i].net == LAN ? RIG_ROUTER : six);
        assert_int_equal(r->out.b[r->out.l4 + 1], 13);
        assert_int_equal(rig_switched(r, b, &back), '.');
        assert_int_equal(rig_switched(r, a, &ping), to_b);
        assert_int_equal(rig_switched(r, b, &pong), to_a);
        assert_int_equal(rig_switched(r, b, &reverse), '.');

        /* A later fragment follows its first one. */
        assert_int_equal(rig_switched(r, a, &ping), to_b);
        ping.frag = 0x2000;
        assert_int_equal(rig_switched(r, a, &ping), to_b);
        ping.frag = 6;
        assert_int_equal(rig_switched(r, a, &ping), to_b);
        ping.src = VAULT_HOST(99);
        assert_int_equal(rig_switched(r, a, &ping), '.');
        rig_stop(r);
    }
    rules_rig_start();
}

/* What is not IPv4, and what hides behind tags. */
static void test_other_frames(void **state)
{
    static const struct {
        int id;
        uint16_t types[4]; /* 0 ends */
        bool from_six;
        char outcome;
    } rows[] = {
        {1, {0x86DD}, false, '5'},        {2, {0x86DD}, true, '.'},
        {3, {0x0806}, true, '4'},         {4, {0x8100, 0x0806}, true, '4'},
        {5, {0x8100, 0x86DD}, true, '.'}, {6, {0x8100, 0x86DD}, false, '5'},
        {7, {0x1234}, true, '.'},         {8, {0x88A8, 0x8100, 0x8100}, true, '.'},
    };
    static const uint32_t many[] = {
        FRAME_QINQ | 0x6000, 0x6000, 0x6000, 0x6000, 0x6000, 0x6000, 0x6000, 0x6000};

    (void)state;
    segment(VAULT, VAULT_HOST(5), VAULT_HOST(6));
    rules_rig_start();
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        size_t at = 12;
        memset(r->in.b, 0, 80);
        memcpy(r->in.b, rig_mac(rows[i].from_six ? VAULT_HOST(5) : VAULT_HOST(6)), MAC_BYTES);
        memcpy(r->in.b + 6, rig_mac(rows[i].from_six ? VAULT_HOST(6) : VAULT_HOST(5)), MAC_BYTES);
        for (unsigned k = 0; k < 4 && rows[i].types[k]; k++, at += 4)
            store_be16(r->in.b + at, rows[i].types[k]);
        r->in.n = 80;
        char got = rig_outcome_raw(r, rows[i].from_six ? 5 : 4);
        if (got != rows[i].outcome)
            fail_msg("row %d: '%c'", rows[i].id, got);
    }
    /* IPv4 behind tags, priority tags among them. */
    for (unsigned tags = 1; tags <= 8; tags++) {
        for (unsigned allowed = 0; allowed < 2; allowed++) {
            struct rig_packet k = SYN(VAULT_HOST(5), VAULT_HOST(6), 80);
            k.dport = allowed ? 22 : 80;
            k.sport = (uint16_t)(5000 + tags);
            k.payload_bytes = 30;
            rig_make(r, 4, &k);
            memcpy(r->in.b, rig_mac(k.dst), MAC_BYTES);
            frame_add_tags(&r->in, tags > 1 ? many : many + 1, tags);
            assert_int_equal(rig_outcome_raw(r, 4), allowed ? '5' : '.');
            if (allowed)
                assert_memory_equal(r->out.b, r->in.b, r->in.n);
        }
    }
    /* Nobody has so many. */
    memset(r->in.b + 12, 0, 80);
    for (unsigned t = 0; t < 9; t++)
        store_be16(r->in.b + 12 + 4 * t, 0x8100);
    memcpy(r->in.b, rig_mac(VAULT_HOST(6)), MAC_BYTES);
    memcpy(r->in.b + 6, rig_mac(VAULT_HOST(5)), MAC_BYTES);
    r->in.n = 92;
    assert_int_equal(rig_outcome_raw(r, 4), '.');
    assert_int_equal(rig_dropped(r, DROP_VLAN), 1);
    /* IPv4 that cannot be read is nobody's. */
    struct rig_packet k = SYN(VAULT_HOST(5), VAULT_HOST(6), 22);
    rig_make(r, 4, &k);
    memcpy(r->in.b, rig_mac(k.dst), MAC_BYTES);
    r->in.b[14] = 0x44;
    assert_int_equal(rig_outcome_raw(r, 4), '.');
    assert_int_equal(rig_dropped(r, DROP_IP_HEADER), 1);
}

/* IPv6 for one host in a frame for all is no way round what its MAC would have met. */
static void test_ip6_in_group_frames(void **state)
{
    static const struct {
        int id;
        bool broadcast, tagged;
        uint8_t first; /* of the destination */
        unsigned bytes;
        char outcome;
    } rows[] = {
        {1, false, false, 0xFF, 80, '5'}, {2, false, false, 0xFE, 80, '.'},
        {3, true, false, 0x20, 80, '.'},  {4, true, true, 0x20, 80, '.'},
        {5, false, true, 0xFF, 80, '5'},  {6, false, false, 0xFF, 53, '.'},
        {7, false, false, 0xFF, 54, '5'},
    };
    static const uint8_t group[] = {0x33, 0x33, 0, 0, 0, 1};

    (void)state;
    for (unsigned filtered = 0; filtered < 2; filtered++) {
        rules_rig_configure();
        if (filtered)
            segment(VAULT, VAULT_HOST(5), VAULT_HOST(6));
        rules_rig_start();
        for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
            size_t at = rows[i].tagged ? 16 : 12;
            memset(r->in.b, 0, 80);
            memcpy(r->in.b, group, MAC_BYTES);
            if (rows[i].broadcast)
                memset(r->in.b, 0xFF, MAC_BYTES);
            memcpy(r->in.b + 6, rig_mac(VAULT_HOST(6)), MAC_BYTES);
            store_be16(r->in.b + 12, 0x8100);
            store_be16(r->in.b + at, 0x86DD);
            r->in.b[at + 2 + 24] = rows[i].first;
            r->in.n = rows[i].bytes;
            char got = rig_outcome_raw(r, 4);
            if (got != (filtered ? rows[i].outcome : '5'))
                fail_msg("row %d, filtered %u: '%c'", rows[i].id, filtered, got);
        }
        rig_stop(r);
    }
    rules_rig_start();
}

/* Errors pass about what passed, other ICMP if the rules let it. */
static void test_icmp(void **state)
{
    struct rig_packet dns = UDP(RIG_HOST(6), RIG_HOST(5), 53);
    struct rig_packet error = {.src = RIG_HOST(5),
                               .dst = RIG_HOST(6),
                               .proto = IP_PROTO_ICMP,
                               .icmp_type = 3,
                               .payload_bytes = 28};
    struct rig_packet stamp = {
        .src = RIG_HOST(5), .dst = RIG_HOST(6), .proto = IP_PROTO_ICMP, .icmp_type = 13};

    (void)state;
    rule_add(RULE_DENY, where_host(LAN, RIG_HOST(5)), where_host(LAN, RIG_HOST(6)));
    rules_rig_start();
    for (unsigned known = 0; known < 2; known++) {
        if (known)
            assert_int_equal(rig_switched(r, 2, &dns), '1');
        else
            rig_make(r, 2, &dns);
        uint8_t quoted[28];
        memcpy(quoted, r->in.b + 14, sizeof(quoted));
        rig_make(r, 1, &error);
        memcpy(r->in.b, rig_mac(RIG_HOST(6)), MAC_BYTES);
        store_be32(r->in.b + r->in.l4 + 4, 0);
        memcpy(r->in.b + r->in.payload, quoted, sizeof(quoted));
        frame_fix_l4_csum(&r->in);
        assert_int_equal(rig_outcome_raw(r, 1), known ? '2' : '.');
    }
    assert_int_equal(rig_dropped(r, DROP_NO_MAPPING), 1);
    assert_int_equal(rig_switched(r, 1, &stamp), '.');
    assert_int_equal(rig_dropped(r, DROP_POLICY), 1);
    stamp.src = RIG_HOST(6);
    stamp.dst = RIG_HOST(5);
    assert_int_equal(rig_switched(r, 2, &stamp), '1');
}

/* The router is no way round a rule inside, nor round isolation. */
static void test_by_the_router(void **state)
{
    struct rig_packet ssh = SYN(RIG_HOST(5), RIG_HOST(6), 22);
    struct rig_packet web = SYN(RIG_HOST(5), RIG_HOST(6), 80);
    struct rig_packet udp = UDP(RIG_HOST(6), RIG_HOST(5), 80);
    struct rig_packet out = UDP(RIG_HOST(6), RIG_SERVER, 80);

    (void)state;
    segment(LAN, RIG_HOST(5), RIG_HOST(6));
    rules_rig_start();
    assert_int_equal(rig_outcome(r, 1, &ssh), '2');
    assert_int_equal(rig_outcome(r, 1, &web), 'e');
    assert_int_equal(rig_outcome(r, 2, &udp), '.');
    assert_int_equal(rig_switched(r, 1, &ssh), '2'); /* the same conversation */
    assert_int_equal(rig_outcome(r, 2, &out), '0');
    rig_stop(r);

    rules_rig_configure();
    rules_config.nets[LAN].isolate = true;
    rules_rig_start();
    assert_int_equal(rig_outcome(r, 1, &ssh), 'e');
    assert_int_equal(rig_dropped(r, DROP_POLICY), 1);
    assert_int_equal(rig_outcome(r, 2, &out), '0');
}

/* A conversation that was switched to a gateway of the hosts' own is no conversation of the
 * router's, though all addresses are the same. */
static void test_is_apart(void **state)
{
    struct rig_packet k = UDP(RIG_HOST(5), RIG_SERVER, 80);

    (void)state;
    segment(LAN, RIG_HOST(5), RIG_HOST(6));
    rules_rig_start();
    rig_make(r, 1, &k);
    memcpy(r->in.b, rig_mac(RIG_HOST(6)), MAC_BYTES);
    assert_int_equal(rig_outcome_raw(r, 1), '2');
    assert_int_equal(rig_outcome(r, 1, &k), '0');
    assert_int_equal(rig_out_src(r), RIG_OUTSIDE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, rules_rig_setup, rules_rig_teardown)
        TEST(test_conversations), TEST(test_other_frames),  TEST(test_ip6_in_group_frames),
        TEST(test_icmp),          TEST(test_by_the_router), TEST(test_is_apart),
    };
    return cmocka_run_group_tests_name("dataplane_rules_inside", tests, NULL, NULL);
}
