/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the dataplane's files share. Reading order: dataplane.c (a round), dataplane_create.c
 * (composition), dataplane_l2.c (frames), dataplane_merge.c (super-packets), dataplane_vlan.c
 * (tags), dataplane_admit.c (what a port lets in), dataplane_route.c (IPv4) with dataplane_out.c,
 * dataplane_in.c and dataplane_hairpin.c, dataplane_fragment.c (fragments), dataplane_way.c (next
 * hops), dataplane_rules.c and dataplane_filter.c (what rules say), dataplane_targets.c (which
 * hosts of forwards answer), dataplane_icmp.c (errors we send), dataplane_reset.c (a new outside
 * address), dataplane_tx.c (staging and sending), dataplane_status.c; then the short ways past all
 * that, dataplane_fast.c (routed) and dataplane_switch.c (switched).
 *
 * Rule of ownership: every function that takes a packet takes it for good, and ends it in exactly
 * one way: dp_drop, dp_stage, dp_deliver, neighbor_hold, or fragment_hold. That is what makes the
 * sum in dataplane.h hold.
 */
#ifndef NET_DATAPLANE_INTERNAL_H
#define NET_DATAPLANE_INTERNAL_H

#include "net/binding.h"
#include "net/datagram_id.h"
#include "net/dataplane.h"
#include "net/fragment.h"
#include "net/offload.h"

#define STAGE_MAX     (2 * BURST_MAX)
#define NETWORK_COUNT (NETWORK_UPLINK + 1)
#define PORT_WORDS    (65536 / 64)
#define IP4_BROADCAST BE_IP4(255, 255, 255, 255)

static_assert(NETWORK_UPLINK == CONFIG_MAX_NETS, "the uplink is numbered behind the networks");

/* A token bucket, in millionths of a byte or frame. */
struct dp_bucket {
    uint64_t per_s; /* bytes or frames; 0: no limit */
    uint64_t full_micro, tokens_micro;
    uint64_t fill_us; /* from empty to full */
    uint64_t at_us;
};

struct dp_port {
    struct nic *nic;
    uint8_t network; /* of untagged frames: 0..15, NETWORK_UPLINK or CONFIG_NO_NET */
    bool up;         /* as of the last look at the link */
    bool guarded;    /* what comes in takes dp_port_input(): it may be tagged, locked or limited */
    bool routes;     /* the fast path has found something in the last burst it looked at */
    bool soft;       /* a staged packet needs software before this NIC can send it */
    uint8_t merges;  /* what comes in takes dp_merge(): NIC_TX_TSO4, NIC_TX_TSO6 */
    uint32_t offloads;
    uint32_t max_frame_bytes; /* untagged */
    /* Frames up to this size that the NIC can send need nothing but to be sent; 0: all need a look,
     * because they may need a tag, a copy for another port, or tokens. */
    uint32_t plain_max_bytes;
    /* The source last learned here, in which second and at which generation of the switch table:
     * the next frame from it needs no look at the table. */
    uint64_t last_source;
    uint32_t last_source_s, last_source_moves;
    unsigned staged;
    struct pkt *stage[STAGE_MAX];

    uint32_t networks; /* bit n: network n is on it */
    uint8_t *vlans;    /* network by VLAN ID, VLAN_IDS of them; NULL: nothing on it is tagged */
    uint8_t lock;      /* enum config_lock */
    uint64_t lock_mac; /* as load_mac() gives it; 0: the first one is yet to come */
    struct dp_bucket rate_in, rate_out, storm;
    uint64_t coalesced;                                    /* merged into the one before */
    uint64_t locked, stormed, over_rate_in, over_rate_out; /* dropped for these reasons */
    uint32_t link_told_s; /* when the lines about its link began to be counted */
    uint8_t link_lines;
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
    bool to_uplink;           /* its mode routes there, and there is one */
    bool translates;          /* its hosts appear outside with the uplink's address */
    bool switched;            /* stations are learned: all but an uplink with no other port */
    bool transparent;         /* tags that are not ours are payload */
    bool pinned;              /* nobody but the router says in ARP that he has its address */
    bool isolated;    /* its ports do not reach each other, nor does the router help them to */
    bool filtered;    /* rules_inside(): dp_filter_switched() is asked about what is switched */
    bool all_plain;   /* each port has a plain_max_bytes */
    bool general;     /* nothing of it takes the fast path: it is mirrored, or dp_reset.on */
    uint32_t tagged;  /* ports on which its frames carry a tag */
    uint32_t mirrors; /* ports that get a copy of every frame */
    uint32_t others[CONFIG_MAX_PORTS]; /* ports that what came in by a port may leave by */
    be16 tag[CONFIG_MAX_PORTS];        /* VLAN IDs, where tagged says so */
};

