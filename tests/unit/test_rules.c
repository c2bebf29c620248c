/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules and reachability (net/rules.h): rows for what a person would ask. Random configurations
 * are in test_rules_random.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/flow_table.h"
#include "tests/model/naive_rules.h"

enum { LAN, DEV, LAB, QUIET, ROAD, VMNET0, NETS };
#define UPLINK NETWORK_UPLINK
#define ROUTER ZONE_ROUTER

#define LAN_A  BE_IP4(192, 168, 8, 10)
#define LAN_B  BE_IP4(192, 168, 8, 11)
#define LAN_R  BE_IP4(192, 168, 8, 1)
#define DEV_A  BE_IP4(192, 168, 9, 10)
#define LAB_A  BE_IP4(192, 168, 56, 10)
#define ROAD_A BE_IP4(198, 51, 100, 10)
#define OUT_A  BE_IP4(203, 0, 113, 77)
#define OUT_B  BE_IP4(8, 8, 8, 8)

static struct config cfg;

static void add_net(unsigned i, const char *name, enum net_mode mode, be32 ip, unsigned prefix)
{
    struct config_net *net = &cfg.nets[i];
    snprintf(net->name, sizeof(net->name), "%s", name);
    net->mode = (uint8_t)mode;
    net->ip = ip;
    net->prefix = (uint8_t)prefix;
    net->ports = 2u << i;
}

static void add_host(const char *name, uint8_t net, be32 ip, uint8_t last_mac_byte)
{
    struct config_host *host = &cfg.hosts[cfg.host_count++];
    snprintf(host->name, sizeof(host->name), "%s", name);
    memcpy(host->mac, (uint8_t[]){0x52, 0x54, 0, 0, 0, last_mac_byte}, MAC_BYTES);
    host->net = net;
    host->ip = ip;
}

/* One network of each mode and one more, an uplink, and four machines with names. */
static void make_config(void)
{
    memset(&cfg, 0, sizeof(cfg));
    cfg.ok = true;
    cfg.port_count = 8;
    cfg.net_count = NETS;
    cfg.uplink = (struct config_uplink){
        .present = true, .ip = BE_IP4(203, 0, 113, 2), .prefix = 24, .gw = BE_IP4(203, 0, 113, 1)};
    add_net(LAN, "lan", NET_NAT, LAN_R, 24);
    add_net(DEV, "dev", NET_NAT, BE_IP4(192, 168, 9, 1), 24);
    add_net(LAB, "lab", NET_HOSTONLY, BE_IP4(192, 168, 56, 1), 24);
    add_net(QUIET, "quiet", NET_INTERNAL, 0, 0);
    add_net(ROAD, "road", NET_ROUTED, BE_IP4(198, 51, 100, 1), 24);
    add_net(VMNET0, "vmnet0", NET_BRIDGE, 0, 0);
    add_host("web", LAN, LAN_A, 1);
    add_host("db", LAN, LAN_B, 2);
    add_host("builder", DEV, DEV_A, 3);
    add_host("", LAB, LAB_A, 4);
}

/* ---- writing rules shortly ---- */

static struct config_where any(void)
{
    return (struct config_where){.kind = WHERE_ANY};
}

static struct config_where net(uint8_t n)
{
    return (struct config_where){.kind = WHERE_NET, .net = n};
}

static struct config_where uplink(void)
{
    return (struct config_where){.kind = WHERE_UPLINK};
}

static struct config_where router(void)
{
    return (struct config_where){.kind = WHERE_ROUTER};
}

static struct config_where cidr(be32 ip, uint8_t prefix)
{
    return (struct config_where){.kind = WHERE_CIDR, .ip = ip, .prefix = prefix};
}

static struct config_where host(unsigned i)
{
    struct config_where w = {.kind = WHERE_HOST, .net = cfg.hosts[i].net, .ip = cfg.hosts[i].ip};
    memcpy(w.mac, cfg.hosts[i].mac, MAC_BYTES);
    return w;
}

