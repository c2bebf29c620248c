/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules through the whole dataplane (net/dataplane_rules.c): about the router, forwards and
 * hairpins; their counters and log lines. Those between hosts of one network are in
 * test_dataplane_rules_inside.c; who reaches whom by them is in test_dataplane_routed.c. See
 * rules_rig.h for the topology.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_base.h"
#include "tests/fake/rules_rig.h"
#include "net/wire/ip4.h"

#define BROADCAST BE_IP4(255, 255, 255, 255)

static struct rig *const r = &rules_rig;

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
        rules_rig_configure();
        if (with) {
            rule_for_port(rule_add(RULE_ALLOW, where_lan, where_router), IP_PROTO_UDP, 53);
            rule_add(RULE_REJECT, where_lan, where_router)->proto = IP_PROTO_TCP;
            rule_add(RULE_DENY, where_lan, where_router);
            rule_add(RULE_REJECT, where_cidr(RIG_SERVER, 32), where_router);
        }
        rules_rig_start();
        assert_true(dataplane_reserve_this_port(r->dp, IP_PROTO_UDP, BE16(999)));
        for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
            char got = rig_outcome(r, rows[i].in, &rows[i].k);
            if (got != (with ? rows[i].with : rows[i].without))
                fail_msg("row %d, with rules %u: '%c'", rows[i].id, with, got);
        }
        struct rig_packet discover = {
            .src = 0, .dst = BROADCAST, .sport = 68, .dport = 67, .broadcast = true};
        rig_input(r, 1, &discover);
        rig_step(r);
        assert_int_equal(r->delivered_count, 1);
        if (!with)
            rig_stop(r);
    }
}

/* Fragments to the router follow their first one. */
static void test_fragments_to_router(void **state)
{
    struct rig_packet first = UDP(RIG_HOST(5), RIG_ROUTER, 53), later;

    (void)state;
    rule_for_port(rule_add(RULE_ALLOW, where_lan, where_router), IP_PROTO_UDP, 53);
    rule_add(RULE_DENY, where_any, where_router);
    rules_rig_start();
    first.payload_bytes = 40;
    first.frag = 0x2000;
    later = first;
    later.frag = 6;
    assert_int_equal(rig_outcome(r, 1, &later), '.'); /* waits */
    assert_int_equal(rig_dropped_in_all(r), 0);
    assert_int_equal(rig_outcome(r, 1, &first), 's');
    assert_int_equal(rig_outcome(r, 1, &first), 's');
    assert_int_equal(rig_outcome(r, 1, &later), 's');
    first.dport = 54;
    assert_int_equal(rig_outcome(r, 1, &later), '.');
    assert_int_equal(rig_outcome(r, 1, &first), '.');
    rig_pass(r, 3000, 500);
    assert_int_equal(rig_dropped(r, DROP_FRAGMENT_ALONE), 1);
    struct rig_packet ping = PING(RIG_SERVER, RIG_OUTSIDE);
    ping.frag = 0x2000;
    assert_int_equal(rig_outcome(r, 0, &ping), '.');
    ping.frag = 6;
    assert_int_equal(rig_outcome(r, 0, &ping), '.');
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
        rules_rig_configure();
        struct config_rule *rule = rule_add(rows[i].action, rows[i].from, rows[i].to);
        if (rows[i].port)
            rule_for_port(rule, IP_PROTO_TCP, rows[i].port);
        rules_rig_start();
        char got = rig_outcome(r, 0, &in);
        if (got != rows[i].from_outside)
            fail_msg("row %d: from outside '%c'", rows[i].id, got);
        dataplane_totals(r->dp, &t);
        assert_int_equal(t.flows_live, got == '3');
        got = rig_outcome(r, 1, &pin);
        if (got != rows[i].hairpin)
            fail_msg("row %d: hairpin '%c'", rows[i].id, got);
        rig_stop(r);
    }
}

