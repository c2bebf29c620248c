/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The fast path: what most packets of most bursts are. An IPv4 packet for the router's MAC, TCP or
 * UDP, not a fragment and without options, of a flow that is past its opening and not at its end,
 * towards a next hop that is known and whose port is known.
 *
 * Theory of operation. Whatever admits a packet was asked when its flow was opened: ingress filter,
 * policy, forwards and address classes are properties of the tuple, and the tuple includes the
 * network. So a hit in the flow table is an admission, and what is left is the rewrite. A burst
 * goes through three passes: look (headers, key; the index's line is asked for), guess (the flow's
 * line is asked for), send. A packet that is anything else in any respect is left as it came to the
 * general path (dataplane_l2.c, dataplane_route.c), which alone refuses, answers, learns, opens and
 * holds.
 *
 * Order: runs of packets for the general path are handed to it before the next fast packet is sent,
 * so that no packet overtakes another.
 */
#include "net/dataplane_internal.h"
#include "net/nat_rewrite.h"

/* What decrementing the TTL adds to the header's sum: 0x0100 less in a big-endian word. */
#define TTL_DELTA ((uint16_t)~BE16(0x0100))

#define L3_OFF ETH_HDR_BYTES
#define L4_OFF (ETH_HDR_BYTES + IP4_HDR_BYTES)

/* Compiled once for networks and once for the uplink, which is a constant in all of it. */
#define INLINE static inline __attribute__((always_inline))

struct fast {
    struct pkt *p;
    struct flow_tuple key;
    uint32_t hash, guess;
    uint32_t frame_bytes; /* of a super-packet: of its largest frame */
    uint32_t ip_bytes;
    bool tcp;
    bool is; /* false: for the general path */
};

/* True if the source is one the general path has just seen on this port (so that learning it again
 * would change nothing), or nothing is learned on the network. */
INLINE bool source_known(const struct dataplane *dp, const struct dp_port *port, unsigned network,
                         uint64_t source, bool switched)
{
    if (!switched)
        return !(source & MAC_WORD_GROUP) && source != 0 &&
               source != dp->networks[network].mac_word;
    uint64_t word = switch_word(source, switch_network_bits(network));
    if (LIKELY(word == port->last_source))
        return port->last_source_s == dp->now_s && port->last_source_moves == dp->table.moves;
    struct switch_key key = switch_key(&dp->table.map, word);
    return switch_knows(&dp->table, &key, (unsigned)(port - dp->ports));
}

/* The offload metadata of a packet with these headers, held to the same rules as by
 * offload_check(). */
INLINE bool metadata_fits(struct pkt *p, const struct quick_ip4 *q, struct fast *fast)
{
    bool tcp = q->proto == IP_PROTO_TCP;

    fast->frame_bytes = L3_OFF + q->ip_bytes;
    if (LIKELY(pkt_plain(p)))
        return true;
    if (p->flags & PKT_NEEDS_CSUM) {
        if (UNLIKELY(p->csum_start != L4_OFF ||
                     p->csum_offset != (tcp ? TCP_CSUM_OFF : UDP_CSUM_OFF)))
            return false;
        /* What is behind a short datagram would be summed with it. */
        if (!tcp && UNLIKELY((uint32_t)load_be16(p->data + L4_OFF + UDP_LEN_OFF) + IP4_HDR_BYTES !=
                             q->ip_bytes))
            return false;
    }
    if (UNLIKELY(p->gso_size == 0 && p->gso_type != PKT_GSO_NONE))
        return false;
    if (p->gso_size) {
        if (UNLIKELY(p->gso_type != PKT_GSO_TCP4 || !tcp || !(p->flags & PKT_NEEDS_CSUM) ||
                     p->gso_size < OFFLOAD_MIN_GSO_SIZE ||
                     q->hdr_end + p->gso_size >= fast->frame_bytes))
            return false;
        p->hdr_len = (uint16_t)q->hdr_end;
        fast->frame_bytes = q->hdr_end + p->gso_size;
    }
    return true;
}

/* True if p may go the fast way as far as it alone can tell. */
INLINE bool look(const struct dataplane *dp, const struct dp_port *port, unsigned network,
                 struct pkt *p, struct fast *fast, bool from_uplink, bool switched)
{
    const struct dp_network *net = &dp->networks[network];
    struct quick_ip4 q;

