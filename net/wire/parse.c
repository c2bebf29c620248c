/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The parser behind net/wire/parse.h: RFC 791, RFC 1812 section 5.2.2, RFC 3128, RFC 5508.
 *
 * This is the careful way through: every check, one by one, and the only place that decides on a
 * reason. The quick way for what nearly every packet is stands in the header, and comes here with
 * everything it does not like.
 *
 * Invariants: no byte at or after p->data + p->len is read; every length taken from the packet is
 * compared before it is used as an offset.
 */
#include "net/wire/parse.h"
#include "net/wire/csum.h"

/* RFC 791, section 3.1 */
enum ip_option {
    IP_OPT_END = 0,
    IP_OPT_NOP = 1,
    IP_OPT_LSRR = 131,
    IP_OPT_SSRR = 137,
};

/* A TCP header is 20 bytes, fragments end on multiples of 8: so the second one begins at 24. */
#define TCP_MIN_SECOND_FRAGMENT 3

/* The whole header is there; the sum includes the checksum field itself, so it must be all ones. */
static bool header_sum_ok(const uint8_t *ip, size_t bytes)
{
    return csum_fold(csum_add(0, ip, bytes)) == 0xFFFF;
}

/* True if the option list is well formed and routes by nobody's wish but ours. */
static bool options_ok(const uint8_t *opt, size_t n)
{
    size_t at = 0;

    while (at < n) {
        uint8_t type = opt[at];
        if (type == IP_OPT_END)
            return true;
        if (type == IP_OPT_NOP) {
            at++;
            continue;
        }
        if (type == IP_OPT_LSRR || type == IP_OPT_SSRR)
            return false;
        if (n - at < 2 || opt[at + 1] < 2 || opt[at + 1] > n - at)
            return false;
        at += opt[at + 1];
    }
    return true;
}

static enum drop_reason parse_header(struct view *v, const struct pkt *p)
{
    if (p->len < ETH_HDR_BYTES)
        return DROP_ETH_SHORT;

    const uint8_t *ip = p->data + ETH_HDR_BYTES;
    uint32_t there = p->len - ETH_HDR_BYTES;
    if (there < IP4_HDR_BYTES)
        return DROP_IP_HEADER;

    uint32_t hdr_bytes = (ip[IP4_VIHL_OFF] & 15u) * 4u;
    uint32_t ip_bytes = load_be16(ip + IP4_LEN_OFF);
    if (ip[IP4_VIHL_OFF] >> 4 != 4 || hdr_bytes < IP4_HDR_BYTES || hdr_bytes > there)
        return DROP_IP_HEADER;
    if (ip_bytes < hdr_bytes || ETH_HDR_BYTES + ip_bytes > p->total_bytes)
        return DROP_IP_HEADER;
    if (!header_sum_ok(ip, hdr_bytes))
        return DROP_IP_CSUM;

    memset(v, 0, sizeof(*v));
    v->l3_off = ETH_HDR_BYTES;
    v->l4_off = (uint16_t)(ETH_HDR_BYTES + hdr_bytes);
    v->ip_bytes = (uint16_t)ip_bytes;
    v->src = load_raw32(ip + IP4_SRC_OFF);
    v->dst = load_raw32(ip + IP4_DST_OFF);
    v->frag = load_raw16(ip + IP4_FRAG_OFF);
    v->proto = ip[IP4_PROTO_OFF];
    v->ttl = ip[IP4_TTL_OFF];
    v->has_options = hdr_bytes > IP4_HDR_BYTES;
    if (!options_ok(ip + IP4_HDR_BYTES, hdr_bytes - IP4_HDR_BYTES))
        return DROP_IP_OPTIONS;
    return DROP_NONE;
}

/* Fragments that no honest host sends are refused here, so that those who match and reassemble them
 * meet only fragments that could belong together. */
