/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv4 packets from a network to the router's MAC: ingress filter, the router's own, translation,
 * next hop (RFC 1812, RFC 2827; RFC 4787, 5382 and 5508 for what the translator is asked to do).
 */
#include "net/dataplane_route.h"

/* Whether a network's host may open a flow to this outside address now. Hosts of other networks of
 * ours, which are no outside addresses, are refused here too. */
static enum drop_reason admit_outbound(const struct dataplane *dp, unsigned network, be32 dst)
{
    const struct dp_network *up = &dp->networks[NETWORK_UPLINK];

    if (ip4_is_martian(dst))
        return DROP_IP_DEST;
    for (unsigned i = 0; i < dp->config->net_count; i++)
        if (config_net_has(&dp->config->nets[i], dst))
            return DROP_POLICY;
    if (!dp->networks[network].to_uplink)
        return DROP_POLICY;
    if (!up->ip || dp->uplink_collides || !dp->ports[dp->uplink_port].up)
        return DROP_NO_UPLINK;
    if (dp_is_subnet_edge(dst, up))
        return DROP_IP_DEST;
    return DROP_NONE;
}

/* The network of ours that dst belongs to, other than from, and that from may reach; or
 * CONFIG_NO_NET. */
static unsigned reachable_network(const struct dataplane *dp, unsigned from, be32 dst)
{
    const struct config *cfg = dp->config;

    for (unsigned i = 0; i < cfg->net_count; i++)
        if (config_net_has(&cfg->nets[i], dst) && dst != cfg->nets[i].ip)
            return reach_allowed(cfg, from, i) ? i : CONFIG_NO_NET;
    return CONFIG_NO_NET;
}

/* Computes the job's key. False: the packet was refused. */
static inline bool key_out(struct dataplane *dp, struct dp_job *job)
{
    enum drop_reason why = nat_key(&dp->nat, &job->nat, job->network);

    if (UNLIKELY(why)) {
        /* What may not go there at all is not refused for its protocol. */
        enum drop_reason policy = admit_outbound(dp, job->network, job->nat.v.dst);
        dp_refuse(dp, job, policy ? policy : why, 0);
    }
    return !why;
}

void dp_forward_out(struct dataplane *dp, struct dp_job *job)
{
    if (is_later_fragment(job)) {
        match_fragment(dp, job, job->network);
        if (!key_out(dp, job))
            return;
    }
    struct flow *f = nat_find(&dp->nat, &job->nat);
    be32 dst = job->nat.v.dst;

    if (UNLIKELY(!f)) {
        unsigned to = reachable_network(dp, job->network, dst);
        if (to != CONFIG_NO_NET) {
            dp_send_routed(dp, job, to, dst);
            return;
        }
        enum drop_reason why = admit_outbound(dp, job->network, dst);
        if (!why && !dp_uplink_hop(dp, dst))
            why = DROP_NO_ROUTE;
        if (!why && job->nat.v.ttl <= 1)
            why = DROP_TTL;
        if (!why)
            f = nat_open_out(&dp->nat, &job->nat, dp->now_ms, &why);
        if (!f) {
            dp_refuse(dp, job, why, 0);
            return;
        }
    }
    note_fragment(dp, job, job->network);
    be32 hop = dp_uplink_hop(dp, dst);
    if (UNLIKELY(!hop)) {
        dp_refuse(dp, job, DROP_NO_ROUTE, 0);
        return;
    }
    dp_send_translated(dp, job, f, NETWORK_UPLINK, hop);
}

/* An ICMP error of a host about a packet that came from outside: translated if there is a flow, and
 * never answered. */
static void error_out(struct dataplane *dp, struct dp_job *job)
{
    enum drop_reason why = admit_outbound(dp, job->network, job->nat.v.dst);
    if (why) {
        drop_job(dp, job, why);
        return;
    }
    enum flow_dir dir;
    struct flow *f = nat_icmp_error(&dp->nat, job->nat.p, &job->nat.v, job->network, &dir, &why);
    if (!f) {
        drop_job(dp, job, why);
        return;
    }
    be32 hop = dp_uplink_hop(dp, f->rem_ip);
    job->silent = true;
    if (hop)
        dp_send_routed(dp, job, NETWORK_UPLINK, hop);
    else
        drop_job(dp, job, DROP_NO_ROUTE);
}

/* A source that is not a host of the network: only a DHCP client that has no address yet (RFC 2131,
 * section 4.1). */
static void odd_source(struct dataplane *dp, struct dp_job *job)
{
    const struct view *v = &job->nat.v;

    if (v->src == 0 && is_dhcp(v, DHCP_CLIENT_PORT, DHCP_SERVER_PORT) &&
        (v->dst == IP4_BROADCAST || v->dst == dp->networks[job->network].ip))
        deliver_job(dp, job);
    else
        drop_job(dp, job, DROP_IP_SOURCE);
}

/* A destination in the network's own subnet: the router's address, a broadcast, or a host that the
 * sender believes to be behind the router. */
static void own_subnet(struct dataplane *dp, struct dp_job *job)
{
    const struct dp_network *net = &dp->networks[job->network];
    be32 dst = job->nat.v.dst;

    if (dst == net->ip || dst == IP4_BROADCAST || dst == (net->ip | ~net->mask))
        deliver_job(dp, job);
    else if (job->group || (dst & ~net->mask) == 0)
        drop_job(dp, job, DROP_IP_DEST);
    else
        dp_send_routed(dp, job, job->network, dst);
}

bool dp_prepare_out(struct dataplane *dp, struct dp_job *job)
{
    const struct dp_network *net = &dp->networks[job->network];
    const struct view *v = &job->nat.v;

    if (UNLIKELY(ntoh32(v->src) - net->first_host >= net->host_count || v->src == net->ip)) {
        odd_source(dp, job);
        return false;
    }
    if (UNLIKELY(((v->dst ^ net->ip) & net->mask) == 0 || v->dst == IP4_BROADCAST)) {
        own_subnet(dp, job);
        return false;
    }
    if (UNLIKELY(job->group)) {
        drop_job(dp, job, DROP_IP_DEST);
        return false;
    }
    if (UNLIKELY(v->dst == dp->networks[NETWORK_UPLINK].ip)) {
        dp_hairpin(dp, job);
        return false;
    }
    if (UNLIKELY(view_is_icmp_error(v))) {
        error_out(dp, job);
        return false;
    }
    return is_later_fragment(job) || key_out(dp, job);
}
