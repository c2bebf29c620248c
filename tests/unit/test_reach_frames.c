/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The matrix against frames: random networks, modes, rules and forwards in a whole dataplane, and
 * for every ordered pair of ends (network, uplink, router) conversations begun by frames. What
 * reach_between() calls none must let none through and what it calls all must let all through; each
 * single one passes just when rules_decide() says so; and nothing appears where it was not sent.
 *
 *     port 0: uplink 203.0.113.2/24, gateway .1       ports 1 .. 10: one or two for each network
 *
 * Now and then port 0 is a trunk that carries the uplink and some of the networks as well.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#include "boot/config_rules.h"
#include "net/flow_table.h"
#include "net/rules.h"
#include "net/wire/ip4.h"
#include "tests/fake/router_rig.h"

#define CONFIGURATIONS 300
#define PER_PAIR       10
#define HOSTS          4 /* of each end that have rules of their own */
#define FORWARD_PORT   8000
#define OUTSIDE_NEAR   BE_IP4(203, 0, 113, 77)

static struct rig r;
static struct config cfg;
static uint16_t fresh; /* a source port no conversation has had yet */
static uint8_t fresh_host;

/* ---- rolling a configuration ---- */

static uint64_t seed = 5;

static uint32_t roll(uint32_t n)
{
    seed = hash_mix(seed + 0x9E3779B97F4A7C15u, 0xD1B54A32D192ED03u);
    return (uint32_t)(seed >> 33) % n;
}

static bool is_bridge(unsigned end)
{
    return end < cfg.net_count && config_mode(&cfg.nets[end])->joins_uplink;
}

static unsigned zone_of(unsigned end)
{
    if (end == REACH_ROUTER)
        return ZONE_ROUTER;
    return end == REACH_UPLINK || is_bridge(end) ? NETWORK_UPLINK : end;
}

static unsigned nth_end(unsigned i)
{
    return i < cfg.net_count ? i : i == cfg.net_count ? REACH_UPLINK : REACH_ROUTER;
}

static const char *end_name(unsigned end)
{
    static const char *const names[] = {"net0", "net1", "net2", "net3", "net4"};
    return end == REACH_ROUTER ? "router" : end == REACH_UPLINK ? "uplink" : names[end];
}

/* Host h of an end. */
static be32 host_of(unsigned end, unsigned h)
{
    static const be32 outside[HOSTS] = {OUTSIDE_NEAR, RIG_SERVER, BE_IP4(9, 9, 9, 9),
                                        BE_IP4(10, 9, 9, 9)};
    if (end == REACH_UPLINK)
        return outside[h % HOSTS];
    if (is_bridge(end))
        return BE_IP4(203, 0, 113, 50 + h);
    const struct config_net *net = &cfg.nets[end];
    be32 base = net->ip ? net->ip & prefix_mask(net->prefix) : BE_IP4(10, 0, end, 0);
    return base | BE_IP4(0, 0, 0, 10 + h);
}

static unsigned port_of(unsigned end, be32 ip)
{
    uint32_t ports = end == REACH_UPLINK ? 1u << cfg.uplink.port : cfg.nets[end].ports;
    if (ports & (ports - 1) && ntoh32(ip) & 1)
        ports &= ports - 1;
    return (unsigned)__builtin_ctz(ports);
}

/* The VLAN ID that the end's frames carry on the port; 0: none. */
static uint16_t tag_of(unsigned end, unsigned port)
{
    return end == REACH_UPLINK ? cfg.uplink.vlan : cfg.nets[end].tag[port];
}

/* A bit for each end. */
static uint32_t bit_of(unsigned end)
{
    return 1u << (end == REACH_UPLINK ? NETWORK_UPLINK : end == REACH_ROUTER ? ZONE_ROUTER : end);
}

/* Whose frames with this tag are on the port; 0: nobody's. */
static uint32_t owner_of(unsigned port, uint16_t tag)
{
    if (cfg.uplink.present && port == cfg.uplink.port && tag == cfg.uplink.vlan)
        return bit_of(REACH_UPLINK);
    for (unsigned i = 0; i < cfg.net_count; i++)
        if (cfg.nets[i].ports >> port & 1 && cfg.nets[i].tag[port] == tag)
            return bit_of(i);
    return 0;
}

