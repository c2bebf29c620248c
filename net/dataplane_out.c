/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv4 packets from a network to the router's MAC: ingress filter, the router's own, where a new
 * conversation may go, translation or not, next hop (RFC 1812, RFC 2827; RFC 4787, 5382 and 5508
 * for what the translator is asked to do).
 */
#include "net/dataplane_route.h"

/* Whether anything can go to this outside address now. */
static enum drop_reason check_uplink(const struct dataplane *dp, be32 dst)
{
    const struct dp_network *up = &dp->networks[NETWORK_UPLINK];

    if (!up->ip || dp->uplink_collides || !(up->ports & dp->ports_up))
        return DROP_NO_UPLINK;
    if (dp_is_subnet_edge(dst, up))
        return DROP_IP_DEST;
    return dp_uplink_hop(dp, dst) ? DROP_NONE : DROP_NO_ROUTE;
}

/* ---- new conversations ---- */

/* Finds out where the job's packet goes, and asks whether it may: to the network, other than its
 * own, that has the address (of several with the same subnet the first one that the rules let it
 * go to), else to the uplink. False: it may not, and q says why. */
static bool ask_out(const struct dataplane *dp, struct dp_question *q, const struct dp_job *job)
{
    const struct config *cfg = dp->config;
    be32 dst = job->nat.v.dst;
    bool found = false;

    for (unsigned i = 0; i < cfg->net_count; i++) {
        struct dp_question other;
        if (i == job->network || !config_net_has(&cfg->nets[i], dst))
            continue;
        bool may = dp_ask(dp, &other, job, i);
        if (dst == cfg->nets[i].ip) { /* the router answers to an address on its own network only */
            other.decision = (struct rule_decision){RULE_DENY, false, -1};
            may = false;
        }
        if (may || !found)
            *q = other;
        if (may)
            return true;
        found = true;
    }
    return !found && dp_ask(dp, q, job, NETWORK_UPLINK);
}

/* Opens a flow for a packet that has none. NULL: the packet was refused. */
static struct flow *open_out(struct dataplane *dp, struct dp_job *job)
{
    const struct view *v = &job->nat.v;
    enum drop_reason why = DROP_IP_DEST;
    struct flow *f = NULL;
    struct dp_question q;

    if (ip4_is_martian(v->dst)) {
        dp_refuse(dp, job, why, 0);
        return NULL;
    }
    if (!ask_out(dp, &q, job)) {
        dp_turn_down(dp, job, &q, DROP_POLICY);
        return NULL;
    }
    uint8_t to = q.packet.to;
    if (to == NETWORK_UPLINK)
        why = check_uplink(dp, v->dst);
    else if (!dp_is_subnet_edge(v->dst, &dp->networks[to]))
        why = DROP_NONE;
    if (!why && v->ttl <= 1)
        why = DROP_TTL;
    if (!why && to == NETWORK_UPLINK && dp->networks[job->network].translates)
        f = nat_open_out(&dp->nat, &job->nat, dp->now_ms, &why);
    else if (!why)
        f = nat_open_plain(&dp->nat, &job->nat, to, dp->now_ms, &why);
    if (f)
        dp_let_pass(dp, &q, true);
    else
        dp_refuse(dp, job, why, 0);
    return f;
}

/* A packet that has no key, for this reason: what may not go there at all is not refused for its
 * protocol. */
static void refuse_keyless(struct dataplane *dp, struct dp_job *job, enum drop_reason why)
{
    struct dp_question q;

    if (why == DROP_FRAGMENT || ip4_is_martian(job->nat.v.dst)) {
        drop_job(dp, job, why == DROP_FRAGMENT ? why : DROP_IP_DEST);
        return;
    }
    if (!ask_out(dp, &q, job)) {
        dp_turn_down(dp, job, &q, DROP_POLICY);
        return;
    }
    enum drop_reason first =
        q.packet.to == NETWORK_UPLINK ? check_uplink(dp, job->nat.v.dst) : DROP_NONE;
    dp_refuse(dp, job, first ? first : why, 0);
}

