/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames: what is a frame at all, which port it goes to, and which are for the router (IEEE 802.1D,
 * section 7).
 *
 * A frame stays on its network: the ports it may leave by are in dp_network.others, for every frame
 * that is switched or flooded. What leaves a network leaves it as a routed IPv4 packet
 * (dataplane_route.c).
 */
#include "net/dataplane_internal.h"
#include "net/wire/arp.h"

/* A frame that passed the checks, and where to look for its addresses. */
struct look {
    struct pkt *p;
    struct switch_key from; /* set NULL: just learned, nothing to do */
    struct switch_key to;   /* set NULL: not to a station; a group, or the router */
};

/* The first 14 bytes, in two loads that overlap in nothing but length: a frame of 14 bytes has both
 * inside it. */
struct eth_words {
    uint64_t dst, src;
    be16 type;
};

static inline struct eth_words eth_words(const struct pkt *p)
{
    uint64_t head = load_raw64(p->data), tail = load_raw64(p->data + ETH_SRC_OFF);
    return (struct eth_words){
        .dst = head & MAC_WORD_MASK, .src = tail & MAC_WORD_MASK, .type = (be16)(tail >> 48)};
}

/* True if the frame may be on this network as far as its tag goes; a tag that only names a priority
 * is removed. The tags of VLANs of ours are gone already. */
static bool check_tag(const struct dp_network *net, struct pkt *p, struct eth_words *eth)
{
    if (net->transparent)
        return true;
    if (!dp_vlan_strip_priority(p))
        return false;
    *eth = eth_words(p);
    return eth->type != ETH_TYPE_VLAN && eth->type != ETH_TYPE_QINQ;
}

/* True for ARP by which others would take the router's address, or its MAC, for another's. Who
 * believes such a message does so whatever hardware and operation it names, and although it is cut
 * short, once somebody has filled it up to the least length of a frame. A frame that comes from our
 * own MAC is refused for that: it may be ours, come back by a loop. */
static bool arp_is_forged(const struct dp_network *net, const struct pkt *p,
                          const struct eth_words *eth)
{
    const uint8_t *arp = p->data + ETH_HDR_BYTES;

    if (!net->pinned || eth->src == net->mac_word)
        return false;
    return p->len < ETH_HDR_BYTES + ARP_BYTES || load_raw32(arp + ARP_SENDER_IP_OFF) == net->ip ||
           load_mac(arp + ARP_SENDER_MAC_OFF) == net->mac_word;
}

/* The same for frames that are not plainly IPv4. */
static __attribute__((noinline)) enum drop_reason check_type(const struct dp_network *net,
                                                             struct pkt *p, struct eth_words *eth)
{
    if ((eth->type == ETH_TYPE_VLAN || eth->type == ETH_TYPE_QINQ) && !check_tag(net, p, eth))
        return DROP_VLAN;
    if (eth->type == ETH_TYPE_ARP && arp_is_forged(net, p, eth))
        return DROP_ARP_FORGED;
    return DROP_NONE;
}

/* What every frame must satisfy, on whatever port; it has a whole header. That the source is not
 * our own is seen when it is learned, or on the uplink. */
static inline enum drop_reason check_frame(const struct dp_network *net, struct pkt *p,
                                           struct eth_words *eth)
{
    if (UNLIKELY((eth->src & MAC_WORD_GROUP) || eth->src == 0))
        return DROP_ETH_SOURCE;
    if (UNLIKELY(eth->type != ETH_TYPE_IP4)) {
        enum drop_reason reason = check_type(net, p, eth);
        if (reason)
            return reason;
    }
    if (UNLIKELY((eth->dst & MAC_WORD_GROUP) && mac_is_reserved(p->data)))
        return DROP_ETH_RESERVED;
    if (UNLIKELY(!pkt_plain(p)) && !offload_check(p))
        return DROP_L4_HEADER;
    return DROP_NONE;
}

/* ---- to the router ---- */

static void deliver_one(struct dataplane *dp, uint8_t network, struct pkt *p)
{
    if (dp->self_ops->input(dp->self, network, p))
        dp->totals.consumed++;
    else
        dp->totals.dropped[DROP_HOST_BUSY]++;
}

void dp_deliver(struct dataplane *dp, uint8_t network, struct pkt *p)
{
    if (p->gso_size) {
        unsigned missing = 0, n = offload_cut(p, dp->cut_for_self, &missing);
        dp_count_split(dp, n, missing);
        for (unsigned i = 0; i < n; i++)
            deliver_one(dp, network, dp->cut_for_self[i]);
        return;
    }
    if (p->flags & PKT_NEEDS_CSUM)
        offload_finish_csum(p);
    deliver_one(dp, network, p);
}

