/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv4 packets from the uplink: replies, forwards, and what the router itself must answer (RFC
 * 1812; RFC 4787, 5382 and 5508).
 */
#include "net/dataplane_route.h"

/* Whether a packet from outside may carry this source: not one of ours, and no address that is
 * never a source. */
static bool outside_source_ok(const struct dataplane *dp, be32 src)
{
    const struct dp_network *up = &dp->networks[NETWORK_UPLINK];

    if (ip4_is_martian(src) || src == up->ip || dp_is_subnet_edge(src, up))
        return false;
    for (unsigned i = 0; i < dp->config->net_count; i++)
        if (config_net_has(&dp->config->nets[i], src))
            return false;
    return true;
}

static inline bool key_in(struct dataplane *dp, struct dp_job *job)
{
    enum drop_reason why = nat_key(&dp->nat, &job->nat, NETWORK_UPLINK);

    if (UNLIKELY(why))
        drop_job(dp, job, outside_source_ok(dp, job->nat.v.src) ? why : DROP_IP_SOURCE);
    return !why;
}

void dp_forward_in(struct dataplane *dp, struct dp_job *job)
{
    if (is_later_fragment(job)) {
        match_fragment(dp, job, NETWORK_UPLINK);
        if (!key_in(dp, job))
            return;
    }
    struct flow *f = nat_find(&dp->nat, &job->nat);

    if (UNLIKELY(!f)) {
        const struct view *v = &job->nat.v;
        enum drop_reason why;
        if (!outside_source_ok(dp, v->src)) {
            drop_job(dp, job, DROP_IP_SOURCE);
            return;
        }
        /* An ICMP fragment that matched and has no flow is the rest of a ping for the router. */
        if (dp_self_owns(dp, v->proto, v->dport) ||
            (v->proto == IP_PROTO_ICMP && v->fragment == FRAGMENT_LATER)) {
            note_fragment(dp, job, NETWORK_UPLINK);
            deliver_job(dp, job);
            return;
        }
        f = nat_open_in(&dp->nat, &job->nat, dp->now_ms, &why);
        if (!f) {
            drop_job(dp, job, why);
            return;
        }
    }
    note_fragment(dp, job, NETWORK_UPLINK);
    send_inside(dp, job, f);
}

/* An ICMP error from outside: about a flow, or about something the router itself has sent. */
static void error_in(struct dataplane *dp, struct dp_job *job)
{
    enum drop_reason why = DROP_NO_MAPPING;
    struct nat_job *n = &job->nat;
    struct inner_view in;
    enum flow_dir dir;

    if (!outside_source_ok(dp, n->v.src)) {
        drop_job(dp, job, DROP_IP_SOURCE);
        return;
    }
    struct flow *f = nat_icmp_error(&dp->nat, n->p, &n->v, NETWORK_UPLINK, &dir, &why);
    if (f) {
        job->silent = true;
        dp_send_routed(dp, job, f->zone, f->in_ip);
        return;
    }
    if (why == DROP_NO_MAPPING && view_parse_icmp_inner(&in, &n->v, n->p) == DROP_NONE &&
        in.src == dp->networks[NETWORK_UPLINK].ip && dp_self_owns(dp, in.proto, in.sport))
        deliver_job(dp, job);
    else
        drop_job(dp, job, why);
}

bool dp_prepare_in(struct dataplane *dp, struct dp_job *job)
{
    const struct dp_network *up = &dp->networks[NETWORK_UPLINK];
    const struct view *v = &job->nat.v;

    /* Before the address is known its server's answers come to any destination, and from wherever
     * that server is, one of our own subnets included (RFC 4787, REQ-7 is about that). */
    if (UNLIKELY(is_dhcp(v, DHCP_SERVER_PORT, DHCP_CLIENT_PORT)) && dp->config->uplink.dhcp) {
        deliver_job(dp, job);
        return false;
    }
    if (UNLIKELY(v->dst != up->ip || up->ip == 0 || job->group)) {
        drop_job(dp, job, job->group ? DROP_UNSOLICITED : DROP_IP_DEST);
        return false;
    }
    if (UNLIKELY(v->src == up->ip)) {
        drop_job(dp, job, DROP_IP_SOURCE);
        return false;
    }
    if (UNLIKELY(v->proto == IP_PROTO_ICMP && v->icmp_type == ICMP_ECHO)) {
        if (outside_source_ok(dp, v->src)) {
            note_fragment(dp, job, NETWORK_UPLINK);
            deliver_job(dp, job);
        } else {
            drop_job(dp, job, DROP_IP_SOURCE);
        }
        return false;
    }
    if (UNLIKELY(view_is_icmp_error(v))) {
        error_in(dp, job);
        return false;
    }
    return is_later_fragment(job) || key_in(dp, job);
}
