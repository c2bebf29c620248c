/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hairpins: packets from inside to our own outside address (RFC 4787, REQ-9; RFC 5508, REQ-7).
 *
 * To the rules each is two conversations, out to the uplink and in from it (rules.h). The hosts of
 * routed networks are translated here too, because what they reach this way is the outside address,
 * whose answers must come back the same way.
 */
#include "net/dataplane_route.h"

/* Reads the packet's headers again, after a translation. */
static bool parse_again(struct dataplane *dp, struct dp_job *job)
{
    enum drop_reason reason = view_parse_ip4(&job->nat.v, job->nat.p);
    if (reason)
        drop_job(dp, job, reason);
    return !reason;
}

static void hairpin_error(struct dataplane *dp, struct dp_job *job)
{
    enum drop_reason why = DROP_NO_MAPPING;
    struct nat_job *n = &job->nat;
    enum flow_dir dir;

    if (!nat_icmp_error(&dp->nat, n->p, &n->v, job->network, &dir, &why)) {
        drop_job(dp, job, why);
        return;
    }
    job->silent = true;
    if (!parse_again(dp, job))
        return;
    struct flow *f = nat_icmp_error(&dp->nat, n->p, &n->v, NETWORK_UPLINK, &dir, &why);
    if (f)
        dp_send_routed(dp, job, f->zone, f->in_ip);
    else
        drop_job(dp, job, why);
}

/* Our outside address answers pings from inside too. No other ICMP to it is ever let through in
 * fragments, so a later one that is known is the rest of a ping. */
static void ping_outside_address(struct dataplane *dp, struct dp_job *job)
{
    bool may = is_later_fragment(job)
                   ? match_fragment(dp, job, job->network)
                   : dp_router_admits(dp, job) && note_fragment(dp, job, job->network, NULL);

    if (may)
        deliver_job(dp, job);
}

/* Out: the flow of the packet as it came, opened if there is none and it may. NULL: refused. */
static struct flow *flow_out(struct dataplane *dp, struct dp_job *job)
{
    struct nat_job *n = &job->nat;
    const struct view *v = &n->v;
    struct dp_question q;

    if (!match_fragment(dp, job, job->network))
        return NULL;
    enum drop_reason why = nat_key(&dp->nat, n, job->network);
    if (!why && !is_later_fragment(job))
        why = nat_check_out(v);
    if (!why && !nat_claims(&dp->nat, v->proto, v->dport))
        why = nat_goes_by_address(v->proto) ? DROP_PROTOCOL : DROP_HAIRPIN;
    if (why) {
        dp_refuse(dp, job, why, 0);
        return NULL;
    }
    struct flow *f;
    if (!find_flow(dp, job, &f))
        return NULL;
    if (f)
        return f;
    if (!dp_ask(dp, &q, job, NETWORK_UPLINK)) {
        dp_turn_down(dp, job, &q, DROP_POLICY);
        return NULL;
    }
    f = nat_open_out(&dp->nat, n, dp->now_ms, &why);
    if (f)
        dp_let_pass(dp, &q, true);
    else
        dp_refuse(dp, job, why, 0);
    return f;
}

/* Whether the host that has src may meet the flow's inside end, if that is in its own network: what
 * keeps hosts of one network apart is not got round by the outside address. A forward is published,
 * to isolated neighbours too; a port that a host has merely opened is not. Rules inside the network
 * hold for both. */
static bool may_meet(const struct dataplane *dp, const struct dp_job *job, be32 src,
                     const struct flow *f)
{
    const struct dp_network *net = &dp->networks[job->network];
    bool published = flow_cold(&dp->nat.flows, f)->mapping == FLOW_NONE;

    if (f->zone != job->network)
        return true;
    if (net->isolated && !published)
        return false;
    if (!net->filtered)
        return true;
    const struct rule_packet k = {.from = job->network,
                                  .to = f->zone,
                                  .proto = f->proto,
                                  .src = src,
                                  .dst = f->in_ip,
                                  .dport = f->in_port};
    return rules_decide(dp->config, &k).action == RULE_ALLOW;
}

/* And in again, from the host that has src. NULL: dropped, silently, for the packet is not what its
 * sender sent any more. */
static struct flow *flow_in(struct dataplane *dp, struct dp_job *job, be32 src)
{
    struct nat_job *n = &job->nat;
    struct flow *f = NULL;
    struct dp_question q;

    enum drop_reason why = nat_key(&dp->nat, n, NETWORK_UPLINK);
    if (!why)
        f = nat_find(&dp->nat, n);
    if (f && !dp_leave_stranded(dp, job, f))
        return f;
    if (!why)
        f = nat_open_in(&dp->nat, n, dp->now_ms, &why);
    if (!f) {
        drop_job(dp, job, why == DROP_FILTERED ? why : DROP_HAIRPIN);
        return NULL;
    }
    if (!dp_ask_forwarded(dp, &q, f)) {
        nat_end(&dp->nat, f);
        dp_turn_down(dp, job, &q, DROP_POLICY);
        return NULL;
    }
    if (!may_meet(dp, job, src, f)) {
        nat_end(&dp->nat, f);
        drop_job(dp, job, DROP_POLICY);
        return NULL;
    }
    dp_let_pass(dp, &q, true);
    return f;
}

void dp_hairpin(struct dataplane *dp, struct dp_job *job)
{
    const struct view *v = &job->nat.v;

    if (v->dst == 0) { /* the outside address is not known yet; this is nobody's */
        drop_job(dp, job, DROP_IP_DEST);
        return;
    }
    if (!dp->networks[job->network].to_uplink || dp->uplink_collides) {
        dp_refuse(dp, job, DROP_POLICY, 0);
        return;
    }
    if (v->proto == IP_PROTO_ICMP && (v->icmp_type == ICMP_ECHO || is_later_fragment(job))) {
        ping_outside_address(dp, job);
        return;
    }
    if (v->ttl <= 1) {
        dp_refuse(dp, job, DROP_TTL, 0);
        return;
    }
    if (view_is_icmp_error(v)) {
        hairpin_error(dp, job);
        return;
    }
    struct flow *f = flow_out(dp, job);
    if (!f || !note_fragment(dp, job, job->network, f))
        return;
    enum drop_reason why = nat_apply(&dp->nat, f, &job->nat, dp->now_ms);
    if (why) {
        drop_job(dp, job, why);
        return;
    }
    be16 sport = f->out_port, dport = job->nat.v.dport;
    be32 src = f->in_ip;
    job->silent = true;
    if (!parse_again(dp, job))
        return;
    if (is_later_fragment(job)) { /* its ports are known from the way out */
        job->nat.v.sport = sport;
        job->nat.v.dport = dport;
    }
    f = flow_in(dp, job, src);
    if (f)
        send_inside(dp, job, f);
}
