/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The translator's mappings: inside endpoint <-> outside port, found from either side. Private to
 * nat*.c.
 */
#ifndef NET_NAT_MAPPING_H
#define NET_NAT_MAPPING_H

#include "net/nat.h"

struct nat_mapping {
    be32 in_ip;
    be16 in_port, out_port;
    uint8_t proto;
    uint8_t zone;
    bool second;      /* its inside endpoint had one when this came (find_way_in() in nat.c) */
    uint16_t holds;   /* nat_hold()s */
    uint32_t flows;   /* that use it, and holds; the next free one, while it is free */
    uint32_t holders; /* those of them that keep it open to new remote ends; all holds do */
};

static inline uint32_t mapping_id(const struct nat *nat, const struct nat_mapping *m)
{
    return (uint32_t)(m - nat->mappings);
}

/* The ports of this protocol: TCP, UDP or ICMP. */
static inline struct port_pool *mapping_pool(struct nat *nat, uint8_t proto)
{
    return &nat->pools[proto == IP_PROTO_TCP ? 0 : proto == IP_PROTO_UDP ? 1 : 2];
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

/* By the inside endpoint in k (an outbound tuple), or NULL. Of two, the first. */
struct nat_mapping *mapping_find_inside(struct nat *nat, const struct flow_tuple *k);

/* By the outside port, or NULL. */
struct nat_mapping *mapping_find_outside(const struct nat *nat, uint8_t proto, be16 port);

/* A new mapping for k's inside endpoint, without flows as yet; NULL and *why. */
struct nat_mapping *mapping_create(struct nat *nat, const struct flow_tuple *k,
                                   enum drop_reason *why);

/* The same by this outside port (host order), which is taken in its pool already and stays so;
 * NULL: no room. */
struct nat_mapping *mapping_create_at(struct nat *nat, const struct flow_tuple *k, uint16_t port);

/* Ends a mapping that has no flows (any more), and frees its port. */
void mapping_destroy(struct nat *nat, struct nat_mapping *m);

/* True if somebody at this address may begin something by m, as far as m's network filters. */
bool mapping_admits(const struct nat *nat, const struct nat_mapping *m, be32 remote);

/* Flow f uses m; holds: and keeps it open. */
void mapping_join(struct nat *nat, struct nat_mapping *m, struct flow *f, bool holds);
/* f keeps its mapping open from now on. */
void mapping_hold(struct nat *nat, struct flow *f);
/* f is about to go; its mapping goes with it if f was the last. */
void mapping_leave(struct nat *nat, struct flow *f);

#endif
