/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the dataplane's files share. Reading order: dataplane.c (composition), dataplane_l2.c
 * (frames), dataplane_route.c (IPv4) with dataplane_out.c, dataplane_in.c and dataplane_hairpin.c,
 * dataplane_way.c (next hops), dataplane_icmp.c (errors we send), dataplane_tx.c (staging and
 * sending), dataplane_status.c; then the short ways past all that, dataplane_fast.c (routed) and
 * dataplane_switch.c (switched).
 *
 * Rule of ownership: every function that takes a packet takes it for good, and ends it in exactly
 * one way: dp_drop, dp_stage, dp_deliver, or neighbor_hold. That is what makes the sum in
 * dataplane.h hold.
 */
#ifndef NET_DATAPLANE_INTERNAL_H
#define NET_DATAPLANE_INTERNAL_H

#include "net/dataplane.h"
#include "net/fragment.h"
#include "net/offload.h"

#define STAGE_MAX     (2 * BURST_MAX)
#define NETWORK_COUNT (NETWORK_UPLINK + 1)
#define PORT_WORDS    (65536 / 64)
#define IP4_BROADCAST BE_IP4(255, 255, 255, 255)

static_assert(NETWORK_UPLINK == CONFIG_MAX_NETS, "the uplink is numbered behind the networks");

struct dp_port {
    struct nic *nic;
    uint8_t network; /* 0..15, NETWORK_UPLINK or CONFIG_NO_NET */
    bool up;         /* as of the last look at the link */
    bool routes;     /* the fast path has found something in the last burst it looked at */
    bool soft;       /* a staged packet needs software before this NIC can send it */
    uint32_t offloads;
    uint32_t max_frame_bytes;
    /* The source last learned here, in which second and at which generation of the switch table:
     * the next frame from it needs no look at the table. */
    uint64_t last_source;
    uint32_t last_source_s, last_source_moves;
    unsigned staged;
    struct pkt *stage[STAGE_MAX];
};

struct dp_network {
    be32 ip, mask; /* the router's; 0 = none */
    be32 gateway;  /* uplink only */
    /* Networks only: the addresses a host may have, as numbers. All in the subnet but its first and
     * last. */
    uint32_t first_host, host_count;
    uint32_t ports;
    uint64_t mac_word; /* mac as load_mac() gives it; MAC_WORD_NONE if the router is deaf here */
    uint8_t mac[MAC_BYTES];
    uint16_t mtu;
    uint32_t max_frame_bytes; /* that each of its ports can send */
    bool to_uplink;           /* reach_allowed() to the uplink */
};

/* One IPv4 packet of a burst on its way through dataplane_route.c and its kin. */
struct dp_job {
    struct nat_job nat;
    uint8_t network; /* it came from */
    bool group;      /* it came in a broadcast frame */
    bool silent;     /* no ICMP error about it (it is translated already) */
};

/* A token bucket a destination, and one for all; see dataplane_icmp.c. */
#define ICMP_LIMIT_SLOTS 256
struct icmp_bucket {
    uint32_t tokens_milli;
    uint32_t at_ms;
};
struct icmp_limiter {
    struct icmp_bucket all;
    struct icmp_bucket by_destination[ICMP_LIMIT_SLOTS];
    uint64_t random;
    struct hash_key key;
};

struct dataplane {
    const struct config *config;
    const struct self_ops *self_ops;
    void *self;
    struct pkt_pool *pool;
    uint64_t now_us;
    uint32_t now_ms, now_s;
    unsigned port_count;
    uint32_t ports_up;     /* bit p: port p has link and is not dead */
    uint8_t uplink_port;   /* SWITCH_PORT_NONE without an uplink */
    bool uplink_collides;  /* its subnet overlaps one of ours: nothing is forwarded to it */
    bool link_look;        /* an interrupt ended a sleep: it may have been a link change */
    uint64_t link_look_us; /* the next look while busy */
    uint32_t flows_look_ms;
    bool flows_more; /* the last expiry used up its budget */

    struct dp_job jobs[BURST_MAX];
    struct dp_job *jobs_end;
    /* Scratch space, one for each place that cuts packets, because delivering and staging may send
     * others meanwhile. */
    struct pkt *cut_for_self[OFFLOAD_MAX_SEGMENTS];
    struct pkt *cut_for_tx[OFFLOAD_MAX_SEGMENTS];
    struct pkt *cut_for_way[OFFLOAD_MAX_SEGMENTS];
    struct pkt *fragments[OFFLOAD_MAX_SEGMENTS];

    struct dp_network networks[NETWORK_COUNT];
    struct dp_port ports[CONFIG_MAX_PORTS];
    struct switch_table table;
    struct neighbor_table neighbors;
    struct nat nat;
    struct fragment_table datagrams; /* by their first fragments */
    struct icmp_limiter limiter;
    uint64_t self_ports[2][PORT_WORDS]; /* TCP, UDP: outside ports of the router's own sockets */
    struct dataplane_totals totals;     /* held, flows_live and neighbors are filled in on demand */
};

