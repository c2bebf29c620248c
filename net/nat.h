/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Network address translation for IPv4: RFC 4787 (UDP), RFC 5382 (TCP), RFC 5508 (ICMP), with RFC
 * 7857. And the tracking of flows that are not translated ("plain": between networks, and between a
 * routed network and the uplink).
 *
 * Theory of operation. A mapping ties an inside address and port to an outside port, whatever the
 * remote end (endpoint-independent mapping); a flow is one conversation through a mapping (or
 * through a forwarded port). Packets of a known flow cost one index lookup and nat_apply(). The
 * rest is the slow path: nat_open_out() finds or makes the mapping and makes the flow;
 * nat_open_in() finds a forward or an existing mapping and makes the flow, or refuses. Anybody may
 * come in by a mapping (endpoint-independent filtering), or where a network wants it so, only the
 * addresses that its host has spoken to by it (nat_permit.h); forwards, and mappings that somebody
 * holds, are open to anybody everywhere. A mapping lives as long as it has flows, or somebody holds
 * it; then its port rests, and only the same inside endpoint can have it, for NAT_REST_MS (RFC
 * 6888, REQ-8), unless ports run out. nat_open_plain() makes a flow that needs no mapping, and of
 * which nothing is rewritten. Which of the three it is, and whether it may be, is the caller's to
 * decide, once a flow.
 *
 * The outside ports of the router itself (its DNS queries, its DHCP client) come from the same
 * allocator (nat_reserve), so that no host's flow can ever shadow them.
 *
 * State is all in struct nat; time is an argument; nothing is allocated after nat_init().
 */
#ifndef NET_NAT_H
#define NET_NAT_H

#include "base.h"
#include "pkt.h"
#include "verdict.h"
#include "net/flow_table.h"
#include "net/nat_permit.h"
#include "net/port_pool.h"
#include "net/wire/parse.h"
#include "net/wire/tcp_reset.h"

/* One packet on its way through a burst. The dataplane fills p and v; nat_key() fills the rest. */
struct nat_job {
    struct pkt *p;
    struct view v;
    struct flow_tuple key;
    uint32_t hash;
    uint32_t guess; /* the flow it probably belongs to (nat_prefetch), or FLOW_NONE */
    uint8_t dir;    /* enum flow_dir: which way it goes in its flow, found by nat_find() */
};

#define NAT_MAX_FORWARDS 513 /* 256 of both protocols, and a last resort */
#define NAT_MAX_TARGETS  8
#define NAT_MAX_HOLDS    1024
#define NAT_POOLS        3

/* A forward leads what comes to some ports of the outside address to as many of a host inside. A
 * last resort (proto 0; at most one) takes all of TCP and UDP that no forward, no mapping and not
 * the router has, to the same ports; and the host it leads to is mapped like any other. */
struct nat_forward {
    uint8_t proto;                  /* IP_PROTO_TCP, IP_PROTO_UDP, or 0 */
    uint8_t zone;                   /* the targets' network */
    uint8_t target_count;           /* flows take turns */
    uint16_t first_port, last_port; /* outside, in host order; not of a last resort */
    uint16_t target_port;           /* where first_port leads, in host order */
    be32 bind_ip;                   /* outside address; 0 = whatever the uplink has */
    be32 from_ip, from_mask;        /* who may come; mask 0 = everyone */
    be32 targets[NAT_MAX_TARGETS];
};

struct nat_counters {
    uint64_t mappings_live; /* forwards not among them */
    uint64_t icmp_errors_translated;
    uint64_t hairpins;  /* inbound flows from our own outside address */
    uint64_t picked_up; /* flows that began in the middle of a connection */
    uint64_t evicted;   /* flows, over or half open, that made room for others */
    uint64_t refused;   /* flows and ports beyond a share or a limit */
    uint64_t cut_short; /* ports at rest that somebody had to have before the time */
};

/* What a network may have at most, and each host in it; 0: what its share allows. */
struct nat_limits {
    uint32_t flows, host_flows;
};

#define NAT_SHARE   8u           /* a host may have this many times as much as is free */
#define NAT_REST_MS (120 * 1000) /* RFC 6888, REQ-8 */

#define NAT_SHARE_WEIGHTS 3

/* What stood in the way: a share of the router's ports, or flows, or what the configuration sets.
 */
enum nat_limit { NAT_LIMIT_PORTS, NAT_LIMIT_FLOWS, NAT_LIMIT_NETWORK, NAT_LIMIT_HOST };

/* Whom the last shortage was about: who lost a flow, or was refused a new one; and what it had, and
 * all of its network, before that. */
