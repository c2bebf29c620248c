/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules and reachability (net/rules.h) of random configurations against the naive evaluator, packet
 * by packet: single decisions, and what is said about all packets between two ends at once.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/flow_table.h"
#include "net/hash.h"
#include "tests/model/naive_rules.h"

static struct config cfg;

static uint64_t seed = 1;

static uint32_t roll(uint32_t n)
{
    seed = hash_mix(seed + 0x9E3779B97F4A7C15u, 0xD1B54A32D192ED03u);
    return (uint32_t)(seed >> 33) % n;
}

/* Few enough that rules, subnets and packets meet often. */
static be32 roll_address(void)
{
    static const be32 edges[] = {0, BE_IP4(255, 255, 255, 255), BE_IP4(224, 0, 0, 251)};
    if (roll(16) == 0)
        return edges[roll(ARRAY_COUNT(edges))];
    return BE_IP4(10, roll(2), roll(4), roll(8) == 0 ? 255 : roll(4));
}

static struct config_where roll_host(void)
{
    struct config_where w = {.kind = WHERE_ANY};
    const struct config_host *host = &cfg.hosts[roll(MAX(cfg.host_count, 1u))];

    if (cfg.host_count) {
        w = (struct config_where){.kind = WHERE_HOST, .net = host->net, .ip = host->ip};
        memcpy(w.mac, host->mac, MAC_BYTES);
    }
    return w;
}

static struct config_where roll_where(void)
{
    static const uint8_t prefixes[] = {0, 8, 15, 16, 22, 23, 24, 25, 30, 31, 32, 32};
    uint8_t prefix = prefixes[roll(ARRAY_COUNT(prefixes))];

    switch (roll(8)) {
    case 0:
        return (struct config_where){.kind = WHERE_ANY};
    case 1:
        return (struct config_where){.kind = WHERE_UPLINK};
    case 2:
        return (struct config_where){.kind = WHERE_ROUTER};
    case 3:
    case 4:
        return (struct config_where){.kind = WHERE_NET, .net = (uint8_t)roll(cfg.net_count)};
    case 5:
        return roll_host();
    default:
        return (struct config_where){
            .kind = WHERE_CIDR, .ip = roll_address() & prefix_mask(prefix), .prefix = prefix};
    }
}

static void roll_rule(void)
{
    static const uint8_t protos[] = {0, 0, 0, 6, 17, 1, 47};
    struct config_rule *r = &cfg.rules[cfg.rule_count++];

    r->action = (uint8_t)roll(3);
    r->from = roll_where();
    r->to = roll_where();
    r->proto = protos[roll(ARRAY_COUNT(protos))];
    r->log = roll(2);
    r->ports_given = (r->proto == 0 || r->proto == 6 || r->proto == 17) && roll(3) == 0;
    if (!r->ports_given)
        return;
    r->first_port = (uint16_t)(1 + roll(4));
    r->last_port = (uint16_t)(r->first_port + roll(3));
}

static void roll_config(void)
{
    static const uint8_t prefixes[] = {16, 22, 24, 24, 25, 30};

    memset(&cfg, 0, sizeof(cfg));
    cfg.ok = true;
    cfg.net_count = (uint8_t)(1 + roll(5));
    cfg.uplink.present = roll(8) != 0;
    cfg.uplink.silent = roll(8) == 0;
    cfg.uplink.dhcp = roll(2);
    cfg.uplink.ip = cfg.uplink.dhcp ? 0 : BE_IP4(10, 1, 3, 2);
    cfg.uplink.prefix = 30;
    for (unsigned i = 0; i < cfg.net_count; i++) {
        struct config_net *n = &cfg.nets[i];
        n->mode = (uint8_t)roll(NET_MODE_COUNT);
        n->isolate = roll(6) == 0;
        if (!config_mode(n)->has_address)
            continue;
        n->prefix = prefixes[roll(ARRAY_COUNT(prefixes))];
        n->ip = BE_IP4(10, roll(2), roll(4), 1);
    }
    for (unsigned i = roll(4); i > 0; i--) {
        uint8_t n = (uint8_t)roll(cfg.net_count);
        struct config_host *host = &cfg.hosts[cfg.host_count++];
        memcpy(host->mac, (uint8_t[]){0x52, 0x54, 0, 0, 0, (uint8_t)i}, MAC_BYTES);
        host->net = n;
        host->ip = (cfg.nets[n].ip & prefix_mask(cfg.nets[n].prefix)) | BE_IP4(0, 0, 0, 2);
    }
    for (unsigned i = roll(9); i > 0; i--)
        roll_rule();
}

