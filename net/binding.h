/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which host may use which address: what the DHCP server has given or reserves, for ports that let
 * nothing else in (RFC 7513 calls it source address validation).
 *
 * Theory of operation. A hash table with linear probing, at most half full, keyed by (network,
 * address); removing one closes the gap behind it, so that there are no tombstones. A binding whose
 * time has passed is not found, whether or not anybody removes it; when the table is full, making a
 * new one looks at a few old ones for such. Entries are reservations, from the start, and leases
 * that the DHCP server grants; where there are more than BINDING_MAX the last hosts to come are
 * locked out, and counted.
 */
#ifndef NET_BINDING_H
#define NET_BINDING_H

#include "base.h"
#include "net/hash.h"

#define BINDING_MAX      8192
#define BINDING_ANY_PORT 0xFF

struct binding {
    uint64_t until_us; /* 0: the slot is empty */
    be32 ip;
    uint8_t network;
    uint8_t port; /* the host's port, or BINDING_ANY_PORT */
    uint8_t mac[MAC_BYTES];
};

struct binding_table {
    struct binding *slots; /* NULL: a table that nobody needs, always empty */
    uint32_t count;
    uint32_t hand; /* where the search for one whose time has passed goes on */
    struct hash_key key;
};

/* -ENOMEM. */
int binding_init(struct binding_table *t, const struct hash_key *key, alloc_fn alloc);

/* Makes the binding, or replaces the one this address had on this network. until_us: not 0;
 * UINT64_MAX: for good. False: the table is full. */
bool binding_set(struct binding_table *t, const struct binding *b, uint64_t now_us);

void binding_remove(struct binding_table *t, uint8_t network, be32 ip);

/* The binding of this address on this network now, or NULL. */
const struct binding *binding_find(const struct binding_table *t, uint8_t network, be32 ip,
                                   uint64_t now_us);

#endif
