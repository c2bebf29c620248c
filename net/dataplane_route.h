/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of the routing half share: dataplane_route.c (bursts), dataplane_out.c (from a
 * network), dataplane_in.c (from the uplink), dataplane_hairpin.c, dataplane_fragment.c,
 * dataplane_rules.c (what the rules say) and dataplane_filter.c (rules inside a network). Private
 * to them.
 */
#ifndef NET_DATAPLANE_ROUTE_H
#define NET_DATAPLANE_ROUTE_H

#include "net/dataplane_internal.h"
#include "net/rules.h"

/* ---- dataplane_out.c: from a network ---- */

/* True: the job goes on to dp_forward_out(), with its key but for later fragments. False: it was
 * dealt with. */
bool dp_prepare_out(struct dataplane *dp, struct dp_job *job);
void dp_forward_out(struct dataplane *dp, struct dp_job *job);

/* ---- dataplane_in.c: the same from the uplink ---- */

bool dp_prepare_in(struct dataplane *dp, struct dp_job *job);
void dp_forward_in(struct dataplane *dp, struct dp_job *job);

/* ---- dataplane_hairpin.c ---- */

/* A packet from inside to the outside address, and so to a mapping or a forward: out and in again,
 * so that its receiver sees the sender's outside address and port (RFC 4787, REQ-9). */
void dp_hairpin(struct dataplane *dp, struct dp_job *job);

/* ---- dataplane_rules.c ---- */

/* A question to the rules, and the answer. */
struct dp_question {
    struct rule_packet packet;
    struct rule_decision decision;
    be16 sport;
};

/* Fills *q with what the rules say of the job's packet as the first one of a conversation with this
 * zone. True: it may go. Then dp_let_pass() follows when it has, else dp_turn_down(): only these
 * count. */
bool dp_ask(const struct dataplane *dp, struct dp_question *q, const struct dp_job *job,
            unsigned to);

/* The same of a flow that a forward or a mapping has let in, as its target sees it. */
bool dp_ask_forwarded(const struct dataplane *dp, struct dp_question *q, const struct flow *f);

/* Counts and logs what was let pass; opened: there is a flow, and the rules will not be asked
 * about it again. */
void dp_let_pass(struct dataplane *dp, const struct dp_question *q, bool opened);

/* Counts, logs, and drops the job's packet as the rule wants it; if it was none, it is refused for
 * the other reason. */
void dp_turn_down(struct dataplane *dp, struct dp_job *job, const struct dp_question *q,
                  enum drop_reason otherwise);

/* Asks about a frame without an IPv4 packet between two stations of a network (its EtherType, or
 * the one behind its tags), counts and logs. */
bool dp_frame_admitted(struct dataplane *dp, const struct pkt *p, unsigned network, be16 type);

/* True if the router may be handed the job's packet, which is no later fragment. Else it was
 * dropped. */
bool dp_router_admits_asked(struct dataplane *dp, struct dp_job *job);

static inline bool dp_router_admits(struct dataplane *dp, struct dp_job *job)
{
    return LIKELY(!dp->router_rules) || dp_router_admits_asked(dp, job);
}

/* ---- dataplane_filter.c ---- */

/* Asks about a packet from a host of a network with rules inside to another one of it. False: it
 * was dropped. */
bool dp_filter_inside(struct dataplane *dp, struct dp_job *job);

/* ---- all of them ---- */

/* The next hop towards an outside address; 0 = none. */
static inline be32 dp_uplink_hop(const struct dataplane *dp, be32 dst)
{
    const struct dp_network *up = &dp->networks[NETWORK_UPLINK];
    return (dst ^ up->ip) & up->mask ? up->gateway : dst;
}

/* True for the first and last address of a subnet, which name no host. Point-to-point prefixes have
 * none (RFC 3021). */
static inline bool dp_is_subnet_edge(be32 ip, const struct dp_network *net)
{
    uint32_t last = ~ntoh32(net->mask), host = ntoh32(ip) & last;

    return last > 1 && ip4_in_prefix(ip, net->ip, net->mask) && (host == 0 || host == last);
}

static inline void deliver_job(struct dataplane *dp, const struct dp_job *job)
{
    dp_deliver(dp, job->network, job->nat.p);
}

static inline void drop_job(struct dataplane *dp, const struct dp_job *job, enum drop_reason reason)
{
    dp_drop(dp, job->nat.p, reason);
}

/* True if the job's packet, which goes in by f, is better led to another host of its forward. f has
 * ended then, and is to be opened anew. */
static inline bool dp_leave_stranded(struct dataplane *dp, const struct dp_job *job, struct flow *f)
{
    if (LIKELY(!(f->flags & FLOW_IN_TURN)) || job->nat.dir != FLOW_IN ||
        job->nat.v.fragment == FRAGMENT_LATER || !nat_is_stranded(&dp->nat, f))
        return false;
    nat_end(&dp->nat, f);
    return true;
}

#define DHCP_SERVER_PORT BE16(67)
#define DHCP_CLIENT_PORT BE16(68)

static inline bool is_dhcp(const struct view *v, be16 sport, be16 dport)
{
    return v->proto == IP_PROTO_UDP && v->sport == sport && v->dport == dport;
}

/* To a host of ours that a packet with the outside address is for: the second half of a hairpin, or
 * the way in. */
static inline void send_inside(struct dataplane *dp, struct dp_job *job, struct flow *f)
{
    dp_send_translated(dp, job, f, f->zone, f->in_ip);
}

/* Its key is computed in the last pass only: the first fragment may be in the same burst. */
static inline bool is_later_fragment(const struct dp_job *job)
{
    return UNLIKELY(job->nat.v.fragment == FRAGMENT_LATER);
}

/* The job's flow, if there is one that may be used. False: the packet was dealt with. */
static inline bool find_flow(struct dataplane *dp, struct dp_job *job, struct flow **f)
{
    *f = nat_find(&dp->nat, &job->nat);
    return LIKELY(!dp->nat.sweeping) || !*f || !nat_is_outdated(&dp->nat, *f) ||
           !dp_reset_outdated(dp, job, f);
}

/* ---- dataplane_fragment.c ---- */

bool dp_note_first(struct dataplane *dp, struct dp_job *job, uint8_t zone, const struct flow *f);
bool dp_match_later(struct dataplane *dp, struct dp_job *job, uint8_t zone);

/* This packet goes on, in flow f or (NULL) to the router: if it is the first fragment of its
 * datagram, the others will need to know. Before it is rewritten. False: it was dropped. */
static inline bool note_fragment(struct dataplane *dp, struct dp_job *job, uint8_t zone,
                                 const struct flow *f)
{
    return LIKELY(job->nat.v.fragment != FRAGMENT_FIRST) || dp_note_first(dp, job, zone, f);
}

/* Gives a later fragment its datagram's ports, once in its life. False: it waits for its first one,
 * or it was dropped. */
static inline bool match_fragment(struct dataplane *dp, struct dp_job *job, uint8_t zone)
{
    return !is_later_fragment(job) || dp_match_later(dp, job, zone);
}

#endif
