/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Assertions: what somebody relies on, checked against what the configuration comes to. One that
 * fails says what opened or closed the way, and the router then forwards nothing.
 */
#include <stdio.h>

#include "config_rules.h"
#include "net/flow_table.h"
#include "net/rules.h"
#include "net/wire/ip4.h"

/* An end of a way (net/rules.h), or CONFIG_NO_NET with an error. */
static unsigned find_end(struct resolver *r, const struct draft_assert *draft, const char *name)
{
    struct suggestion suggestion;
    if (strcmp(name, "uplink") == 0)
        return REACH_UPLINK;
    if (strcmp(name, "router") == 0)
        return REACH_ROUTER;
    config_suggest_begin(&suggestion, (struct span){name, strlen(name)});
    config_suggest_offer(&suggestion, "uplink");
    config_suggest_offer(&suggestion, "router");
    for (unsigned n = 0; n < r->config->net_count; n++) {
        config_suggest_offer(&suggestion, r->config->nets[n].name);
        if (strcmp(r->config->nets[n].name, name) == 0)
            return n;
    }
    if (!(r->broken & BROKEN_NET))
        resolve_conflict(r, &draft->item, "assert",
                         "assert %.40s:%s:%.40s: no network is called %.40s%s%.40s%s",
                         draft->claim.from, draft->claim.yes ? "yes" : "no", draft->claim.to, name,
                         suggestion.best ? "; did you mean '" : "",
                         suggestion.best ? suggestion.best : "", suggestion.best ? "'?" : "");
    return CONFIG_NO_NET;
}

/* Whether the rules leave something of a forward: of one of its targets, by one of its protocols.
 */
static bool lets_in(const struct config *config, const struct config_fwd *fwd)
{
    struct config_rule what = {
        .ports_given = true,
        .first_port = fwd->target_port,
        .last_port = (uint16_t)(fwd->target_port + (fwd->last_port - fwd->first_port))};
    if (fwd->from_prefix)
        what.from =
            (struct config_where){.kind = WHERE_CIDR, .ip = fwd->from, .prefix = fwd->from_prefix};
    for (unsigned t = 0; t < fwd->target_count; t++) {
        what.to = (struct config_where){.kind = WHERE_CIDR, .ip = fwd->targets[t], .prefix = 32};
        what.proto = IP_PROTO_TCP;
        if (fwd->protocols & CONFIG_TCP && reach_forwarded(config, fwd->net, &what))
            return true;
        what.proto = IP_PROTO_UDP;
        if (fwd->protocols & CONFIG_UDP && reach_forwarded(config, fwd->net, &what))
            return true;
    }
    return false;
}

/* The same of all that comes to one address of a network, or (0) to any. */
static bool lets_all_in(const struct config *config, unsigned net, be32 target)
{
    const struct config_rule what = {
        .to = {.kind = WHERE_CIDR, .ip = target, .prefix = target ? 32 : 0}};
    return reach_forwarded(config, net, &what);
}

bool reach_by_forward(const struct config *config, unsigned from, unsigned to, int *first)
{
    bool outside = from == REACH_UPLINK ||
                   (from < config->net_count && config_mode(&config->nets[from])->joins_uplink);
    if (!outside && reach_between(config, from, REACH_UPLINK).reach == REACH_NONE)
        return false;
    for (unsigned i = 0; i < config->fwd_count; i++) {
        if (config->fwds[i].net != to || !lets_in(config, &config->fwds[i]))
            continue;
        if (first)
            *first = (int)i;
        return true;
    }
    bool dmz = config->dmz && config->dmz_net == to && lets_all_in(config, to, config->dmz);
    if (first)
        *first = dmz ? REACH_BY_DMZ : REACH_BY_PCP;
    return dmz || (to < config->net_count && config->nets[to].pcp && lets_all_in(config, to, 0));
}

/* ---- why ---- */

#define PLACED_BYTES (RULE_TEXT_BYTES + PLACE_BYTES)

/* "rule 3 deny dev -> lab at command line, column 40" */
static const char *placed_rule(const struct resolver *r, int rule, char text[static PLACED_BYTES])
{
    char words[RULE_TEXT_BYTES], place[PLACE_BYTES];
    const struct draft_item *item = &config_nth_rule(r->draft, (unsigned)rule)->item;
    snprintf(text, PLACED_BYTES, "%s at %s", rules_text(r->config, (unsigned)rule, words),
             config_place_text(config_place_of(r->draft, item), place));
    return text;
}

/* What lets packets from one end to another where no rule does. */
static const char *default_text(const struct config *config, unsigned from, unsigned to,
                                char text[static REASON_BYTES])
{
    if (to == REACH_ROUTER)
        snprintf(text, REASON_BYTES, "the router answers there by default");
    else if (from == to || from >= config->net_count || to < config->net_count ||
             config_mode(&config->nets[from])->joins_uplink)
        snprintf(text, REASON_BYTES, "hosts of one segment reach each other by default");
    else
        snprintf(text, REASON_BYTES, "mode %s reaches the uplink by default",
                 config_mode(&config->nets[from])->name);
    return text;
}

#define CLAIM_BYTES 104

static const char *claim_text(const struct draft_claim *claim, char text[static CLAIM_BYTES])
{
    snprintf(text, CLAIM_BYTES, "assert %.40s:%s:%.40s fails", claim->from,
             claim->yes ? "yes" : "no", claim->to);
    return text;
}

