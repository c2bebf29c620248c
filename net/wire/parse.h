/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One bounds-checked look at a packet. A view holds offsets and the fields that every stage asks for; no code
 * after the parser checks a length again, and no code before it reads a header.
 *
 * Everything a view names lies in the packet's head segment (a header that is split over segments is refused;
 * nic.h promises that drivers deliver headers in one piece).
 */
#ifndef NET_WIRE_PARSE_H
#define NET_WIRE_PARSE_H

#include "base.h"
#include "pkt.h"
#include "verdict.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

enum view_fragment {
    FRAGMENT_NONE,
    FRAGMENT_FIRST, /* offset 0, more to come: has an L4 header */
    FRAGMENT_LATER, /* offset above 0: has none; ports are 0 and l4_off is where the data begins */
};

struct view {
    uint16_t l3_off;  /* from p->data */
    uint16_t l4_off;
    uint16_t ip_bytes; /* the IP header's total length */
    uint16_t icmp_inner_off; /* ICMP error: the embedded IP header, from p->data */
    be32 src, dst;
    be16 sport, dport; /* TCP, UDP; ICMP echo: the identifier in both; else 0 */
    be16 frag;         /* the IP header's flags and offset field as it stands */
    uint8_t proto;
    uint8_t fragment;  /* enum view_fragment */
    uint8_t tcp_flags;
    uint8_t icmp_type;
    uint8_t ttl;
    bool has_options;  /* IP options are present (none of them a source route) */
};

/* Parses the IPv4 packet behind an untagged Ethernet header and checks it as RFC 1812, section 5.2.2 demands:
 * version, header length, total length within the frame, header checksum; refuses source routes and malformed
 * options (DROP_IP_OPTIONS); checks that the L4 header is whole and tells the truth about its own length (TCP
 * data offset; UDP length, which must be 8.. the IP payload when not a fragment; ICMP at least 8 bytes).
 * Super-packets are held to the same rules. TCP and UDP checksums are not looked at: a translator updates
 * them and the receiver judges them (RFC 5382, REQ-9). DROP_NONE and *v filled, or the reason. */
enum drop_reason view_parse_ip4(struct view *v, const struct pkt *p);

/* True for ICMP messages that carry an embedded packet (RFC 792; RFC 5508, section 4). */
static inline bool view_is_icmp_error(const struct view *v)
{
    return v->proto == IP_PROTO_ICMP &&
           (v->icmp_type == ICMP_UNREACHABLE || v->icmp_type == ICMP_TIME_EXCEEDED ||
            v->icmp_type == ICMP_PARAMETER || v->icmp_type == ICMP_SOURCE_QUENCH ||
            v->icmp_type == ICMP_REDIRECT);
}

static inline bool view_is_icmp_echo(const struct view *v)
{
    return v->proto == IP_PROTO_ICMP &&
           (v->icmp_type == ICMP_ECHO || v->icmp_type == ICMP_ECHO_REPLY);
}

/* The packet embedded in an ICMP error: just enough to find its flow. */
struct inner_view {
    uint16_t l3_off, l4_off; /* from the outer packet's data */
    uint16_t bytes;          /* bytes of the embedded packet that are there, from l3_off */
    be32 src, dst;
    be16 sport, dport; /* ICMP echo: the identifier in both */
    uint8_t proto;
    bool csum_present; /* the embedded transport checksum lies within the quoted bytes */
};

/* Parses the packet embedded in the ICMP error v, and checks the outer ICMP checksum and the embedded IP header
 * checksum (RFC 5508, REQ-3); skips embedded options; never checks an embedded transport checksum. At least 8
 * bytes of embedded transport header must be there. Embedded later fragments are refused. */
enum drop_reason view_parse_icmp_inner(struct inner_view *in, const struct view *v,
                                       const struct pkt *p);

#endif
