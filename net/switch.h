/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The learning table of a switch (IEEE 802.1D, section 7): which port a MAC was last seen on, by network.
 *
 * Theory of operation. Entries are 16 bytes, four to a cache line, in a set-associative table of fixed size; the
 * set is chosen by a keyed hash of (MAC, network). When a set is full the oldest entry makes room, so that a flood of
 * forged sources costs its own set-mates and nothing else; static entries (the router's own) never do. The stamp is
 * refreshed at most once a second; an entry older than the ageing time does not count.
 */
#ifndef NET_SWITCH_H
#define NET_SWITCH_H

#include "base.h"
#include "net/hash.h"

#define SWITCH_AGEING_S 300
#define SWITCH_PORT_NONE 0xFF  /* unknown: flood */
#define SWITCH_PORT_SELF 0xFE  /* the router's own MAC on this network */

struct switch_entry {
    uint8_t mac[MAC_BYTES];
    uint8_t network;
    uint8_t port; /* SWITCH_PORT_NONE = empty entry */
    uint32_t seen_s;
    uint32_t flags;
};
static_assert(sizeof(struct switch_entry) == 16, "four entries a cache line");

struct switch_table {
    struct switch_entry *entries;
    uint32_t set_mask; /* sets - 1 */
    uint32_t moves;    /* times a known MAC changed its port: a generation for those who cache a port */
    uint64_t learned, displaced;
    struct hash_key key;
};

/* Room for about capacity addresses. -ENOMEM. */
int switch_init(struct switch_table *t, uint32_t capacity, const struct hash_key *key,
                alloc_fn alloc);

/* Pins the router's own MAC on a network; a frame claiming it as its source is never learned. -ENOSPC. */
int switch_add_self(struct switch_table *t, const uint8_t *mac, uint8_t network);

/* Learns that mac (a single station's) was seen on port. False if it is the router's own: drop the frame. */
bool switch_learn(struct switch_table *t, const uint8_t *mac, uint8_t network, uint8_t port,
                  uint32_t now_s);

/* The port mac is on, SWITCH_PORT_SELF, or SWITCH_PORT_NONE. */
uint8_t switch_lookup(const struct switch_table *t, const uint8_t *mac, uint8_t network,
                      uint32_t now_s);

/* The link of a port went down: what was learned there is forgotten. */
void switch_forget_port(struct switch_table *t, uint8_t port);

void switch_prefetch(const struct switch_table *t, const uint8_t *mac, uint8_t network);

#endif
