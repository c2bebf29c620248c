/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv4 packets for the router's MAC: ingress filter, the router's own, translation, next hop (RFC
 * 1812, RFC 2827; RFC 4787, 5382 and 5508 for what the translator is asked to do).
 *
 * Theory of operation. A burst goes through in passes. prepare_*() parses each packet, deals at
 * once with what is not a plain packet of a flow (the router's own, ICMP errors, hairpins,
 * refusals) and computes the others' keys, which asks for the lines of the index; the next pass
 * asks for the flows' lines; the last one finds the flows and sends the packets on. A known flow
 * has been admitted when it was opened: policy, forwards and address classes are looked at only
 * when there is none.
 */
#include "net/dataplane_internal.h"

#define DHCP_SERVER_PORT BE16(67)
#define DHCP_CLIENT_PORT BE16(68)

/* The next hop towards an outside address; 0 = none. */
static inline be32 uplink_hop(const struct dataplane *dp, be32 dst)
{
    const struct dp_network *up = &dp->networks[NETWORK_UPLINK];
    return (dst ^ up->ip) & up->mask ? up->gateway : dst;
}

static void deliver_job(struct dataplane *dp, const struct dp_job *job)
{
    dp_deliver(dp, job->network, job->nat.p);
}

static void drop_job(struct dataplane *dp, const struct dp_job *job, enum drop_reason reason)
{
    dp_drop(dp, job->nat.p, reason);
}

/* ---- fragments ---- */

/* A flow was found for this packet: if it is the first fragment of its datagram, the others will
 * need to know. */
static inline void note_fragment(struct dataplane *dp, const struct dp_job *job, uint8_t zone)
{
    if (UNLIKELY(job->nat.v.fragment == FRAGMENT_FIRST))
        fragment_note(&dp->datagrams, job->nat.p, &job->nat.v, zone, dp->now_ms);
}

/* Its key is computed in the last pass only: the first fragment may be in the same burst. */
static inline bool is_later_fragment(const struct dp_job *job)
{
    return UNLIKELY(job->nat.v.fragment == FRAGMENT_LATER);
}

/* Gives a later fragment its datagram's ports; where they are not known, nat_key() refuses it. */
static inline void match_fragment(struct dataplane *dp, struct dp_job *job, uint8_t zone)
{
    if (is_later_fragment(job))
        fragment_match(&dp->datagrams, job->nat.p, &job->nat.v, zone, dp->now_ms);
}

/* ---- ends of packets ---- */

/* Reads the packet's headers again, after a translation. */
static bool parse_again(struct dataplane *dp, struct dp_job *job)
{
    enum drop_reason reason = view_parse_ip4(&job->nat.v, job->nat.p);
    if (reason)
        drop_job(dp, job, reason);
    return !reason;
}

/* ---- from a network ---- */

/* True for the first and last address of a subnet, which name no host. Point-to-point prefixes have
 * none (RFC 3021). */
static bool is_subnet_edge(be32 ip, const struct dp_network *net)
{
    uint32_t last = ~ntoh32(net->mask), host = ntoh32(ip) & last;

    return last > 1 && ip4_in_prefix(ip, net->ip, net->mask) && (host == 0 || host == last);
}

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
    if (is_subnet_edge(dst, up))
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
    enum drop_reason why = nat_key(&dp->nat, &job->nat, job->network, FLOW_OUT);

    if (UNLIKELY(why)) {
        /* What may not go there at all is not refused for its protocol. */
        enum drop_reason policy = admit_outbound(dp, job->network, job->nat.v.dst);
        dp_refuse(dp, job, policy ? policy : why, 0);
    }
    return !why;
}

static void forward_out(struct dataplane *dp, struct dp_job *job)
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
        if (!why && !uplink_hop(dp, dst))
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
    be32 hop = uplink_hop(dp, dst);
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
    struct flow *f =
        nat_icmp_error(&dp->nat, job->nat.p, &job->nat.v, job->network, FLOW_OUT, &why);
    if (!f) {
        drop_job(dp, job, why);
        return;
    }
    be32 hop = uplink_hop(dp, f->rem_ip);
    job->silent = true;
    if (hop)
        dp_send_routed(dp, job, NETWORK_UPLINK, hop);
    else
        drop_job(dp, job, DROP_NO_ROUTE);
}

/* To a host of ours that a packet with the outside address is for: the second half of a hairpin, or
 * the way in. */
static void send_inside(struct dataplane *dp, struct dp_job *job, struct flow *f)
{
    dp_send_translated(dp, job, f, f->zone, f->in_ip);
}

