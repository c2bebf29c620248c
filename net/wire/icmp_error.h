/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ICMP errors a router sends (RFC 792; RFC 1812, section 4.3.2).
 */
#ifndef NET_WIRE_ICMP_ERROR_H
#define NET_WIRE_ICMP_ERROR_H

#include "net/wire/parse.h"

#define ICMP_ERROR_MAX_BYTES 576 /* the whole IP packet: RFC 1812, section 4.3.2.3 */

/* True if an error about this packet may be sent at all: not about an ICMP error, a later fragment,
 * a group or broadcast destination at either layer, or a source that is no single host (RFC 1812,
 * section 4.3.2.7). */
bool icmp_error_allowed(const struct view *v, const struct pkt *about);

/* A new IPv4 packet (an Ethernet header's room before it is included in data, not filled in) from
 * router to the source of about, quoting its header and as much as fits. mtu is for FRAG_NEEDED,
 * else 0. Complete checksums. NULL if the pool is empty. about stays the caller's. */
struct pkt *icmp_error_build(struct pkt_pool *pool, const struct pkt *about, const struct view *v,
                             be32 router, uint8_t type, uint8_t code, uint16_t mtu);

#endif
