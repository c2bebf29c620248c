/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See naive_rules.h.
 */
#include "tests/model/naive_rules.h"
#include "net/flow_table.h"

enum place { NOWHERE, NETWORK, OUTSIDE, ROUTER };

static enum place place_of(const struct config *cfg, unsigned zone)
{
    if (zone < cfg->net_count)
        return NETWORK;
    return zone == NETWORK_UPLINK ? OUTSIDE : zone == ZONE_ROUTER ? ROUTER : NOWHERE;
}

static bool bit_of(be32 ip, unsigned i)
{
    return ntoh32(ip) >> (31 - i) & 1;
}

static bool in_cidr(be32 ip, be32 base, unsigned prefix)
{
    for (unsigned i = 0; i < prefix; i++)
        if (bit_of(ip, i) != bit_of(base, i))
            return false;
    return true;
}

static bool in_net(const struct config_net *net, be32 ip)
{
    return net->ip != 0 && in_cidr(ip, net->ip, net->prefix);
}

static bool is_bridged(const struct config *cfg)
{
    for (unsigned i = 0; i < cfg->net_count; i++)
        if (cfg->nets[i].mode == NET_BRIDGE)
            return true;
    return false;
}

/* The first half of the story: what no rule can change. */
static bool is_possible(const struct config *cfg, const struct rule_packet *k)
{
    enum place from = place_of(cfg, k->from), to = place_of(cfg, k->to);
    const struct config_net *a = from == NETWORK ? &cfg->nets[k->from] : NULL;
    const struct config_net *b = to == NETWORK ? &cfg->nets[k->to] : NULL;
    bool outside = cfg->uplink.present && !cfg->uplink.silent;

    if (from == NOWHERE || to == NOWHERE)
        return false;
    if (k->forwarded)
        return from == OUTSIDE && b && outside && (b->mode == NET_NAT || b->mode == NET_ROUTED) &&
               in_net(b, k->dst) && !in_net(b, k->src);
    if (k->from == k->to && from == OUTSIDE)
        return is_bridged(cfg);
    if (k->from == k->to)
        return !a || !a->isolate;
    if ((from == OUTSIDE || to == OUTSIDE) && !outside)
        return false;
    if (a && (a->mode == NET_INTERNAL || a->mode == NET_BRIDGE))
        return false;
    if (b && (b->mode == NET_INTERNAL || b->mode == NET_BRIDGE))
        return false;
    if (a && to == OUTSIDE && a->mode == NET_HOSTONLY)
        return false;
    if (from == OUTSIDE && b && (b->mode == NET_HOSTONLY || b->mode == NET_NAT))
        return false;
    return (!a || in_net(a, k->src)) && (!b || in_net(b, k->dst));
}

/* Nobody at the uplink has an address of ours. */
static bool is_forged(const struct config *cfg, const struct rule_packet *k)
{
    if (k->from == k->to)
        return false;
    for (unsigned i = 0; i < cfg->net_count; i++) {
        if (k->from == NETWORK_UPLINK && in_net(&cfg->nets[i], k->src))
            return true;
        if (k->to == NETWORK_UPLINK && in_net(&cfg->nets[i], k->dst))
            return true;
    }
    return false;
}

static bool is_meant(const struct config_where *w, const struct config *cfg, unsigned zone, be32 ip)
{
    if (w->kind == WHERE_NET)
        return place_of(cfg, zone) == NETWORK && zone == w->net;
    if (w->kind == WHERE_UPLINK)
        return place_of(cfg, zone) == OUTSIDE;
    if (w->kind == WHERE_ROUTER)
        return place_of(cfg, zone) == ROUTER;
    if (w->kind == WHERE_CIDR)
        return in_cidr(ip, w->ip, w->prefix);
    if (w->kind == WHERE_HOST)
        return zone == w->net && in_cidr(ip, w->ip, 32);
    return true;
}

static bool could_be_inside(const struct config_where *w, const struct config *cfg, unsigned zone)
{
    const struct config_net *net = place_of(cfg, zone) == NETWORK ? &cfg->nets[zone] : NULL;

    if (w->kind == WHERE_HOST)
        return w->net == zone;
    if (w->kind != WHERE_CIDR)
        return false;
    for (unsigned i = 0; zone == NETWORK_UPLINK && i < cfg->net_count; i++)
        if (cfg->nets[i].ip && w->prefix >= cfg->nets[i].prefix && in_net(&cfg->nets[i], w->ip))
            return false;
    if (!net || !net->ip)
        return true;
    return in_cidr(net->ip, w->ip, w->prefix) || in_cidr(w->ip, net->ip, net->prefix);
}

bool naive_matches(const struct config *cfg, const struct config_rule *r,
                   const struct rule_packet *k)
{
    if (r->proto != 0 && r->proto != k->proto)
        return false;
    if (r->ports_given && k->proto != 6 && k->proto != 17)
        return false;
    if (r->ports_given && (ntoh16(k->dport) < r->first_port || ntoh16(k->dport) > r->last_port))
        return false;
    if (k->from == k->to && !could_be_inside(&r->from, cfg, k->from))
        return false;
    if (k->from == k->to && !could_be_inside(&r->to, cfg, k->to))
        return false;
    return is_meant(&r->from, cfg, k->from, k->src) && is_meant(&r->to, cfg, k->to, k->dst);
}

struct rule_decision naive_decide(const struct config *cfg, const struct rule_packet *k)
{
    struct rule_decision no = {RULE_DENY, false, -1}, yes = {RULE_ALLOW, false, -1};

    if (!is_possible(cfg, k) || is_forged(cfg, k))
        return no;
    for (unsigned i = 0; i < cfg->rule_count; i++) {
        const struct config_rule *r = &cfg->rules[i];
        if (naive_matches(cfg, r, k))
            return (struct rule_decision){r->action, r->log, (int16_t)i};
    }
    if (k->forwarded || k->from == k->to || k->to == NETWORK_UPLINK || k->to == ZONE_ROUTER ||
        k->from == ZONE_ROUTER)
        return yes;
    return no;
}

struct rule_decision naive_decide_macs(const struct config *cfg, unsigned net, const uint8_t *src,
                                       const uint8_t *dst)
{
    if (place_of(cfg, net) == NOWHERE || (net < cfg->net_count && cfg->nets[net].isolate) ||
        (net == NETWORK_UPLINK && !is_bridged(cfg)))
        return (struct rule_decision){RULE_DENY, false, -1};
    for (unsigned i = 0; i < cfg->rule_count; i++) {
        const struct config_rule *r = &cfg->rules[i];
        if (r->from.kind == WHERE_HOST && r->to.kind == WHERE_HOST && r->from.net == net &&
            r->to.net == net && !memcmp(r->from.mac, src, 6) && !memcmp(r->to.mac, dst, 6) &&
            r->proto == 0 && !r->ports_given)
            return (struct rule_decision){r->action, r->log, (int16_t)i};
    }
    return (struct rule_decision){RULE_ALLOW, false, -1};
}
