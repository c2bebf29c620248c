/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who has the flows: an account for every host inside that has flows or outside ports, and one for
 * every network; so that a host or network that takes too many can be told from the others (RFC
 * 6888, REQ-4, REQ-5).
 *
 * Theory of operation. Accounts are found by a host's network and address through a chained hash
 * table whose key is secret. One is made when a host opens its first flow, and given back when it
 * has nothing any more. They are many, but bounded: when all are in use, further hosts share number
 * 0. Each account leads to lists of the host's flows that can be spared, because they are over or
 * only half open, in the order in which they became so; the lists are circular, through the flows
 * themselves (net/flow_table.c).
 *
 * Invariants: an account's flows, ports and flows to spare are just as many as there are of its
 * host; a network's, of all its hosts.
 */
#ifndef NET_FLOW_USER_H
#define NET_FLOW_USER_H

#include "base.h"
#include "net/hash.h"

#define FLOW_USERS_MAX     32768u
#define FLOW_USER_REST     0u /* the account of those that have none of their own */
#define FLOW_USER_NETWORKS 64 /* zones, those of what is switched too (dataplane_filter.c) */

/* The lists, what is least worth first: TCP that is over, and waits; whose handshake is not over;
 * UDP one way, and ICMP. */
enum flow_spare { SPARE_CLOSING, SPARE_OPENING, SPARE_ONE_WAY, SPARE_COUNT };

struct flow_user {
    be32 ip;
    uint32_t flows;
    uint32_t oldest[SPARE_COUNT]; /* flows by number, or UINT32_MAX */
    uint32_t spare[SPARE_COUNT];  /* how many are in the lists */
    uint16_t ports[3];            /* outside ports: TCP, UDP, ICMP identifiers */
    uint16_t next;                /* in its chain, or of the free ones; 0 ends both */
    uint8_t zone;                 /* UINT8_MAX: free */
};

struct flow_network {
    uint32_t flows, spare[SPARE_COUNT], ports[3];
};

struct flow_users {
    struct flow_user *user;
    uint16_t *chains;
    uint32_t count; /* accounts, number 0 not among them; and chains */
    uint32_t fresh; /* accounts from here on were never used */
    uint32_t live;  /* hosts that have one */
    uint16_t free_head;
    struct flow_network network[FLOW_USER_NETWORKS];
    uint32_t spare[SPARE_COUNT]; /* of all networks */
};

size_t flow_users_bytes(uint32_t flow_capacity);
/* -ENOMEM. */
int flow_users_init(struct flow_users *users, uint32_t flow_capacity, alloc_fn alloc);

/* The number of the host's account, which is made if it has none. Who makes one gives it something,
 * or calls flow_user_drop(). */
uint16_t flow_user_find(struct flow_users *users, const struct hash_key *key, uint8_t zone,
                        be32 ip);

/* The same; guess: what it probably is. */
static inline uint16_t flow_user_take(struct flow_users *users, const struct hash_key *key,
                                      uint8_t zone, be32 ip, uint16_t guess)
{
    const struct flow_user *user = &users->user[guess];
    return LIKELY(user->ip == ip && user->zone == zone) ? guess
                                                        : flow_user_find(users, key, zone, ip);
}

/* Gives the account back if nothing is in it, and it was not given back already. */
void flow_user_drop(struct flow_users *users, const struct hash_key *key, uint16_t id);

#endif
