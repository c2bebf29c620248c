/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The translator's forwards: which one a packet from outside means, and which one a host that opens
 * a flow stands behind. Private to nat*.c.
 */
#ifndef NET_NAT_FORWARD_H
#define NET_NAT_FORWARD_H

#include "net/nat.h"

size_t forward_bytes(void);
int forward_init(struct nat *nat, alloc_fn alloc);

/* Replaces the forwards, and takes their ports out of the pools, but for those the router has. The
 * ports must be off the mappings already: forward_wants() says which those are. Returns how many
 * forwards are in force. */
unsigned forward_set(struct nat *nat, const struct nat_forward *forwards, unsigned count);

/* True if one of these forwards names this outside port. */
bool forward_wants(const struct nat_forward *forwards, unsigned count, uint8_t proto, be16 port);

/* The forward in force for the outside port in k (an inbound tuple) that k's source may use (of
 * several, the first), or NULL. Not the last resort. */
const struct nat_forward *forward_find_outside(const struct nat *nat, const struct flow_tuple *k);

/* The forward in force that leads to the inside endpoint in k (an outbound tuple), the first; or
 * NULL. Not the last resort. */
const struct nat_forward *forward_find_listed(const struct nat *nat, const struct flow_tuple *k);

static inline const struct nat_forward *forward_find_inside(const struct nat *nat,
                                                            const struct flow_tuple *k)
{
    return nat->span_count > 0 ? forward_find_listed(nat, k) : NULL;
}

/* The inside endpoint (as an outbound tuple without remote end) that the last resort leads what
 * comes in with tuple k to, if there is a last resort and k's source may use it. */
bool forward_last_resort(const struct nat *nat, const struct flow_tuple *k,
                         struct flow_tuple *inside);

/* True if the outside port belongs to a forward in force, whoever may use it, or to nobody, and so
 * to the last resort. */
bool forward_claims(const struct nat *nat, uint8_t proto, be16 port);

/* The port behind the forward for this one outside, and the reverse. */
static inline be16 forward_in_port(const struct nat_forward *fwd, be16 out_port)
{
    return hton16((uint16_t)(ntoh16(out_port) - fwd->first_port + fwd->target_port));
}

static inline be16 forward_out_port(const struct nat_forward *fwd, be16 in_port)
{
    return hton16((uint16_t)(ntoh16(in_port) - fwd->target_port + fwd->first_port));
}

/* True if the forward leads to f's inside end from f's outside port. */
bool forward_leads_to(const struct nat_forward *fwd, const struct flow *f);

#endif