static enum drop_reason parse_fragment(struct view *v, uint32_t payload_bytes)
{
    uint32_t offset = ntoh16(v->frag & IP4_FRAG_OFFSET_MASK);
    bool more = v->frag & IP4_FRAG_MF;

    if (offset == 0 && !more) {
        v->fragment = FRAGMENT_NONE;
        return DROP_NONE;
    }
    v->fragment = offset == 0 ? FRAGMENT_FIRST : FRAGMENT_LATER;
    if (payload_bytes == 0 || (more && payload_bytes % 8 != 0))
        return DROP_FRAGMENT;
    /* The datagram it is part of could not have been sent: "ping of death". */
    if (offset * 8 + v->ip_bytes > UINT16_MAX)
        return DROP_FRAGMENT;
    /* It would overwrite the header that the first fragment was judged by (RFC 3128, section 2). */
    if (offset > 0 && v->proto == IP_PROTO_TCP && offset < TCP_MIN_SECOND_FRAGMENT)
        return DROP_FRAGMENT;
    return DROP_NONE;
}

/* l4: payload_bytes of it belong to the packet, room of those are in the head segment. */
static enum drop_reason parse_l4(struct view *v, const uint8_t *l4, uint32_t payload_bytes,
                                 uint32_t room)
{
    /* A first fragment too short for its header is an attack on filters (RFC 3128, section 1). */
    enum drop_reason cut = v->fragment == FRAGMENT_FIRST ? DROP_FRAGMENT : DROP_L4_HEADER;
    uint32_t hdr_bytes, udp_bytes;

    switch (v->proto) {
    case IP_PROTO_TCP:
        if (room < TCP_HDR_BYTES)
            return cut;
        hdr_bytes = (l4[TCP_DATAOFF_OFF] >> 4) * 4u;
        if (hdr_bytes < TCP_HDR_BYTES)
            return DROP_L4_HEADER;
        if (hdr_bytes > room)
            return cut;
        v->sport = load_raw16(l4 + TCP_SPORT_OFF);
        v->dport = load_raw16(l4 + TCP_DPORT_OFF);
        v->tcp_flags = l4[TCP_FLAGS_OFF];
        return DROP_NONE;
    case IP_PROTO_UDP:
        if (room < UDP_HDR_BYTES)
            return cut;
        udp_bytes = load_be16(l4 + UDP_LEN_OFF);
        if (udp_bytes < UDP_HDR_BYTES ||
            (udp_bytes > payload_bytes && v->fragment == FRAGMENT_NONE))
            return DROP_L4_HEADER;
        v->sport = load_raw16(l4 + UDP_SPORT_OFF);
        v->dport = load_raw16(l4 + UDP_DPORT_OFF);
        return DROP_NONE;
    case IP_PROTO_ICMP:
        if (room < ICMP_HDR_BYTES)
            return cut;
        v->icmp_type = l4[ICMP_TYPE_OFF];
        if (view_is_icmp_echo(v))
            v->sport = v->dport = load_raw16(l4 + ICMP_ID_OFF);
        else if (view_is_icmp_error(v))
            v->icmp_inner_off = (uint16_t)(v->l4_off + ICMP_HDR_BYTES);
        return DROP_NONE;
    default:
        return DROP_NONE;
    }
}

enum drop_reason view_parse_any_ip4(struct view *v, const struct pkt *p)
{
    enum drop_reason why = parse_header(v, p);
    if (why != DROP_NONE)
        return why;

    uint32_t payload_bytes = v->l3_off + (uint32_t)v->ip_bytes - v->l4_off;
    why = parse_fragment(v, payload_bytes);
    if (why != DROP_NONE || v->fragment == FRAGMENT_LATER)
        return why;
    return parse_l4(v, p->data + v->l4_off, payload_bytes, MIN(payload_bytes, p->len - v->l4_off));
}

/* How many of the bytes behind the ICMP header belong to the embedded packet and not to padding or
 * to an extension structure (RFC 4884, section 4: the fifth byte counts them in 32-bit words, where
 * extensions are in use). */
