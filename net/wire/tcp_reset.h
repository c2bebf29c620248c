/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The TCP reset that refuses a segment in its receiver's name (RFC 9293, section 3.10.7.1).
 */
#ifndef NET_WIRE_TCP_RESET_H
#define NET_WIRE_TCP_RESET_H

#include "net/wire/parse.h"

/* A reset without a segment that it answers. seq and ack in host order. */
struct tcp_reset {
    be32 src, dst;
    be16 sport, dport;
    uint32_t seq, ack;
    uint8_t flags; /* TCP_RST, and TCP_ACK if ack counts */
};

/* A new IPv4 packet with that (an Ethernet header's room before it is included in data, not filled
 * in). Complete checksums. NULL if the pool is empty. */
struct pkt *tcp_reset_make(struct pkt_pool *pool, const struct tcp_reset *reset);

/* True if a reset may answer this segment: it is a whole TCP segment or the first fragment of one,
 * no reset itself, from a single host and to one, at both layers. */
bool tcp_reset_allowed(const struct view *v, const struct pkt *about);

/* The same from the segment's destination to its source, which ends the connection the sender
 * believes to have, or its attempt. about stays the caller's. */
struct pkt *tcp_reset_build(struct pkt_pool *pool, const struct pkt *about, const struct view *v);

#endif
