/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who reaches whom through the whole dataplane (net/dataplane_out.c, dataplane_in.c,
 * dataplane_rules.c): every pair of modes, every shape of rule, every protocol, both directions;
 * and that what is known passes untouched, errors and fragments included.
 *
 *     port 0: uplink 203.0.113.2/24                 port 4: vault, internal
 *     port 1: lan, nat, 192.168.8.1/24              port 5: wing, routed, 198.51.101.1/24
 *     port 2: pub, routed, 198.51.102.1/24          port 6: twin, hostonly, 192.168.9.1/24 as well
 *     port 3: lab, hostonly, 192.168.9.1/24         port 7: nothing
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/rig_frames.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

#include <string.h>

enum { LAN, PUB, LAB, VAULT, WING, TWIN, NETS, UPLINK = NETS, ENDS };

static struct rig r;
static struct config config;

static const struct end {
    be32 host;
    unsigned port;
    uint8_t mode;
    be32 router;
} ends[ENDS] = {
    [LAN] = {RIG_HOST(5), 1, NET_NAT, RIG_ROUTER},
    [PUB] = {BE_IP4(198, 51, 102, 5), 2, NET_ROUTED, BE_IP4(198, 51, 102, 1)},
    [LAB] = {RIG_LAB_HOST(5), 3, NET_HOSTONLY, RIG_LAB_ROUTER},
    [VAULT] = {BE_IP4(10, 0, 0, 5), 4, NET_INTERNAL, 0},
    [WING] = {BE_IP4(198, 51, 101, 5), 5, NET_ROUTED, BE_IP4(198, 51, 101, 1)},
    [TWIN] = {RIG_LAB_HOST(7), 6, NET_HOSTONLY, RIG_LAB_ROUTER},
    [UPLINK] = {RIG_SERVER, 0, 0, RIG_OUTSIDE},
};
static const char *const names[] = {"lan", "pub", "lab", "vault", "wing", "twin"};

static void configure(void)
{
    memset(&config, 0, sizeof(config));
    config.ok = true;
    config.port_count = 8;
    config.net_count = NETS;
    config.uplink =
        (struct config_uplink){.present = true, .ip = RIG_OUTSIDE, .prefix = 24, .gw = RIG_GATEWAY};
    for (unsigned i = 0; i < NETS; i++) {
        struct config_net *net = &config.nets[i];
        strcpy(net->name, names[i]);
        net->mode = ends[i].mode;
        net->ip = ends[i].router;
        net->prefix = net->ip ? 24 : 0;
        net->ports = 1u << ends[i].port;
    }
}

static struct config_where where(unsigned end)
{
    if (end == UPLINK)
        return (struct config_where){.kind = WHERE_UPLINK};
    return (struct config_where){.kind = WHERE_NET, .net = (uint8_t)end};
}

static struct config_rule *add_rule(uint8_t action, unsigned from, unsigned to)
{
    struct config_rule *rule = &config.rules[config.rule_count++];
    *rule = (struct config_rule){.action = action, .from = where(from), .to = where(to)};
    return rule;
}

static void start(void)
{
    rig_start_config(&r, &config, 0);
    for (unsigned i = 0; i < NETS; i++)
        rig_appear(&r, ends[i].port, ends[i].host);
    rig_flush(&r);
}

/* The first packet of a conversation of this protocol, or an answer to it. */
static struct rig_packet packet(unsigned from, unsigned to, uint8_t proto, bool answer)
{
    return (struct rig_packet){
        .src = ends[from].host,
        .dst = ends[to].host,
        .proto = proto,
        .sport = proto == IP_PROTO_ICMP ? 77
                 : answer               ? 22
                                        : 40000,
        .dport = answer ? 40000 : 22,
        .icmp_type = answer ? 255 : 8,
        .tcp_flags = answer ? TCP_SYN | TCP_ACK : TCP_SYN,
        .payload_bytes = proto == IP_PROTO_TCP ? 44 : 40, /* what a first fragment may have */
    };
}

/* What left is r.in, of which nothing may change but MACs, TTL and its checksum. */
static void passes_untouched(int id, unsigned out, const struct rig_packet *k, char got)
{
    if (got != (char)('0' + out))
        fail_msg("row %d: went to '%c', not to port %u", id, got, out);
    if (r.out.n != r.in.n)
        fail_msg("row %d: %zu bytes became %zu", id, r.in.n, r.out.n);
    assert_int_equal(r.out.b[14 + 8], (k->ttl ? k->ttl : 64) - 1);
    r.out.b[14 + 8]++;
    frame_fix_ip_csum(&r.out);
    assert_memory_equal(r.out.b + 14, r.in.b + 14, r.in.n - 14);
    assert_memory_equal(r.out.b + 6, r.nics[out].nic.mac, MAC_BYTES);
}

