/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules through the whole dataplane (net/dataplane_rules.c, dataplane_filter.c): about the router,
 * forwards and hairpins; between hosts of one network, switched and sent by the router; their
 * counters and log lines. Who reaches whom by them is in test_dataplane_routed.c.
 *
 *     port 0: uplink 203.0.113.2/24, tcp 8080 -> 192.168.8.10:80
 *     ports 1 2 3: lan, nat, 192.168.8.1/24         ports 4 5: vault, internal
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_base.h"
#include "tests/fake/router_rig.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

#include <string.h>

enum { LAN, VAULT };
#define VAULT_HOST(n) BE_IP4(10, 0, 0, n)
#define BROADCAST     BE_IP4(255, 255, 255, 255)

static struct rig r;
static struct config config;

static void configure(void)
{
    memset(&config, 0, sizeof(config));
    config.ok = true;
    config.port_count = 7;
    config.net_count = 2;
    config.uplink =
        (struct config_uplink){.present = true, .ip = RIG_OUTSIDE, .prefix = 24, .gw = RIG_GATEWAY};
    config.nets[LAN] = (struct config_net){
        .name = "lan", .mode = NET_NAT, .prefix = 24, .ports = 0x0E, .ip = RIG_ROUTER};
    config.nets[VAULT] = (struct config_net){.name = "vault", .mode = NET_INTERNAL, .ports = 0x30};
    config.fwd_count = 1;
    config.fwds[0] = (struct config_fwd){.protocols = CONFIG_TCP,
                                         .net = LAN,
                                         .targets = {RIG_HOST(10)},
                                         .target_count = 1,
                                         .first_port = 8080,
                                         .last_port = 8080,
                                         .target_port = 80};
}

static const struct config_where any = {.kind = WHERE_ANY};
static const struct config_where router = {.kind = WHERE_ROUTER};
static const struct config_where uplink = {.kind = WHERE_UPLINK};
static const struct config_where lan = {.kind = WHERE_NET, .net = LAN};

static struct config_where host(unsigned net, be32 ip)
{
    struct config_where w = {.kind = WHERE_HOST, .net = (uint8_t)net, .ip = ip};
    memcpy(w.mac, rig_mac(ip), MAC_BYTES);
    return w;
}

static struct config_where cidr(be32 ip, uint8_t prefix)
{
    return (struct config_where){.kind = WHERE_CIDR, .ip = ip, .prefix = prefix};
}

static struct config_rule *add(uint8_t action, struct config_where from, struct config_where to)
{
    struct config_rule *rule = &config.rules[config.rule_count++];
    *rule = (struct config_rule){.action = action, .from = from, .to = to};
    return rule;
}

static void to_port(struct config_rule *rule, uint8_t proto, uint16_t port)
{
    rule->proto = proto;
    rule->ports_given = true;
    rule->first_port = rule->last_port = port;
}

static void start(void)
{
    fake_log_clear();
    rig_start_config(&r, &config, 0);
    rig_appear(&r, 1, RIG_HOST(5));
    rig_appear(&r, 2, RIG_HOST(6));
    rig_appear(&r, 3, RIG_HOST(10));
    rig_appear(&r, 4, VAULT_HOST(5));
    rig_appear(&r, 5, VAULT_HOST(6));
    rig_flush(&r);
}

