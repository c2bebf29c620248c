/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who may come in by which mapping where that depends on the address (filter=address-dependent; RFC
 * 4787, section 5; RFC 5382, REQ-3): permits, one for each pair of a mapping and a remote address
 * that its host has a flow with.
 *
 * Theory of operation. A flow that keeps its mapping open joins the permit of its remote address,
 * whatever the port there, and leaves it when it ends; the permit goes with its last flow. So a
 * permit lasts as long as the host's own interest, a stranger can neither make nor prolong one, and
 * there are never more of them than flows. Only networks that filter have any, and the memory for
 * them is taken only if there is such a network.
 *
 * Invariants: a permit that is in use has one flow at least, and one entry in the index.
 */
#ifndef NET_NAT_PERMIT_H
#define NET_NAT_PERMIT_H

#include "base.h"
#include "net/hash.h"
#include "net/index.h"

struct nat_permit {
    uint32_t mapping; /* by its number; the next free permit, while it is free */
    be32 remote;
    uint32_t flows; /* 0: free */
};

struct nat_permits {
    struct nat_permit *permits;
    uint32_t capacity;
    uint32_t free;  /* permits that were used before, linked */
    uint32_t fresh; /* permits from here on were never used */
    uint32_t live;
    struct index index;
    struct hash_key key;
};

size_t permit_bytes(uint32_t capacity);
/* -ENOMEM. */
int permit_init(struct nat_permits *t, uint32_t capacity, const struct hash_key *key,
                alloc_fn alloc);

/* One more flow of this mapping with this address; false: there is no room for its permit. */
bool permit_join(struct nat_permits *t, uint32_t mapping, be32 remote);
/* One that has joined goes. */
void permit_leave(struct nat_permits *t, uint32_t mapping, be32 remote);

bool permit_is_there(const struct nat_permits *t, uint32_t mapping, be32 remote);

#endif
