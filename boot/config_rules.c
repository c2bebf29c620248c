/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules: from names to networks and hosts, and whether each can do what it says. A rule that says
 * more than can come true is refused, because whoever wrote it believes that something is open (or
 * closed) that is not; one that others leave nothing for is noted.
 *
 * Later texts override earlier ones, and of rules the first match wins: so those of a later text
 * stand before those of an earlier one.
 */
#include <stdio.h>

#include "config_rules.h"
#include "net/flow_table.h"
#include "net/rules.h"
#include "net/wire/ip4.h"

const struct draft_rule *config_nth_rule(const struct config_draft *draft, unsigned i)
{
    for (unsigned text = draft->texts; text > 0; text--)
        for (unsigned k = 0; k < draft->rule_count; k++)
            if (draft->rules[k].item.text == text && i-- == 0)
                return &draft->rules[k];
    return NULL;
}

/* Zones that something can come from: networks, and behind them the uplink. One more as goal. */
static unsigned nth_zone(const struct config *config, unsigned i)
{
    return i < config->net_count ? i : i == config->net_count ? NETWORK_UPLINK : ZONE_ROUTER;
}

/* ---- names ---- */

static void unknown_name(struct resolver *r, const struct draft_item *item, unsigned i,
                         const char *name)
{
    struct suggestion suggestion;
    if (r->broken & (BROKEN_NET | BROKEN_HOST))
        return;
    config_suggest_begin(&suggestion, (struct span){name, strlen(name)});
    config_suggest_offer(&suggestion, "uplink");
    config_suggest_offer(&suggestion, "router");
    for (unsigned n = 0; n < r->config->net_count; n++)
        config_suggest_offer(&suggestion, r->config->nets[n].name);
    for (unsigned h = 0; h < r->config->host_count; h++)
        config_suggest_offer(&suggestion, r->config->hosts[h].name);
    resolve_conflict(r, item, "rule", "rule %u: no network and no host= is called %.40s%s%.40s%s",
                     i + 1, name, suggestion.best ? "; did you mean '" : "",
                     suggestion.best ? suggestion.best : "", suggestion.best ? "'?" : "");
}

static const struct config_host *find_host(const struct config *config, const char *name)
{
    for (unsigned h = 0; h < config->host_count; h++)
        if (strcmp(config->hosts[h].name, name) == 0)
            return &config->hosts[h];
    return NULL;
}

static unsigned find_net(const struct config *config, const char *name)
{
    for (unsigned n = 0; n < config->net_count; n++)
        if (strcmp(config->nets[n].name, name) == 0)
            return n;
    return CONFIG_NO_NET;
}

static bool name_host(struct resolver *r, const struct draft_item *item, unsigned i,
                      const struct config_host *host, struct config_where *where)
{
    where->kind = WHERE_HOST;
    where->net = host->net;
    where->ip = host->ip;
    memcpy(where->mac, host->mac, MAC_BYTES);
    if (!host->ip)
        resolve_conflict(r, item, "rule",
                         "rule %u: host %.40s has no reserved address to be known by", i + 1,
                         host->name);
    return host->ip && host->net != CONFIG_NO_NET;
}

static bool name_net(struct resolver *r, const struct draft_item *item, unsigned i, unsigned net,
                     struct config_where *where)
{
    where->kind = WHERE_NET;
    where->net = (uint8_t)net;
    if (!config_mode(&r->config->nets[net])->joins_uplink)
        return true;
    resolve_conflict(r, item, "rule",
                     "rule %u: the hosts of network %s are on the uplink's own segment; write "
                     "uplink, or their addresses",
                     i + 1, r->config->nets[net].name);
    return false;
}

/* One end of rule i. False: it was told what is wrong, or is not known because of something else
 * that was. */
static bool resolve_where(struct resolver *r, const struct draft_item *item, unsigned i,
                          const struct draft_where *draft, struct config_where *where)
{
    static const char *const words[] = {[WHERE_UPLINK] = "uplink", [WHERE_ROUTER] = "router"};
    const char *name = draft->name;
    char mac[MAC_TEXT_BYTES];
    where->kind = draft->kind;
    where->ip = draft->ip;
    where->prefix = draft->prefix;
    if (draft->kind == WHERE_ANY || draft->kind == WHERE_CIDR)
        return true;
    if (draft->kind != WHERE_NET)
        name = words[draft->kind];
    const struct config_host *host = find_host(r->config, name);
    unsigned net = draft->kind == WHERE_NET ? find_net(r->config, name) : CONFIG_NO_NET;
    if (host && (net != CONFIG_NO_NET || draft->kind != WHERE_NET)) {
        resolve_conflict(r, item, "rule",
                         "rule %u: %.40s is %s and host %s: give the host another name", i + 1,
                         name, draft->kind == WHERE_NET ? "a network" : "a word of its own",
                         value_mac_text(host->mac, mac));
        return false;
    }
    if (draft->kind != WHERE_NET)
        return true;
    if (host)
        return name_host(r, item, i, host, where);
    if (net != CONFIG_NO_NET)
        return name_net(r, item, i, net, where);
    unknown_name(r, item, i, name);
    return false;
}

