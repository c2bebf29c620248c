/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where the headers of a packet with offload metadata are: Ethernet with up to two VLAN tags, IPv4
 * or IPv6, TCP or UDP. Private to net/offload*.c.
 */
#ifndef NET_OFFLOAD_HEADERS_H
#define NET_OFFLOAD_HEADERS_H

#include "pkt.h"

#define VLAN_TAG_BYTES 4
#define VLAN_TAGS_MAX  2 /* of a received packet; on the way out it may get one more from us */

/* IPv6 (RFC 8200, section 3): the little of it that cutting a packet needs. */
#define IP6_HDR_BYTES     40
#define IP6_LEN_OFF       4 /* of what follows the fixed header */
#define IP6_NEXT_OFF      6
#define IP6_SRC_OFF       8
#define IP6_ADDRESS_BYTES 32 /* both, source first */

struct offload_headers {
    uint32_t l3_off;
    uint32_t l4_off;
    uint32_t payload_off; /* behind the transport header */
    uint32_t end;         /* behind the IP packet; the frame may be longer */
    uint8_t proto;        /* IP_PROTO_TCP or IP_PROTO_UDP */
    bool ip6;
    bool plain; /* l4 follows the fixed header: no IPv6 extension headers */
};

/* Finds and checks them: everything in the head segment, all lengths true, no fragment, the UDP
 * length equal to the IP payload. False if the packet is not of that kind. */
bool offload_find_headers(struct offload_headers *h, const struct pkt *p);

/* The sum of the pseudo-header of so many bytes of TCP, header included. */
uint32_t offload_pseudo_sum(const uint8_t *ip, const struct offload_headers *h, uint32_t tcp_bytes);

/* Writes the length of an IP packet, header included, and the header's checksum if it has one. */
void offload_set_ip_bytes(uint8_t *ip, const struct offload_headers *h, uint32_t ip_bytes);

#endif
