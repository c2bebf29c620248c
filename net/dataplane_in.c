/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv4 packets from the uplink: for the outside address replies, forwards, and what the router
 * itself must answer; for a host of a routed network its conversations, and what a rule lets in
 * (RFC 1812; RFC 4787, 5382 and 5508).
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

/* The routed network of ours that has a host with this address, or CONFIG_NO_NET. */
static unsigned routed_network(const struct dataplane *dp, be32 ip)
{
    for (unsigned i = 0; i < dp->config->net_count; i++) {
        const struct dp_network *net = &dp->networks[i];
        if (net->to_uplink && !net->translates && config_net_has(&dp->config->nets[i], ip))
            return ip == net->ip || dp_is_subnet_edge(ip, net) ? CONFIG_NO_NET : i;
    }
    return CONFIG_NO_NET;
}

/* ---- new conversations ---- */

/* Through a forward or a mapping to a host of ours. NULL: the packet was dropped. */
static struct flow *open_forwarded(struct dataplane *dp, struct dp_job *job)
{
    enum drop_reason why;
    struct dp_question q;
    struct flow *f = nat_open_in(&dp->nat, &job->nat, dp->now_ms, &why);

    if (!f) {
        drop_job(dp, job, why);
        return NULL;
    }
    if (!dp_ask_forwarded(dp, &q, f)) {
        nat_end(&dp->nat, f);
        dp_turn_down(dp, job, &q, DROP_UNSOLICITED);
        return NULL;
    }
    dp_let_pass(dp, &q, true);
    return f;
}

/* To a host of a routed network. NULL: the packet was dropped, silently but for a rule that says
 * otherwise. */
static struct flow *open_routed(struct dataplane *dp, struct dp_job *job)
{
    unsigned to = routed_network(dp, job->nat.v.dst);
    struct flow *f = NULL;
    enum drop_reason why;
    struct dp_question q;

    if (to == CONFIG_NO_NET || !dp->networks[NETWORK_UPLINK].ip || dp->uplink_collides) {
        drop_job(dp, job, DROP_IP_DEST);
        return NULL;
    }
    if (!dp_ask(dp, &q, job, to)) {
        dp_turn_down(dp, job, &q, DROP_UNSOLICITED);
        return NULL;
    }
    f = nat_open_plain(&dp->nat, &job->nat, (uint8_t)to, dp->now_ms, &why);
    if (f)
        dp_let_pass(dp, &q, true);
    else
        drop_job(dp, job, why);
    return f;
}

/* NULL: the packet was dealt with. */
static struct flow *open_in(struct dataplane *dp, struct dp_job *job)
{
    const struct view *v = &job->nat.v;

    if (!outside_source_ok(dp, v->src)) {
        drop_job(dp, job, DROP_IP_SOURCE);
        return NULL;
    }
    if (v->dst != dp->networks[NETWORK_UPLINK].ip)
        return open_routed(dp, job);
    /* An ICMP fragment that matched and has no flow is the rest of a ping for the router. */
    if (dp_self_owns(dp, v->proto, v->dport) ||
        (v->proto == IP_PROTO_ICMP && is_later_fragment(job))) {
        if (note_fragment(dp, job, NETWORK_UPLINK, NULL))
            deliver_job(dp, job);
        return NULL;
    }
    return open_forwarded(dp, job);
}

/* ---- what belongs to a conversation ---- */

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
        if (!outside_source_ok(dp, job->nat.v.src)) {
            drop_job(dp, job, DROP_IP_SOURCE);
            return;
        }
        if (!match_fragment(dp, job, NETWORK_UPLINK) || !key_in(dp, job))
            return;
    }
    struct flow *f;
    if (UNLIKELY(!find_flow(dp, job, &f)))
        return;
    if (UNLIKELY(!f) || dp_leave_stranded(dp, job, f))
        f = open_in(dp, job);
    if (UNLIKELY(!f))
        return;
    if (note_fragment(dp, job, NETWORK_UPLINK, f))
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

/* ---- before that ---- */

/* The router answers pings from outside, if no rule forbids it. */
static void ping(struct dataplane *dp, struct dp_job *job)
{
    if (!outside_source_ok(dp, job->nat.v.src)) {
        drop_job(dp, job, DROP_IP_SOURCE);
        return;
    }
    if (dp_router_admits(dp, job) && note_fragment(dp, job, NETWORK_UPLINK, NULL))
        deliver_job(dp, job);
}

/* True if the router takes packets to this address from outside: its own there, and those of hosts
 * that are not hidden behind it (known conversations of theirs also while it has no address). */
static inline bool is_ours(const struct dataplane *dp, be32 dst)
{
    be32 own = dp->networks[NETWORK_UPLINK].ip;

    return LIKELY(dst == own && own != 0) || routed_network(dp, dst) != CONFIG_NO_NET;
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
    if (UNLIKELY(job->group || !is_ours(dp, v->dst))) {
        drop_job(dp, job, job->group ? DROP_UNSOLICITED : DROP_IP_DEST);
        return false;
    }
    if (UNLIKELY(v->src == up->ip)) {
        drop_job(dp, job, DROP_IP_SOURCE);
        return false;
    }
    if (UNLIKELY(v->proto == IP_PROTO_ICMP && v->icmp_type == ICMP_ECHO && v->dst == up->ip)) {
        ping(dp, job);
        return false;
    }
    if (UNLIKELY(view_is_icmp_error(v))) {
        error_in(dp, job);
        return false;
    }
    return is_later_fragment(job) || key_in(dp, job);
}