/* ---- what a rule can do ---- */

static bool is_target(const struct config_rule *rule, be32 ip)
{
    const struct config_where *w = &rule->to;
    unsigned prefix = w->kind == WHERE_HOST ? 32 : w->kind == WHERE_CIDR ? w->prefix : 0;
    return !((w->ip ^ ip) & prefix_mask(prefix));
}

static bool takes_forward(const struct config_rule *rule, const struct config_fwd *fwd)
{
    uint16_t last = (uint16_t)(fwd->target_port + (fwd->last_port - fwd->first_port));
    bool target = false;
    for (unsigned i = 0; i < fwd->target_count; i++)
        target |= is_target(rule, fwd->targets[i]);
    if (rule->ports_given && (fwd->target_port > rule->last_port || rule->first_port > last))
        return false;
    if (rule->proto == 0)
        return target;
    return target && ((rule->proto == IP_PROTO_TCP && fwd->protocols & CONFIG_TCP) ||
                      (rule->proto == IP_PROTO_UDP && fwd->protocols & CONFIG_UDP));
}

/* Some forward to network net, or one that a host may ask for, brings packets that the rule may
 * match. */
static bool takes_forwarded(const struct config *config, const struct config_rule *rule,
                            unsigned net)
{
    if (config->nets[net].pcp ||
        (config->dmz && config->dmz_net == net && is_target(rule, config->dmz)))
        return true;
    for (unsigned i = 0; i < config->fwd_count; i++)
        if (config->fwds[i].net == net && takes_forward(rule, &config->fwds[i]))
            return true;
    return false;
}

/* True if the rule has something to say between these zones: some packet may match it there, and
 * the modes (or forwards) let some through. */
static bool has_say(const struct config *config, const struct config_rule *rule, unsigned from,
                    unsigned to)
{
    if (!rules_touches(config, rule, from, to))
        return false;
    return !rules_forbidden(config, from, to) ||
           (from == NETWORK_UPLINK && to < config->net_count && takes_forwarded(config, rule, to));
}

const char *rule_reason(const struct config *config, unsigned from, unsigned to,
                        char text[static REASON_BYTES])
{
    const struct config_net *a = from < config->net_count ? &config->nets[from] : NULL;
    const struct config_net *b = to < config->net_count ? &config->nets[to] : NULL;
    const struct config_net *net = a && !config_mode(a)->has_address ? a : b ? b : a;
    const char *mode = net ? config_mode(net)->name : "";
    if (from == to && !net)
        snprintf(text, REASON_BYTES, "nothing is routed back to the uplink");
    else if (from == to)
        snprintf(text, REASON_BYTES, "network %s is isolated, whatever a rule says", net->name);
    else if (net && !config_mode(net)->has_address)
        snprintf(text, REASON_BYTES,
                 "network %s is %s: nothing is routed from or to it, whatever a rule says",
                 net->name, mode);
    else if (!config->uplink.present)
        snprintf(text, REASON_BYTES, "there is no uplink");
    else if (config->uplink.silent)
        snprintf(text, REASON_BYTES, "the router has no address at the uplink");
    else if (!net || config_mode(net)->routes_to_uplink)
        snprintf(text, REASON_BYTES,
                 "network %s is %s: from the uplink only forwards lead there; "
                 "write fwd=",
                 net ? net->name : "", mode);
    else
        snprintf(text, REASON_BYTES, "network %s is %s and %s the uplink, whatever a rule says",
                 net->name, mode, net == a ? "never reaches" : "is never reached from");
    return text;
}

/* Whether w stands for somebody in the zone. */
static bool is_in(const struct config *config, const struct config_where *w, unsigned zone)
{
    const struct config_rule probe = {.from = *w};
    return rules_touches(config, &probe, zone, zone == ZONE_ROUTER ? NETWORK_UPLINK : ZONE_ROUTER);
}

static void complain_empty(struct resolver *r, unsigned i)
{
    const struct config_rule *rule = &r->config->rules[i];
    const struct draft_item *item = &config_nth_rule(r->draft, i)->item;
    char text[RULE_TEXT_BYTES];
    rules_text(r->config, i, text);
    for (unsigned n = 0; n < r->config->net_count; n++) {
        if (!is_in(r->config, &rule->from, n) || !is_in(r->config, &rule->to, n))
            continue;
        resolve_conflict(r, item, "rule",
                         "%s: inside one network a rule names two hosts or addresses; "
                         "net=%s,...,isolate keeps all apart",
                         text, r->config->nets[n].name);
        return;
    }
    resolve_conflict(r, item, "rule", "%s: no packet by way of the router can match it", text);
}