struct nat_pressure {
    be32 ip;
    uint32_t flows, ports, net_flows;
    uint8_t zone;
    uint8_t limit; /* enum nat_limit */
    bool refused;
};

/* Mappings at rest, the oldest first. */
struct nat_resting {
    uint32_t oldest, newest, count;
};

struct nat_params {
    uint32_t flow_capacity;
    alloc_fn alloc_dirty; /* for the flows, whose memory need not be zeroed; NULL: as the rest */
    uint32_t now_ms;
    uint64_t random;         /* seeds port selection */
    uint32_t filtered_zones; /* bit n: network n filters by address (RFC 4787, section 5) */
    struct hash_key key;
    uint32_t timeout_ms[FLOW_STATE_COUNT]; /* 0 = the default (nat.c's table, CONFIGURATION.md's
                                              figures) */
};

/* Whether a forward's host, fwd->targets[target], is worth a new flow: false if it is known not to
 * answer. */
typedef bool (*nat_answers_fn)(void *arg, const struct nat_forward *fwd, unsigned target);

struct nat_mapping;
struct nat_span;

struct nat {
    struct flow_table flows;
    struct port_pool pools[NAT_POOLS]; /* TCP, UDP, ICMP identifiers */
    struct nat_mapping *mappings;
    uint32_t mapping_capacity;
    uint32_t mapping_free;  /* mappings that were used before, linked */
    uint32_t mapping_fresh; /* mappings from here on were never used */
    struct index mapping_index;
    uint32_t filtered_zones; /* as in nat_params; 0: there are no permits */
    struct nat_permits permits;
    struct hash_key key;
    const struct nat_forward *forwards;    /* caller's, constant */
    const struct nat_forward *last_resort; /* one of them, or NULL */
    unsigned forward_count;
    struct nat_span *spans; /* the forwards' ports, sorted */
    unsigned span_count;
    uint64_t forward_ports[2][65536 / 64];  /* TCP, UDP: ports outside that forwards have */
    uint8_t forward_turn[NAT_MAX_FORWARDS]; /* whose turn it is */
    nat_answers_fn answers;                 /* NULL: all do */
    void *answers_arg;
    be32 outside_ip;              /* 0 while the uplink has none */
    be32 last_outside;            /* the last one it had */
    bool closed;                  /* nothing may go to the uplink */
    bool sweeping;                /* flows may be outdated, from here on: */
    uint32_t sweep_at, sweep_end; /* numbers of flows */
    bool moved;                   /* to an address it did not have before, lately: */
    uint32_t moved_ms;
    uint32_t holds;                            /* nat_hold(), and not let go yet */
    struct nat_resting resting[2 * NAT_POOLS]; /* as the pools; and again: with ports below 1024 */
    struct nat_limits limits[FLOW_USER_NETWORKS];
    uint32_t limited; /* bit: a network that shares with the others */
    uint16_t heaviest[FLOW_USER_NETWORKS][NAT_SHARE_WEIGHTS];
    uint16_t hand;
    struct nat_pressure pressure;
    struct nat_counters counters;
};

/* -ENOMEM, -EINVAL (flow_capacity 0 or above FLOW_CAPACITY_MAX). */
int nat_init(struct nat *nat, const struct nat_params *params, alloc_fn alloc);
/* Ports are chosen by another seed from now on, as nat_init() makes it of these members of its
 * parameters; all that is taken or at rest stays so, and no hash changes. */
void nat_reseed(struct nat *nat, uint64_t random, const struct hash_key *key);
/* What that takes from alloc, and struct nat itself; and what more if there are filtered zones. */
size_t nat_bytes(uint32_t flow_capacity);
size_t nat_filter_bytes(uint32_t flow_capacity);

/* Replaces the forwards (at most NAT_MAX_FORWARDS; where two want one packet, the first has it).
 * Their outside ports are taken out of the allocator; flows of hosts that happen to use one of them
 * are ended, as are flows through forwards that are no more. The array stays the caller's, and
 * unchanged. Returns how many are in force: one all of whose ports nat_reserve* gave away is not.
 */
unsigned nat_set_forwards(struct nat *nat, const struct nat_forward *forwards, unsigned count);

/* This network opens flows, within these limits. Networks named here share what there is between
 * them as hosts do. */
void nat_set_limits(struct nat *nat, uint8_t zone, const struct nat_limits *limits);

/* Who knows which hosts answer. It is asked about each new flow through a forward of several hosts:
 * those that do not are passed over, as long as another does. */
void nat_set_answers(struct nat *nat, nat_answers_fn answers, void *arg);