static void hairpin_error(struct dataplane *dp, struct dp_job *job)
{
    enum drop_reason why = DROP_NO_MAPPING;
    struct nat_job *n = &job->nat;

    if (!nat_icmp_error(&dp->nat, n->p, &n->v, job->network, FLOW_OUT, &why)) {
        drop_job(dp, job, why);
        return;
    }
    job->silent = true;
    if (!parse_again(dp, job))
        return;
    struct flow *f = nat_icmp_error(&dp->nat, n->p, &n->v, NETWORK_UPLINK, FLOW_IN, &why);
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

/* A packet from inside to the outside address, and so to a mapping or a forward: out and in again,
 * so that its receiver sees the sender's outside address and port (RFC 4787, REQ-9). */
static void hairpin(struct dataplane *dp, struct dp_job *job)
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
    why = nat_key(&dp->nat, n, job->network, FLOW_OUT);
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
    why = nat_key(&dp->nat, n, NETWORK_UPLINK, FLOW_IN);
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

static inline bool is_dhcp(const struct view *v, be16 sport, be16 dport)
{
    return v->proto == IP_PROTO_UDP && v->sport == sport && v->dport == dport;
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

/* True: the job goes on to forward_out(), with its key. False: it was dealt with. */
static inline bool prepare_out(struct dataplane *dp, struct dp_job *job)
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
        hairpin(dp, job);
        return false;
    }
    if (UNLIKELY(view_is_icmp_error(v))) {
        error_out(dp, job);
        return false;
    }
    return is_later_fragment(job) || key_out(dp, job);
}

/* ---- from the uplink ---- */

/* Whether a packet from outside may carry this source: not one of ours, and no address that is
 * never a source. */
static bool outside_source_ok(const struct dataplane *dp, be32 src)
{
    const struct dp_network *up = &dp->networks[NETWORK_UPLINK];

    if (ip4_is_martian(src) || src == up->ip || is_subnet_edge(src, up))
        return false;
    for (unsigned i = 0; i < dp->config->net_count; i++)
        if (config_net_has(&dp->config->nets[i], src))
            return false;
    return true;
}

static inline bool key_in(struct dataplane *dp, struct dp_job *job)
{
    enum drop_reason why = nat_key(&dp->nat, &job->nat, NETWORK_UPLINK, FLOW_IN);

    if (UNLIKELY(why))
        drop_job(dp, job, outside_source_ok(dp, job->nat.v.src) ? why : DROP_IP_SOURCE);
    return !why;
}

static void forward_in(struct dataplane *dp, struct dp_job *job)
{
    if (is_later_fragment(job)) {
        match_fragment(dp, job, NETWORK_UPLINK);
        if (!key_in(dp, job))
            return;
    }
    struct flow *f = nat_find(&dp->nat, &job->nat);

    if (UNLIKELY(!f)) {
        const struct view *v = &job->nat.v;
        enum drop_reason why = DROP_UNSOLICITED;
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
        if (nat_claims(&dp->nat, v->proto, v->dport))
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

    if (!outside_source_ok(dp, n->v.src)) {
        drop_job(dp, job, DROP_IP_SOURCE);
        return;
    }
    struct flow *f = nat_icmp_error(&dp->nat, n->p, &n->v, NETWORK_UPLINK, FLOW_IN, &why);
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

/* The same for a packet from the uplink and forward_in(). */
static inline bool prepare_in(struct dataplane *dp, struct dp_job *job)
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

/* ---- a burst ---- */

/* Parses and cuts off what Ethernet has padded. */
static inline bool parse_job(struct dataplane *dp, struct dp_job *job)
{
    struct pkt *p = job->nat.p;
    enum drop_reason reason = view_parse_ip4(&job->nat.v, p);

    if (UNLIKELY(reason)) {
        dp_drop(dp, p, reason);
        return false;
    }
    uint32_t frame_bytes = ETH_HDR_BYTES + (uint32_t)job->nat.v.ip_bytes;
    if (LIKELY(frame_bytes <= p->len && !p->next))
        p->len = p->total_bytes = frame_bytes;
    else if (frame_bytes < p->total_bytes)
        pkt_trim(p, frame_bytes);
    return true;
}

static inline void route_burst(struct dataplane *dp, unsigned in, const bool from_uplink)
{
    struct dp_job *ready[BURST_MAX];
    unsigned n = 0;

    for (struct dp_job *job = dp->jobs; job < dp->jobs_end; job++) {
        job->nat.p->port = (uint8_t)in; /* where an error about it will go */
        if (parse_job(dp, job) && (from_uplink ? prepare_in(dp, job) : prepare_out(dp, job)))
            ready[n++] = job;
    }
    dp->jobs_end = dp->jobs;
    for (unsigned i = 0; i < n; i++)
        if (!is_later_fragment(ready[i]))
            nat_prefetch(&dp->nat, &ready[i]->nat);
    for (unsigned i = 0; i < n; i++)
        from_uplink ? forward_in(dp, ready[i]) : forward_out(dp, ready[i]);
}

void dp_route_burst(struct dataplane *dp, unsigned in, unsigned network)
{
    if (network == NETWORK_UPLINK)
        route_burst(dp, in, true);
    else
        route_burst(dp, in, false);
}
