/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See rules.h. Rules are walked in order: with 256 of them that costs a few hundred nanoseconds,
 * and only the first packet of a conversation pays it.
 *
 * A decision is exact. What is said about all packets between two zones at once (touches, covers,
 * reach) errs to the safe side: a way that several rules close only together still counts as
 * open in part.
 */
#include "net/rules.h"
#include "net/flow_table.h"
#include "net/wire/ip4.h"

static_assert(ZONE_ROUTER == NETWORK_UPLINK + 1, "zones are numbered in a row");

#define NO_RULE (-1)

/* The network of a zone, or NULL. */
static inline const struct config_net *zone_net(const struct config *cfg, unsigned zone)
{
    return zone < cfg->net_count ? &cfg->nets[zone] : NULL;
}

static inline bool is_zone(const struct config *cfg, unsigned zone)
{
    return zone < cfg->net_count || zone == NETWORK_UPLINK || zone == ZONE_ROUTER;
}

/* ---- what the modes say ---- */

static inline bool uplink_routes(const struct config *cfg)
{
    return cfg->uplink.present && !cfg->uplink.silent;
}

/* Only then the uplink's segment is ours to switch. */
static bool has_bridge(const struct config *cfg)
{
    for (unsigned i = 0; i < cfg->net_count; i++)
        if (config_mode(&cfg->nets[i])->joins_uplink)
            return true;
    return false;
}

bool rules_forbidden(const struct config *cfg, unsigned from, unsigned to)
{
    const struct config_net *a = zone_net(cfg, from), *b = zone_net(cfg, to);

    if (!is_zone(cfg, from) || !is_zone(cfg, to))
        return true;
    if (from == to)
        return a ? a->isolate : from == NETWORK_UPLINK && !has_bridge(cfg);
    if ((from == NETWORK_UPLINK || to == NETWORK_UPLINK) && !uplink_routes(cfg))
        return true;
    if ((a && !config_mode(a)->has_address) || (b && !config_mode(b)->has_address))
        return true;
    if (to == NETWORK_UPLINK)
        return a && !config_mode(a)->routes_to_uplink;
    if (from == NETWORK_UPLINK)
        return b && (!config_mode(b)->routes_to_uplink || config_mode(b)->translates);
    return false;
}

static bool forward_forbidden(const struct config *cfg, unsigned from, unsigned to)
{
    const struct config_net *net = zone_net(cfg, to);

    return from != NETWORK_UPLINK || !net || !uplink_routes(cfg) ||
           !config_mode(net)->routes_to_uplink;
}

/* Whether the address can belong to a host of the zone. */
static bool is_at_home(const struct config *cfg, unsigned zone, be32 ip)
{
    if (zone < cfg->net_count)
        return config_net_has(&cfg->nets[zone], ip);
    if (zone == NETWORK_UPLINK)
        for (unsigned i = 0; i < cfg->net_count; i++)
            if (config_net_has(&cfg->nets[i], ip))
                return false;
    return true;
}

/* What holds where the modes forbid nothing and no rule matches. */
static bool default_allows(unsigned from, unsigned to, bool forwarded)
{
    return forwarded || from == to || from == ZONE_ROUTER || to == ZONE_ROUTER ||
           to == NETWORK_UPLINK;
}

/* ---- one rule, one packet ---- */

static inline bool names_addresses(const struct config_where *w)
{
    return w->kind == WHERE_CIDR || w->kind == WHERE_HOST;
}

static inline bool subnets_meet(be32 a, unsigned a_prefix, be32 b, unsigned b_prefix)
{
    return !((a ^ b) & prefix_mask(MIN(a_prefix, b_prefix)));
}

static bool is_within(be32 ip, unsigned prefix, be32 outer, unsigned outer_prefix)
{
    return outer_prefix <= prefix && subnets_meet(ip, prefix, outer, outer_prefix);
}

static bool is_within_some_net(const struct config *cfg, const struct config_where *w)
{
    for (unsigned i = 0; i < cfg->net_count; i++)
        if (cfg->nets[i].ip && is_within(w->ip, w->prefix, cfg->nets[i].ip, cfg->nets[i].prefix))
            return true;
    return false;
}

/* Whether w can be one end of a conversation inside the zone. */
static bool is_end_inside(const struct config *cfg, const struct config_where *w, unsigned zone)
{
    const struct config_net *net = zone_net(cfg, zone);

    if (w->kind == WHERE_HOST)
        return w->net == zone;
    if (w->kind != WHERE_CIDR)
        return false;
    if (zone == NETWORK_UPLINK)
        return !is_within_some_net(cfg, w);
    return !net || !net->ip || subnets_meet(w->ip, w->prefix, net->ip, net->prefix);
}

static bool is_rule_inside(const struct config *cfg, const struct config_rule *rule, unsigned zone)
{
    return names_addresses(&rule->from) && names_addresses(&rule->to) &&
           is_end_inside(cfg, &rule->from, zone) && is_end_inside(cfg, &rule->to, zone);
}