/* True if the next packet into f (FLOW_IN) would be in vain, and f can be led elsewhere: its host,
 * one of several behind a forward, does not answer and has said nothing in f yet, and another one
 * does. Then nat_end() it, and nat_open_in() again. To be asked only of flows with FLOW_IN_TURN. */
bool nat_is_stranded(const struct nat *nat, const struct flow *f);

/* The uplink's address from now on (0: none). Translated flows of another one are outdated, and no
 * packet may use them any more; mappings that are held stay. nat_sweep() ends them (nat_reset.c).
 * nat_close_uplink(): the address is none, and nothing may go to the uplink, plain flows to it
 * neither, until there is an address. */
void nat_set_outside(struct nat *nat, be32 ip, uint32_t now_ms);
void nat_close_uplink(struct nat *nat, uint32_t now_ms);

/* True if the flow must not be used any more. Asked only while nat->sweeping. */
static inline bool nat_is_outdated(const struct nat *nat, const struct flow *f)
{
    return f->rem_zone == NETWORK_UPLINK &&
           (f->flags & FLOW_PLAIN ? nat->closed : f->out_ip != nat->outside_ip);
}

/* Ends outdated flows, at most budget, and looks at so many others as cost no more; each() is
 * called before a flow goes, with the reset that its inside end would believe, or NULL (not TCP, or
 * over anyway). Returns how many were ended; nat->sweeping is false when all are. each may be NULL.
 */
unsigned nat_sweep(struct nat *nat, unsigned budget,
                   void (*each)(void *arg, struct flow *f, const struct tcp_reset *reset),
                   void *arg);

/* Fills key and hash from the view of a packet that came from this zone; dir is FLOW_IN from the
 * uplink, else FLOW_OUT, until nat_find() knows better. TCP and UDP go by their ports, echoes by
 * their identifier, other protocols by their addresses alone; later fragments by what
 * fragment_match() has filled in (fragment.h). DROP_FRAGMENT if it has not; DROP_PROTOCOL for ICMP
 * other than echoes (errors: nat_icmp_error()) and protocol 0. Prefetches the index. */
enum drop_reason nat_key(const struct nat *nat, struct nat_job *job, uint8_t zone);

/* For bursts: after nat_key() of all packets and before nat_find() of the first. Looks at the
 * index, and prefetches the flow. */
static inline void nat_prefetch(const struct nat *nat, struct nat_job *job)
{
    job->guess = flow_prefetch(&nat->flows, job->hash);
}

/* nat_find() where the guess was wrong. */
struct flow *nat_find_again(struct nat *nat, struct nat_job *job);

/* The packet's flow, and job->dir which way it goes in it; or NULL, dir as it was. */
static inline struct flow *nat_find(struct nat *nat, struct nat_job *job)
{
    if (LIKELY(job->guess != FLOW_NONE)) {
        struct flow *f = &nat->flows.flows[job->guess];
        if (LIKELY(flow_is(f, &job->key, (enum flow_dir)job->dir)))
            return f;
    }
    return nat_find_again(nat, job);
}

/* Protocols that are translated by their addresses alone, because nothing in them tells the answers
 * to one host from those to another: one flow a peer, no mapping, and nothing comes in but from
 * that peer. */
static inline bool nat_goes_by_address(uint8_t proto)
{
    return proto == IP_PROTO_GRE || proto == IP_PROTO_ESP;
}

/* What can never be translated, whatever flows there are: DROP_PROTOCOL, or DROP_UNSOLICITED for an
 * echo reply on its way out. Not for later fragments. */
enum drop_reason nat_check_out(const struct view *v);

/* Slow path, after nat_find() said NULL: translated flows. On NULL, *why: outbound DROP_NO_UPLINK,
 * DROP_MOVED (TCP that has lost its flow to a change of the outside address), DROP_FLOWS_FULL,
 * DROP_PORTS_FULL, DROP_SHARE, DROP_PEER_TAKEN (another host has this protocol with this peer),
 * DROP_UNSOLICITED (what cannot begin a connection or a flow: a stray RST, FIN or SYN-ACK, an echo
 * reply); inbound DROP_UNSOLICITED, DROP_FILTERED (by a mapping that is not open to this address),
 * DROP_FLOWS_FULL or DROP_SHARE. Protocols that cannot be translated: DROP_PROTOCOL. Later
 * fragments open nothing: DROP_FRAGMENT. */
struct flow *nat_open_out(struct nat *nat, const struct nat_job *job, uint32_t now_ms,
                          enum drop_reason *why);
struct flow *nat_open_in(struct nat *nat, const struct nat_job *job, uint32_t now_ms,
                         enum drop_reason *why);