static bool is_of_some_net(be32 ip)
{
    for (unsigned i = 0; i < cfg.net_count; i++)
        if (config_net_has(&cfg.nets[i], ip))
            return true;
    return false;
}

/* An address somebody in the zone can have. */
static be32 roll_home(unsigned zone, bool inside)
{
    be32 ip = roll_address();
    const struct config_net *n = &cfg.nets[zone < cfg.net_count ? zone : 0];

    if (inside)
        return ip;
    if (zone < cfg.net_count && n->ip)
        return (n->ip & prefix_mask(n->prefix)) | (ip & ~prefix_mask(n->prefix));
    if (zone == NETWORK_UPLINK)
        return is_of_some_net(ip) ? BE_IP4(11, 0, 0, roll(4)) : ip;
    if (zone == ZONE_ROUTER) {
        if (roll(4) == 0)
            return roll(2) ? BE_IP4(255, 255, 255, 255) : BE_IP4(224, 0, 0, 1);
        if (roll(3) == 0 && cfg.uplink.present && !cfg.uplink.silent)
            return cfg.uplink.ip ? cfg.uplink.ip : !is_of_some_net(ip) ? ip : BE_IP4(11, 0, 0, 1);
        for (unsigned tries = 0; tries < 8; tries++) {
            n = &cfg.nets[roll(cfg.net_count)];
            if (n->ip)
                return roll(4) ? n->ip : n->ip | ~prefix_mask(n->prefix);
        }
        return BE_IP4(255, 255, 255, 255);
    }
    return ip;
}

static struct rule_packet roll_packet(uint8_t from, uint8_t to)
{
    static const uint8_t protos[] = {6, 17, 1, 47, 89};
    return (struct rule_packet){.from = from,
                                .to = to,
                                .proto = protos[roll(ARRAY_COUNT(protos))],
                                .src = roll_home(from, from == to),
                                .dst = roll_home(to, from == to),
                                .dport = hton16((uint16_t)roll(8))};
}

static void assert_same(struct rule_decision a, struct rule_decision b)
{
    assert_int_equal(a.action, b.action);
    assert_int_equal(a.rule, b.rule);
    assert_int_equal(a.log, b.log);
}

static uint8_t end_zone(unsigned end)
{
    if (end == REACH_ROUTER)
        return ZONE_ROUTER;
    return end == REACH_UPLINK || cfg.nets[end].mode == NET_BRIDGE ? NETWORK_UPLINK : (uint8_t)end;
}

static unsigned nth_end(unsigned i)
{
    return i < cfg.net_count ? i : i == cfg.net_count ? REACH_UPLINK : REACH_ROUTER;
}

/* Now and then one that is nowhere. */
static uint8_t roll_zone(void)
{
    return roll(16) ? end_zone(nth_end(roll(cfg.net_count + 2u))) : (uint8_t)roll(20);
}