static struct config_rule *rule(enum config_action action, struct config_where from,
                                struct config_where to)
{
    struct config_rule *r = &cfg.rules[cfg.rule_count++];
    *r = (struct config_rule){.action = (uint8_t)action, .from = from, .to = to};
    return r;
}

static struct config_rule *service(struct config_rule *r, uint8_t proto, uint16_t first,
                                   uint16_t last)
{
    r->proto = proto;
    r->ports_given = first != 0;
    r->first_port = first;
    r->last_port = last;
    return r;
}

/* ---- rows ---- */

struct row {
    unsigned number;
    uint8_t from, to;
    be32 src, dst;
    uint8_t proto;
    uint16_t dport;
    bool forwarded;
    enum config_action action;
    int rule;
};

static void run_rows(const struct row *rows, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        struct rule_packet k = {.from = row->from,
                                .to = row->to,
                                .proto = row->proto,
                                .forwarded = row->forwarded,
                                .src = row->src,
                                .dst = row->dst,
                                .dport = hton16(row->dport)};
        print_message("row %u\n", row->number);
        struct rule_decision d = rules_decide(&cfg, &k), n = naive_decide(&cfg, &k);
        assert_int_equal(d.action, row->action);
        assert_int_equal(d.rule, row->rule);
        assert_int_equal(n.action, row->action);
        assert_int_equal(n.rule, row->rule);
    }
}

#define ALLOW  RULE_ALLOW
#define DENY   RULE_DENY
#define REJECT RULE_REJECT

static void test_defaults_of_the_modes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, LAN, UPLINK, LAN_A, OUT_A, 6, 80, false, ALLOW, -1},
        {2, LAN, DEV, LAN_A, DEV_A, 6, 80, false, DENY, -1},
        {3, LAN, LAN, LAN_A, LAN_B, 6, 80, false, ALLOW, -1},
        {4, LAN, ROUTER, LAN_A, LAN_R, 17, 53, false, ALLOW, -1},
        {5, LAB, UPLINK, LAB_A, OUT_A, 6, 80, false, DENY, -1},
        {6, LAB, ROUTER, LAB_A, BE_IP4(192, 168, 56, 1), 1, 0, false, ALLOW, -1},
        {7, LAB, LAB, LAB_A, LAB_A, 6, 80, false, ALLOW, -1},
        {8, QUIET, QUIET, OUT_A, OUT_B, 6, 80, false, ALLOW, -1},
        {9, QUIET, ROUTER, LAN_A, LAN_R, 6, 80, false, DENY, -1},
        {10, QUIET, UPLINK, LAN_A, OUT_A, 6, 80, false, DENY, -1},
        {11, LAN, QUIET, LAN_A, LAN_B, 6, 80, false, DENY, -1},
        {12, ROAD, UPLINK, ROAD_A, OUT_A, 6, 80, false, ALLOW, -1},
        {13, UPLINK, ROAD, OUT_A, ROAD_A, 6, 80, false, DENY, -1},
        {14, UPLINK, LAN, OUT_A, LAN_A, 6, 80, false, DENY, -1},
        {15, UPLINK, LAN, OUT_A, LAN_A, 6, 80, true, ALLOW, -1},
        {16, UPLINK, ROAD, OUT_A, ROAD_A, 6, 80, true, ALLOW, -1},
        {17, UPLINK, LAB, OUT_A, LAB_A, 6, 80, true, DENY, -1},
        {18, UPLINK, ROUTER, OUT_A, BE_IP4(203, 0, 113, 2), 1, 0, false, ALLOW, -1},
        {19, UPLINK, UPLINK, OUT_A, OUT_B, 6, 80, false, ALLOW, -1},
        {20, VMNET0, UPLINK, OUT_A, OUT_B, 6, 80, false, DENY, -1}, /* such a zone is nowhere */
        {21, LAN, VMNET0, LAN_A, OUT_B, 6, 80, false, DENY, -1},
        {22, 9, UPLINK, LAN_A, OUT_B, 6, 80, false, DENY, -1},
        {23, LAN, 200, LAN_A, OUT_B, 6, 80, false, DENY, -1},
        /* not where it claims to be */
        {24, LAN, UPLINK, DEV_A, OUT_A, 6, 80, false, DENY, -1},
        {25, LAN, UPLINK, LAN_A, DEV_A, 6, 80, false, DENY, -1},
        {26, UPLINK, ROUTER, LAN_A, BE_IP4(203, 0, 113, 2), 1, 0, false, DENY, -1},
        {27, UPLINK, LAN, DEV_A, LAN_A, 6, 80, true, DENY, -1},
        {28, UPLINK, LAN, OUT_A, DEV_A, 6, 80, true, DENY, -1},
        {29, LAN, LAN, LAN_A, LAN_B, 6, 80, true, DENY, -1}, /* forwards come from outside */
    };
    make_config();
    run_rows(rows, ARRAY_COUNT(rows));
}