static inline bool end_matches(const struct config_where *w, unsigned zone, be32 ip)
{
    switch (w->kind) {
    case WHERE_ANY:
        return true;
    case WHERE_NET:
        return zone == w->net;
    case WHERE_UPLINK:
        return zone == NETWORK_UPLINK;
    case WHERE_ROUTER:
        return zone == ZONE_ROUTER;
    case WHERE_CIDR:
        return !((w->ip ^ ip) & prefix_mask(w->prefix));
    default:
        return zone == w->net && ip == w->ip;
    }
}

static inline bool has_ports(uint8_t proto)
{
    return proto == IP_PROTO_TCP || proto == IP_PROTO_UDP;
}

static inline bool service_matches(const struct config_rule *rule, uint8_t proto, uint16_t dport)
{
    if (rule->proto && rule->proto != proto)
        return false;
    return !rule->ports_given ||
           (has_ports(proto) && dport >= rule->first_port && dport <= rule->last_port);
}

struct rule_decision rules_decide(const struct config *cfg, const struct rule_packet *k)
{
    struct rule_decision decision = {RULE_DENY, false, NO_RULE};
    const uint16_t dport = ntoh16(k->dport);
    const bool inside = k->from == k->to;

    if (k->forwarded ? forward_forbidden(cfg, k->from, k->to)
                     : rules_forbidden(cfg, k->from, k->to))
        return decision;
    if (!inside && (!is_at_home(cfg, k->from, k->src) || !is_at_home(cfg, k->to, k->dst)))
        return decision;
    for (unsigned i = 0; i < cfg->rule_count; i++) {
        const struct config_rule *rule = &cfg->rules[i];
        if (!service_matches(rule, k->proto, dport) || !end_matches(&rule->from, k->from, k->src) ||
            !end_matches(&rule->to, k->to, k->dst) ||
            (inside && !is_rule_inside(cfg, rule, k->from)))
            continue;
        return (struct rule_decision){rule->action, rule->log, (int16_t)i};
    }
    if (default_allows(k->from, k->to, k->forwarded))
        decision.action = RULE_ALLOW;
    return decision;
}

bool rules_inside(const struct config *cfg, unsigned net)
{
    for (unsigned i = 0; i < cfg->rule_count; i++)
        if (is_rule_inside(cfg, &cfg->rules[i], net))
            return true;
    return false;
}

static bool is_machine(const struct config_where *w, unsigned net, const uint8_t *mac)
{
    return w->kind == WHERE_HOST && w->net == net && memcmp(w->mac, mac, MAC_BYTES) == 0;
}

struct rule_decision rules_decide_macs(const struct config *cfg, unsigned net, const uint8_t *src,
                                       const uint8_t *dst)
{
    struct rule_decision decision = {RULE_DENY, false, NO_RULE};

    if (rules_forbidden(cfg, net, net))
        return decision;
    for (unsigned i = 0; i < cfg->rule_count; i++) {
        const struct config_rule *rule = &cfg->rules[i];
        if (!rule->proto && !rule->ports_given && is_machine(&rule->from, net, src) &&
            is_machine(&rule->to, net, dst))
            return (struct rule_decision){rule->action, rule->log, (int16_t)i};
    }
    decision.action = RULE_ALLOW;
    return decision;
}

/* ---- all packets between two zones ---- */

/* Addresses as a set; prefix 0 is all of them. */
struct range {
    be32 ip;
    uint8_t prefix;
};

static inline bool range_has(const struct config_where *w, be32 ip)
{
    return !((w->ip ^ ip) & prefix_mask(w->prefix));
}

/* Whether the router may take packets to an address of the CIDR for its own: its addresses, of
 * which the one at the uplink may not be known yet, broadcasts and groups. */
static bool meets_router(const struct config *cfg, const struct config_where *w)
{
    for (unsigned i = 0; i < cfg->net_count; i++) {
        const struct config_net *net = &cfg->nets[i];
        if (net->ip && (range_has(w, net->ip) || range_has(w, net->ip | ~prefix_mask(net->prefix))))
            return true;
    }
    if (subnets_meet(w->ip, w->prefix, BE_IP4(224, 0, 0, 0), 4) ||
        range_has(w, BE_IP4(255, 255, 255, 255)))
        return true;
    if (!uplink_routes(cfg))
        return false;
    return cfg->uplink.dhcp ? !is_within_some_net(cfg, w) : range_has(w, cfg->uplink.ip);
}

static bool end_touches(const struct config *cfg, const struct config_where *w, unsigned zone)
{
    const struct config_net *net = zone_net(cfg, zone);

    if (w->kind != WHERE_CIDR)
        return end_matches(w, zone, w->ip);
    if (zone == NETWORK_UPLINK)
        return !is_within_some_net(cfg, w);
    if (zone == ZONE_ROUTER)
        return meets_router(cfg, w);
    return net && net->ip && subnets_meet(w->ip, w->prefix, net->ip, net->prefix);
}