static int setup(void **state)
{
    (void)state;
    configure();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

/* Lets r.in in, and says what became of it: the port it left by, s: the stack has it, e: an answer
 * of the router's went back, 2: it left by several, .: nothing. */
static char outcome_raw(unsigned in)
{
    char port = '.';

    rig_input_raw(&r, in);
    rig_step(&r);
    if (r.delivered_count)
        port = 's';
    for (unsigned i = 0; i < config.port_count; i++)
        if (rig_output(&r, i))
            port = port != '.' ? '2' : i == in ? 'e' : (char)('0' + i);
    if (rig_flush(&r) > 0)
        port = '2';
    return port;
}

static char outcome(unsigned in, const struct rig_packet *k)
{
    rig_make(&r, in, k);
    return outcome_raw(in);
}

/* The same from station to station. */
static char switched(unsigned in, const struct rig_packet *k)
{
    rig_make(&r, in, k);
    memcpy(r.in.b, rig_mac(k->dst), MAC_BYTES);
    memcpy(r.in.b + 6, rig_mac(k->src), MAC_BYTES);
    return outcome_raw(in);
}

#define UDP(from, to, port)                                                                        \
    {                                                                                              \
        .src = from, .dst = to, .sport = 4000, .dport = port                                       \
    }
#define SYN(from, to, port)                                                                        \
    {                                                                                              \
        .src = from, .dst = to, .sport = 4000, .dport = port, .proto = IP_PROTO_TCP,               \
        .tcp_flags = TCP_SYN                                                                       \
    }
#define PING(from, to)                                                                             \
    {                                                                                              \
        .src = from, .dst = to, .sport = 4000, .proto = IP_PROTO_ICMP, .payload_bytes = 40         \
    }

/* ---- the router itself ---- */

static void test_to_router(void **state)
{
    static const struct {
        int id;
        unsigned in;
        struct rig_packet k;
        char without, with;
    } rows[] = {
        {1, 1, UDP(RIG_HOST(5), RIG_ROUTER, 53), 's', 's'}, /* rule 1 */
        {2, 1, SYN(RIG_HOST(5), RIG_ROUTER, 53), 's', 'e'}, /* rule 2 */
        {3, 1, PING(RIG_HOST(5), RIG_ROUTER), 's', '.'},    /* rule 3 */
        {4, 1, PING(RIG_HOST(5), RIG_OUTSIDE), 's', '.'},
        {5, 1, UDP(RIG_HOST(5), RIG_ROUTER, 80), 's', '.'},
        {6, 1, {.src = RIG_HOST(5), .dst = RIG_ROUTER, .sport = 68, .dport = 67}, 's', 's'},
        {7, 0, PING(RIG_SERVER, RIG_OUTSIDE), 's', 'e'}, /* rule 4 */
        {8, 0, PING(BE_IP4(198, 51, 100, 8), RIG_OUTSIDE), 's', 's'},
        {9, 0, UDP(RIG_SERVER, RIG_OUTSIDE, 999), 's', 's'}, /* an answer to the router */
        {10, 1, UDP(RIG_HOST(5), RIG_SERVER, 80), '0', '0'}, /* not to the router */
    };

    (void)state;
    for (unsigned with = 0; with < 2; with++) {
        configure();
        if (with) {
            to_port(add(RULE_ALLOW, lan, router), IP_PROTO_UDP, 53);
            add(RULE_REJECT, lan, router)->proto = IP_PROTO_TCP;
            add(RULE_DENY, lan, router);
            add(RULE_REJECT, cidr(RIG_SERVER, 32), router);
        }
        start();
        assert_true(dataplane_reserve_this_port(r.dp, IP_PROTO_UDP, BE16(999)));
        for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
            char got = outcome(rows[i].in, &rows[i].k);
            if (got != (with ? rows[i].with : rows[i].without))
                fail_msg("row %d, with rules %u: '%c'", rows[i].id, with, got);
        }
        struct rig_packet discover = {
            .src = 0, .dst = BROADCAST, .sport = 68, .dport = 67, .broadcast = true};
        rig_input(&r, 1, &discover);
        rig_step(&r);
        assert_int_equal(r.delivered_count, 1);
        if (!with)
            rig_stop(&r);
    }
}

/* Fragments to the router follow their first one. */
static void test_fragments_to_router(void **state)
{
    struct rig_packet first = UDP(RIG_HOST(5), RIG_ROUTER, 53), later;

    (void)state;
    to_port(add(RULE_ALLOW, lan, router), IP_PROTO_UDP, 53);
    add(RULE_DENY, any, router);
    start();
    first.payload_bytes = 40;
    first.frag = 0x2000;
    later = first;
    later.frag = 6;
    assert_int_equal(outcome(1, &later), '.'); /* waits */
    assert_int_equal(rig_dropped_in_all(&r), 0);
    assert_int_equal(outcome(1, &first), 's');
    assert_int_equal(outcome(1, &first), 's');
    assert_int_equal(outcome(1, &later), 's');
    first.dport = 54;
    assert_int_equal(outcome(1, &later), '.');
    assert_int_equal(outcome(1, &first), '.');
    rig_pass(&r, 3000, 500);
    assert_int_equal(rig_dropped(&r, DROP_FRAGMENT_ALONE), 1);
    struct rig_packet ping = PING(RIG_SERVER, RIG_OUTSIDE);
    ping.frag = 0x2000;
    assert_int_equal(outcome(0, &ping), '.');
    ping.frag = 6;
    assert_int_equal(outcome(0, &ping), '.');
}

/* ---- forwards ---- */

