/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shares of flows and ports (net/nat_share.c): the limits that the configuration sets, and who is
 * at the end of his, for people.
 */
#include "log.h"
#include "net/dataplane_internal.h"
#include "net/wire/text.h"

#include <inttypes.h>
#include <stdio.h>

#define SHARE_LOG_S 10

void dp_share_init(struct dataplane *dp)
{
    for (unsigned i = 0; i < dp->config->net_count; i++) {
        const struct config_net *net = &dp->config->nets[i];
        const struct nat_limits limits = {net->flows, net->host_flows};
        if (config_mode(net)->routes_to_uplink || net->flows || net->host_flows)
            nat_set_limits(&dp->nat, (uint8_t)i, &limits);
    }
}

static void log_pressure(const struct dataplane *dp, uint64_t evicted, uint64_t refused)
{
    const struct nat_pressure *p = &dp->nat.pressure;
    static const char *const limit[] = {
        [NAT_LIMIT_PORTS] = "the share of outside ports",
        [NAT_LIMIT_FLOWS] = "the share of the router's flows",
        [NAT_LIMIT_NETWORK] = "the limit flows= of the network",
        [NAT_LIMIT_HOST] = "the limit hostflows= of the network",
    };
    char text[IP4_TEXT_BYTES];
    const char *net =
        p->zone % 32 < dp->config->net_count ? dp->config->nets[p->zone % 32].name : "?";

    log_warn("%s %s has %u flows of %u there, %u ports; at %s %s; %" PRIu64 " ended, %" PRIu64
             " refused",
             net, ip4_text(text, p->ip), p->flows, p->net_flows, p->ports, limit[p->limit],
             p->refused ? "new ones are refused" : "its oldest closed or half-open ones make room",
             evicted, refused);
}

void dp_share_tick(struct dataplane *dp)
{
    const struct nat_counters *c = &dp->nat.counters;
    struct share_log *log = &dp->share_log;

    if (LIKELY(c->evicted == log->evicted && c->refused == log->refused))
        return;
    if (log->evicted + log->refused > 0 && dp->now_s - log->second < SHARE_LOG_S)
        return;
    log_pressure(dp, c->evicted - log->evicted, c->refused - log->refused);
    *log = (struct share_log){c->evicted, c->refused, dp->now_s};
}

void dp_share_print(const struct dataplane *dp, void (*line)(const char *text))
{
    const struct nat *nat = &dp->nat;
    uint32_t resting = 0;
    char text[LOG_LINE_MAX];

    for (unsigned i = 0; i < ARRAY_COUNT(nat->resting); i++)
        resting += nat->resting[i].count;
    snprintf(text, sizeof(text),
             "shares hosts %u evicted %" PRIu64 " refused %" PRIu64
             " ports-resting %u cut-short %" PRIu64,
             nat->flows.users.live, nat->counters.evicted, nat->counters.refused, resting,
             nat->counters.cut_short);
    line(text);
}