static void test_the_uplink_may_be_missing(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, LAN, UPLINK, LAN_A, OUT_A, 6, 80, false, DENY, -1},
        {2, UPLINK, ROUTER, OUT_A, OUT_B, 1, 0, false, DENY, -1},
        {3, UPLINK, LAN, OUT_A, LAN_A, 6, 80, true, DENY, -1},
        {4, LAN, ROUTER, LAN_A, LAN_R, 6, 80, false, ALLOW, -1},
        {5, UPLINK, UPLINK, OUT_A, OUT_B, 6, 80, false, ALLOW, -1}, /* the bridge's segment */
    };
    make_config();
    rule(RULE_ALLOW, any(), any());
    cfg.rule_count = 0;
    cfg.uplink.silent = true;
    run_rows(rows, ARRAY_COUNT(rows));
    cfg.uplink.silent = false;
    cfg.uplink.present = false;
    run_rows(rows, ARRAY_COUNT(rows));
}

static void test_no_rule_opens_what_the_modes_forbid(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, LAB, UPLINK, LAB_A, OUT_A, 6, 80, false, DENY, -1},
        {2, UPLINK, LAB, OUT_A, LAB_A, 6, 80, false, DENY, -1},
        {3, UPLINK, LAN, OUT_A, LAN_A, 6, 80, false, DENY, -1},
        {4, LAN, QUIET, LAN_A, LAN_B, 6, 80, false, DENY, -1},
        {5, QUIET, LAN, LAN_B, LAN_A, 6, 80, false, DENY, -1},
        {6, QUIET, ROUTER, LAN_A, LAN_R, 6, 80, false, DENY, -1},
        {7, UPLINK, QUIET, OUT_A, OUT_B, 6, 80, false, DENY, -1},
        {8, LAB, LAB, LAB_A, LAB_A, 6, 80, false, DENY, -1}, /* isolated */
        {9, LAB, LAN, LAB_A, LAN_A, 6, 80, false, ALLOW, 0},
        {10, LAN, LAB, LAN_A, LAB_A, 6, 80, false, ALLOW, 0},
        {11, UPLINK, ROAD, OUT_A, ROAD_A, 6, 80, false, ALLOW, 0},
        {12, UPLINK, LAN, OUT_A, LAN_A, 6, 80, true, ALLOW, 0},
        {13, LAN, LAN, LAN_A, LAN_B, 6, 80, false, ALLOW, -1}, /* not about one network */
    };
    make_config();
    cfg.nets[LAB].isolate = true;
    rule(RULE_ALLOW, any(), any());
    rule(RULE_ALLOW, cidr(0, 0), cidr(0, 0));
    cfg.rule_count = 1;
    run_rows(rows, ARRAY_COUNT(rows));
}