    if (UNLIKELY(p->len < L4_OFF + TCP_HDR_BYTES))
        return false;
    uint64_t tail = load_raw64(p->data + ETH_SRC_OFF); /* source and type */
    if ((load_raw64(p->data) & MAC_WORD_MASK) != net->mac_word || tail >> 48 != ETH_TYPE_IP4 ||
        !source_known(dp, port, network, tail & MAC_WORD_MASK, switched))
        return false;
    if (UNLIKELY(!view_quick_ip4(&q, p)) || (q.tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) ||
        UNLIKELY(q.ttl <= 1))
        return false;
    if (UNLIKELY(L3_OFF + q.ip_bytes != p->total_bytes)) { /* Ethernet's padding */
        if (p->next)
            return false;
        p->len = p->total_bytes = L3_OFF + q.ip_bytes;
    }
    /* Our own address is the remote end of hairpin flows, and outside it is forged. */
    if (from_uplink && UNLIKELY((be32)q.addresses == net->ip))
        return false;
    if (!metadata_fits(p, &q, fast))
        return false;
    uint64_t rest = q.ports | (uint64_t)(q.proto | (uint32_t)network << 8) << 32;
    memcpy(&fast->key, &q.addresses, sizeof(q.addresses));
    memcpy((char *)&fast->key + sizeof(q.addresses), &rest, sizeof(rest));
    fast->hash = hash_words(&dp->nat.flows.key, q.addresses, rest);
    fast->ip_bytes = q.ip_bytes;
    fast->tcp = q.proto == IP_PROTO_TCP;
    flow_prefetch_index(&dp->nat.flows, fast->hash);
    return true;
}

/* The packet's flow, and which way it goes in it; or NULL. What comes from the uplink can only go
 * in; what comes from a network goes out, or in if its flow is one between networks. */
INLINE struct flow *find(const struct dataplane *dp, const struct fast *fast, bool from_uplink,
                         enum flow_dir *dir)
{
    const struct flow_table *flows = &dp->nat.flows;

    *dir = from_uplink ? FLOW_IN : FLOW_OUT;
    if (LIKELY(fast->guess != FLOW_NONE)) {
        struct flow *f = &flows->flows[fast->guess];
        if (LIKELY(flow_is(f, &fast->key, *dir)))
            return f;
        if (!from_uplink && flow_is(f, &fast->key, FLOW_IN)) {
            *dir = FLOW_IN;
            return f;
        }
    }
    if (from_uplink)
        return flow_find(flows, &fast->key, fast->hash, FLOW_IN);
    return flow_find_listed(flows, &fast->key, fast->hash, dir);
}

/* True if this packet changes nothing about the flow but its counters and time. */
INLINE bool is_steady(const struct flow *f, enum flow_dir dir)
{
    if (LIKELY(f->state >= FLOW_STEADY))
        return true;
    if (f->state != FLOW_UDP_ONE_WAY)
        return false;
    /* More of the same into a conversation that has not been answered yet. */
    if (f->flags & FLOW_PLAIN)
        return dir == (f->flags & FLOW_OPENED_IN ? FLOW_IN : FLOW_OUT);
    return dir == FLOW_OUT &&
           (f->flags & (FLOW_OPENED_IN | FLOW_HOLDS_MAPPING)) == FLOW_HOLDS_MAPPING;
}

/* The next hop, if it is known and so is its port, and packets of this size may go there. */
INLINE struct neighbor *ready_hop(struct dataplane *dp, const struct flow *f,
                                  const struct fast *fast, enum flow_dir dir)
{
    unsigned id = dir == FLOW_OUT ? f->neighbor_out : f->neighbor_in;
    unsigned to = dir == FLOW_OUT ? f->rem_zone : f->zone;
    const struct dp_network *net = &dp->networks[to];
    be32 hop = dir == FLOW_OUT ? f->rem_ip : f->in_ip;

    if (dir == FLOW_OUT && LIKELY(to == NETWORK_UPLINK)) {
        net = &dp->networks[NETWORK_UPLINK];
        hop = (hop ^ net->ip) & net->mask ? net->gateway : hop;
    }
    struct neighbor *n = neighbor_at(&dp->neighbors, (uint16_t)id, (uint8_t)to, hop);
    if (UNLIKELY(!n || n->state != NEIGHBOR_REACHABLE ||
                 dp->now_ms - n->confirmed_ms > NEIGHBOR_REFRESH_MS ||
                 n->port_moves != dp->table.moves || n->port >= dp->port_count ||
                 fast->frame_bytes - L3_OFF > net->mtu))
        return NULL;
    return n;
}

