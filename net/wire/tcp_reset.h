/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The TCP reset that refuses a segment in its receiver's name (RFC 9293, section 3.10.7.1).
 */
#ifndef NET_WIRE_TCP_RESET_H
#define NET_WIRE_TCP_RESET_H

#include "net/wire/parse.h"

/* True if a reset may answer this segment: it is a whole TCP segment or the first fragment of one,
 * no reset itself, from a single host and to one, at both layers. */
bool tcp_reset_allowed(const struct view *v, const struct pkt *about);

/* A new IPv4 packet (an Ethernet header's room before it is included in data, not filled in) from
 * the segment's destination to its source, which ends the connection the sender believes to have,
 * or its attempt. Complete checksums. NULL if the pool is empty. about stays the caller's. */
struct pkt *tcp_reset_build(struct pkt_pool *pool, const struct pkt *about, const struct view *v);

#endif