static uint32_t embedded_room(const struct view *v, const uint8_t *icmp)
{
    uint32_t room = v->l3_off + (uint32_t)v->ip_bytes - v->icmp_inner_off;
    uint32_t extended = icmp[5] * 4u;

    if (v->icmp_type != ICMP_UNREACHABLE && v->icmp_type != ICMP_TIME_EXCEEDED &&
        v->icmp_type != ICMP_PARAMETER)
        return room;
    return extended > 0 ? MIN(room, extended) : room;
}

/* The embedded transport header: at least 8 bytes of it are there. */
static enum drop_reason parse_inner_l4(struct inner_view *in, const uint8_t *l4, uint32_t room)
{
    switch (in->proto) {
    case IP_PROTO_TCP:
    case IP_PROTO_UDP:
        in->sport = load_raw16(l4 + TCP_SPORT_OFF);
        in->dport = load_raw16(l4 + TCP_DPORT_OFF);
        in->csum_present = in->proto == IP_PROTO_UDP || room >= TCP_CSUM_OFF + 2;
        return DROP_NONE;
    case IP_PROTO_ICMP:
        /* Errors about errors are never sent, and of the queries only echo has flows. */
        if (l4[ICMP_TYPE_OFF] != ICMP_ECHO && l4[ICMP_TYPE_OFF] != ICMP_ECHO_REPLY)
            return DROP_PROTOCOL;
        in->sport = in->dport = load_raw16(l4 + ICMP_ID_OFF);
        in->csum_present = true;
        return DROP_NONE;
    default:
        return DROP_NONE; /* only addresses, as its flow */
    }
}

enum drop_reason view_parse_icmp_inner(struct inner_view *in, const struct view *v,
                                       const struct pkt *p)
{
    if (v->fragment != FRAGMENT_NONE)
        return DROP_FRAGMENT; /* its checksum covers what is not here */
    if (!view_is_icmp_error(v))
        return DROP_L4_HEADER;

    uint32_t icmp_bytes = v->l3_off + (uint32_t)v->ip_bytes - v->l4_off;
    if (csum_fold(csum_pkt(p, v->l4_off, icmp_bytes)) != 0xFFFF)
        return DROP_L4_CSUM;

    const uint8_t *ip = p->data + v->icmp_inner_off;
    uint32_t room = embedded_room(v, p->data + v->l4_off);
    uint32_t there = MIN(room, p->len - v->icmp_inner_off);
    if (there < IP4_HDR_BYTES)
        return DROP_L4_HEADER;
    uint32_t hdr_bytes = (ip[IP4_VIHL_OFF] & 15u) * 4u;
    uint32_t ip_bytes = load_be16(ip + IP4_LEN_OFF);
    if (ip[IP4_VIHL_OFF] >> 4 != 4 || hdr_bytes < IP4_HDR_BYTES || hdr_bytes > there)
        return DROP_L4_HEADER;
    if (!header_sum_ok(ip, hdr_bytes))
        return DROP_L4_CSUM;
    if (load_raw16(ip + IP4_FRAG_OFF) & IP4_FRAG_OFFSET_MASK)
        return DROP_FRAGMENT;
    there = MIN(there, ip_bytes);
    if (there < hdr_bytes + 8)
        return DROP_L4_HEADER;

    memset(in, 0, sizeof(*in));
    in->l3_off = v->icmp_inner_off;
    in->l4_off = (uint16_t)(v->icmp_inner_off + hdr_bytes);
    in->bytes = (uint16_t)MIN(room, ip_bytes);
    in->src = load_raw32(ip + IP4_SRC_OFF);
    in->dst = load_raw32(ip + IP4_DST_OFF);
    in->proto = ip[IP4_PROTO_OFF];
    return parse_inner_l4(in, ip + hdr_bytes, there - hdr_bytes);
}