/* All ends on its segment, which flooded frames may go to. */
static uint32_t segment_of(unsigned end)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i <= cfg.net_count; i++)
        if (zone_of(nth_end(i)) == zone_of(end))
            bits |= bit_of(nth_end(i));
    return bits;
}

static void roll_nets(void)
{
    bool bridged = false, trunk = roll(3) == 0;
    unsigned port = 1;

    if (trunk && cfg.uplink.present)
        cfg.uplink.vlan = 5;

    cfg.net_count = (uint8_t)(2 + roll(4));
    for (unsigned i = 0; i < cfg.net_count; i++) {
        struct config_net *net = &cfg.nets[i];
        do
            net->mode = (uint8_t)roll(NET_MODE_COUNT);
        while (net->mode == NET_BRIDGE && (bridged || !cfg.uplink.present));
        bridged |= net->mode == NET_BRIDGE;
        snprintf(net->name, sizeof(net->name), "net%u", i);
        net->isolate = roll(6) == 0;
        for (unsigned k = 1 + roll(2); k > 0; k--)
            net->ports |= 1u << port++;
        if (trunk && net->mode != NET_BRIDGE && roll(2)) {
            net->ports |= 1;
            net->tag[0] = (uint16_t)(10 + i);
        }
        if (!config_mode(net)->has_address)
            continue;
        net->ip = BE_IP4(192, 168, 8 + i, 1);
        net->prefix = roll(2) ? 24 : 27;
    }
    if (bridged && roll(3) == 0) { /* the router keeps silent on the uplink */
        cfg.uplink.silent = true;
        cfg.uplink.ip = cfg.uplink.gw = 0;
        cfg.uplink.prefix = 0;
    }
}

static struct config_where roll_where(bool to)
{
    static const uint8_t prefixes[] = {0, 8, 24, 28, 31, 32, 32};
    struct config_where w = {.kind = WHERE_ANY};
    unsigned end = nth_end(roll(cfg.net_count + 1u)), h = roll(HOSTS);

    switch (roll(6)) {
    case 0:
        break;
    case 1:
        w.kind = to ? WHERE_ROUTER : WHERE_ANY;
        break;
    case 2:
        w.kind = WHERE_CIDR;
        w.prefix = prefixes[roll(ARRAY_COUNT(prefixes))];
        w.ip = host_of(end, h) & prefix_mask(w.prefix);
        break;
    case 3:
        if (end != REACH_UPLINK && cfg.nets[end].ip) {
            w = (struct config_where){
                .kind = WHERE_HOST, .net = (uint8_t)end, .ip = host_of(end, h)};
            memcpy(w.mac, rig_mac(w.ip), MAC_BYTES);
        }
        break;
    default:
        w.kind = end == REACH_UPLINK || is_bridge(end) ? WHERE_UPLINK : WHERE_NET;
        w.net = (uint8_t)end;
    }
    return w;
}

/* The address, or one to three more with it. */
static struct config_where address_of(be32 ip)
{
    uint8_t prefix = (uint8_t)(30 + roll(3));
    return (struct config_where){
        .kind = WHERE_CIDR, .prefix = prefix, .ip = ip & prefix_mask(prefix)};
}

static void roll_rules(void)
{
    static const uint8_t protos[] = {0, 0, 0, IP_PROTO_TCP, IP_PROTO_UDP, IP_PROTO_ICMP, 47};

    cfg.rule_count = (uint16_t)roll(7);
    for (unsigned i = 0; i < cfg.rule_count; i++) {
        struct config_rule *rule = &cfg.rules[i];
        rule->action = (uint8_t)(roll(2) ? RULE_ALLOW : 1 + roll(2));
        rule->from = roll_where(false);
        rule->to = roll_where(true);
        if (roll(3) == 0) { /* between two hosts of one end */
            unsigned end = nth_end(roll(cfg.net_count));
            rule->from = address_of(host_of(end, roll(HOSTS)));
            rule->to = address_of(host_of(end, roll(HOSTS)));
        }
        rule->proto = protos[roll(ARRAY_COUNT(protos))];
        rule->ports_given = rule->proto != IP_PROTO_ICMP && rule->proto != 47 && roll(3) == 0;
        rule->first_port = (uint16_t)(1 + roll(3));
        rule->last_port = (uint16_t)(rule->first_port + roll(2));
    }
}