static void test_first_match_wins(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, DEV, LAB, DEV_A, LAB_A, 6, 22, false, ALLOW, 0},
        {2, DEV, LAB, DEV_A, LAB_A, 17, 22, false, REJECT, 1},
        {3, DEV, LAB, DEV_A, LAB_A, 6, 23, false, REJECT, 1},
        {4, LAN, LAB, LAN_A, LAB_A, 6, 22, false, DENY, -1},
        {5, LAN, UPLINK, LAN_A, OUT_A, 6, 25, false, DENY, 2},
        {6, LAN, UPLINK, LAN_A, OUT_A, 17, 25, false, DENY, 2},
        {7, LAN, UPLINK, LAN_A, OUT_A, 1, 25, false, ALLOW, -1},
        {8, LAN, UPLINK, LAN_A, OUT_A, 6, 24, false, ALLOW, -1},
        {9, LAN, UPLINK, LAN_A, OUT_A, 6, 28, false, ALLOW, -1},
        {10, LAN, UPLINK, LAN_A, OUT_A, 6, 27, false, DENY, 2},
        {11, LAN, ROUTER, LAN_B, LAN_R, 17, 53, false, DENY, 3},
        {12, LAN, ROUTER, LAN_A, LAN_R, 17, 53, false, ALLOW, -1},
        {13, DEV, ROUTER, LAN_B, LAN_R, 17, 53, false, DENY, -1},
        {14, UPLINK, ROAD, OUT_A, ROAD_A, 47, 0, false, ALLOW, 4},
        {15, UPLINK, ROAD, OUT_B, ROAD_A, 47, 0, false, DENY, -1},
        {16, UPLINK, LAN, OUT_A, LAN_A, 6, 8080, true, DENY, 5},
        {17, UPLINK, LAN, OUT_A, LAN_B, 6, 8080, true, ALLOW, -1},
    };
    make_config();
    service(rule(RULE_ALLOW, net(DEV), net(LAB)), 6, 22, 22);
    rule(RULE_REJECT, net(DEV), net(LAB));
    service(rule(RULE_DENY, any(), uplink()), 0, 25, 27);
    rule(RULE_DENY, host(1), router());
    rule(RULE_ALLOW, cidr(BE_IP4(203, 0, 113, 0), 24), net(ROAD));
    service(rule(RULE_DENY, uplink(), host(0)), 6, 8080, 8080);
    run_rows(rows, ARRAY_COUNT(rows));
    cfg.rules[0].log = true;
    struct rule_packet k = {.from = DEV, .to = LAB, .proto = 6, .src = DEV_A, .dst = LAB_A};
    assert_false(rules_decide(&cfg, &k).log);
    k.dport = BE16(22);
    assert_true(rules_decide(&cfg, &k).log);
}