/* One IPv4 packet of a burst on its way through dataplane_route.c and its kin. */
struct dp_job {
    struct nat_job nat;
    uint8_t network; /* it came from */
    bool group;      /* it came in a broadcast frame */
    bool silent;     /* no ICMP error about it (it is translated already) */
    bool switched;   /* it came by the switch (dp_filter_switched()) */
    be16 new_id;     /* of a fragment: its datagram's identification, once it is translated */
};

/* The outside address has changed, and flows of the old one are being ended: dataplane_reset.c. */
struct dp_reset {
    bool on;
    be32 from;      /* the old address */
    uint32_t ended; /* so far */
    uint64_t step_us;
};

/* What log lines of rules were said lately; see dataplane_rules.c. */
#define RULE_LOG_SEEN 64
struct rule_log {
    uint32_t second, shown, hidden; /* lines in that second */
    struct rule_log_seen {
        uint32_t hash, second;
    } seen[RULE_LOG_SEEN];
};

/* Which hosts of forwards have been said not to answer; see dataplane_targets.c. */
struct target_log {
    uint8_t silent[NAT_MAX_FORWARDS]; /* bit t: targets[t] */
    uint32_t second, shown;           /* lines in that second */
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

/* Lines about hosts that have their share of flows or ports: at most one in SHARE_LOG_S. */
struct share_log {
    uint64_t evicted, refused; /* when the last line was written, */
    uint32_t second;           /* and that moment */
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
    uint64_t alarm_us;     /* when a timer has something to do; 0: not known, see dp_stir() */
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
    uint32_t clash_told_ms; /* the last line about two stations with one address */
    bool clash_told;
    struct nat nat;
    struct fragment_table datagrams; /* by their first fragments */
    struct datagram_ids ids;         /* of those that leave by the outside address */
    struct binding_table bindings;   /* empty unless a port is locked by address */
    struct icmp_limiter limiter;
    struct dp_reset reset;
    struct rule_log rule_log;
    struct target_log target_log;
    struct share_log share_log;
    uint64_t rule_hits[CONFIG_MAX_RULES]; /* packets that each rule has decided on */
    bool router_rules;                  /* some rule has a say in what the router itself is sent */
    uint64_t self_ports[2][PORT_WORDS]; /* TCP, UDP: outside ports of the router's own sockets */
    struct dataplane_totals totals;     /* held, flows_live and neighbors are filled in on demand */
};

/* Something may have been started that waits for a time, or staged outside of a round: the end of
 * this round, or the next one, looks. */
static inline void dp_stir(struct dataplane *dp)
{
    dp->alarm_us = 0;
}

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

/* p, or if it is shared a copy that may be changed. NULL: no buffer, p was dropped. */
struct pkt *dp_unshare(struct dataplane *dp, struct pkt *p);
static inline struct pkt *dp_own(struct dataplane *dp, struct pkt *p)
{
    return UNLIKELY(pkt_shared(p)) ? dp_unshare(dp, p) : p;
}

/* Sends the staged packets of one port. */
void dp_flush_port(struct dataplane *dp, unsigned port);

/* The part of dp_forward for packets that are too long or more than the NIC can do, and for ports
 * that ask for more than sending: p, or the tagged copy that took its place. NULL: p was dropped.
 */
struct pkt *dp_forward_special(struct dataplane *dp, unsigned network, unsigned out, struct pkt *p);

/* One packet became got others, and missing more that there was no buffer for. */
void dp_count_split(struct dataplane *dp, unsigned got, unsigned missing);

/* For packets that the port's NIC can send as they are, within its MTU, and untagged. */
static inline void dp_stage_plain(struct dataplane *dp, unsigned out, struct pkt *p)
{
    struct dp_port *port = &dp->ports[out];

    __asm__("" : "+r"(port)); /* or gcc computes its place twice */
    port->stage[port->staged++] = p;
    if (UNLIKELY(port->staged == STAGE_MAX))
        dp_flush_port(dp, out);
}

/* True if there is nothing to be done about p but to give it to the port's NIC: most packets are
 * plain frames, and between machines of one host most others have a partial checksum or are
 * super-packets, which such a NIC can send. */
static inline bool dp_sends_as_is(const struct dp_port *port, const struct pkt *p)
{
    if (LIKELY(pkt_plain(p)))
        return p->total_bytes <= port->plain_max_bytes;
    uint32_t frame_bytes = p->gso_size ? (uint32_t)p->hdr_len + p->gso_size : p->total_bytes;
    return frame_bytes <= port->plain_max_bytes && offload_fits(p, port->offloads);
}

/* Sends p, a frame that stays on this network, without the tag it has on the port, by the port. p
 * may be shared. */
static inline void dp_forward(struct dataplane *dp, unsigned network, unsigned out, struct pkt *p)
{
    if (UNLIKELY(!dp_sends_as_is(&dp->ports[out], p))) {
        p = dp_forward_special(dp, network, out, p);
        if (!p)
            return;
    }
    dp_stage_plain(dp, out, p);
}

/* The part of dp_stage for what cannot be sent as it is. */
void dp_stage_special(struct dataplane *dp, unsigned network, unsigned out, struct pkt *p);

/* The same for a frame that the router sends: its own, or one it has routed. Whoever sees every
 * frame of the network gets a copy. */
static inline void dp_stage(struct dataplane *dp, unsigned network, unsigned out, struct pkt *p)
{
    if (UNLIKELY(!dp_sends_as_is(&dp->ports[out], p)))
        dp_stage_special(dp, network, out, p);
    else
        dp_stage_plain(dp, out, p);
}

/* A copy by reference to each of these ports; p stays the caller's, and is shared from now on. */
void dp_spread(struct dataplane *dp, unsigned network, uint32_t ports, struct pkt *p);

/* Sends p by each of these ports, of which there is one at least. */
void dp_send_to(struct dataplane *dp, unsigned network, uint32_t ports, struct pkt *p);

/* The port that this MAC is on, or SWITCH_PORT_NONE, or _SELF. */
uint8_t dp_port_of(const struct dataplane *dp, unsigned network, const uint8_t *mac);

/* ---- dataplane_vlan.c ---- */

#define VLAN_IDS       4096
#define VLAN_TAG_BYTES 4

/* A burst from a guarded port: tags off, checks, and on to dp_input() by network. */
void dp_port_input(struct dataplane *dp, unsigned port, struct pkt **pkts, unsigned n);

/* Removes a tag that names no VLAN, only a priority (IEEE 802.1Q, section 6.9). False: there is
 * none. p is unshared. */
bool dp_vlan_strip_priority(struct pkt *p);

/* The type of what is in the frame, behind a tag that names no VLAN. */
be16 dp_vlan_inner_type(const struct pkt *p);

/* p with the tag in front, in a copy if it was shared. NULL: no buffer, p was dropped. */
struct pkt *dp_vlan_insert(struct dataplane *dp, struct pkt *p, be16 id);

/* True if p, sent as it is, would be taken for a frame of a network that is tagged on this port. */
bool dp_vlan_forged(const struct dp_port *port, const struct pkt *p);

/* ---- dataplane_link.c ---- */

/* Asks the ports for their links; returns how many have changed. */
unsigned dp_look_at_links(struct dataplane *dp);

/* ---- dataplane_admit.c ---- */

/* Sets up what the port's configuration asks for. */
void dp_admit_init(struct dataplane *dp, unsigned port);

/* What the port lets in of a burst of one network, without tags: how many are left, in order. */
unsigned dp_admit(struct dataplane *dp, unsigned port, unsigned network, struct pkt **pkts,
                  unsigned n);

/* Takes p's frames out of the bucket, which are many if it is a super-packet, or their bytes, each
 * with its headers. False: there is too little, and nothing was taken. A full bucket has enough for
 * any packet. */
bool dp_bucket_take_frames(struct dp_bucket *b, const struct pkt *p, uint64_t now_us);
bool dp_bucket_take_bytes(struct dp_bucket *b, const struct pkt *p, uint64_t now_us);

/* ---- dataplane_merge.c ---- */

/* Says which ports put together what comes in. */
void dp_merge_init(struct dataplane *dp);

/* Puts a burst together: how many packets are left, in order. */
unsigned dp_merge(struct dataplane *dp, unsigned port, struct pkt **pkts, unsigned n);

/* ---- dataplane_rules.c ---- */

/* Looks through the configuration's rules. */
void dp_rules_init(struct dataplane *dp);

/* Says how many log lines there was no room for, when their second is over; and when that is. */
void dp_rules_tick(struct dataplane *dp);
uint64_t dp_rules_next_us(const struct dataplane *dp);

/* ---- dataplane_targets.c ---- */

/* A nat_answers_fn, whose arg is the dataplane. */
bool dp_target_answers(void *arg, const struct nat_forward *fwd, unsigned target);

/* ---- dataplane_filter.c ---- */

/* Asks the rules about a frame that is switched from one station to another of a filtered network.
 * False: it has ended p. */
bool dp_filter_switched(struct dataplane *dp, unsigned in, unsigned network, struct pkt *p);

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

/* Sends p, the router's, to every port of the network that is up. */
void dp_flood(struct dataplane *dp, unsigned network, struct pkt *p);

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

/* ---- dataplane_fragment.c ---- */

int dp_fragment_init(struct dataplane *dp, const struct hash_key *key, alloc_fn alloc);

/* Fragments that waited for their first one, which has passed, come in again. */
void dp_fragments_again(struct dataplane *dp);

/* ---- dataplane_way.c ---- */

/* Translates a packet of flow f (the job's direction) and sends it to hop on network to. */
void dp_send_translated(struct dataplane *dp, struct dp_job *job, struct flow *f, unsigned to,
                        be32 hop);

/* Sends the packet on as it is, but for its TTL. */
void dp_send_routed(struct dataplane *dp, struct dp_job *job, unsigned to, be32 hop);

/* Sends p, an IPv4 packet that the router made (and counted), to the inside end of f. */
void dp_send_inside(struct dataplane *dp, struct flow *f, struct pkt *p);

extern const struct neighbor_ops dp_neighbor_ops;

/* ---- dataplane_reset.c ---- */

/* The outside address was from, and is another; the translator knows. */
void dp_reset_begin(struct dataplane *dp, be32 from);

/* Ends some of the flows that are outdated by that, if it is time; the number of steps. And when
 * that is (UINT64_MAX: there are none). */
unsigned dp_reset_step(struct dataplane *dp);
uint64_t dp_reset_next_us(const struct dataplane *dp);

/* The job's packet has found *f, which is outdated. True: it was dealt with. False: *f is gone, and
 * NULL, and the packet may open another. */
bool dp_reset_outdated(struct dataplane *dp, struct dp_job *job, struct flow **f);

/* ---- dataplane_icmp.c ---- */

void dp_icmp_init(struct icmp_limiter *limiter, const struct hash_key *key, uint64_t random);

/* Drops the job's packet and tells its sender with the ICMP error that belongs to the reason, if
 * there is one and it may be sent; of DROP_MOVED with a reset. mtu is for DROP_TOO_BIG. */
void dp_refuse(struct dataplane *dp, struct dp_job *job, enum drop_reason reason, uint16_t mtu);

/* Drops the job's packet (DROP_POLICY) and tells its sender that it was rejected. */
void dp_reject(struct dataplane *dp, struct dp_job *job);

/* ---- shares (dataplane_share.c) ---- */

void dp_share_init(struct dataplane *dp);
void dp_share_tick(struct dataplane *dp);
/* The status line about them. */
void dp_share_print(const struct dataplane *dp, void (*line)(const char *text));

#endif