/* A mapping that a host has opened is no way round a rule either. */
static void test_mappings(void **state)
{
    struct rig_packet out = UDP(RIG_HOST(5), RIG_SERVER, 53);
    struct rig_packet other = UDP(BE_IP4(198, 51, 100, 99), RIG_OUTSIDE, 0);
    struct rig_packet answer = UDP(RIG_SERVER, RIG_OUTSIDE, 0);

    (void)state;
    rule_add(RULE_DENY, where_cidr(BE_IP4(198, 51, 100, 0), 24), where_lan);
    rules_rig_start();
    assert_int_equal(rig_outcome(r, 1, &out), '0');
    other.dport = answer.dport = rig_out_sport(r);
    answer.sport = 53;
    assert_int_equal(rig_outcome(r, 0, &other), '.');
    assert_int_equal(rig_dropped(r, DROP_POLICY), 1);
    assert_int_equal(rig_outcome(r, 0, &answer), '1');
    other.src = BE_IP4(198, 51, 101, 99);
    assert_int_equal(rig_outcome(r, 0, &other), '1');
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
    rule_for_port(rule_add(RULE_ALLOW, where_host(LAN, RIG_HOST(6)), where_uplink), IP_PROTO_TCP,
                  25);
    rule_for_port(rule_add(RULE_REJECT, where_lan, where_uplink), IP_PROTO_TCP, 25);
    rule_add(RULE_DENY, where_lan, where_uplink)->proto = IP_PROTO_ICMP;
    rules_rig_start();
    assert_int_equal(rig_outcome(r, 1, &https), '0');
    assert_int_equal(rig_outcome(r, 1, &smtp), 'e');
    assert_int_equal(r->out.b[14 + 9], IP_PROTO_TCP);
    assert_int_equal(rig_outcome(r, 2, &relay), '0');
    assert_int_equal(rig_outcome(r, 1, &ping), '.');
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(rig_outcome(r, 2, &relay), '0');
    fake_log_clear();
    dataplane_print_status(r->dp, keep_line);
    assert_true(fake_log_has("rule 1 hits 1"));
    assert_true(fake_log_has("rule 2 hits 1"));
    assert_true(fake_log_has("rule 3 hits 1"));
    assert_true(fake_log_has("tcp-resets sent 1"));
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
    rule_add(RULE_ALLOW, where_host(LAN, RIG_HOST(5)), where_host(LAN, RIG_HOST(6)))->log = true;
    rule_for_port(rule_add(RULE_ALLOW, where_lan, where_uplink), IP_PROTO_TCP, 80);
    rules_config.rules[1].log = true;
    rule_add(RULE_DENY, where_lan, where_uplink)->log = true;
    rule_add(RULE_REJECT, where_lan, where_router)->log = true;
    rule_add(RULE_ALLOW, where_uplink, where_lan)->log = true;
    rules_rig_start();
    rig_switched(r, 1, &ssh);
    assert_true(fake_log_has("rule 1 allow lan 192.168.8.5:4000 -> lan 192.168.8.6:22 tcp"));
    rig_outcome(r, 1, &web);
    assert_true(fake_log_has("rule 2 allow lan 192.168.8.5:4000 -> uplink 198.51.100.7:80 tcp"));
    rig_outcome(r, 1, &ping);
    assert_true(fake_log_has("rule 3 deny  lan 192.168.8.5 -> uplink 198.51.100.7 icmp"));
    rig_outcome(r, 1, &gre);
    assert_true(fake_log_has("rule 3 deny  lan 192.168.8.5 -> uplink 198.51.100.7 protocol 47"));
    rig_outcome(r, 1, &dns);
    assert_true(fake_log_has("rule 4 reject lan 192.168.8.5:4000 -> router 192.168.8.1:53 udp"));
    rig_outcome(r, 0, &in);
    assert_true(fake_log_has("rule 5 allow uplink 198.51.100.7:4000 -> lan 192.168.8.10:80 tcp"));

    /* Known conversations are silent, and refused ones say so once a minute. */
    fake_log_clear();
    rig_switched(r, 1, &ssh);
    rig_outcome(r, 1, &web);
    rig_outcome(r, 1, &ping);
    rig_outcome(r, 1, &dns);
    assert_false(fake_log_has("rule"));
    r->now_us += 61 * 1000000ull;
    rig_outcome(r, 1, &ping);
    assert_true(fake_log_has("rule 3 deny"));
}

/* A flood of refusals is a few lines and a number. */
static void test_log_rate(void **state)
{
    struct rig_packet k = UDP(RIG_HOST(5), RIG_SERVER, 0);

    (void)state;
    rule_add(RULE_DENY, where_lan, where_uplink)->log = true;
    rules_rig_start();
    for (uint16_t i = 0; i < 100; i++) {
        k.dport = 1000 + i;
        rig_outcome(r, 1, &k);
    }
    assert_int_equal(fake_log_count, 20);
    assert_true(fake_log_has("rule 1 deny"));
    assert_false(fake_log_has("more not shown"));
    r->now_us += 1000000;
    rig_step(r);
    assert_true(fake_log_has("rules: 80 more not shown"));
    k.dport = 5000;
    rig_outcome(r, 1, &k);
    assert_int_equal(fake_log_count, 22);
    rig_pass(r, 3000, 500);
    assert_int_equal(fake_log_count, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, rules_rig_setup, rules_rig_teardown)
        TEST(test_to_router), TEST(test_fragments_to_router), cmocka_unit_test(test_forwards),
        TEST(test_mappings),  TEST(test_to_uplink),           TEST(test_log_lines),
        TEST(test_log_rate),
    };
    return cmocka_run_group_tests_name("dataplane_rules", tests, NULL, NULL);
}