/* A frame for the router's MAC, or its own copy of a broadcast. */
static inline void frame_to_self(struct dataplane *dp, uint8_t network, struct pkt *p, be16 type,
                                 bool group)
{
    if (LIKELY(type == ETH_TYPE_IP4)) {
        struct dp_job *job = dp->jobs_end++;
        job->nat.p = p;
        job->network = network;
        job->group = group;
        job->silent = false;
    } else if (type == ETH_TYPE_ARP) {
        dp_deliver(dp, network, p);
    } else {
        dp_drop(dp, p, DROP_ETH_TYPE);
    }
}

/* ---- switching ---- */

uint8_t dp_port_of(const struct dataplane *dp, unsigned network, const uint8_t *mac)
{
    if (!dp->networks[network].switched)
        return dp->uplink_port;
    return mac_is_group(mac) ? SWITCH_PORT_NONE : switch_lookup(&dp->table, mac, (uint8_t)network);
}

void dp_flood(struct dataplane *dp, unsigned network, struct pkt *p)
{
    uint32_t targets = dp->networks[network].ports & dp->ports_up;

    if (targets)
        dp_send_to(dp, network, targets, p);
    else
        dp_drop(dp, p, DROP_UNKNOWN_FLOOD);
}

/* Those who see every frame of the network, but for who sends it. */
static inline uint32_t mirrors_of(const struct dataplane *dp, const struct dp_network *net,
                                  unsigned in)
{
    return net->mirrors & dp->ports_up & ~(1u << in);
}

/* False: too many come in by this port, and p was dropped. */
static bool may_flood(struct dataplane *dp, unsigned in, struct pkt *p)
{
    struct dp_port *port = &dp->ports[in];

    if (!port->storm.per_s || dp_bucket_take_frames(&port->storm, p, dp->now_us))
        return true;
    port->stormed++;
    dp_drop(dp, p, DROP_STORM);
    return false;
}

/* What the router gets of a frame that others get too: a copy of its own, because a shared packet
 * may not be written to. */
static struct pkt *own_copy(struct dataplane *dp, const struct pkt *p)
{
    struct pkt *copy = pkt_clone(p);

    dp->totals.created++;
    if (!copy)
        dp->totals.dropped[DROP_BUFFERS]++;
    return copy;
}

/* The type of what is behind the frame's tags, all of them (see dataplane_filter.c), and where that
 * begins. 0: the frame ends before. */
static be16 type_behind_tags(const struct pkt *p, uint32_t *at)
{
    be16 type;

    for (*at = ETH_TYPE_OFF; *at + 2 <= p->len; *at += VLAN_TAG_BYTES) {
        type = load_raw16(p->data + *at);
        if (type != ETH_TYPE_VLAN && type != ETH_TYPE_QINQ) {
            *at += 2;
            return type;
        }
    }
    return 0;
}

/* True if the rules have a say in a frame for all: a packet for one host, which would believe it
 * although its frame was not for it alone. */
static bool is_for_one(const struct dp_network *net, const struct pkt *p)
{
    uint32_t at;

    if (type_behind_tags(p, &at) != ETH_TYPE_IP4)
        return false;
    if (at + IP4_HDR_BYTES > p->len)
        return true; /* cut short: not to be understood, not to be believed */
    be32 dst = load_raw32(p->data + at + IP4_DST_OFF);
    if (net->ip && (dst == net->ip || dst == (net->ip | ~net->mask)))
        return false;
    return !ip4_is_martian(dst);
}

/* The same of IPv6, where the rules have only MACs to go by, and this one is not its receiver's: no
 * host has a reason to send such a frame (RFC 2464, sections 6 and 7). */
static bool is_ip6_for_one(const struct pkt *p)
{
    enum { IP6_DST_OFF = 24, IP6_HDR_BYTES = 40, IP6_GROUP = 0xFF };
    uint32_t at;

    return type_behind_tags(p, &at) == ETH_TYPE_IP6 &&
           (at + IP6_HDR_BYTES > p->len || p->data[at + IP6_DST_OFF] != IP6_GROUP);
}

