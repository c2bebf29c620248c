/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules in words, the same wherever a person meets them: in the list at start, in messages about
 * the configuration, and in the log.
 */
#include <stdio.h>

#include "net/rules.h"
#include "net/wire/ip4.h"

#define END_BYTES     36
#define SERVICE_BYTES 24

static const char *host_name(const struct config *cfg, const struct config_where *w)
{
    for (unsigned i = 0; i < cfg->host_count; i++)
        if (cfg->hosts[i].net == w->net && cfg->hosts[i].ip == w->ip)
            return cfg->hosts[i].name;
    return "";
}

static void end_text(const struct config *cfg, const struct config_where *w,
                     char text[static END_BYTES])
{
    const uint8_t *ip = (const uint8_t *)&w->ip;
    const char *name = w->kind == WHERE_HOST ? host_name(cfg, w) : "";

    if (w->kind == WHERE_ANY)
        snprintf(text, END_BYTES, "any");
    else if (w->kind == WHERE_UPLINK)
        snprintf(text, END_BYTES, "uplink");
    else if (w->kind == WHERE_ROUTER)
        snprintf(text, END_BYTES, "router");
    else if (w->kind == WHERE_NET)
        snprintf(text, END_BYTES, "%s", w->net < cfg->net_count ? cfg->nets[w->net].name : "?");
    else if (name[0] && strlen(name) < END_BYTES) /* cut, two might look alike */
        snprintf(text, END_BYTES, "%s", name);
    else if (w->kind == WHERE_HOST || w->prefix == 32)
        snprintf(text, END_BYTES, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
    else
        snprintf(text, END_BYTES, "%u.%u.%u.%u/%u", ip[0], ip[1], ip[2], ip[3], w->prefix);
}

static void service_text(const struct config_rule *rule, char text[static SERVICE_BYTES])
{
    static const struct {
        uint8_t proto;
        const char *name;
    } names[] = {{IP_PROTO_TCP, "tcp"},
                 {IP_PROTO_UDP, "udp"},
                 {IP_PROTO_ICMP, "icmp"},
                 {47, "gre"},
                 {50, "esp"}};
    int n = 0;

    text[0] = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++)
        if (rule->proto == names[i].proto)
            n = snprintf(text, SERVICE_BYTES, " %s", names[i].name);
    if (rule->proto && !n)
        n = snprintf(text, SERVICE_BYTES, " proto %u", rule->proto);
    if (!rule->ports_given)
        return;
    if (!rule->proto)
        n = snprintf(text, SERVICE_BYTES, " tcp+udp");
    n += snprintf(text + n, SERVICE_BYTES - (size_t)n, " %u", rule->first_port);
    if (rule->last_port != rule->first_port)
        snprintf(text + n, SERVICE_BYTES - (size_t)n, "-%u", rule->last_port);
}

const char *rules_text(const struct config *cfg, unsigned i, char text[static RULE_TEXT_BYTES])
{
    static const char *const actions[] = {
        [RULE_ALLOW] = "allow", [RULE_DENY] = "deny", [RULE_REJECT] = "reject"};
    const struct config_rule *rule = &cfg->rules[i];
    char from[END_BYTES], to[END_BYTES], service[SERVICE_BYTES];

    end_text(cfg, &rule->from, from);
    end_text(cfg, &rule->to, to);
    service_text(rule, service);
    snprintf(text, RULE_TEXT_BYTES, "rule %u %s %s -> %s%s", i + 1, actions[rule->action], from, to,
             service);
    return text;
}