static void test_inside_one_network(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, LAN, LAN, LAN_A, LAN_B, 6, 22, false, ALLOW, 1},
        {2, LAN, LAN, LAN_A, LAN_B, 6, 80, false, DENY, 2},
        {3, LAN, LAN, LAN_B, LAN_A, 6, 80, false, ALLOW, -1},
        {4, DEV, DEV, DEV_A, BE_IP4(192, 168, 9, 9), 6, 80, false, DENY, 3},
        {5, DEV, DEV, LAN_A, LAN_B, 6, 80, false, ALLOW, -1}, /* web is in lan only */
        {6, QUIET, QUIET, BE_IP4(10, 0, 0, 1), BE_IP4(10, 0, 0, 2), 6, 80, false, REJECT, 4},
        {7, LAB, LAB, BE_IP4(10, 0, 0, 1), BE_IP4(10, 0, 0, 2), 6, 80, false, ALLOW, -1},
        {8, UPLINK, UPLINK, BE_IP4(10, 0, 0, 1), BE_IP4(10, 0, 0, 2), 6, 80, false, REJECT, 4},
    };
    make_config();
    assert_false(rules_inside(&cfg, LAN));
    rule(RULE_DENY, net(LAN), net(LAN));
    rule(RULE_DENY, host(0), any());
    rule(RULE_DENY, any(), host(1));
    assert_false(rules_inside(&cfg, LAN));
    cfg.rule_count = 1;
    service(rule(RULE_ALLOW, host(0), host(1)), 6, 22, 22);
    assert_true(rules_inside(&cfg, LAN));
    assert_false(rules_inside(&cfg, DEV));
    rule(RULE_DENY, host(0), host(1));
    assert_false(rules_inside(&cfg, QUIET));
    rule(RULE_DENY, cidr(DEV_A, 32), cidr(BE_IP4(192, 168, 9, 0), 24));
    assert_true(rules_inside(&cfg, DEV));
    assert_true(rules_inside(&cfg, QUIET)); /* it has no subnet to tell */
    assert_false(rules_inside(&cfg, LAB));
    rule(RULE_REJECT, cidr(BE_IP4(10, 0, 0, 0), 8), cidr(BE_IP4(10, 0, 0, 0), 8));
    assert_false(rules_inside(&cfg, LAB));
    assert_true(rules_inside(&cfg, UPLINK));
    run_rows(rows, ARRAY_COUNT(rows));

    const uint8_t *web = cfg.hosts[0].mac, *db = cfg.hosts[1].mac, *builder = cfg.hosts[2].mac;
    struct rule_decision d = rules_decide_macs(&cfg, LAN, web, db);
    assert_int_equal(d.action, RULE_DENY);
    assert_int_equal(d.rule, 2);
    assert_int_equal(rules_decide_macs(&cfg, LAN, db, web).action, RULE_ALLOW);
    assert_int_equal(rules_decide_macs(&cfg, LAN, web, builder).action, RULE_ALLOW);
    assert_int_equal(rules_decide_macs(&cfg, DEV, web, db).action, RULE_ALLOW);
    cfg.nets[LAN].isolate = true;
    assert_int_equal(rules_decide_macs(&cfg, LAN, db, web).action, RULE_DENY);
    assert_int_equal(rules_decide_macs(&cfg, LAN, web, db).rule, -1);
}

/* ---- reachability, by hand ---- */

static void assert_reach(unsigned from, unsigned to, enum reach reach, int rule_number)
{
    struct reach_answer a = reach_between(&cfg, from, to);
    assert_int_equal(a.reach, reach);
    assert_int_equal(a.rule, rule_number);
}

static void test_reach_of_the_modes(void **state)
{
    (void)state;
    static const char expected[NETS + 1][NETS + 3] = {
        /* to lan, dev, lab, quiet, road, vmnet0, uplink, router */
        "A----AAA", /* lan */
        "-A---AAA", /* dev */
        "--A----A", /* lab */
        "---A----", /* quiet */
        "----AAAA", /* road */
        "-----AAA", /* vmnet0 */
        "-----AAA", /* uplink */
    };
    make_config();
    for (unsigned from = 0; from <= NETS; from++)
        for (unsigned to = 0; to < NETS + 2; to++) {
            print_message("from %u to %u\n", from, to);
            assert_reach(from == NETS ? REACH_UPLINK : from,
                         to == NETS       ? REACH_UPLINK
                         : to == NETS + 1 ? REACH_ROUTER
                                          : to,
                         expected[from][to] == 'A' ? REACH_ALL : REACH_NONE, -1);
        }
    assert_reach(NETS, LAN, REACH_NONE, -1);
    assert_reach(LAN, CONFIG_NO_NET, REACH_NONE, -1);
    cfg.nets[VMNET0].isolate = true;
    assert_reach(VMNET0, VMNET0, REACH_NONE, -1);
    assert_reach(VMNET0, REACH_UPLINK, REACH_ALL, -1);
    cfg.net_count = VMNET0;
    assert_reach(REACH_UPLINK, REACH_UPLINK, REACH_NONE, -1);
    cfg.nets[LAN].isolate = true;
    assert_reach(LAN, LAN, REACH_NONE, -1);
    cfg.uplink.present = false;
    assert_reach(LAN, REACH_UPLINK, REACH_NONE, -1);
    assert_reach(REACH_UPLINK, REACH_ROUTER, REACH_NONE, -1);
}