/* False: nothing was done, and the packet is for the general path. */
INLINE bool send_as(struct dataplane *dp, const struct fast *fast, struct flow *f,
                    const enum flow_dir dir)
{
    struct pkt *p = fast->p;
    struct neighbor *n = ready_hop(dp, f, fast, dir);

    if (UNLIKELY(!n || !is_steady(f, dir)))
        return false;

    uint8_t *ip = p->data + L3_OFF, *l4 = p->data + L4_OFF;
    ip[IP4_TTL_OFF]--;
    rewrite_ip(f, ip, dir, TTL_DELTA);
    if (dir == FLOW_OUT)
        store_raw16(l4 + TCP_SPORT_OFF, f->out_port);
    else
        store_raw16(l4 + TCP_DPORT_OFF, f->in_port);
    rewrite_csum(f, l4 + (fast->tcp ? TCP_CSUM_OFF : UDP_CSUM_OFF), p->flags & PKT_NEEDS_CSUM, dir,
                 fast->tcp ? 0 : 0xFFFF);
    memcpy(p->data, n->hdr, ETH_HDR_BYTES);

    f->acks[dir] = load_raw32(l4 + TCP_ACK_OFF); /* of UDP: whatever is there; nobody asks */
    flow_count(&dp->nat.flows, f, dir, fast->ip_bytes);
    if (dir == FLOW_OUT || fast->tcp || (f->flags & FLOW_PLAIN))
        f->last_ms = dp->now_ms;
    n->used_ms = dp->now_ms;

    dp_stage(dp, n->network, n->port, p);
    return true;
}

INLINE bool send(struct dataplane *dp, const struct fast *fast, const bool from_uplink)
{
    enum flow_dir dir;
    struct flow *f = find(dp, fast, from_uplink, &dir);

    if (UNLIKELY(!f))
        return false;
    return !from_uplink && LIKELY(dir == FLOW_OUT) ? send_as(dp, fast, f, FLOW_OUT)
                                                   : send_as(dp, fast, f, FLOW_IN);
}

INLINE void fast_burst(struct dataplane *dp, unsigned in, unsigned network, struct pkt **pkts,
                       unsigned n, const bool from_uplink, const bool switched)
{
    struct fast fast[BURST_MAX];
    struct pkt *general[BURST_MAX];
    unsigned general_count = 0, fast_count = 0;

    for (unsigned i = 0; i < n; i++) {
        fast[i].p = pkts[i];
        fast[i].is = look(dp, &dp->ports[in], network, pkts[i], &fast[i], from_uplink, switched);
        fast_count += fast[i].is;
    }
    dp->ports[in].routes = fast_count > 0;
    if (fast_count == 0) {
        dp_general_input(dp, in, network, pkts, n);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        if (fast[i].is)
            fast[i].guess = flow_prefetch(&dp->nat.flows, fast[i].hash);
    for (unsigned i = 0; i < n; i++) {
        if (LIKELY(fast[i].is)) {
            if (UNLIKELY(general_count)) {
                dp_general_input(dp, in, network, general, general_count);
                general_count = 0;
                if (UNLIKELY(dp->networks[network].general)) { /* since then */
                    dp_general_input(dp, in, network, &pkts[i], n - i);
                    return;
                }
            }
            if (LIKELY(send(dp, &fast[i], from_uplink)))
                continue;
        }
        general[general_count++] = pkts[i];
    }
    if (general_count)
        dp_general_input(dp, in, network, general, general_count);
}

/* Each for itself, which leaves the compiler more registers. */
#define NOINLINE static __attribute__((noinline))

NOINLINE void burst_from_network(struct dataplane *dp, unsigned in, unsigned network,
                                 struct pkt **pkts, unsigned n)
{
    fast_burst(dp, in, network, pkts, n, false, true);
}

NOINLINE void burst_from_uplink(struct dataplane *dp, unsigned in, struct pkt **pkts, unsigned n)
{
    fast_burst(dp, in, NETWORK_UPLINK, pkts, n, true, false);
}

NOINLINE void burst_from_bridge(struct dataplane *dp, unsigned in, struct pkt **pkts, unsigned n)
{
    fast_burst(dp, in, NETWORK_UPLINK, pkts, n, true, true);
}

/* True if a burst is likely to be all switching: as the one before was, and its first frame is.
 * What else is among it takes the general path then. */
static inline bool only_switching(const struct dp_port *port, const struct dp_network *net,
                                  const struct pkt *first)
{
    return !port->routes && first->len >= ETH_HDR_BYTES &&
           (load_raw64(first->data) & MAC_WORD_MASK) != net->mac_word && !net->filtered;
}

void dp_input(struct dataplane *dp, unsigned in, unsigned network, struct pkt **pkts, unsigned n)
{
    if (UNLIKELY(network > NETWORK_UPLINK) || UNLIKELY(dp->networks[network].general))
        dp_general_input(dp, in, network, pkts, n);
    else if (!dp->networks[network].switched)
        burst_from_uplink(dp, in, pkts, n);
    else if (only_switching(&dp->ports[in], &dp->networks[network], pkts[0]))
        dp_switch_burst(dp, in, network, pkts, n);
    else if (network == NETWORK_UPLINK)
        burst_from_bridge(dp, in, pkts, n);
    else
        burst_from_network(dp, in, network, pkts, n);
}
