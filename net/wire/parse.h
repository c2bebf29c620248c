/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One bounds-checked look at a packet. A view holds offsets and the fields that every stage asks
 * for; no code after the parser checks a length again, and no code before it reads a header.
 *
 * Everything a view names lies in the packet's head segment (a header that is split over segments
 * is refused; nic.h promises that drivers deliver headers in one piece).
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

/* The order of the fields lets the parser store several at once. */
struct view {
    uint16_t l3_off; /* from p->data */
    uint16_t l4_off;
    uint16_t icmp_inner_off; /* ICMP error: the embedded IP header, from p->data; else 0 */
    uint16_t ip_bytes;       /* the IP header's total length */
    be32 src, dst;
    be16 sport, dport; /* TCP, UDP; ICMP echo: the identifier in both; else 0 */
    be16 frag;         /* the IP header's flags and offset field as it stands */
    uint8_t ttl;
    uint8_t proto;
    uint8_t tcp_flags;
    uint8_t fragment; /* enum view_fragment */
    uint8_t icmp_type;
    bool has_options; /* IP options are present (none of them a source route) */
};

/* Parses the IPv4 packet behind an untagged Ethernet header and checks it as RFC 1812,
 * section 5.2.2 demands: version, header length, total length within the frame (which may be
 * longer: padding), header checksum; refuses source routes and malformed options (DROP_IP_OPTIONS);
 * checks that the L4 header is whole and tells the truth about its own length (TCP data offset; UDP
 * length, which must be 8.. the IP payload when not a fragment; ICMP at least 8 bytes). Fragments
 * must be ones that could be put together: the end within 65,535 bytes, a whole L4 header in the
 * first one, and none that would overwrite a TCP header (RFC 3128); otherwise DROP_FRAGMENT.
 * Super-packets are held to the same rules. TCP and UDP checksums are not looked at: a translator
 * updates them and the receiver judges them (RFC 5382, REQ-9). DROP_NONE and *v filled, or the
 * reason. */
static inline enum drop_reason view_parse_ip4(struct view *v, const struct pkt *p);

/* The same without the short cut: where view_parse_ip4() sends all but the most common packets. */
enum drop_reason view_parse_any_ip4(struct view *v, const struct pkt *p);

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
    be16 sport, dport; /* ICMP echo: the identifier in both; other protocols: 0 */
    uint8_t proto;
    bool csum_present; /* the embedded transport checksum lies within the quoted bytes */
};

/* Parses the packet embedded in the ICMP error v, and checks the outer ICMP checksum and the
 * embedded IP header checksum (RFC 5508, REQ-3); skips embedded options; never checks an embedded
 * transport checksum. At least 8 bytes of embedded transport header must be there. Embedded later
 * fragments are refused. */
enum drop_reason view_parse_icmp_inner(struct inner_view *in, const struct view *v,
                                       const struct pkt *p);

/* What the quick way finds, kept in registers. */
struct quick_ip4 {
    uint64_t addresses; /* the source in the lower half */
    uint32_t ports;     /* the source port in the lower half */
    uint32_t ip_bytes;  /* the IP header's total length */
    uint32_t hdr_end;   /* where the transport header ends, from p->data; UDP: its 8 bytes */
    be16 frag;
    uint8_t proto, ttl, tcp_flags;
};

/* The quick way: TCP or UDP, not a fragment, no IP options, headers in the head segment. It can
 * only accept, and accepts nothing that view_parse_any_ip4() would refuse. */
static inline bool view_quick_ip4(struct quick_ip4 *q, const struct pkt *p)
{
    const uint8_t *ip = p->data + ETH_HDR_BYTES;
    const uint8_t *l4 = ip + IP4_HDR_BYTES;
    const uint32_t l4_off = ETH_HDR_BYTES + IP4_HDR_BYTES;

    if (UNLIKELY(p->len < l4_off + TCP_HDR_BYTES))
        return false;

    /* The header in three loads: 45 tos len id frag | ttl proto csum | src dst. */
    uint64_t start = load_raw64(ip), addresses = load_raw64(ip + IP4_SRC_OFF);
    uint32_t middle = load_raw32(ip + IP4_TTL_OFF);
    be16 frag = (be16)(start >> 48);
    if (UNLIKELY((uint8_t)start != 0x45 || (frag & (IP4_FRAG_MF | IP4_FRAG_OFFSET_MASK))))
        return false;

    /* A number and the same with its halves exchanged add up, in the upper half, to the sum of the
     * halves with the carry brought round: first 64 bits to 32, then 32 to 16. */
    uint64_t sum = start + addresses;
    sum += sum < addresses;
    uint32_t half = (uint32_t)((sum + (sum >> 32 | sum << 32)) >> 32);
    half += middle;
    half += half < middle;
    if (UNLIKELY(half + (half >> 16 | half << 16) < 0xFFFF0000u))
        return false;

    uint32_t ip_bytes = ntoh16((be16)(start >> 16));
    uint32_t limit = ETH_HDR_BYTES + ip_bytes; /* of what the headers may reach to */
    if (UNLIKELY(limit > p->total_bytes))
        return false;
    limit = MIN(limit, p->len);

    uint8_t proto = (uint8_t)(middle >> 8);
    uint32_t hdr_bytes = UDP_HDR_BYTES;
    q->tcp_flags = 0;
    if (LIKELY(proto == IP_PROTO_TCP)) {
        hdr_bytes = (l4[TCP_DATAOFF_OFF] & 0xF0u) >> 2;
        if (UNLIKELY(hdr_bytes < TCP_HDR_BYTES || l4_off + hdr_bytes > limit))
            return false;
        q->tcp_flags = l4[TCP_FLAGS_OFF];
    } else {
        uint32_t udp_bytes = load_be16(l4 + UDP_LEN_OFF);
        if (UNLIKELY(proto != IP_PROTO_UDP || udp_bytes < UDP_HDR_BYTES ||
                     IP4_HDR_BYTES + udp_bytes > ip_bytes))
            return false;
    }
    q->addresses = addresses;
    q->ports = load_raw32(l4); /* in TCP as in UDP: source, destination */
    q->ip_bytes = ip_bytes;
    q->hdr_end = l4_off + hdr_bytes;
    q->frag = frag;
    q->proto = proto;
    q->ttl = (uint8_t)middle;
    return true;
}

/* Inline for certain: the call would cost a tenth of it. */
static inline __attribute__((always_inline)) enum drop_reason view_parse_ip4(struct view *v,
                                                                             const struct pkt *p)
{
    struct quick_ip4 q;

    /* (Super-packets take the careful way; it is short for what they carry.) */
    if (UNLIKELY(!view_quick_ip4(&q, p) || ETH_HDR_BYTES + q.ip_bytes > p->len))
        return view_parse_any_ip4(v, p);
    v->l3_off = ETH_HDR_BYTES;
    v->l4_off = ETH_HDR_BYTES + IP4_HDR_BYTES;
    v->icmp_inner_off = 0;
    v->ip_bytes = (uint16_t)q.ip_bytes;
    v->src = (be32)q.addresses;
    v->dst = (be32)(q.addresses >> 32);
    v->sport = (be16)q.ports;
    v->dport = (be16)(q.ports >> 16);
    v->frag = q.frag;
    v->ttl = q.ttl;
    v->proto = q.proto;
    v->tcp_flags = q.tcp_flags;
    v->fragment = FRAGMENT_NONE;
    v->icmp_type = 0;
    v->has_options = false;
    return DROP_NONE;
}

#endif