/* An allow must be able to let something through; the others may repeat what is closed anyway. */
static void check_possible(struct resolver *r, unsigned i)
{
    const struct config *config = r->config;
    const struct config_rule *rule = &config->rules[i];
    char text[RULE_TEXT_BYTES], reason[REASON_BYTES] = "";
    for (unsigned a = 0; a <= config->net_count; a++) {
        for (unsigned b = 0; b <= config->net_count + 1u; b++) {
            unsigned from = nth_zone(config, a), to = nth_zone(config, b);
            if (!rules_touches(config, rule, from, to))
                continue;
            if (rule->action != RULE_ALLOW || has_say(config, rule, from, to))
                return;
            if (!reason[0])
                rule_reason(config, from, to, reason);
        }
    }
    if (!reason[0])
        complain_empty(r, i);
    else
        resolve_conflict(r, &config_nth_rule(r->draft, i)->item, "rule", "%s: %s",
                         rules_text(config, i, text), reason);
}

/* Whether rule a, which comes before rule b, leaves nothing for it anywhere. */
static bool has_it_all(const struct config *config, const struct config_rule *a,
                       const struct config_rule *b)
{
    bool any = false;
    for (unsigned x = 0; x <= config->net_count; x++) {
        for (unsigned y = 0; y <= config->net_count + 1u; y++) {
            unsigned from = nth_zone(config, x), to = nth_zone(config, y);
            if (!has_say(config, b, from, to))
                continue;
            if (!rules_covers(config, a, b, from, to))
                return false;
            any = true;
        }
    }
    return any;
}

static void note_covered(struct resolver *r, unsigned i)
{
    const struct config *config = r->config;
    char mine[RULE_TEXT_BYTES], other[RULE_TEXT_BYTES];
    for (unsigned k = 0; k < i; k++) {
        if (!has_it_all(config, &config->rules[k], &config->rules[i]))
            continue;
        resolve_note(r, "%s never matches: %s has it all", rules_text(config, i, mine),
                     rules_text(config, k, other));
        return;
    }
}

/* ---- rules ---- */

static bool check_service(struct resolver *r, unsigned i, const struct draft_rule *draft)
{
    if (!draft->services.first || !draft->proto || draft->proto == IP_PROTO_TCP ||
        draft->proto == IP_PROTO_UDP)
        return true;
    resolve_conflict(r, &draft->item, "rule",
                     "rule %u: port= is for tcp and udp, and protocol %u has no ports", i + 1,
                     draft->proto);
    return false;
}

/* False: not every part of the rule is known. */
static bool resolve_rule(struct resolver *r, unsigned i)
{
    const struct draft_rule *draft = config_nth_rule(r->draft, i);
    struct config_rule *rule = &r->config->rules[i];
    rule->action = draft->action;
    rule->proto = draft->proto;
    rule->log = draft->log;
    rule->ports_given = draft->services.first != 0;
    rule->first_port = draft->services.first;
    rule->last_port = draft->services.last;
    rule->column = (uint16_t)MIN(draft->item.column, UINT16_MAX);
    rule->line = (uint16_t)MIN(draft->item.line, UINT16_MAX);
    bool known = check_service(r, i, draft);
    known &= resolve_where(r, &draft->item, i, &draft->from, &rule->from);
    known &= resolve_where(r, &draft->item, i, &draft->to, &rule->to);
    if (known && rule->from.kind == WHERE_ROUTER) {
        resolve_conflict(r, &draft->item, "rule",
                         "rule %u: from=router: rules are about hosts; the router itself asks only "
                         "for what it was told to serve",
                         i + 1);
        return false;
    }
    return known;
}

void resolve_rules(struct resolver *r)
{
    const uint32_t all = BROKEN_NET | BROKEN_UPLINK | BROKEN_HOST | BROKEN_PORT | BROKEN_FWD;
    struct config *config = r->config;
    bool known = !(r->broken & all);
    config->rule_count = (uint16_t)r->draft->rule_count;
    for (unsigned i = 0; i < config->rule_count; i++) {
        bool right = resolve_rule(r, i);
        if (right && !(r->broken & all))
            check_possible(r, i);
        if (!right)
            r->broken |= BROKEN_RULE; /* what it would have opened is not known */
        known &= right;
    }
    for (unsigned i = 0; i < config->rule_count && known && !(r->broken & BROKEN_RULE); i++)
        note_covered(r, i);
}