/* ---- what belongs to a conversation ---- */

/* Where packets of f in this direction go. The hop is 0 if there is none. */
static inline unsigned next_zone(const struct dataplane *dp, const struct flow *f,
                                 enum flow_dir dir, be32 *hop)
{
    unsigned to = dir == FLOW_OUT ? f->rem_zone : f->zone;

    *hop = dir == FLOW_OUT ? f->rem_ip : f->in_ip;
    if (to == NETWORK_UPLINK)
        *hop = dp_uplink_hop(dp, *hop);
    return to;
}

/* Computes the job's key. False: the packet was refused. */
static inline bool key_out(struct dataplane *dp, struct dp_job *job)
{
    enum drop_reason why = nat_key(&dp->nat, &job->nat, job->network);

    if (UNLIKELY(why))
        refuse_keyless(dp, job, why);
    return !why;
}

void dp_forward_out(struct dataplane *dp, struct dp_job *job)
{
    if (is_later_fragment(job) && (!match_fragment(dp, job, job->network) || !key_out(dp, job)))
        return;
    struct flow *f;
    if (UNLIKELY(!find_flow(dp, job, &f)))
        return;
    if (UNLIKELY(!f))
        f = open_out(dp, job);
    if (UNLIKELY(!f))
        return;
    if (!note_fragment(dp, job, job->network, f))
        return;
    be32 hop;
    unsigned to = next_zone(dp, f, (enum flow_dir)job->nat.dir, &hop);
    if (LIKELY(hop))
        dp_send_translated(dp, job, f, to, hop);
    else
        dp_refuse(dp, job, DROP_NO_ROUTE, 0);
}

/* An ICMP error of a host, about a packet of a conversation: it goes to whom the packet came from,
 * translated if that was, and is never answered. */
static void error_out(struct dataplane *dp, struct dp_job *job)
{
    struct nat_job *n = &job->nat;
    enum drop_reason why;
    enum flow_dir dir;
    struct dp_question q;

    struct flow *f = nat_icmp_error(&dp->nat, n->p, &n->v, job->network, &dir, &why);
    if (!f) {
        /* Where it may not go at all is said first. */
        drop_job(dp, job, ask_out(dp, &q, job) ? why : DROP_POLICY);
        return;
    }
    be32 hop;
    unsigned to = next_zone(dp, f, dir, &hop);
    job->silent = true;
    if (hop)
        dp_send_routed(dp, job, to, hop);
    else
        drop_job(dp, job, DROP_NO_ROUTE);
}

/* ---- before that ---- */

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

/* Whether the router may be handed the job's packet. Without rules about that it puts fragments
 * together itself, whatever order they come in. False: it was dealt with. */
static bool for_router(struct dataplane *dp, struct dp_job *job)
{
    if (LIKELY(!dp->router_rules))
        return true;
    if (is_later_fragment(job))
        return match_fragment(dp, job, job->network);
    return dp_router_admits(dp, job) && note_fragment(dp, job, job->network, NULL);
}

/* A destination in the network's own subnet: the router's address, a broadcast, or a host that the
 * sender believes to be behind the router; which is no way round what keeps the two apart. */
static void own_subnet(struct dataplane *dp, struct dp_job *job)
{
    const struct dp_network *net = &dp->networks[job->network];
    be32 dst = job->nat.v.dst;

    if (dst == net->ip || dst == IP4_BROADCAST || dst == (net->ip | ~net->mask)) {
        if (for_router(dp, job))
            deliver_job(dp, job);
        return;
    }
    if (job->group || (dst & ~net->mask) == 0) {
        drop_job(dp, job, DROP_IP_DEST);
        return;
    }
    if (net->isolated) {
        dp_refuse(dp, job, DROP_POLICY, 0);
        return;
    }
    if (!net->filtered || dp_filter_inside(dp, job))
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