/* Forward i, from outside port FORWARD_PORT + i, leads to host 0 of network i if there is one. */
static void roll_forwards(void)
{
    for (unsigned i = 0; i < cfg.net_count; i++) {
        if (!config_mode(&cfg.nets[i])->routes_to_uplink || !cfg.uplink.present ||
            cfg.uplink.silent || roll(2))
            continue;
        cfg.fwds[cfg.fwd_count++] = (struct config_fwd){
            .protocols = CONFIG_TCP,
            .net = (uint8_t)i,
            .target_count = 1,
            .targets = {host_of(i, 0)},
            .first_port = (uint16_t)(FORWARD_PORT + i),
            .last_port = (uint16_t)(FORWARD_PORT + i),
            .target_port = (uint16_t)(1 + roll(3)),
        };
    }
}

static void roll_config(void)
{
    memset(&cfg, 0, sizeof(cfg));
    cfg.ok = true;
    cfg.port_count = 11; /* two for each network */
    if (roll(8))
        cfg.uplink = (struct config_uplink){
            .present = true, .ip = RIG_OUTSIDE, .prefix = 24, .gw = RIG_GATEWAY};
    roll_nets();
    roll_rules();
    roll_forwards();
    for (unsigned i = 0; i < cfg.net_count; i++) /* two of them with one subnet, if they may */
        for (unsigned k = 0; k < i && cfg.rule_count == 0; k++)
            if (cfg.nets[i].mode == NET_HOSTONLY && cfg.nets[k].mode == NET_NAT) {
                cfg.nets[i].ip = cfg.nets[k].ip;
                cfg.nets[i].prefix = cfg.nets[k].prefix;
            }
}

/* Lets r.in come in, tagged if the end's frames are on that port. */
static void input(unsigned end, unsigned port)
{
    const uint32_t tag = tag_of(end, port);

    frame_add_tags(&r.in, &tag, tag != 0);
    rig_input_raw(&r, port);
    rig_step(&r);
}

/* The switch learns where the station is. */
static void appear(unsigned end, be32 ip)
{
    memset(r.in.b, 0, 60);
    memset(r.in.b, 0xFF, MAC_BYTES);
    memcpy(r.in.b + 6, rig_mac(ip), MAC_BYTES);
    store_be16(r.in.b + 12, 0x1234);
    r.in.n = 60;
    input(end, port_of(end, ip));
    rig_flush(&r);
}

static void start(void)
{
    rig_start_config(&r, &cfg, 0);
    fresh = 20000;
    fresh_host = HOSTS;
    for (unsigned i = 0; i < cfg.net_count; i++)
        for (unsigned h = 0; h < HOSTS; h++)
            appear(i, host_of(i, h));
    if (!cfg.uplink.present)
        return;
    appear(REACH_UPLINK, RIG_GATEWAY);
    appear(REACH_UPLINK, OUTSIDE_NEAR);
}

/* ---- frames ---- */

/* Where the station with this address of the end is found on its segment. */
static const uint8_t *station_mac(unsigned end, be32 ip)
{
    bool far = end == REACH_UPLINK && (ip ^ RIG_GATEWAY) & prefix_mask(24);
    return rig_mac(far ? RIG_GATEWAY : ip);
}

/* The router's MAC where the end is; where it has none, that of a NIC of its own somewhere else. */
static const uint8_t *router_mac(unsigned from, unsigned to)
{
    if (zone_of(from) == NETWORK_UPLINK)
        return rig_router_mac(&r, NETWORK_UPLINK);
    if (cfg.nets[from].ip)
        return rig_router_mac(&r, from);
    return r.nics[to < cfg.net_count ? __builtin_ctz(cfg.nets[to].ports) : 0].nic.mac;
}