static void test_decisions_are_the_naive_ones(void **state)
{
    (void)state;
    unsigned by_rule = 0, allowed = 0;
    for (unsigned i = 0; i < 3000; i++) {
        roll_config();
        for (unsigned n = 0; n < 100; n++) {
            struct rule_packet k = roll_packet(roll_zone(), roll_zone());
            k.forwarded = roll(8) == 0;
            if (roll(8) == 0)
                k.src = roll_address();
            if (roll(8) == 0)
                k.dst = roll_address();
            struct rule_decision d = rules_decide(&cfg, &k);
            assert_same(d, naive_decide(&cfg, &k));
            by_rule += d.rule >= 0;
            allowed += d.action == RULE_ALLOW;
            const uint8_t a[MAC_BYTES] = {0x52, 0x54, 0, 0, 0, (uint8_t)roll(4)};
            const uint8_t b[MAC_BYTES] = {0x52, 0x54, 0, 0, 0, (uint8_t)roll(4)};
            assert_same(rules_decide_macs(&cfg, k.from, a, b),
                        naive_decide_macs(&cfg, k.from, a, b));
        }
    }
    print_message("%u of 300000 by a rule, %u allowed\n", by_rule, allowed);
    assert_true(by_rule > 10000 && allowed > 50000);
}

/* What reach_between() says of the pair against packets, and what rules_touches() and
 * rules_covers() say of its rules. */
static void check_pair(unsigned from, unsigned to, unsigned counts[static 3][2][2])
{
    const uint8_t a = end_zone(from), b = end_zone(to);
    struct reach_answer answer = reach_between(&cfg, from, to);
    bool seen[2] = {false, false};
    bool nothing_is_routed = a != b && ((a < cfg.net_count && !cfg.nets[a].ip) ||
                                        (b < cfg.net_count && !cfg.nets[b].ip));

    for (unsigned n = 0; n < 150; n++) {
        struct rule_packet k = roll_packet(a, b);
        seen[naive_decide(&cfg, &k).action == RULE_ALLOW] = true;
        for (unsigned i = 0; i < cfg.rule_count; i++) {
            if (nothing_is_routed || !naive_matches(&cfg, &cfg.rules[i], &k))
                continue;
            assert_true(rules_touches(&cfg, &cfg.rules[i], a, b));
            for (unsigned j = 0; j < cfg.rule_count; j++)
                if (rules_covers(&cfg, &cfg.rules[j], &cfg.rules[i], a, b))
                    assert_true(naive_matches(&cfg, &cfg.rules[j], &k));
        }
    }
    /* Of a bridge only the switch can tell its own ports from the uplink's. */
    bool ports_apart = from == to && a == NETWORK_UPLINK && from != REACH_UPLINK;
    assert_false(answer.reach == REACH_NONE && seen[true] && !ports_apart);
    assert_false(answer.reach == REACH_ALL && seen[false]);
    assert_true(answer.reach != REACH_SOME || answer.rule >= 0);
    counts[answer.reach][seen[false]][seen[true]]++;
}

static void test_reach_keeps_its_promises(void **state)
{
    (void)state;
    unsigned counts[3][2][2] = {{{0}}};
    for (unsigned i = 0; i < 600; i++) {
        roll_config();
        for (unsigned from = 0; from <= cfg.net_count; from++)
            for (unsigned to = 0; to < cfg.net_count + 2u; to++)
                check_pair(nth_end(from), nth_end(to), counts);
    }
    print_message("none %u, all %u; some: both seen %u, only denied %u, only allowed %u\n",
                  counts[REACH_NONE][1][0], counts[REACH_ALL][0][1], counts[REACH_SOME][1][1],
                  counts[REACH_SOME][1][0], counts[REACH_SOME][0][1]);
    assert_true(counts[REACH_NONE][1][0] > 1000 && counts[REACH_ALL][0][1] > 1000);
    /* An answer that is always "some" would be true as well, and of no use. */
    unsigned vague = counts[REACH_SOME][1][0] + counts[REACH_SOME][0][1];
    assert_true(counts[REACH_SOME][1][1] > 500 && vague < counts[REACH_SOME][1][1] / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions_are_the_naive_ones),
        cmocka_unit_test(test_reach_keeps_its_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