/* ---- every pair ---- */

/* What a first packet may do. n: passes, translated. y: passes as it is. -: the default, which is
 * no and says so (from the uplink: silently). Rows from, columns to, in the order of ends[]. ?:
 * there is nothing to ask; the vault has no router and no addresses that could be routed to, and
 * the twin has those of lab. Within a network everything is switched. */
static const char by_default[ENDS][ENDS + 1] = {
    /* lan pub lab vault wing twin uplink */
    [LAN] = " --?-?n",  [PUB] = "- -?-?y",  [LAB] = "-- -- -",    [VAULT] = "??? ???",
    [WING] = "---? ?y", [TWIN] = "-- -- -", [UPLINK] = "------ ",
};
static const char when_allowed[ENDS][ENDS + 1] = {
    [LAN] = " yy?y?n",  [PUB] = "y y?y?y",  [LAB] = "yy -y -",    [VAULT] = "??? ???",
    [WING] = "yyy? ?y", [TWIN] = "yy -y -", [UPLINK] = "-y--y- ",
};

static const uint8_t protocols[] = {IP_PROTO_UDP, IP_PROTO_TCP, IP_PROTO_ICMP, 47};

static void check_passes(int id, unsigned from, unsigned to, uint8_t proto, bool translated)
{
    struct rig_packet k = packet(from, to, proto, false);
    struct rig_packet back = packet(to, from, proto, true);

    if (by_default[to][from] == '-') { /* else it would open one itself */
        char early = rig_outcome(&r, ends[to].port, &back);
        if (early != '.' && early != 'e')
            fail_msg("row %d: an answer to nothing got to '%c'", id, early);
    }
    char got = rig_outcome(&r, ends[from].port, &k);
    if (translated) {
        if (got != '0' || rig_out_src(&r) != RIG_OUTSIDE)
            fail_msg("row %d: '%c', not translated", id, got);
        return;
    }
    passes_untouched(id, ends[to].port, &k, got);
    got = rig_outcome(&r, ends[to].port, &back);
    passes_untouched(id, ends[from].port, &back, got);
    got = rig_outcome(&r, ends[from].port, &k);
    passes_untouched(id, ends[to].port, &k, got);
}

static void check_refused(int id, unsigned from, unsigned to, uint8_t proto, int action)
{
    struct rig_packet k = packet(from, to, proto, false);
    bool answered = action == RULE_REJECT || (action < 0 && from != UPLINK);
    uint64_t policy = rig_dropped(&r, DROP_POLICY);
    char got = rig_outcome(&r, ends[from].port, &k);

    if (got != (answered ? 'e' : '.'))
        fail_msg("row %d: '%c'", id, got);
    if (action >= 0 && rig_dropped(&r, DROP_POLICY) != policy + 1)
        fail_msg("row %d: not for policy", id);
    if (!answered)
        return;
    assert_memory_equal(r.out.b, r.in.b + 6, MAC_BYTES);
    assert_memory_equal(r.out.b + 6, r.in.b, MAC_BYTES);
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    assert_int_equal(rig_out_dst(&r), k.src);
    if (action == RULE_REJECT && proto == IP_PROTO_TCP) {
        assert_int_equal(r.out.b[14 + 9], IP_PROTO_TCP);
        assert_int_equal(rig_out_src(&r), k.dst);
        assert_int_equal(r.out.b[r.out.l4 + 13], TCP_RST | TCP_ACK);
    } else {
        assert_int_equal(r.out.b[14 + 9], IP_PROTO_ICMP);
        assert_int_equal(rig_out_src(&r), ends[from].router);
        assert_int_equal(r.out.b[r.out.l4], 3);
        assert_int_equal(r.out.b[r.out.l4 + 1], 13);
    }
}