/* Lets the packet in where its sender is. Returns the ends at which frames appeared that are not
 * for the sender (errors and resets are no way through). */
static uint32_t send(const struct rig_packet *k, unsigned from, unsigned in, const uint8_t *src_mac,
                     const uint8_t *dst_mac)
{
    uint32_t seen = 0;

    rig_make(&r, in, k);
    memcpy(r.in.b, dst_mac, MAC_BYTES);
    memcpy(r.in.b + 6, src_mac, MAC_BYTES);
    input(from, in);
    if (r.delivered_count)
        seen |= bit_of(REACH_ROUTER);
    for (unsigned p = 0; p < cfg.port_count; p++) {
        while (rig_output(&r, p)) {
            bool tagged = load_be16(r.out.b + 12) == 0x8100;
            uint16_t tag = tagged ? load_be16(r.out.b + 14) & 0xFFF : 0;
            if (tagged)
                memmove(r.out.b + 12, r.out.b + 16, r.out.n -= 4);
            assert_true(owner_of(p, tag));
            if (rig_out_dst(&r) != k->src)
                seen |= owner_of(p, tag);
        }
    }
    rig_flush(&r);
    return seen;
}

static uint8_t roll_proto(unsigned from, unsigned to)
{
    static const uint8_t protos[] = {IP_PROTO_TCP, IP_PROTO_UDP, IP_PROTO_ICMP, 47};
    if (to == REACH_ROUTER && zone_of(from) == NETWORK_UPLINK)
        return IP_PROTO_ICMP; /* all it serves there; closed ports are none of the rules' business
                               */
    if (to != REACH_ROUTER && zone_of(from) != zone_of(to) && zone_of(to) == NETWORK_UPLINK)
        return protos[roll(3)]; /* of what can be translated */
    return protos[roll(ARRAY_COUNT(protos))];
}

static be32 router_address(unsigned from)
{
    if (zone_of(from) == NETWORK_UPLINK)
        return cfg.uplink.ip ? cfg.uplink.ip : RIG_OUTSIDE;
    return cfg.nets[from].ip ? cfg.nets[from].ip : cfg.nets[roll(cfg.net_count)].ip;
}

struct tried {
    unsigned from, to;
    unsigned passed, stopped;
};

static void complain(const struct tried *t, const struct rig_packet *k, const char *what)
{
    char text[RULE_TEXT_BYTES];
    const uint8_t *s = (const uint8_t *)&k->src, *d = (const uint8_t *)&k->dst;

    for (unsigned i = 0; i < cfg.net_count; i++)
        print_message("net%u %s%s ports %x vlan %u\n", i, config_mode(&cfg.nets[i])->name,
                      cfg.nets[i].isolate ? " isolate" : "", cfg.nets[i].ports, cfg.nets[i].tag[0]);
    for (unsigned i = 0; i < cfg.rule_count; i++)
        print_message("%s\n", rules_text(&cfg, i, text));
    fail_msg("%s -> %s, %u.%u.%u.%u -> %u.%u.%u.%u proto %u port %u: %s", end_name(t->from),
             end_name(t->to), s[0], s[1], s[2], s[3], d[0], d[1], d[2], d[3], k->proto, k->dport,
             what);
}

static bool decide(unsigned from, unsigned to, const struct rig_packet *k, bool forwarded)
{
    bool ports = k->proto == IP_PROTO_TCP || k->proto == IP_PROTO_UDP;
    struct rule_packet q = {.from = (uint8_t)from,
                            .to = (uint8_t)to,
                            .proto = k->proto,
                            .forwarded = forwarded,
                            .src = k->src,
                            .dst = k->dst,
                            .dport = ports ? hton16(k->dport) : 0};
    return rules_decide(&cfg, &q).action == RULE_ALLOW;
}