static void test_reach_of_rules(void **state)
{
    (void)state;
    make_config();
    service(rule(RULE_ALLOW, net(DEV), net(LAB)), 6, 22, 22);
    assert_reach(DEV, LAB, REACH_SOME, 0);
    assert_reach(LAB, DEV, REACH_NONE, -1);
    rule(RULE_ALLOW, net(DEV), any());
    assert_reach(DEV, LAB, REACH_ALL, 0);
    assert_reach(DEV, LAN, REACH_ALL, 1);
    assert_reach(DEV, QUIET, REACH_NONE, -1);
    assert_reach(DEV, REACH_UPLINK, REACH_ALL, -1);
    cfg.rule_count = 0;
    rule(RULE_DENY, net(DEV), cidr(BE_IP4(192, 168, 56, 0), 24));
    rule(RULE_ALLOW, cidr(BE_IP4(192, 168, 9, 128), 25), host(3)); /* never */
    assert_reach(DEV, LAB, REACH_NONE, -1);
    assert_reach(DEV, REACH_UPLINK, REACH_ALL, -1);
    cfg.rule_count = 0;
    service(rule(RULE_DENY, net(DEV), net(LAB)), 6, 0, 0);
    service(rule(RULE_ALLOW, net(DEV), host(3)), 6, 22, 22); /* nor this one */
    assert_reach(DEV, LAB, REACH_NONE, -1);
    cfg.rule_count = 0;
    rule(RULE_DENY, host(0), net(DEV));
    rule(RULE_ALLOW, cidr(LAN_A, 31), net(DEV)); /* but this one has a second address */
    assert_reach(LAN, DEV, REACH_SOME, 1);
    cfg.rule_count = 0;
    rule(RULE_DENY, host(1), router());
    assert_reach(LAN, REACH_ROUTER, REACH_SOME, 0);
    assert_reach(DEV, REACH_ROUTER, REACH_ALL, -1);
    rule(RULE_DENY, any(), router());
    assert_reach(LAN, REACH_ROUTER, REACH_NONE, 0);
    assert_reach(DEV, REACH_ROUTER, REACH_NONE, 1);
    /* An allow-list for the way out. */
    cfg.rule_count = 0;
    service(rule(RULE_ALLOW, net(DEV), uplink()), 6, 443, 443);
    rule(RULE_DENY, net(DEV), uplink());
    assert_reach(DEV, REACH_UPLINK, REACH_SOME, 1);
    assert_reach(LAN, REACH_UPLINK, REACH_ALL, -1);
    /* Inside. */
    cfg.rule_count = 0;
    rule(RULE_DENY, host(0), host(1));
    assert_reach(LAN, LAN, REACH_SOME, 0);
    assert_reach(LAN, DEV, REACH_NONE, -1);
    cfg.rule_count = 0;
    rule(RULE_DENY, cidr(0, 0), cidr(0, 0));
    assert_reach(LAN, LAN, REACH_NONE, 0);
    assert_reach(QUIET, QUIET, REACH_NONE, 0);
    assert_reach(VMNET0, REACH_UPLINK, REACH_NONE, 0);
    assert_reach(LAN, REACH_UPLINK, REACH_NONE, 0);
    /* From outside to a routed network. */
    cfg.rule_count = 0;
    rule(RULE_ALLOW, cidr(BE_IP4(192, 168, 8, 0), 24), net(ROAD));
    assert_reach(REACH_UPLINK, ROAD, REACH_NONE, -1); /* nobody outside has that address */
    assert_reach(LAN, ROAD, REACH_ALL, 0);
    rule(RULE_ALLOW, cidr(BE_IP4(8, 0, 0, 0), 8), net(ROAD));
    assert_reach(REACH_UPLINK, ROAD, REACH_SOME, 1);
    assert_reach(VMNET0, ROAD, REACH_SOME, 1);
}