/* The same for a plain flow, whose other end, the packet's destination, is in zone to. From a
 * network (job->dir FLOW_OUT): the source is the inside end, to is another network or
 * NETWORK_UPLINK. From the uplink (FLOW_IN): the destination is, to is its network. *why on NULL:
 * DROP_FLOWS_FULL, DROP_SHARE, DROP_UNSOLICITED, DROP_FRAGMENT. */
struct flow *nat_open_plain(struct nat *nat, const struct nat_job *job, uint8_t to, uint32_t now_ms,
                            enum drop_reason *why);

/* Ends a flow before its time. */
void nat_end(struct nat *nat, struct flow *f);

/* True if an inbound packet with this protocol and destination port (network order) belongs to a
 * forward (the last resort included) or to a mapping, rather than to the router itself. */
bool nat_claims(const struct nat *nat, uint8_t proto, be16 port);

/* Rewrites the packet (addresses, ports or identifier, IP and transport checksums; partial
 * checksums with their own sign; UDP checksum 0 stays 0; nothing of a plain flow's), tracks its
 * state, stamps the time (outbound refreshes, inbound does not but for TCP: RFC 4787 REQ-6; a plain
 * flow, which has no mapping that a stranger could hold open, is refreshed both ways) and counts
 * bytes. The head segment must be writable (unshared). Does not touch TTL. DROP_TCP_WINDOW: the
 * packet must not pass, and it and the flow are as they were. */
enum drop_reason nat_apply(struct nat *nat, struct flow *f, const struct nat_job *job,
                           uint32_t now_ms);

/* Translates an ICMP error about one of our flows that came from this zone, from the packet as it
 * stands (of v only the offsets and the type are used): finds the flow of the embedded packet,
 * rewrites the embedded headers back to what its sender sent, and the outer address (RFC 5508,
 * REQ-3..REQ-5). An error from the inside keeps its source hidden: the outer source becomes the
 * outside address. Errors about plain flows stay as they are. Never ends or refreshes the flow.
 * Returns the flow, and in *dir which way the error goes in it: its inside (FLOW_IN) or remote
 * (FLOW_OUT) end is where it goes; or NULL and *why (DROP_NO_MAPPING, DROP_L4_CSUM, ...), the
 * packet then being as it was. */
struct flow *nat_icmp_error(struct nat *nat, struct pkt *p, const struct view *v, uint8_t zone,
                            enum flow_dir *dir, enum drop_reason *why);

/* Ports for the router's own use towards the outside. nat_reserve: a free random one (network
 * order) or 0; nat_reserve_port: this one, false if taken. */
be16 nat_reserve(struct nat *nat, uint8_t proto);
bool nat_reserve_port(struct nat *nat, uint8_t proto, be16 port);
void nat_release(struct nat *nat, uint8_t proto, be16 port);

/* What a host has asked for: its endpoint, k's source (TCP or UDP), has an outside port from now
 * on, open to anybody, flows or none, for as many nat_let_go() as there were holds. The mapping
 * that it has stays as it is; a new one is by wanted (network order) if that is free, else (unless
 * exact) by another. Returns the outside port, or 0: it cannot be that one, or there is no room
 * (NAT_MAX_HOLDS). Holds outlive a change of the outside address. */
be16 nat_hold(struct nat *nat, const struct flow_tuple *k, be16 wanted, bool exact);
void nat_let_go(struct nat *nat, const struct flow_tuple *k, uint32_t now_ms);

/* A flow as people see it. */
struct nat_flow_info {
    be32 in_ip, out_ip, rem_ip; /* as in struct flow */
    be16 in_port, out_port, rem_port;
    uint8_t proto, zone, rem_zone;
    bool plain;     /* not translated */
    bool opened_in; /* by the remote end */
    const char *state;
    uint32_t age_ms, idle_ms; /* since it began; since a packet last refreshed it */
    uint32_t left_ms;         /* until it expires if none does */
    uint32_t packets[2];      /* by enum flow_dir */
    uint64_t bytes[2];        /* of IP packets */
};

/* Calls each() for the flows from this number on (0: all), in no order, until it returns false.
 * Returns the number to go on from, or FLOW_NONE after the last flow. */
uint32_t nat_flow_dump(const struct nat *nat, uint32_t from, uint32_t now_ms,
                       bool (*each)(void *arg, const struct nat_flow_info *info), void *arg);

/* Expiry: at most budget flows; returns the number looked at. And milliseconds until there is
 * something to look at; 0: now; UINT32_MAX: nothing. */
unsigned nat_tick(struct nat *nat, uint32_t now_ms, unsigned budget);
uint32_t nat_next_ms(const struct nat *nat, uint32_t now_ms);

#endif