/* Told apart whatever rules there are: once more, by the names of the modes. */
static bool is_kept_apart(const struct tried *t)
{
    const unsigned ends[] = {t->from, t->to};

    for (unsigned i = 0; i < 2 && zone_of(t->from) != zone_of(t->to); i++) {
        if (ends[i] >= cfg.net_count)
            continue;
        if (cfg.nets[ends[i]].mode == NET_INTERNAL)
            return true;
        if (cfg.nets[ends[i]].mode == NET_HOSTONLY && zone_of(ends[!i]) == NETWORK_UPLINK)
            return true;
    }
    return false;
}

static void judge(struct tried *t, const struct rig_packet *k, uint32_t seen, bool expected)
{
    uint32_t goal = bit_of(t->to);
    bool passed = seen & goal;

    if (passed != expected)
        complain(t, k, passed ? "passed against the rules" : "was stopped against the rules");
    if (passed && is_kept_apart(t))
        complain(t, k, "passed against the modes");
    if (expected && zone_of(t->from) != zone_of(t->to) && seen & ~goal)
        complain(t, k, "went somewhere else as well");
    /* What has no address here goes outside, as any unknown one does; and nowhere else. */
    if (!expected && seen & ~segment_of(t->from) & ~segment_of(REACH_UPLINK))
        complain(t, k, "appeared elsewhere");
    t->passed += passed;
    t->stopped += !passed;
}

/* ---- one conversation ---- */

static void try_plain(struct tried *t)
{
    const unsigned from = t->from, to = t->to;
    struct rig_packet k = {.proto = roll_proto(from, to),
                           .sport = fresh++,
                           .dport = (uint16_t)(1 + roll(4)),
                           .tcp_flags = TCP_SYN,
                           .payload_bytes = 32};
    bool inside = zone_of(from) == zone_of(to);

    k.src = host_of(from, roll(HOSTS));
    k.dst = to == REACH_ROUTER ? router_address(from) : host_of(to, roll(HOSTS));
    /* Without ports a conversation is its two addresses: never one that went the other way. */
    if (k.proto == 47 && fresh_host == 20)
        return;
    if (k.proto == 47 && from != REACH_UPLINK)
        k.src = host_of(from, fresh_host++);
    unsigned in = port_of(from, k.src);
    if (inside && in == port_of(to, k.dst) && tag_of(from, in) == tag_of(to, in))
        return; /* they do not need us */
    bool expected = decide(zone_of(from), zone_of(to), &k, false);
    if (from == to && from < cfg.net_count && cfg.nets[from].isolate)
        expected = false; /* of a bridge only the switch knows */
    if (to != REACH_ROUTER && k.proto == 47 && from == REACH_UPLINK && !inside)
        return; /* the one outside address would stand for both ways */
    /* Within a network by the switch, or by the router, which is no way round. */
    bool switched = inside && (from >= cfg.net_count || !cfg.nets[from].ip || roll(2));
    uint32_t seen = send(&k, from, in, station_mac(from, k.src),
                         switched ? station_mac(to, k.dst) : router_mac(from, to));
    judge(t, &k, seen, expected);
}

/* A source that is not the sender's own gets nowhere by the router. */
static void try_forged(struct tried *t)
{
    unsigned other = nth_end(roll(cfg.net_count + 1u));
    struct rig_packet k = {.proto = IP_PROTO_UDP, .sport = fresh++, .dport = 1};

    if (zone_of(other) == zone_of(t->from) || zone_of(t->from) == zone_of(t->to))
        return;
    k.src = host_of(other, roll(HOSTS));
    k.dst = t->to == REACH_ROUTER ? router_address(t->from) : host_of(t->to, roll(HOSTS));
    for (unsigned i = 0; i < cfg.net_count && zone_of(t->from) == NETWORK_UPLINK; i++)
        if (!config_net_has(&cfg.nets[i], k.src) && zone_of(other) != NETWORK_UPLINK &&
            !cfg.nets[other].ip)
            return; /* an address of an internal network may well be outside, too */
    if (t->from < cfg.net_count && config_net_has(&cfg.nets[t->from], k.src))
        return; /* of a network with the same subnet */
    struct tried ignored = *t;
    unsigned in = port_of(t->from, host_of(t->from, 0));
    judge(&ignored, &k, send(&k, t->from, in, rig_mac(k.src), router_mac(t->from, t->to)), false);
}

