/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules between hosts of one network (micro-segmentation): what its switch asks before it passes a
 * unicast frame on, and the router before it sends a packet back to where it came from.
 *
 * Theory of operation. IPv4 is held to plain flows, as between networks, in a zone of its own for
 * each network (zone_inside): a conversation that was switched is never taken for one that is
 * routed. ARP passes. Other frames are judged by their MACs. A VLAN tag that a transparent network
 * passes on as payload hides nothing: the packet behind it is read, because hosts take tags off
 * without being asked, also several (priority tags, IEEE 802.1Q, section 6.9); the tags' own
 * numbers do not matter to the rules. What claims to be IPv4 and cannot be read, or hides behind
 * more tags than anybody uses, is dropped, for what a filter does not understand its receiver may.
 */
#include "net/dataplane_route.h"

#define TAGS_MAX 8

/* Flows and fragments inside a network have these zones, which no routed packet's key has. */
static inline uint8_t zone_inside(unsigned network)
{
    return (uint8_t)(network + 32);
}
static_assert(ZONE_ROUTER < 32 && NETWORK_UPLINK + 32 < FLOW_USER_NETWORKS,
              "zones of the two kinds differ, and all are counted");

/* Opens a flow if the rules let it; else, NULL: the packet was dropped. */
static struct flow *open_inside(struct dataplane *dp, struct dp_job *job, uint8_t zone)
{
    enum drop_reason why;
    struct dp_question q;

    if (!dp_ask(dp, &q, job, job->network)) {
        dp_turn_down(dp, job, &q, DROP_POLICY);
        return NULL;
    }
    struct flow *f = nat_open_plain(&dp->nat, &job->nat, zone, dp->now_ms, &why);
    if (f)
        dp_let_pass(dp, &q, true);
    else
        dp_drop(dp, job->nat.p, why);
    return f;
}

/* What has no flows: errors are part of one, the other messages are asked about one by one. */
static bool filter_icmp(struct dataplane *dp, struct dp_job *job, uint8_t zone)
{
    struct nat_job *n = &job->nat;
    enum drop_reason why = DROP_FRAGMENT;
    enum flow_dir dir;
    struct dp_question q;

    if (view_is_icmp_error(&n->v)) {
        if (nat_icmp_error(&dp->nat, n->p, &n->v, zone, &dir, &why))
            return true;
    } else if (!is_later_fragment(job)) {
        if (dp_ask(dp, &q, job, job->network)) {
            dp_let_pass(dp, &q, false);
            return true;
        }
        dp_turn_down(dp, job, &q, DROP_POLICY);
        return false;
    }
    dp_drop(dp, n->p, why);
    return false;
}

bool dp_filter_inside(struct dataplane *dp, struct dp_job *job)
{
    struct nat_job *n = &job->nat;
    uint8_t zone = zone_inside(job->network);

    if (!match_fragment(dp, job, zone))
        return false;
    if (n->v.proto == IP_PROTO_ICMP && !view_is_icmp_echo(&n->v))
        return filter_icmp(dp, job, zone);
    enum drop_reason why = nat_key(&dp->nat, n, zone);
    if (why) {
        dp_drop(dp, n->p, why);
        return false;
    }
    n->dir = FLOW_OUT; /* whoever opens it is its inside end */
    struct flow *f = nat_find(&dp->nat, n);
    if (!f)
        f = open_inside(dp, job, zone);
    if (!f || !note_fragment(dp, job, zone, f))
        return false;
    why = nat_apply(&dp->nat, f, n, dp->now_ms);
    if (why)
        dp_drop(dp, n->p, why);
    return !why;
}

/* Reads the IPv4 packet behind so many bytes of tags. The parser looks at where the packet would be
 * without them. */
static enum drop_reason parse_behind(struct view *v, struct pkt *p, uint32_t tag_bytes)
{
    p->data += tag_bytes;
    p->len -= tag_bytes;
    p->total_bytes -= tag_bytes;
    enum drop_reason why = view_parse_any_ip4(v, p);
    p->data -= tag_bytes;
    p->len += tag_bytes;
    p->total_bytes += tag_bytes;
    v->l3_off = (uint16_t)(v->l3_off + tag_bytes);
    v->l4_off = (uint16_t)(v->l4_off + tag_bytes);
    if (v->icmp_inner_off)
        v->icmp_inner_off = (uint16_t)(v->icmp_inner_off + tag_bytes);
    return why;
}

static inline bool is_tag(be16 type)
{
    return type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ;
}

bool dp_filter_switched(struct dataplane *dp, unsigned in, unsigned network, struct pkt *p)
{
    struct dp_job job = {.nat.p = p, .network = (uint8_t)network, .switched = true};
    be16 type = load_raw16(p->data + ETH_TYPE_OFF);
    uint32_t tag_bytes = 0;

    while (is_tag(type) && tag_bytes < TAGS_MAX * VLAN_TAG_BYTES &&
           p->len >= ETH_HDR_BYTES + tag_bytes + VLAN_TAG_BYTES) {
        tag_bytes += VLAN_TAG_BYTES;
        type = load_raw16(p->data + ETH_TYPE_OFF + tag_bytes);
    }
    if (type == ETH_TYPE_ARP)
        return true;
    if (is_tag(type)) {
        dp_drop(dp, p, DROP_VLAN);
        return false;
    }
    if (type != ETH_TYPE_IP4) {
        bool admitted = dp_frame_admitted(dp, p, network, type);
        if (!admitted)
            dp_drop(dp, p, DROP_POLICY);
        return admitted;
    }
    enum drop_reason why = parse_behind(&job.nat.v, p, tag_bytes);
    if (why) {
        dp_drop(dp, p, why);
        return false;
    }
    p->port = (uint8_t)in;       /* where a refusal goes, */
    job.silent = tag_bytes != 0; /* which would lack the tags */
    return dp_filter_inside(dp, &job);
}