static void test_forwards(void **state)
{
    static const struct {
        int id;
        uint8_t action;
        struct config_where from, to;
        uint16_t port;
        char from_outside, hairpin;
    } rows[] = {
        {1, RULE_ALLOW, {0}, {0}, 0, '3', '3'},
        {2, RULE_DENY, {.kind = WHERE_UPLINK}, {.kind = WHERE_NET, .net = LAN}, 0, '.', '.'},
        /* The target's port, not the one outside. */
        {3, RULE_REJECT, {.kind = WHERE_UPLINK}, {0}, 80, 'e', '.'},
        {4, RULE_REJECT, {.kind = WHERE_UPLINK}, {0}, 8080, '3', '3'},
        {5, RULE_DENY, {.kind = WHERE_CIDR, .ip = RIG_SERVER, .prefix = 32}, {0}, 0, '.', '3'},
        {6, RULE_DENY, {0}, {.kind = WHERE_CIDR, .ip = RIG_HOST(10), .prefix = 32}, 0, '.', '.'},
        {7, RULE_DENY, {0}, {.kind = WHERE_ROUTER}, 0, '3', '3'},
        /* A hairpin goes out first. */
        {8, RULE_DENY, {.kind = WHERE_NET, .net = LAN}, {.kind = WHERE_UPLINK}, 0, '3', '.'},
        {9, RULE_REJECT, {.kind = WHERE_NET, .net = LAN}, {.kind = WHERE_UPLINK}, 0, '3', 'e'},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct rig_packet in = SYN(RIG_SERVER, RIG_OUTSIDE, 8080);
        struct rig_packet pin = SYN(RIG_HOST(5), RIG_OUTSIDE, 8080);
        struct dataplane_totals t;
        configure();
        struct config_rule *rule = add(rows[i].action, rows[i].from, rows[i].to);
        if (rows[i].port)
            to_port(rule, IP_PROTO_TCP, rows[i].port);
        start();
        char got = outcome(0, &in);
        if (got != rows[i].from_outside)
            fail_msg("row %d: from outside '%c'", rows[i].id, got);
        dataplane_totals(r.dp, &t);
        assert_int_equal(t.flows_live, got == '3');
        got = outcome(1, &pin);
        if (got != rows[i].hairpin)
            fail_msg("row %d: hairpin '%c'", rows[i].id, got);
        rig_stop(&r);
    }
}

/* A mapping that a host has opened is no way round a rule either. */
static void test_mappings(void **state)
{
    struct rig_packet out = UDP(RIG_HOST(5), RIG_SERVER, 53);
    struct rig_packet other = UDP(BE_IP4(198, 51, 100, 99), RIG_OUTSIDE, 0);
    struct rig_packet answer = UDP(RIG_SERVER, RIG_OUTSIDE, 0);

    (void)state;
    add(RULE_DENY, cidr(BE_IP4(198, 51, 100, 0), 24), lan);
    start();
    assert_int_equal(outcome(1, &out), '0');
    other.dport = answer.dport = rig_out_sport(&r);
    answer.sport = 53;
    assert_int_equal(outcome(0, &other), '.');
    assert_int_equal(rig_dropped(&r, DROP_POLICY), 1);
    assert_int_equal(outcome(0, &answer), '1');
    other.src = BE_IP4(198, 51, 101, 99);
    assert_int_equal(outcome(0, &other), '1');
}

static void keep_line(const char *text)
{
    log_info("%s", text);
}

/* Ports and protocols of the way out, first match wins, known conversations are not asked about. */
static void test_to_uplink(void **state)
{
    struct rig_packet https = SYN(RIG_HOST(5), RIG_SERVER, 443);
    struct rig_packet smtp = SYN(RIG_HOST(5), RIG_SERVER, 25);
    struct rig_packet relay = SYN(RIG_HOST(6), RIG_SERVER, 25);
    struct rig_packet ping = PING(RIG_HOST(5), RIG_SERVER);

    (void)state;
    to_port(add(RULE_ALLOW, host(LAN, RIG_HOST(6)), uplink), IP_PROTO_TCP, 25);
    to_port(add(RULE_REJECT, lan, uplink), IP_PROTO_TCP, 25);
    add(RULE_DENY, lan, uplink)->proto = IP_PROTO_ICMP;
    start();
    assert_int_equal(outcome(1, &https), '0');
    assert_int_equal(outcome(1, &smtp), 'e');
    assert_int_equal(r.out.b[14 + 9], IP_PROTO_TCP);
    assert_int_equal(outcome(2, &relay), '0');
    assert_int_equal(outcome(1, &ping), '.');
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(outcome(2, &relay), '0');
    fake_log_clear();
    dataplane_print_status(r.dp, keep_line);
    assert_true(fake_log_has("rule 1 hits 1"));
    assert_true(fake_log_has("rule 2 hits 1"));
    assert_true(fake_log_has("rule 3 hits 1"));
    assert_true(fake_log_has("tcp-resets sent 1"));
}

