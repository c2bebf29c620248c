/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The translator's mappings: inside endpoint <-> outside port, found from either side. Private to
 * nat*.c.
 *
 * A mapping that has lost its last flow rests (RFC 6888, REQ-8): it is found as before, so that its
 * inside endpoint can have it again, but nothing is led in by it, and it is nobody's but that
 * endpoint's for NAT_REST_MS, or until ports or mappings run out; then the oldest goes. It does not
 * rest after a TCP connection that was tracked to its close, and identifiers of ICMP do not.
 */
#ifndef NET_NAT_MAPPING_H
#define NET_NAT_MAPPING_H

#include "net/nat.h"

struct nat_mapping {
    be32 in_ip;
    be16 in_port, out_port;
    uint8_t proto;
    uint8_t zone;
    uint16_t user; /* its host's account, which counts the port; MAPPING_AT_REST: nobody's */
    union {
        struct {
            uint32_t flows;   /* that use it, and holds; the next free one, while it is free */
            uint32_t holders; /* those of them that keep it open to new remote ends: all holds do */
            uint16_t holds;   /* nat_hold()s */
        };
        struct {
            uint32_t newer, older; /* at rest: numbers of mappings */
            uint32_t rests_since_ms;
        };
    };
};

#define MAPPING_AT_REST UINT16_MAX

static inline bool mapping_rests(const struct nat_mapping *m)
{
    return m->user == MAPPING_AT_REST;
}

static inline uint32_t mapping_id(const struct nat *nat, const struct nat_mapping *m)
{
    return (uint32_t)(m - nat->mappings);
}

/* The ports of this protocol: TCP, UDP or ICMP. */
static inline unsigned mapping_pool_number(uint8_t proto)
{
    return proto == IP_PROTO_TCP ? 0 : proto == IP_PROTO_UDP ? 1 : 2;
}

static inline struct port_pool *mapping_pool(struct nat *nat, uint8_t proto)
{
    return &nat->pools[mapping_pool_number(proto)];
}

uint32_t mapping_capacity(uint32_t flow_capacity);
size_t mapping_bytes(uint32_t flow_capacity);
int mapping_init(struct nat *nat, uint32_t flow_capacity, alloc_fn alloc);

/* True if the inside endpoint is that in k (an outbound tuple). */
static inline bool mapping_is_of(const struct nat_mapping *m, const struct flow_tuple *k)
{
    return m->in_ip == k->src && m->in_port == k->sport && m->proto == k->proto &&
           m->zone == k->zone;
}

/* Under what the mapping of an inside endpoint, the source of k (an outbound tuple), is found. */
static inline uint32_t mapping_hash(const struct nat *nat, const struct flow_tuple *k)
{
    return hash_words(&nat->key, k->src | (uint64_t)k->sport << 32 | (uint64_t)k->proto << 48,
                      k->zone);
}

/* By the inside endpoint in k, whose hash this is, at rest or not; or NULL. Of two (only the host
 * of the last resort can have them: nat.c), one that does not rest; then the one to another port
 * than its own, which came first. */
struct nat_mapping *mapping_find_listed(struct nat *nat, const struct flow_tuple *k, uint32_t hash);

static inline struct nat_mapping *mapping_find_inside(struct nat *nat, const struct flow_tuple *k,
                                                      uint32_t hash)
{
    return index_may_have(&nat->mapping_index, hash) ? mapping_find_listed(nat, k, hash) : NULL;
}

/* By the outside port, at rest or not; or NULL. */
struct nat_mapping *mapping_find_outside(const struct nat *nat, uint8_t proto, be16 port);

/* A new mapping for k's inside endpoint, without flows as yet; NULL and *why: there is no port.
 * user: probably its host's account. */
struct nat_mapping *mapping_create(struct nat *nat, const struct flow_tuple *k, uint32_t hash,
                                   uint16_t user, enum drop_reason *why);

/* The same by this outside port (host order), which is taken in its pool already and stays so;
 * NULL: no room. */
struct nat_mapping *mapping_create_at(struct nat *nat, const struct flow_tuple *k, uint32_t hash,
                                      uint16_t port, uint16_t user);

/* Ends a mapping that has no flows (any more), or rests, and frees its port. */
void mapping_destroy(struct nat *nat, struct nat_mapping *m);

/* What the two above return that nobody came to use: as it was before. */
void mapping_unused(struct nat *nat, struct nat_mapping *m);

/* Its last flow is gone, and it is not exempt. */
void mapping_rest(struct nat *nat, struct nat_mapping *m, uint32_t now_ms);
/* It is used again. */
void mapping_wake(struct nat *nat, struct nat_mapping *m);
/* The oldest one at rest of this protocol makes room for who wants a port, perhaps (low) one below
 * 1024; false if none rests that can. */
bool mapping_cut_short(struct nat *nat, uint8_t proto, bool low);
/* How many rest that could. */
static inline uint32_t mapping_resting(const struct nat *nat, uint8_t proto, bool low)
{
    const struct nat_resting *resting = &nat->resting[mapping_pool_number(proto)];

    return resting->count + (low ? resting[NAT_POOLS].count : 0);
}
/* Ends those that have rested long enough, at most budget; how many. */
unsigned mapping_tick(struct nat *nat, uint32_t now_ms, unsigned budget);
/* Milliseconds until the next one has; UINT32_MAX: none rests. */
uint32_t mapping_next_ms(const struct nat *nat, uint32_t now_ms);
/* Ends all that rest, of those whose port wanted() says true of. */
void mapping_end_rest(struct nat *nat, bool (*wanted)(const struct nat_mapping *m, const void *arg),
                      const void *arg);

/* True if somebody at this address may begin something by m, as far as m's network filters. */
bool mapping_admits(const struct nat *nat, const struct nat_mapping *m, be32 remote);

/* Flow f uses m, which may have been at rest; holds: and keeps it open. */
void mapping_join(struct nat *nat, struct nat_mapping *m, struct flow *f, bool holds);
/* f keeps its mapping open from now on; the second if it did not yet. */
void mapping_hold_first(struct nat *nat, struct flow *f);
static inline void mapping_hold(struct nat *nat, struct flow *f)
{
    if (!(f->flags & FLOW_HOLDS_MAPPING))
        mapping_hold_first(nat, f);
}
/* f is about to go; its mapping goes with it if f was the last, or comes to rest. */
void mapping_leave(struct nat *nat, struct flow *f);
void mapping_leave_to_rest(struct nat *nat, struct flow *f, uint32_t now_ms);

#endif