/* Broadcast and multicast: to the network's other ports, and to the router what it listens to. */
static void switch_group(struct dataplane *dp, unsigned in, uint8_t network, struct pkt *p)
{
    const struct dp_network *net = &dp->networks[network];
    uint32_t targets = (net->others[in] & dp->ports_up) | mirrors_of(dp, net, in);
    be16 type = dp_vlan_inner_type(p);
    bool wanted = mac_is_broadcast(p->data) && net->mac_word != MAC_WORD_NONE &&
                  (type == ETH_TYPE_IP4 || type == ETH_TYPE_ARP);

    if (!may_flood(dp, in, p))
        return;
    if (UNLIKELY(net->filtered)) {
        if (is_ip6_for_one(p)) {
            dp_drop(dp, p, DROP_POLICY);
            return;
        }
        if (is_for_one(net, p) && !dp_filter_switched(dp, in, network, p))
            return;
    }
    if (wanted) {
        struct pkt *own = targets ? own_copy(dp, p) : p;
        if (own) {
            dp_vlan_strip_priority(own);
            frame_to_self(dp, network, own, type, true);
        }
        if (own == p)
            return;
    }
    if (targets)
        dp_send_to(dp, network, targets, p);
    else
        dp_drop(dp, p, DROP_UNKNOWN_FLOOD);
}

/* To the router's MAC. */
static inline void switch_to_self(struct dataplane *dp, unsigned in, uint8_t network, struct pkt *p)
{
    const struct dp_network *net = &dp->networks[network];
    uint32_t mirrors = mirrors_of(dp, net, in);

    if (UNLIKELY(mirrors)) {
        struct pkt *copy = own_copy(dp, p);
        if (copy)
            dp_send_to(dp, network, mirrors, copy);
    }
    if (UNLIKELY(net->transparent))
        dp_vlan_strip_priority(p);
    frame_to_self(dp, network, p, load_raw16(p->data + ETH_TYPE_OFF), false);
}

/* To a station that the table has on no port where the frame may simply go: unknown, where it came
 * from, on a port it is kept from; or on a network whose frames are watched or filtered. */
static void switch_station(struct dataplane *dp, unsigned in, uint8_t network, unsigned out,
                           struct pkt *p)
{
    const struct dp_network *net = &dp->networks[network];
    uint32_t targets = net->others[in] & dp->ports_up;
    enum drop_reason reason = DROP_NONE;

    if (out == in) {
        reason = DROP_SAME_PORT;
    } else if (out < CONFIG_MAX_PORTS && !(net->others[in] >> out & 1)) {
        reason = DROP_ISOLATED;
    } else {
        if (net->filtered && !dp_filter_switched(dp, in, network, p))
            return;
        if (out < CONFIG_MAX_PORTS)
            targets = 1u << out;
        else if (!may_flood(dp, in, p))
            return;
        if (!targets)
            reason = DROP_UNKNOWN_FLOOD;
    }
    if (reason)
        targets = 0;
    uint32_t mirrors = mirrors_of(dp, net, in) & ~targets;
    if (mirrors)
        dp_spread(dp, network, mirrors, p);
    if (reason)
        dp_drop(dp, p, reason);
    else
        dp_send_to(dp, network, targets, p);
}

/* simple: the ports that a frame may go to without further ado. */
static inline void switch_frame(struct dataplane *dp, unsigned in, uint8_t network, uint32_t simple,
                                const struct look *look)
{
    if (look->from.set && UNLIKELY(!switch_learn_key(&dp->table, &look->from, (uint8_t)in))) {
        dp_drop(dp, look->p, DROP_ETH_SOURCE);
        return;
    }
    if (UNLIKELY(!look->to.set)) {
        if (mac_is_group(look->p->data))
            switch_group(dp, in, network, look->p);
        else
            switch_to_self(dp, in, network, look->p);
        return;
    }
    unsigned out = switch_lookup_key(&dp->table, &look->to);
    if (LIKELY(out < CONFIG_MAX_PORTS && (simple >> out & 1)))
        dp_forward(dp, network, out, look->p);
    else
        switch_station(dp, in, network, out, look->p);
}

/* What looking at the frames of a burst needs to know, in one place that nothing else writes to. */
struct look_context {
    const struct dp_network *net;
    struct switch_map table;
    uint64_t network_bits, own_mac, last_source;
};