/* ---- inside a network ---- */

/* Between hosts 5 and 6 of a network: 5 may open to port 22 of 6, nothing else of TCP and UDP; no
 * pings from 6; and what is not IPv4 not from 6 to 5. */
static void segment(unsigned net, be32 five, be32 six)
{
    to_port(add(RULE_ALLOW, host(net, five), host(net, six)), IP_PROTO_TCP, 22);
    add(RULE_REJECT, host(net, five), host(net, six))->proto = IP_PROTO_TCP;
    add(RULE_REJECT, host(net, five), host(net, six))->proto = IP_PROTO_UDP;
    add(RULE_DENY, host(net, six), host(net, five));
}

static void test_inside(void **state)
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

        configure();
        segment(nets[i].net, five, six);
        start();
        assert_int_equal(switched(b, &answer), '.');
        assert_int_equal(switched(a, &ssh), to_b);
        assert_memory_equal(r.out.b, r.in.b, r.in.n);
        assert_int_equal(switched(b, &answer), to_a);
        assert_memory_equal(r.out.b, r.in.b, r.in.n);
        assert_int_equal(switched(a, &web), 'e');
        assert_int_equal(r.out.b[14 + 9], IP_PROTO_TCP);
        assert_int_equal(rig_out_src(&r), six);
        assert_memory_equal(r.out.b, rig_mac(five), MAC_BYTES);
        assert_memory_equal(r.out.b + 6, rig_mac(six), MAC_BYTES);
        assert_int_equal(switched(a, &dns), 'e');
        assert_int_equal(r.out.b[14 + 9], IP_PROTO_ICMP);
        assert_int_equal(rig_out_src(&r), nets[i].net == LAN ? RIG_ROUTER : six);
        assert_int_equal(r.out.b[r.out.l4 + 1], 13);
        assert_int_equal(switched(b, &back), '.');
        assert_int_equal(switched(a, &ping), to_b);
        assert_int_equal(switched(b, &pong), to_a);
        assert_int_equal(switched(b, &reverse), '.');

        /* A later fragment follows its first one. */
        assert_int_equal(switched(a, &ping), to_b);
        ping.frag = 0x2000;
        assert_int_equal(switched(a, &ping), to_b);
        ping.frag = 6;
        assert_int_equal(switched(a, &ping), to_b);
        ping.src = VAULT_HOST(99);
        assert_int_equal(switched(a, &ping), '.');
        rig_stop(&r);
    }
    start();
}

/* What is not IPv4, and what hides behind tags. */
static void test_inside_other_frames(void **state)
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

    (void)state;
    segment(VAULT, VAULT_HOST(5), VAULT_HOST(6));
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        size_t at = 12;
        memset(r.in.b, 0, 80);
        memcpy(r.in.b, rig_mac(rows[i].from_six ? VAULT_HOST(5) : VAULT_HOST(6)), MAC_BYTES);
        memcpy(r.in.b + 6, rig_mac(rows[i].from_six ? VAULT_HOST(6) : VAULT_HOST(5)), MAC_BYTES);
        for (unsigned k = 0; k < 4 && rows[i].types[k]; k++, at += 4)
            store_be16(r.in.b + at, rows[i].types[k]);
        r.in.n = 80;
        char got = outcome_raw(rows[i].from_six ? 5 : 4);
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
            rig_make(&r, 4, &k);
            memcpy(r.in.b, rig_mac(k.dst), MAC_BYTES);
            memmove(r.in.b + 12 + 4 * tags, r.in.b + 12, r.in.n - 12);
            for (unsigned t = 0; t < tags; t++) {
                store_be16(r.in.b + 12 + 4 * t, t == 0 && tags > 1 ? 0x88A8 : 0x8100);
                store_be16(r.in.b + 14 + 4 * t, 0x6000);
            }
            r.in.n += 4 * tags;
            assert_int_equal(outcome_raw(4), allowed ? '5' : '.');
            if (allowed)
                assert_memory_equal(r.out.b, r.in.b, r.in.n);
        }
    }
    /* Nobody has so many. */
    memset(r.in.b + 12, 0, 80);
    for (unsigned t = 0; t < 9; t++)
        store_be16(r.in.b + 12 + 4 * t, 0x8100);
    memcpy(r.in.b, rig_mac(VAULT_HOST(6)), MAC_BYTES);
    memcpy(r.in.b + 6, rig_mac(VAULT_HOST(5)), MAC_BYTES);
    r.in.n = 92;
    assert_int_equal(outcome_raw(4), '.');
    assert_int_equal(rig_dropped(&r, DROP_VLAN), 1);
    /* IPv4 that cannot be read is nobody's. */
    struct rig_packet k = SYN(VAULT_HOST(5), VAULT_HOST(6), 22);
    rig_make(&r, 4, &k);
    memcpy(r.in.b, rig_mac(k.dst), MAC_BYTES);
    r.in.b[14] = 0x44;
    assert_int_equal(outcome_raw(4), '.');
    assert_int_equal(rig_dropped(&r, DROP_IP_HEADER), 1);
}

