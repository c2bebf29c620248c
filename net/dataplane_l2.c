/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames: what is a frame at all, which port it goes to, and which are for the router (IEEE 802.1D,
 * section 7).
 *
 * A frame stays on the network its port belongs to: dp_same_network() decides, for every frame that
 * is switched, flooded, or handed to the stack. What leaves a network leaves it as a routed IPv4
 * packet (dataplane_route.c).
 */
#include "net/dataplane_internal.h"

/* A frame that passed the checks, and the keys of its addresses. */
struct look {
    struct pkt *p;
    uint64_t dst;
    uint16_t type; /* be16 */
    bool known_source;
    struct switch_key from, to;
};

static inline bool dp_same_network(const struct dataplane *dp, unsigned network, unsigned port)
{
    return port < dp->port_count && dp->ports[port].network == network;
}

static inline bool offloaded(const struct pkt *p)
{
    return (p->flags & PKT_NEEDS_CSUM) || p->gso_size;
}

/* What every frame must satisfy, on whatever port. Fills dst, type; *source is its source address.
 */
static inline enum drop_reason check_frame(const struct dp_network *net, struct pkt *p,
                                           struct look *look, uint64_t *source)
{
    if (UNLIKELY(p->len < ETH_HDR_BYTES))
        return DROP_ETH_SHORT;
    /* Bytes 6..13 are the source and the type; a frame of 14 bytes has both loads inside it. */
    uint64_t tail = load_raw64(p->data + ETH_SRC_OFF);
    uint64_t src = tail & MAC_WORD_MASK;
    look->p = p;
    look->dst = load_raw64(p->data) & MAC_WORD_MASK;
    look->type = (uint16_t)(tail >> 48);
    *source = src;
    if (UNLIKELY((src & MAC_WORD_GROUP) || src == 0 || src == net->mac_word))
        return DROP_ETH_SOURCE;
    if (UNLIKELY(look->type == ETH_TYPE_VLAN || look->type == ETH_TYPE_QINQ))
        return DROP_VLAN;
    if (UNLIKELY((look->dst & MAC_WORD_GROUP) && mac_is_reserved(p->data)))
        return DROP_ETH_RESERVED;
    if (UNLIKELY(offloaded(p)) && !offload_check(p))
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
        struct dp_job *job = &dp->jobs[dp->job_count++];
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

void dp_flood(struct dataplane *dp, unsigned network, unsigned except, struct pkt *p)
{
    uint32_t targets = dp->networks[network].ports & dp->ports_up;

    if (except < dp->port_count)
        targets &= ~(1u << except);
    if (!targets) {
        dp_drop(dp, p, DROP_UNKNOWN_FLOOD);
        return;
    }
    while (targets) {
        unsigned out = (unsigned)__builtin_ctz(targets);
        targets &= targets - 1;
        if (targets) {
            pkt_ref(p);
            dp->totals.created++;
        }
        dp_stage(dp, out, p);
    }
}

/* Broadcast and multicast: to the network's other ports, and to the router what it listens to. The
 * router's copy is one of its own, because a shared packet may not be written to. */
static void switch_group(struct dataplane *dp, unsigned in, const struct look *look)
{
    uint8_t network = dp->ports[in].network;
    const struct dp_network *net = &dp->networks[network];
    uint32_t others = net->ports & dp->ports_up & ~(1u << in);
    bool wanted = look->dst == MAC_WORD_BROADCAST && net->mac_word &&
                  (look->type == ETH_TYPE_IP4 || look->type == ETH_TYPE_ARP);

    if (wanted && !others) {
        frame_to_self(dp, network, look->p, look->type, true);
        return;
    }
    if (wanted) {
        struct pkt *copy = pkt_clone(look->p);
        dp->totals.created++;
        if (copy)
            frame_to_self(dp, network, copy, look->type, true);
        else
            dp->totals.dropped[DROP_BUFFERS]++;
    }
    dp_flood(dp, network, in, look->p);
}

static inline void switch_frame(struct dataplane *dp, unsigned in, const struct look *look)
{
    struct dp_port *port = &dp->ports[in];
    uint8_t network = port->network;

    if (!look->known_source) {
        if (UNLIKELY(!switch_learn_key(&dp->table, &look->from, (uint8_t)in, dp->now_s))) {
            dp_drop(dp, look->p, DROP_ETH_SOURCE);
            return;
        }
        port->last_source = look->from.word;
        port->last_source_s = dp->now_s;
        port->last_source_moves = dp->table.moves;
    }
    if (look->dst == dp->networks[network].mac_word) {
        frame_to_self(dp, network, look->p, look->type, false);
        return;
    }
    if (UNLIKELY(look->dst & MAC_WORD_GROUP)) {
        switch_group(dp, in, look);
        return;
    }
    uint8_t out = switch_lookup_key(&dp->table, &look->to, dp->now_s);
    if (UNLIKELY(out == in))
        dp_drop(dp, look->p, DROP_SAME_PORT);
    else if (LIKELY(dp_same_network(dp, network, out)))
        dp_stage(dp, out, look->p);
    else
        dp_flood(dp, network, in, look->p);
}

/* First all frames are looked at and the lines of the table they need are asked for, then all are
 * switched. */
static void lan_input(struct dataplane *dp, unsigned in, struct pkt **pkts, unsigned n)
{
    struct look looks[BURST_MAX];
    struct dp_port *port = &dp->ports[in];
    const struct dp_network *net = &dp->networks[port->network];
    uint64_t network_bits = (uint64_t)port->network << 48, source;
    bool fresh = port->last_source_s == dp->now_s && port->last_source_moves == dp->table.moves;
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++) {
        struct look *look = &looks[count];
        enum drop_reason reason = check_frame(net, pkts[i], look, &source);
        if (UNLIKELY(reason)) {
            dp_drop(dp, pkts[i], reason);
            continue;
        }
        count++;
        look->known_source = fresh && (source | network_bits) == port->last_source;
        if (!look->known_source) {
            look->from = switch_key(&dp->table, source | network_bits);
            switch_prefetch(&dp->table, &look->from);
        }
        if (look->dst != net->mac_word && !(look->dst & MAC_WORD_GROUP)) {
            look->to = switch_key(&dp->table, look->dst | network_bits);
            switch_prefetch(&dp->table, &look->to);
        }
    }
    for (unsigned i = 0; i < count; i++)
        switch_frame(dp, in, &looks[i]);
}