static void complain_open(struct resolver *r, const struct draft_assert *draft,
                          const struct config_assert *claim, struct reach_answer answer)
{
    const struct config *config = r->config;
    char what[CLAIM_BYTES], rule[PLACED_BYTES], why[REASON_BYTES];
    claim_text(&draft->claim, what);
    if (answer.rule >= 0 && config->rules[answer.rule].action == RULE_ALLOW)
        resolve_conflict(r, &draft->item, "assert", "%s: opened by %s", what,
                         placed_rule(r, answer.rule, rule));
    else if (answer.rule >= 0)
        resolve_conflict(r, &draft->item, "assert", "%s: %s; %s closes only a part", what,
                         default_text(config, claim->from, claim->to, why),
                         placed_rule(r, answer.rule, rule));
    else
        resolve_conflict(r, &draft->item, "assert", "%s: %s", what,
                         default_text(config, claim->from, claim->to, why));
}

static void complain_forward(struct resolver *r, const struct draft_assert *draft,
                             const struct config_assert *claim, int fwd)
{
    const char *way = claim->from == REACH_UPLINK ? "" : ", by way of the router's outside address";
    char what[CLAIM_BYTES], place[PLACE_BYTES], ip[IP4_TEXT_BYTES];
    be32 target = fwd < 0 ? r->config->dmz : r->config->fwds[fwd].targets[0];
    claim_text(&draft->claim, what);
    value_ip4_text(target, ip);
    if (fwd == REACH_BY_PCP)
        resolve_conflict(r, &draft->item, "assert",
                         "%s: net=%s,...,pcp lets its hosts open ports of their own%s", what,
                         r->config->nets[claim->to].name, way);
    else if (fwd == REACH_BY_DMZ)
        resolve_conflict(r, &draft->item, "assert", "%s: opened by dmz=%s%s", what, ip, way);
    else
        resolve_conflict(
            r, &draft->item, "assert", "%s: opened by forward %u to %s at %s%s", what,
            r->config->fwds[fwd].first_port, ip,
            config_place_text(config_place_of(r->draft, &r->draft->fwds[fwd].item), place), way);
}

static unsigned zone_of(const struct config *config, unsigned end)
{
    if (end < config->net_count && !config_mode(&config->nets[end])->joins_uplink)
        return end;
    return end == REACH_ROUTER ? ZONE_ROUTER : NETWORK_UPLINK;
}

/* Something would lead there from the uplink, but for the rules. */
static bool has_forward(const struct config *config, unsigned to)
{
    for (unsigned i = 0; i < config->fwd_count; i++)
        if (config->fwds[i].net == to)
            return true;
    return to < config->net_count &&
           (config->nets[to].pcp || (config->dmz && config->dmz_net == to));
}

static void complain_closed(struct resolver *r, const struct draft_assert *draft,
                            const struct config_assert *claim, struct reach_answer answer)
{
    unsigned from = zone_of(r->config, claim->from), to = zone_of(r->config, claim->to);
    char what[CLAIM_BYTES], rule[PLACED_BYTES], reason[REASON_BYTES];
    claim_text(&draft->claim, what);
    if (claim->from == claim->to && claim->from < r->config->net_count &&
        r->config->nets[claim->from].isolate)
        resolve_conflict(r, &draft->item, "assert", "%s: network %s is isolated", what,
                         r->config->nets[claim->from].name);
    else if (from == NETWORK_UPLINK && has_forward(r->config, claim->to))
        resolve_conflict(r, &draft->item, "assert",
                         "%s: rules leave nothing of the forwards that lead there", what);
    else if (rules_forbidden(r->config, from, to))
        resolve_conflict(r, &draft->item, "assert", "%s: %s", what,
                         rule_reason(r->config, from, to, reason));
    else if (answer.rule >= 0)
        resolve_conflict(r, &draft->item, "assert", "%s: closed by %s", what,
                         placed_rule(r, answer.rule, rule));
    else
        resolve_conflict(r, &draft->item, "assert",
                         "%s: no rule=allow opens it, and by default nothing passes", what);
}

/* ---- assertions ---- */

static void check_assert(struct resolver *r, unsigned i)
{
    const struct draft_assert *draft = &r->draft->asserts[i];
    const struct config_assert *claim = &r->config->asserts[i];
    struct reach_answer answer = reach_between(r->config, claim->from, claim->to);
    int fwd;
    if (claim->yes) {
        if (answer.reach == REACH_NONE &&
            !reach_by_forward(r->config, claim->from, claim->to, NULL))
            complain_closed(r, draft, claim, answer);
    } else if (answer.reach != REACH_NONE) {
        complain_open(r, draft, claim, answer);
    } else if (reach_by_forward(r->config, claim->from, claim->to, &fwd)) {
        complain_forward(r, draft, claim, fwd);
    }
}

void resolve_asserts(struct resolver *r)
{
    struct config *config = r->config;
    /* What is wrong already is not to be told twice. */
    bool check = !r->report->error_count && !r->report->more_errors;
    config->assert_count = (uint16_t)r->draft->assert_count;
    for (unsigned i = 0; i < config->assert_count; i++) {
        const struct draft_assert *draft = &r->draft->asserts[i];
        unsigned from = find_end(r, draft, draft->claim.from);
        unsigned to = find_end(r, draft, draft->claim.to);
        config->asserts[i] = (struct config_assert){
            .yes = draft->claim.yes, .from = (uint8_t)from, .to = (uint8_t)to};
        if (from == REACH_ROUTER)
            resolve_conflict(r, &draft->item, "assert",
                             "assert router:%s:%.40s: what the router itself asks is no way for "
                             "hosts; begin with a network or uplink",
                             draft->claim.yes ? "yes" : "no", draft->claim.to);
        else if (check && from != CONFIG_NO_NET && to != CONFIG_NO_NET)
            check_assert(r, i);
    }
}
