/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading what rules and assertions are made of. Names are only read here; config_rules.c finds out
 * whose they are, when all texts are in.
 */
#include "config_rules.h"
#include "net/wire/ip4.h"

static const char *action_word(unsigned i)
{
    static const char *const words[] = {
        [RULE_ALLOW] = "allow", [RULE_DENY] = "deny", [RULE_REJECT] = "reject"};
    return i < ARRAY_COUNT(words) ? words[i] : NULL;
}

static const char *action_read(struct span *text, void *to)
{
    const char *word;
    for (unsigned i = 0; (word = action_word(i)) != NULL; i++) {
        if (!span_is(*text, word))
            continue;
        *(uint8_t *)to = (uint8_t)i;
        return NULL;
    }
    return value_action.what;
}

const struct value_type value_action = {"allow|deny|reject", "what to do", action_read, action_word,
                                        true};

/* Only an address has a dot or a slash. */
static bool looks_like_address(struct span text)
{
    return memchr(text.s, '.', text.n) || memchr(text.s, '/', text.n);
}

static const char *where_read(struct span *text, void *to)
{
    struct draft_where *where = to;
    struct draft_subnet subnet = {0, 0};
    const char *wrong;
    if (span_is(*text, "uplink")) {
        where->kind = WHERE_UPLINK;
    } else if (span_is(*text, "router")) {
        where->kind = WHERE_ROUTER;
    } else if (looks_like_address(*text)) {
        if ((wrong = value_cidr.read(text, &subnet)))
            return wrong == value_cidr.what ? value_where.what : wrong;
        where->kind = WHERE_CIDR;
        where->ip = subnet.ip;
        where->prefix = subnet.prefix;
    } else {
        where->kind = WHERE_NET;
        if (value_host_name.read(text, where->name))
            return value_where.what;
    }
    return NULL;
}

const struct value_type value_where = {
    "W", "a network, a host='s name, an address or range like 10.0.0.0/8, uplink or router",
    where_read, NULL, false};

static const struct {
    const char *word;
    uint8_t number;
} protocols[] = {
    {"tcp", IP_PROTO_TCP}, {"udp", IP_PROTO_UDP}, {"icmp", IP_PROTO_ICMP}, {"gre", 47}, {"esp", 50},
};

static const char *protocol_word(unsigned i)
{
    return i < ARRAY_COUNT(protocols) ? protocols[i].word : NULL;
}

static const char *protocol_read(struct span *text, void *to)
{
    uint64_t number;
    for (unsigned i = 0; i < ARRAY_COUNT(protocols); i++) {
        if (!span_is(*text, protocols[i].word))
            continue;
        *(uint8_t *)to = protocols[i].number;
        return NULL;
    }
    if (!value_read_number(*text, 255, &number) || number == 0)
        return value_protocol.what;
    *(uint8_t *)to = (uint8_t)number;
    return NULL;
}

const struct value_type value_protocol = {
    "P", "tcp, udp, icmp, gre, esp or a protocol number from 1 to 255", protocol_read,
    protocol_word, false};

static const char *services_read(struct span *text, void *to)
{
    struct draft_services *services = to;
    struct span last = *text, first;
    uint64_t low, high;
    span_cut(&last, '-', &first);
    if (!last.s)
        last = first;
    if (!value_read_number(first, 65535, &low) || !value_read_number(last, 65535, &high) ||
        low == 0 || high == 0)
        return value_services.what;
    if (low > high)
        return "the lower port first";
    services->first = (uint16_t)low;
    services->last = (uint16_t)high;
    return NULL;
}

const struct value_type value_services = {
    "A-B", "a port from 1 to 65535, or a range of them like 6000-6010", services_read, NULL, false};

/* NAME:no|yes:WHERE */
static const char *claim_read(struct span *text, void *to)
{
    struct draft_claim *claim = to;
    struct span rest = *text, from, verdict;
    if (span_count(*text, ':') != 3)
        return value_claim.what;
    span_cut(&rest, ':', &from);
    span_cut(&rest, ':', &verdict);
    *text = from;
    if (value_host_name.read(text, claim->from))
        return "the name of a network, or uplink";
    *text = verdict;
    claim->yes = span_is(verdict, "yes");
    if (!claim->yes && !span_is(verdict, "no"))
        return "no or yes";
    *text = rest;
    return value_host_name.read(text, claim->to) ? "the name of a network, uplink or router" : NULL;
}

const struct value_type value_claim = {"NAME:no|yes:WHERE",
                                       "NAME:no:WHERE or NAME:yes:WHERE, like lab:no:uplink",
                                       claim_read, NULL, false};