/* The uplink is not switched: a station on it, and nothing else. */
static void uplink_input(struct dataplane *dp, struct pkt **pkts, unsigned n)
{
    const struct dp_network *net = &dp->networks[NETWORK_UPLINK];

    for (unsigned i = 0; i < n; i++) {
        struct look look;
        uint64_t source;
        enum drop_reason reason = check_frame(net, pkts[i], &look, &source);
        if (UNLIKELY(reason))
            dp_drop(dp, pkts[i], reason);
        else if (LIKELY(look.dst == net->mac_word))
            frame_to_self(dp, NETWORK_UPLINK, pkts[i], look.type, false);
        else if (look.dst == MAC_WORD_BROADCAST)
            frame_to_self(dp, NETWORK_UPLINK, pkts[i], look.type, true);
        else
            dp_drop(dp, pkts[i], DROP_ETH_NOT_FOR_US);
    }
}

void dp_l2_input(struct dataplane *dp, unsigned in, struct pkt **pkts, unsigned n)
{
    uint8_t network = dp->ports[in].network;

    for (unsigned i = 0; i < n; i++) {
        pkts[i]->port = (uint8_t)in;
        __builtin_prefetch(pkts[i]->data);
    }
    if (network == NETWORK_UPLINK) {
        uplink_input(dp, pkts, n);
    } else if (network < NETWORK_UPLINK) {
        lan_input(dp, in, pkts, n);
    } else {
        for (unsigned i = 0; i < n; i++)
            dp_drop(dp, pkts[i], DROP_NO_NETWORK);
    }
}