/* IPv6 for one host in a frame for all is no way round what its MAC would have met. */
static void test_inside_ip6_in_group_frames(void **state)
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
        configure();
        if (filtered)
            segment(VAULT, VAULT_HOST(5), VAULT_HOST(6));
        start();
        for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
            size_t at = rows[i].tagged ? 16 : 12;
            memset(r.in.b, 0, 80);
            memcpy(r.in.b, group, MAC_BYTES);
            if (rows[i].broadcast)
                memset(r.in.b, 0xFF, MAC_BYTES);
            memcpy(r.in.b + 6, rig_mac(VAULT_HOST(6)), MAC_BYTES);
            store_be16(r.in.b + 12, 0x8100);
            store_be16(r.in.b + at, 0x86DD);
            r.in.b[at + 2 + 24] = rows[i].first;
            r.in.n = rows[i].bytes;
            char got = outcome_raw(4);
            if (got != (filtered ? rows[i].outcome : '5'))
                fail_msg("row %d, filtered %u: '%c'", rows[i].id, filtered, got);
        }
        rig_stop(&r);
    }
    start();
}

/* Errors pass about what passed, other ICMP if the rules let it. */
static void test_inside_icmp(void **state)
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
    add(RULE_DENY, host(LAN, RIG_HOST(5)), host(LAN, RIG_HOST(6)));
    start();
    for (unsigned known = 0; known < 2; known++) {
        if (known)
            assert_int_equal(switched(2, &dns), '1');
        else
            rig_make(&r, 2, &dns);
        uint8_t quoted[28];
        memcpy(quoted, r.in.b + 14, sizeof(quoted));
        rig_make(&r, 1, &error);
        memcpy(r.in.b, rig_mac(RIG_HOST(6)), MAC_BYTES);
        store_be32(r.in.b + r.in.l4 + 4, 0);
        memcpy(r.in.b + r.in.payload, quoted, sizeof(quoted));
        frame_fix_l4_csum(&r.in);
        assert_int_equal(outcome_raw(1), known ? '2' : '.');
    }
    assert_int_equal(rig_dropped(&r, DROP_NO_MAPPING), 1);
    assert_int_equal(switched(1, &stamp), '.');
    assert_int_equal(rig_dropped(&r, DROP_POLICY), 1);
    stamp.src = RIG_HOST(6);
    stamp.dst = RIG_HOST(5);
    assert_int_equal(switched(2, &stamp), '1');
}

/* The router is no way round a rule inside, nor round isolation. */
static void test_inside_by_the_router(void **state)
{
    struct rig_packet ssh = SYN(RIG_HOST(5), RIG_HOST(6), 22);
    struct rig_packet web = SYN(RIG_HOST(5), RIG_HOST(6), 80);
    struct rig_packet udp = UDP(RIG_HOST(6), RIG_HOST(5), 80);
    struct rig_packet out = UDP(RIG_HOST(6), RIG_SERVER, 80);

    (void)state;
    segment(LAN, RIG_HOST(5), RIG_HOST(6));
    start();
    assert_int_equal(outcome(1, &ssh), '2');
    assert_int_equal(outcome(1, &web), 'e');
    assert_int_equal(outcome(2, &udp), '.');
    assert_int_equal(switched(1, &ssh), '2'); /* the same conversation */
    assert_int_equal(outcome(2, &out), '0');
    rig_stop(&r);

    configure();
    config.nets[LAN].isolate = true;
    start();
    assert_int_equal(outcome(1, &ssh), 'e');
    assert_int_equal(rig_dropped(&r, DROP_POLICY), 1);
    assert_int_equal(outcome(2, &out), '0');
}