/* action: that of the one rule, which names both ends; below 0: there is none. */
static void check_pair(unsigned from, unsigned to, uint8_t proto, int action)
{
    char yes = (action == RULE_ALLOW ? when_allowed : by_default)[from][to];
    int id = (int)(from * 10000 + to * 1000 + proto * 10u) + action;

    if (yes == ' ' || yes == '?')
        return;
    configure();
    if (action >= 0)
        add_rule((uint8_t)action, from, to);
    start();
    bool may = yes != '-' && (action < 0 || action == RULE_ALLOW);
    if (may)
        check_passes(id, from, to, proto, yes == 'n');
    else
        /* What the modes forbid no rule decides. */
        check_refused(id, from, to, proto,
                      when_allowed[from][to] == '-' || action == RULE_ALLOW ? -1 : action);
    rig_stop(&r);
}

static void test_pairs(void **state)
{
    (void)state;
    for (unsigned from = 0; from < ENDS; from++)
        for (unsigned to = 0; to < ENDS; to++)
            for (unsigned i = 0; i < ARRAY_COUNT(protocols); i++)
                for (int action = -1; action <= RULE_REJECT; action++)
                    check_pair(from, to, protocols[i], action);
}

/* ---- conversations ---- */

static int setup_all_open(void **state)
{
    (void)state;
    configure();
    add_rule(RULE_ALLOW, LAN, PUB);
    add_rule(RULE_ALLOW, LAN, LAB);
    add_rule(RULE_ALLOW, UPLINK, WING);
    start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

/* A flow that is over lets nothing back. */
static void test_answers_end_with_the_flow(void **state)
{
    struct rig_packet k = packet(LAN, PUB, IP_PROTO_UDP, false);
    struct rig_packet back = packet(PUB, LAN, IP_PROTO_UDP, true);

    (void)state;
    passes_untouched(1, 2, &k, rig_outcome(&r, 1, &k));
    rig_pass(&r, 100000, 10000);
    passes_untouched(2, 1, &back, rig_outcome(&r, 2, &back));
    rig_pass(&r, 290000, 10000);
    passes_untouched(3, 1, &back, rig_outcome(&r, 2, &back)); /* both ways refresh it */
    rig_pass(&r, 310000, 10000);
    assert_int_equal(rig_outcome(&r, 2, &back), 'e');
    assert_int_equal(rig_dropped(&r, DROP_POLICY), 1);
}

/* About what went one way and the other, between networks and at the uplink: errors pass as they
 * are. About nothing, they do not. */
static void test_errors(void **state)
{
    static const struct {
        int id;
        unsigned from, to;
        uint8_t proto;
        bool opened;
    } rows[] = {
        {1, LAN, PUB, IP_PROTO_UDP, true},     {2, LAN, PUB, IP_PROTO_TCP, true},
        {3, LAN, PUB, IP_PROTO_ICMP, true},    {4, LAN, LAB, IP_PROTO_UDP, true},
        {5, PUB, UPLINK, IP_PROTO_UDP, true},  {6, PUB, UPLINK, IP_PROTO_ICMP, true},
        {7, UPLINK, WING, IP_PROTO_TCP, true}, {8, UPLINK, WING, IP_PROTO_ICMP, true},
        {9, PUB, LAB, IP_PROTO_UDP, false},    {10, UPLINK, WING, IP_PROTO_UDP, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct end *a = &ends[rows[i].from], *b = &ends[rows[i].to];
        struct rig_packet k = packet(rows[i].from, rows[i].to, rows[i].proto, false);
        struct rig_packet back = packet(rows[i].to, rows[i].from, rows[i].proto, true);
        for (unsigned reply = 0; reply < 2; reply++) {
            /* The packet, as its receiver saw it, quoted by its receiver. */
            const struct end *from = reply ? a : b, *to = reply ? b : a;
            static uint8_t quoted[48];
            if (rows[i].opened)
                assert_int_equal(rig_outcome(&r, to->port, reply ? &back : &k),
                                 '0' + (int)from->port);
            else
                rig_make(&r, to->port, reply ? &back : &k);
            memcpy(quoted, r.in.b + 14, sizeof(quoted));
            struct rig_packet error = {.src = from->host,
                                       .dst = to->host,
                                       .proto = IP_PROTO_ICMP,
                                       .icmp_type = 3,
                                       .payload_bytes = sizeof(quoted)};
            rig_make(&r, from->port, &error);
            store_be32(r.in.b + r.in.l4 + 4, 0);
            r.in.b[r.in.l4 + 1] = 3;
            memcpy(r.in.b + r.in.payload, quoted, sizeof(quoted));
            frame_fix_l4_csum(&r.in);
            rig_input_raw(&r, from->port);
            rig_step(&r);
            if (!rows[i].opened) {
                if (rig_flush(&r))
                    fail_msg("row %d: an error about nothing passed", rows[i].id);
                continue;
            }
            if (!rig_output(&r, to->port))
                fail_msg("row %d.%u: the error was lost", rows[i].id, reply);
            passes_untouched(rows[i].id, to->port, &error, (char)('0' + to->port));
            assert_int_equal(rig_flush(&r), 0);
        }
    }
}

/* Fragments go with the first one, of any protocol. */
static void test_fragments(void **state)
{
    static const struct {
        int id;
        unsigned from, to;
        uint8_t proto;
    } rows[] = {
        {1, LAN, PUB, IP_PROTO_UDP},     {2, LAN, PUB, IP_PROTO_TCP},
        {3, LAN, PUB, IP_PROTO_ICMP},    {4, LAN, PUB, 47},
        {5, PUB, UPLINK, IP_PROTO_UDP},  {6, PUB, UPLINK, IP_PROTO_ICMP},
        {7, UPLINK, WING, IP_PROTO_UDP}, {8, UPLINK, WING, IP_PROTO_ICMP},
        {9, UPLINK, WING, 47},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct end *a = &ends[rows[i].from], *b = &ends[rows[i].to];
        for (unsigned reply = 0; reply < 2; reply++) {
            struct rig_packet first = reply
                                          ? packet(rows[i].to, rows[i].from, rows[i].proto, true)
                                          : packet(rows[i].from, rows[i].to, rows[i].proto, false);
            struct rig_packet later = first;
            first.frag = 0x2000;
            later.frag = rows[i].proto == 47 ? 5 : rows[i].proto == IP_PROTO_TCP ? 8 : 6;
            passes_untouched(rows[i].id, (reply ? a : b)->port, &first,
                             rig_outcome(&r, (reply ? b : a)->port, &first));
            passes_untouched(rows[i].id + 100, (reply ? a : b)->port, &later,
                             rig_outcome(&r, (reply ? b : a)->port, &later));
        }
    }
}

/* TTL, size and segments are minded as everywhere. */
static void test_path(void **state)
{
    struct rig_packet k = packet(LAN, PUB, IP_PROTO_UDP, false);
    struct rig_packet syn = packet(PUB, UPLINK, IP_PROTO_TCP, false);

    (void)state;
    k.ttl = 1;
    assert_int_equal(rig_outcome(&r, 1, &k), 'e');
    assert_int_equal(r.out.b[r.out.l4], 11);
    assert_int_equal(rig_dropped(&r, DROP_TTL), 1);
    rig_stop(&r);

    config.uplink.mtu = 1400;
    config.nets[PUB].mtu = 1300;
    start();
    k.ttl = 64;
    k.payload_bytes = 1300 - 28;
    passes_untouched(1, 2, &k, rig_outcome(&r, 1, &k));
    k.payload_bytes++;
    r.now_us += 1000000;
    assert_int_equal(rig_outcome(&r, 1, &k), 'e');
    assert_int_equal(r.out.b[r.out.l4], 3);
    assert_int_equal(r.out.b[r.out.l4 + 1], 4);
    assert_int_equal(load_be16(r.out.b + r.out.l4 + 6), 1300);
    k.may_fragment = true;
    rig_input(&r, 1, &k);
    rig_step(&r);
    assert_int_equal(fake_nic_sent_count(&r.nics[2]), 2);
    rig_flush(&r);
    syn.mss = 1460;
    assert_int_equal(rig_outcome(&r, 2, &syn), '0');
    assert_int_equal(load_be16(r.out.b + r.out.l4 + 22), 1260);
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    /* Too big from outside is told, for there is a flow. */
    struct rig_packet big = packet(UPLINK, PUB, IP_PROTO_TCP, true);
    big.payload_bytes = 1300;
    assert_int_equal(rig_outcome(&r, 0, &big), 'e');
    assert_int_equal(r.out.b[r.out.l4 + 1], 4);
    assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
}

/* ---- what no conversation is ---- */

/* From the uplink, into routed networks that are open to it, and elsewhere. */
static void test_from_outside(void **state)
{
    static const struct {
        int id;
        be32 src, dst;
        enum drop_reason reason;
    } rows[] = {
        {1, RIG_SERVER, BE_IP4(198, 51, 101, 1), DROP_IP_DEST}, /* the router, from the side */
        {2, RIG_SERVER, BE_IP4(198, 51, 101, 0), DROP_IP_DEST},
        {3, RIG_SERVER, BE_IP4(198, 51, 101, 255), DROP_IP_DEST},
        {4, RIG_SERVER, BE_IP4(198, 51, 102, 5), DROP_UNSOLICITED}, /* no rule lets it in */
        {5, RIG_SERVER, RIG_HOST(5), DROP_IP_DEST},
        {6, RIG_SERVER, RIG_LAB_HOST(5), DROP_IP_DEST},
        {7, RIG_SERVER, BE_IP4(198, 51, 103, 5), DROP_IP_DEST}, /* nobody's */
        {8, BE_IP4(198, 51, 102, 5), BE_IP4(198, 51, 101, 5), DROP_IP_SOURCE},
        {9, BE_IP4(198, 51, 101, 6), BE_IP4(198, 51, 101, 5), DROP_IP_SOURCE},
        {10, RIG_HOST(5), BE_IP4(198, 51, 101, 5), DROP_IP_SOURCE},
        {11, RIG_OUTSIDE, BE_IP4(198, 51, 101, 5), DROP_IP_SOURCE},
        {12, BE_IP4(127, 0, 0, 1), BE_IP4(198, 51, 101, 5), DROP_IP_SOURCE},
        {13, BE_IP4(224, 0, 0, 1), BE_IP4(198, 51, 101, 5), DROP_IP_SOURCE},
        {14, BE_IP4(203, 0, 113, 255), BE_IP4(198, 51, 101, 5), DROP_IP_SOURCE},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct rig_packet k = packet(UPLINK, WING, IP_PROTO_UDP, false);
        uint64_t before = rig_dropped(&r, rows[i].reason);
        k.src = rows[i].src;
        k.dst = rows[i].dst;
        char got = rig_outcome(&r, 0, &k);
        if (got != '.' || rig_dropped(&r, rows[i].reason) != before + 1)
            fail_msg("row %d: '%c'", rows[i].id, got);
    }
    /* What cannot begin anything opens nothing. */
    struct rig_packet stray = packet(UPLINK, WING, IP_PROTO_TCP, false);
    stray.tcp_flags = TCP_RST;
    assert_int_equal(rig_outcome(&r, 0, &stray), '.');
    struct rig_packet reply = packet(UPLINK, WING, IP_PROTO_ICMP, true);
    assert_int_equal(rig_outcome(&r, 0, &reply), '.');
    struct rig_packet broadcast = packet(UPLINK, WING, IP_PROTO_UDP, false);
    broadcast.broadcast = true;
    assert_int_equal(rig_outcome(&r, 0, &broadcast), '.');
    struct dataplane_totals t;
    dataplane_totals(r.dp, &t);
    assert_int_equal(t.flows_live, 0);
}

/* The first and last address of another subnet name nobody, and the router answers at home. */
static void test_odd_addresses_of_networks(void **state)
{
    static const struct {
        int id;
        be32 dst;
        enum drop_reason reason;
        char outcome;
    } rows[] = {
        {1, BE_IP4(198, 51, 102, 0), DROP_IP_DEST, '.'},
        {2, BE_IP4(198, 51, 102, 255), DROP_IP_DEST, '.'},
        {3, BE_IP4(198, 51, 102, 1), DROP_POLICY, 'e'},
        {4, BE_IP4(198, 51, 101, 255), DROP_POLICY, 'e'},
        {5, BE_IP4(203, 0, 113, 255), DROP_IP_DEST, '.'},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct rig_packet k = packet(LAN, PUB, IP_PROTO_UDP, false);
        uint64_t before = rig_dropped(&r, rows[i].reason);
        k.dst = rows[i].dst;
        r.now_us += 1000000;
        char got = rig_outcome(&r, 1, &k);
        if (got != rows[i].outcome || rig_dropped(&r, rows[i].reason) != before + 1)
            fail_msg("row %d: '%c'", rows[i].id, got);
    }
}

/* Of two networks with one subnet the one that rules let the sender reach. */
static void test_equal_subnets(void **state)
{
    struct rig_packet k = packet(LAN, TWIN, IP_PROTO_UDP, false);

    (void)state;
    for (unsigned allowed = 0; allowed < 3; allowed++) {
        configure();
        if (allowed)
            add_rule(RULE_ALLOW, LAN, allowed == 1 ? LAB : TWIN);
        start();
        rig_appear(&r, 3, RIG_LAB_HOST(7)); /* in both */
        assert_int_equal(rig_outcome(&r, 1, &k), ".e36"[allowed + 1]);
        rig_stop(&r);
    }
}

/* A new address outside ends what is translated to the old one, and nothing else; that nothing may
 * go there ends the rest. */
static void test_uplink_changes(void **state)
{
    struct rig_packet nat = packet(LAN, UPLINK, IP_PROTO_UDP, false);
    struct rig_packet out = packet(PUB, UPLINK, IP_PROTO_UDP, false);
    struct rig_packet back = packet(UPLINK, PUB, IP_PROTO_UDP, true);
    struct rig_packet across = packet(LAN, PUB, IP_PROTO_TCP, false);
    struct dataplane_totals t;

    (void)state;
    assert_int_equal(rig_outcome(&r, 1, &nat), '0');
    assert_int_equal(rig_outcome(&r, 2, &out), '0');
    assert_int_equal(rig_outcome(&r, 1, &across), '2');
    dataplane_set_uplink(r.dp, BE_IP4(203, 0, 113, 9), prefix_mask(24), RIG_GATEWAY);
    rig_step(&r); /* that ends them */
    dataplane_totals(r.dp, &t);
    assert_int_equal(t.flows_live, 2);
    assert_int_equal(rig_outcome(&r, 0, &back), '2');
    assert_int_equal(rig_outcome(&r, 2, &out), '0');

    dataplane_set_uplink(r.dp, 0, 0, 0);
    assert_int_equal(rig_outcome(&r, 0, &back), '2');
    struct rig_packet new = packet(UPLINK, WING, IP_PROTO_UDP, false);
    assert_int_equal(rig_outcome(&r, 0, &new), '.');
    assert_int_equal(rig_outcome(&r, 2, &out), 'e');
    dataplane_set_uplink(r.dp, RIG_OUTSIDE, prefix_mask(24), RIG_GATEWAY);
    assert_int_equal(rig_outcome(&r, 0, &back), '2');

    /* Its subnet is ours. */
    dataplane_set_uplink(r.dp, RIG_HOST(77), prefix_mask(24), RIG_HOST(1));
    rig_step(&r); /* that ends them */
    dataplane_totals(r.dp, &t);
    assert_int_equal(t.flows_live, 1);
    assert_int_equal(rig_outcome(&r, 0, &back), '.');
    r.now_us += 1000000;
    assert_int_equal(rig_outcome(&r, 2, &out), 'e');
    assert_int_equal(rig_outcome(&r, 1, &across), '2');
}

/* The hosts of a routed network reach forwards through the outside address, as others do. */
static void test_hairpin_from_routed(void **state)
{
    struct rig_packet k = packet(PUB, UPLINK, IP_PROTO_TCP, false);
    struct rig_packet back = packet(LAN, UPLINK, IP_PROTO_TCP, true);

    (void)state;
    rig_stop(&r);
    config.fwds[config.fwd_count++] = (struct config_fwd){.protocols = CONFIG_TCP,
                                                          .net = LAN,
                                                          .targets = {RIG_HOST(5)},
                                                          .target_count = 1,
                                                          .first_port = 22,
                                                          .last_port = 22,
                                                          .target_port = 22};
    start();
    k.dst = back.dst = RIG_OUTSIDE;
    assert_int_equal(rig_outcome(&r, 2, &k), '1');
    assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
    back.dport = rig_out_sport(&r);
    assert_int_equal(rig_outcome(&r, 1, &back), '2');
    assert_int_equal(rig_out_dst(&r), ends[PUB].host);
    assert_int_equal(rig_out_src(&r), RIG_OUTSIDE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test_setup_teardown(test_answers_end_with_the_flow, setup_all_open, teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup_all_open, teardown),
        cmocka_unit_test_setup_teardown(test_fragments, setup_all_open, teardown),
        cmocka_unit_test_setup_teardown(test_path, setup_all_open, teardown),
        cmocka_unit_test_setup_teardown(test_from_outside, setup_all_open, teardown),
        cmocka_unit_test_setup_teardown(test_odd_addresses_of_networks, setup_all_open, teardown),
        cmocka_unit_test(test_equal_subnets),
        cmocka_unit_test_setup_teardown(test_uplink_changes, setup_all_open, teardown),
        cmocka_unit_test_setup_teardown(test_hairpin_from_routed, setup_all_open, teardown),
    };
    return cmocka_run_group_tests_name("dataplane_routed", tests, NULL, NULL);
}