/* By the outside address to a forward, from outside or from a network that reaches it. */
static void try_forward(struct tried *t, const struct config_fwd *fwd)
{
    struct rig_packet k = {.proto = IP_PROTO_TCP,
                           .sport = fresh++,
                           .dport = fwd->first_port,
                           .tcp_flags = TCP_SYN,
                           .src = host_of(t->from, roll(HOSTS)),
                           .dst = RIG_OUTSIDE};
    struct rig_packet inner = k;
    bool outside = zone_of(t->from) == NETWORK_UPLINK;

    if (k.src == fwd->targets[0] || (!outside && !cfg.nets[t->from].ip))
        return;
    inner.src = outside ? k.src : RIG_OUTSIDE;
    inner.dst = fwd->targets[0];
    inner.dport = fwd->target_port;
    bool expected = (outside || decide(t->from, NETWORK_UPLINK, &k, false)) &&
                    decide(NETWORK_UPLINK, fwd->net, &inner, true);
    /* Back into its own network: the rules inside hold by the outside address too. */
    if (t->from == fwd->net && rules_inside(&cfg, t->from)) {
        inner.src = k.src;
        expected = expected && decide(t->from, t->from, &inner, false);
    }
    if (expected && !reach_by_forward(&cfg, t->from, t->to, NULL))
        complain(t, &k, "a forward that the matrix does not know of");
    unsigned in = port_of(t->from, k.src);
    struct tried ignored = *t;
    judge(&ignored, &k,
          send(&k, t->from, in, station_mac(t->from, k.src), router_mac(t->from, t->to)), expected);
}

/* ---- the matrix ---- */

static unsigned totals[3], passed_all, stopped_all;

static void check_pair(unsigned from, unsigned to)
{
    struct tried t = {.from = from, .to = to};
    struct reach_answer answer = reach_between(&cfg, from, to);

    if (from == REACH_UPLINK && to == REACH_UPLINK)
        return;
    if ((from == REACH_UPLINK || to == REACH_UPLINK) && !cfg.uplink.present) {
        assert_int_equal(answer.reach, REACH_NONE);
        return;
    }
    for (unsigned n = 0; n < PER_PAIR; n++)
        try_plain(&t);
    for (unsigned n = 0; n < 2; n++)
        try_forged(&t);
    for (unsigned i = 0; i < cfg.fwd_count; i++)
        if (cfg.fwds[i].net == to)
            try_forward(&t, &cfg.fwds[i]);
    if ((answer.reach == REACH_NONE && t.passed) || (answer.reach == REACH_ALL && t.stopped))
        fail_msg("%s -> %s is %s, but %u passed and %u did not", end_name(from), end_name(to),
                 answer.reach == REACH_NONE ? "none" : "all", t.passed, t.stopped);
    totals[answer.reach]++;
    passed_all += t.passed;
    stopped_all += t.stopped;
}

static void test_the_matrix_is_what_frames_find(void **state)
{
    (void)state;
    for (unsigned n = 0; n < CONFIGURATIONS; n++) {
        roll_config();
        start();
        for (unsigned from = 0; from <= cfg.net_count; from++)
            for (unsigned to = 0; to < cfg.net_count + 2u; to++)
                check_pair(nth_end(from), nth_end(to));
        rig_stop(&r);
    }
    print_message("pairs: none %u, some %u, all %u; conversations: %u passed, %u did not\n",
                  totals[REACH_NONE], totals[REACH_SOME], totals[REACH_ALL], passed_all,
                  stopped_all);
    assert_true(totals[REACH_NONE] > 500 && totals[REACH_SOME] > 200 && totals[REACH_ALL] > 500);
    assert_true(passed_all > 5000 && stopped_all > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_matrix_is_what_frames_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