bool rules_touches(const struct config *cfg, const struct config_rule *rule, unsigned from,
                   unsigned to)
{
    if (from == to)
        return is_rule_inside(cfg, rule, from);
    return end_touches(cfg, &rule->from, from) && end_touches(cfg, &rule->to, to);
}

/* The addresses that w stands for in the zone, as end of a conversation within it or not. */
static struct range range_of(const struct config *cfg, const struct config_where *w, unsigned zone,
                             bool inside)
{
    const struct config_net *net = zone_net(cfg, zone);
    struct range range = {0, 0};

    if (w->kind == WHERE_HOST)
        return (struct range){w->ip, 32};
    if (w->kind == WHERE_CIDR)
        range = (struct range){w->ip, w->prefix};
    if (!inside && net && net->ip && net->prefix > range.prefix)
        range = (struct range){net->ip, net->prefix};
    return range;
}

static bool end_covers(const struct config *cfg, const struct config_where *a,
                       const struct config_where *b, unsigned zone, bool inside)
{
    struct range range = range_of(cfg, b, zone, inside);

    if (a->kind == WHERE_CIDR)
        return is_within(range.ip, range.prefix, a->ip, a->prefix);
    return end_matches(a, zone, range.ip) && (a->kind != WHERE_HOST || range.prefix == 32);
}

static bool service_covers(const struct config_rule *a, const struct config_rule *b)
{
    if (a->proto && a->proto != b->proto)
        return false;
    return !a->ports_given ||
           (b->ports_given && a->first_port <= b->first_port && a->last_port >= b->last_port);
}

bool rules_covers(const struct config *cfg, const struct config_rule *a,
                  const struct config_rule *b, unsigned from, unsigned to)
{
    bool inside = from == to;

    return service_covers(a, b) && (!inside || is_rule_inside(cfg, a, from)) &&
           end_covers(cfg, &a->from, &b->from, from, inside) &&
           end_covers(cfg, &a->to, &b->to, to, inside);
}

/* Whether one rule before rule i leaves nothing for it between these zones. */
static bool is_shadowed(const struct config *cfg, unsigned i, unsigned from, unsigned to)
{
    for (unsigned k = 0; k < i; k++)
        if (rules_covers(cfg, &cfg->rules[k], &cfg->rules[i], from, to))
            return true;
    return false;
}

/* What the rules leave of the packets that `what` is about, between two zones; otherwise: what
 * holds where no rule matches. */
static struct reach_answer reach_by_rules(const struct config *cfg, unsigned from, unsigned to,
                                          const struct config_rule *what, bool otherwise)
{
    bool seen[2] = {false, false}; /* something is denied; something is allowed */
    int16_t first = NO_RULE;       /* that is against the default */
    bool decided = false;

    for (unsigned i = 0; i < cfg->rule_count && !decided; i++) {
        const struct config_rule *rule = &cfg->rules[i];
        const bool allows = rule->action == RULE_ALLOW;
        if (!rules_touches(cfg, rule, from, to))
            continue;
        if (!seen[allows] && !is_shadowed(cfg, i, from, to)) {
            seen[allows] = true;
            if (allows != otherwise)
                first = (int16_t)i;
        }
        decided = rules_covers(cfg, rule, what, from, to);
    }
    if (!decided)
        seen[otherwise] = true;
    if (!seen[true])
        return (struct reach_answer){REACH_NONE, first};
    return (struct reach_answer){seen[false] ? REACH_SOME : REACH_ALL, first};
}

/* An end of a way as a zone; an unknown one is none. */
static unsigned zone_of(const struct config *cfg, unsigned end)
{
    if (end == REACH_ROUTER)
        return ZONE_ROUTER;
    if (end == REACH_UPLINK || (end < cfg->net_count && config_mode(&cfg->nets[end])->joins_uplink))
        return NETWORK_UPLINK;
    return end < cfg->net_count ? end : CONFIG_NO_NET;
}

bool reach_forwarded(const struct config *cfg, unsigned net, const struct config_rule *what)
{
    return reach_by_rules(cfg, NETWORK_UPLINK, net, what, true).reach != REACH_NONE;
}

struct reach_answer reach_between(const struct config *cfg, unsigned from, unsigned to)
{
    static const struct config_rule everything; /* any protocol, from anywhere to anywhere */
    const struct reach_answer none = {REACH_NONE, NO_RULE};
    unsigned a = zone_of(cfg, from), b = zone_of(cfg, to);

    if (rules_forbidden(cfg, a, b))
        return none;
    if (from == to && from < cfg->net_count && cfg->nets[from].isolate)
        return none; /* of a bridge: only its own ports are kept apart */
    return reach_by_rules(cfg, a, b, &everything, default_allows(a, b, false));
}