/* Looks at a frame, and asks for the lines of the table that it needs. */
static inline enum drop_reason look_at(const struct look_context *c, struct pkt *p,
                                       struct look *look)
{
    if (UNLIKELY(p->len < ETH_HDR_BYTES))
        return DROP_ETH_SHORT;
    struct eth_words eth = eth_words(p);
    enum drop_reason reason = check_frame(c->net, p, &eth);
    if (UNLIKELY(reason))
        return reason;
    struct switch_key from = {.word = switch_word(eth.src, c->network_bits)}, to = {0};
    if (from.word != c->last_source) {
        from = switch_key(&c->table, from.word);
        switch_prefetch(&from);
    }
    if (eth.dst != c->own_mac && LIKELY(!(eth.dst & MAC_WORD_GROUP))) {
        to = switch_key(&c->table, switch_word(eth.dst, c->network_bits));
        switch_prefetch(&to);
    }
    *look = (struct look){.p = p, .from = from, .to = to};
    return DROP_NONE;
}

/* Drops a frame that was refused at the first look, and tells the router's stack if somebody claims
 * its address. */
static void refuse(struct dataplane *dp, uint8_t network, struct pkt *p, enum drop_reason reason)
{
    const uint8_t *arp = p->data + ETH_HDR_BYTES;

    if (reason == DROP_ARP_FORGED && dp->self_ops->conflict &&
        p->len >= ETH_HDR_BYTES + ARP_BYTES &&
        load_raw32(arp + ARP_SENDER_IP_OFF) == dp->networks[network].ip)
        dp->self_ops->conflict(dp->self, network, p->data + ETH_SRC_OFF);
    dp_drop(dp, p, reason);
}

/* First all frames are looked at, then all are switched. */
static void segment_input(struct dataplane *dp, unsigned in, uint8_t network, struct pkt **pkts,
                          unsigned n)
{
    struct look looks[BURST_MAX], *end = looks;
    struct dp_port *port = &dp->ports[in];
    const struct dp_network *net = &dp->networks[network];
    uint32_t simple = net->mirrors || net->filtered ? 0 : net->others[in];
    struct look_context c = {.net = net,
                             .table = dp->table.map,
                             .network_bits = switch_network_bits(network),
                             .own_mac = net->mac_word};

    if (port->last_source_s == dp->now_s && port->last_source_moves == dp->table.moves)
        c.last_source = port->last_source;
    for (unsigned i = 0; i < n; i++) {
        enum drop_reason reason = look_at(&c, pkts[i], end);
        if (UNLIKELY(reason))
            refuse(dp, network, pkts[i], reason);
        else
            end++;
    }
    if (end == looks)
        return;
    for (const struct look *look = looks; look < end; look++)
        switch_frame(dp, in, network, simple, look);
    /* Remembered, unless it was refused for being our own. */
    if (end[-1].from.word != switch_word(c.own_mac, c.network_bits)) {
        port->last_source = end[-1].from.word;
        port->last_source_s = dp->now_s;
        port->last_source_moves = dp->table.moves;
    }
}

/* An uplink without a bridge is not switched: a station on it, and nothing else. */
static void uplink_input(struct dataplane *dp, struct pkt **pkts, unsigned n)
{
    const struct dp_network *net = &dp->networks[NETWORK_UPLINK];

    for (unsigned i = 0; i < n; i++) {
        struct pkt *p = pkts[i];
        if (UNLIKELY(p->len < ETH_HDR_BYTES)) {
            dp_drop(dp, p, DROP_ETH_SHORT);
            continue;
        }
        struct eth_words eth = eth_words(p);
        enum drop_reason reason = check_frame(net, p, &eth);
        if (UNLIKELY(eth.src == net->mac_word))
            reason = DROP_ETH_SOURCE;
        if (UNLIKELY(reason))
            dp_drop(dp, p, reason);
        else if (LIKELY(eth.dst == net->mac_word))
            frame_to_self(dp, NETWORK_UPLINK, p, eth.type, false);
        else if (eth.dst == MAC_WORD_BROADCAST && net->mac_word != MAC_WORD_NONE)
            frame_to_self(dp, NETWORK_UPLINK, p, eth.type, true);
        else
            dp_drop(dp, p, DROP_ETH_NOT_FOR_US);
    }
}

void dp_l2_input(struct dataplane *dp, unsigned in, unsigned network, struct pkt **pkts, unsigned n)
{
    if (network > NETWORK_UPLINK) {
        for (unsigned i = 0; i < n; i++)
            dp_drop(dp, pkts[i], DROP_NO_NETWORK);
    } else if (dp->networks[network].switched) {
        segment_input(dp, in, (uint8_t)network, pkts, n);
    } else {
        uplink_input(dp, pkts, n);
    }
}