#define MAC_WORD_MASK      0xFFFFFFFFFFFFull
#define MAC_WORD_GROUP     1ull
#define MAC_WORD_BROADCAST MAC_WORD_MASK
#define MAC_WORD_NONE      UINT64_MAX /* no frame's; 0 could be one's */

static inline uint64_t load_mac(const uint8_t *mac)
{
    return load_raw32(mac) | (uint64_t)load_raw16(mac + 4) << 32;
}

static inline void dp_drop(struct dataplane *dp, struct pkt *p, enum drop_reason reason)
{
    dp->totals.dropped[reason]++;
    pkt_free(p);
}

/* ---- dataplane_tx.c ---- */

/* Sends the staged packets of one port. */
void dp_flush_port(struct dataplane *dp, unsigned port);

/* The part of dp_stage for packets that are not plain frames within the MTU. False: p was dropped.
 */
bool dp_stage_special(struct dataplane *dp, struct dp_port *port, struct pkt *p);

/* One packet became got others, and missing more that there was no buffer for. */
void dp_count_split(struct dataplane *dp, unsigned got, unsigned missing);

/* For packets that the port's NIC can send as they are, within its MTU, and untagged. */
static inline void dp_stage_plain(struct dataplane *dp, unsigned out, struct pkt *p)
{
    struct dp_port *port = &dp->ports[out];

    port->stage[port->staged++] = p;
    if (UNLIKELY(port->staged == STAGE_MAX))
        dp_flush_port(dp, out);
}

/* Sends p, a frame of this network without the tag it has on the port, by the port. */
static inline void dp_stage(struct dataplane *dp, unsigned network, unsigned out, struct pkt *p)
{
    (void)network;

    struct dp_port *port = &dp->ports[out];

    if (UNLIKELY(!pkt_plain(p) || p->total_bytes > port->max_frame_bytes) &&
        !dp_stage_special(dp, port, p))
        return;
    dp_stage_plain(dp, out, p);
}

/* ---- dataplane_fast.c ---- */

/* A burst from a port, all of one network, without the tag it has on the port. */
void dp_input(struct dataplane *dp, unsigned port, unsigned network, struct pkt **pkts, unsigned n);

/* ---- dataplane_switch.c ---- */

/* A burst from a port of a network of which most is switched. */
void dp_switch_burst(struct dataplane *dp, unsigned port, unsigned network, struct pkt **pkts,
                     unsigned n);

/* ---- dataplane.c ---- */

/* Packets from a port that the fast path has left: switched, routed, and all the rest. */
void dp_general_input(struct dataplane *dp, unsigned port, unsigned network, struct pkt **pkts,
                      unsigned n);

/* ---- dataplane_l2.c ---- */

/* Frames from a port, by the general path. IPv4 packets for the router are left in dp->jobs. */
void dp_l2_input(struct dataplane *dp, unsigned port, unsigned network, struct pkt **pkts,
                 unsigned n);

/* Sends p to every port of the network that is up, but for one (SWITCH_PORT_NONE: to all). */
void dp_flood(struct dataplane *dp, unsigned network, unsigned except, struct pkt *p);

/* Hands p to the router's own stack. */
void dp_deliver(struct dataplane *dp, uint8_t network, struct pkt *p);

/* ---- dataplane_route.c ---- */

/* Routes and translates dp->jobs, all from this port and network. */
void dp_route_burst(struct dataplane *dp, unsigned in, unsigned network);

static inline bool dp_self_owns(const struct dataplane *dp, uint8_t proto, be16 port)
{
    if (proto != IP_PROTO_TCP && proto != IP_PROTO_UDP)
        return false;
    return dp->self_ports[proto == IP_PROTO_UDP][port / 64] >> (port % 64) & 1;
}

/* ---- dataplane_way.c ---- */

/* Translates a packet of flow f (the job's direction) and sends it to hop on network to. */
void dp_send_translated(struct dataplane *dp, struct dp_job *job, struct flow *f, unsigned to,
                        be32 hop);

/* Sends the packet on as it is, but for its TTL. */
void dp_send_routed(struct dataplane *dp, struct dp_job *job, unsigned to, be32 hop);

extern const struct neighbor_ops dp_neighbor_ops;

/* ---- dataplane_icmp.c ---- */

void dp_icmp_init(struct icmp_limiter *limiter, const struct hash_key *key, uint64_t random);

/* Drops the job's packet and tells its sender with the ICMP error that belongs to the reason, if
 * there is one and it may be sent. mtu is for DROP_TOO_BIG. */
void dp_refuse(struct dataplane *dp, struct dp_job *job, enum drop_reason reason, uint16_t mtu);

#endif