static void test_what_addresses_the_router_has(void **state)
{
    (void)state;
    static const struct {
        unsigned number;
        be32 ip;
        uint8_t prefix;
        bool dhcp;
        bool touches;
    } rows[] = {
        {1, LAN_R, 32, false, true},
        {2, LAN_A, 32, false, false},
        {3, BE_IP4(192, 168, 0, 0), 16, false, true},
        {4, BE_IP4(192, 168, 8, 255), 32, false, true}, /* the broadcast */
        {5, BE_IP4(255, 255, 255, 255), 32, false, true},
        {6, BE_IP4(239, 1, 2, 3), 32, false, true},
        {7, BE_IP4(203, 0, 113, 2), 32, false, true},
        {8, BE_IP4(203, 0, 113, 3), 32, false, false},
        {9, BE_IP4(10, 0, 0, 0), 8, false, false},
        {10, BE_IP4(10, 0, 0, 0), 8, true, true}, /* not known yet, it may be there */
        {11, LAN_A, 32, true, false},
        {12, 0, 0, true, true},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        print_message("row %u\n", rows[i].number);
        make_config();
        if (rows[i].dhcp) {
            cfg.uplink.dhcp = true;
            cfg.uplink.ip = 0;
        }
        rule(RULE_DENY, any(), cidr(rows[i].ip, rows[i].prefix));
        assert_int_equal(reach_between(&cfg, LAN, REACH_ROUTER).reach,
                         rows[i].prefix == 0 ? REACH_NONE
                         : rows[i].touches   ? REACH_SOME
                                             : REACH_ALL);
    }
}

static void test_in_words(void **state)
{
    (void)state;
    char text[RULE_TEXT_BYTES];
    static const char *const expected[] = {
        "rule 1 allow dev -> lab tcp 22",          "rule 2 deny any -> uplink tcp+udp 6000-6010",
        "rule 3 reject web -> 192.168.56.10 icmp", "rule 4 allow 10.0.0.0/8 -> router udp 53",
        "rule 5 deny 10.1.2.3 -> any gre",         "rule 6 deny any -> any esp",
        "rule 7 deny any -> any proto 89",
    };
    make_config();
    service(rule(RULE_ALLOW, net(DEV), net(LAB)), 6, 22, 22);
    service(rule(RULE_DENY, any(), uplink()), 0, 6000, 6010);
    service(rule(RULE_REJECT, host(0), host(3)), 1, 0, 0);
    service(rule(RULE_ALLOW, cidr(BE_IP4(10, 0, 0, 0), 8), router()), 17, 53, 53);
    service(rule(RULE_DENY, cidr(BE_IP4(10, 1, 2, 3), 32), any()), 47, 0, 0);
    service(rule(RULE_DENY, any(), any()), 50, 0, 0);
    service(rule(RULE_DENY, any(), any()), 89, 0, 0);
    for (unsigned i = 0; i < ARRAY_COUNT(expected); i++)
        assert_string_equal(rules_text(&cfg, i, text), expected[i]);
    /* The longest there is; a longer name is not cut, for two might then look alike. */
    cfg.rule_count = CONFIG_MAX_RULES;
    memset(cfg.hosts[0].name, 'a', 35);
    cfg.hosts[0].name[35] = 0;
    cfg.rules[255] = (struct config_rule){.action = RULE_REJECT, .from = host(0), .to = host(0)};
    service(&cfg.rules[255], 0, 10000, 65535);
    assert_string_equal(rules_text(&cfg, 255, text),
                        "rule 256 reject aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa -> "
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa tcp+udp 10000-65535");
    memcpy(cfg.hosts[0].name + 35, "b", 2);
    assert_string_equal(rules_text(&cfg, 255, text),
                        "rule 256 reject 192.168.8.10 -> 192.168.8.10 tcp+udp 10000-65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_of_the_modes),
        cmocka_unit_test(test_the_uplink_may_be_missing),
        cmocka_unit_test(test_no_rule_opens_what_the_modes_forbid),
        cmocka_unit_test(test_first_match_wins),
        cmocka_unit_test(test_inside_one_network),
        cmocka_unit_test(test_reach_of_the_modes),
        cmocka_unit_test(test_reach_of_rules),
        cmocka_unit_test(test_what_addresses_the_router_has),
        cmocka_unit_test(test_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
