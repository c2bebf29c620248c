/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hairpins: packets from inside to our own outside address (RFC 4787, REQ-9; RFC 5508, REQ-7).
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
    match_fragment(dp, job, job->network);
    if (is_later_fragment(job) && job->nat.v.sport == 0) {
        drop_job(dp, job, DROP_FRAGMENT);
        return;
    }
    note_fragment(dp, job, job->network);
    deliver_job(dp, job);
}

void dp_hairpin(struct dataplane *dp, struct dp_job *job)
{
    struct nat_job *n = &job->nat;
    const struct view *v = &n->v;
    enum drop_reason why = DROP_NONE;

    if (v->dst == 0) {
        drop_job(dp, job,
                 DROP_IP_DEST); /* the outside address is not known yet; this is nobody's */
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
    match_fragment(dp, job, job->network);
    why = nat_key(&dp->nat, n, job->network);
    if (!why && !is_later_fragment(job))
        why = nat_check_out(v);
    if (!why && !nat_claims(&dp->nat, v->proto, v->dport))
        why = DROP_HAIRPIN;
    struct flow *f = why ? NULL : nat_find(&dp->nat, n);
    if (!why && !f)
        f = nat_open_out(&dp->nat, n, dp->now_ms, &why);
    if (!f) {
        dp_refuse(dp, job, why, 0);
        return;
    }
    note_fragment(dp, job, job->network);
    nat_apply(&dp->nat, f, n, dp->now_ms);
    job->silent = true;
    if (!parse_again(dp, job))
        return;
    match_fragment(dp, job, NETWORK_UPLINK);
    why = nat_key(&dp->nat, n, NETWORK_UPLINK);
    f = why ? NULL : nat_find(&dp->nat, n);
    if (!why && !f)
        f = nat_open_in(&dp->nat, n, dp->now_ms, &why);
    if (!f) {
        drop_job(dp, job, DROP_HAIRPIN);
        return;
    }
    note_fragment(dp, job, NETWORK_UPLINK);
    send_inside(dp, job, f);
}