/* A conversation that was switched to a gateway of the hosts' own is no conversation of the
 * router's, though all addresses are the same. */
static void test_inside_is_apart(void **state)
{
    struct rig_packet k = UDP(RIG_HOST(5), RIG_SERVER, 80);

    (void)state;
    segment(LAN, RIG_HOST(5), RIG_HOST(6));
    start();
    rig_make(&r, 1, &k);
    memcpy(r.in.b, rig_mac(RIG_HOST(6)), MAC_BYTES);
    assert_int_equal(outcome_raw(1), '2');
    assert_int_equal(outcome(1, &k), '0');
    assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
}

/* ---- the log ---- */

static void test_log_lines(void **state)
{
    struct rig_packet ssh = SYN(RIG_HOST(5), RIG_HOST(6), 22);
    struct rig_packet web = SYN(RIG_HOST(5), RIG_SERVER, 80);
    struct rig_packet ping = PING(RIG_HOST(5), RIG_SERVER);
    struct rig_packet gre = {.src = RIG_HOST(5), .dst = RIG_SERVER, .proto = 47};
    struct rig_packet dns = UDP(RIG_HOST(5), RIG_ROUTER, 53);
    struct rig_packet in = SYN(RIG_SERVER, RIG_OUTSIDE, 8080);

    (void)state;
    add(RULE_ALLOW, host(LAN, RIG_HOST(5)), host(LAN, RIG_HOST(6)))->log = true;
    to_port(add(RULE_ALLOW, lan, uplink), IP_PROTO_TCP, 80);
    config.rules[1].log = true;
    add(RULE_DENY, lan, uplink)->log = true;
    add(RULE_REJECT, lan, router)->log = true;
    add(RULE_ALLOW, uplink, lan)->log = true;
    start();
    switched(1, &ssh);
    assert_true(fake_log_has("rule 1 allow lan 192.168.8.5:4000 -> lan 192.168.8.6:22 tcp"));
    outcome(1, &web);
    assert_true(fake_log_has("rule 2 allow lan 192.168.8.5:4000 -> uplink 198.51.100.7:80 tcp"));
    outcome(1, &ping);
    assert_true(fake_log_has("rule 3 deny  lan 192.168.8.5 -> uplink 198.51.100.7 icmp"));
    outcome(1, &gre);
    assert_true(fake_log_has("rule 3 deny  lan 192.168.8.5 -> uplink 198.51.100.7 protocol 47"));
    outcome(1, &dns);
    assert_true(fake_log_has("rule 4 reject lan 192.168.8.5:4000 -> router 192.168.8.1:53 udp"));
    outcome(0, &in);
    assert_true(fake_log_has("rule 5 allow uplink 198.51.100.7:4000 -> lan 192.168.8.10:80 tcp"));

    /* Known conversations are silent, and refused ones say so once a minute. */
    fake_log_clear();
    switched(1, &ssh);
    outcome(1, &web);
    outcome(1, &ping);
    outcome(1, &dns);
    assert_false(fake_log_has("rule"));
    r.now_us += 61 * 1000000ull;
    outcome(1, &ping);
    assert_true(fake_log_has("rule 3 deny"));
}

/* A flood of refusals is a few lines and a number. */
static void test_log_rate(void **state)
{
    struct rig_packet k = UDP(RIG_HOST(5), RIG_SERVER, 0);

    (void)state;
    add(RULE_DENY, lan, uplink)->log = true;
    start();
    for (uint16_t i = 0; i < 100; i++) {
        k.dport = 1000 + i;
        outcome(1, &k);
    }
    assert_int_equal(fake_log_count, 20);
    assert_true(fake_log_has("rule 1 deny"));
    assert_false(fake_log_has("more not shown"));
    r.now_us += 1000000;
    rig_step(&r);
    assert_true(fake_log_has("rules: 80 more not shown"));
    k.dport = 5000;
    outcome(1, &k);
    assert_int_equal(fake_log_count, 22);
    rig_pass(&r, 3000, 500);
    assert_int_equal(fake_log_count, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_to_router, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fragments_to_router, setup, teardown),
        cmocka_unit_test(test_forwards),
        cmocka_unit_test_setup_teardown(test_mappings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_to_uplink, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inside_other_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inside_ip6_in_group_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inside_icmp, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inside_by_the_router, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inside_is_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_rate, setup, teardown),
    };
    return cmocka_run_group_tests_name("dataplane_rules", tests, NULL, NULL);
}
