/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Offload metadata judged (virtio 1.2, section 5.1.6.4), and partial checksums completed.
 *
 * The metadata comes from a guest by way of its device and is as hostile as the bytes are. After
 * offload_check() it agrees with the headers, and the rest of the router believes it.
 */
#include "net/offload.h"
#include "net/offload_headers.h"
#include "net/wire/csum.h"

/* IPv6 extension headers that may stand before the transport header (RFC 8200, section 4); a
 * fragment header may not, since a sum over a fragment means nothing. */
enum ip6_extension { IP6_HOP_BY_HOP = 0, IP6_ROUTING = 43, IP6_DESTINATION = 60 };
#define IP6_EXTENSIONS_MAX 8

static bool find_l3(struct offload_headers *h, const struct pkt *p, be16 *type)
{
    uint32_t type_off = ETH_TYPE_OFF;

    for (int tags = 0; tags <= VLAN_TAGS_MAX + 1; tags++) {
        if (type_off + 2 > p->len)
            return false;
        *type = load_raw16(p->data + type_off);
        h->l3_off = type_off + 2;
        if (*type != ETH_TYPE_VLAN && *type != ETH_TYPE_QINQ)
            return true;
        type_off += VLAN_TAG_BYTES;
    }
    return false;
}

static bool find_l4_ip4(struct offload_headers *h, const struct pkt *p)
{
    const uint8_t *ip = p->data + h->l3_off;

    if (h->l3_off + IP4_HDR_BYTES > p->len)
        return false;
    uint32_t hdr_bytes = (ip[IP4_VIHL_OFF] & 15u) * 4u;
    uint32_t ip_bytes = load_be16(ip + IP4_LEN_OFF);
    if (ip[IP4_VIHL_OFF] >> 4 != 4 || hdr_bytes < IP4_HDR_BYTES || ip_bytes < hdr_bytes ||
        h->l3_off + hdr_bytes > p->len)
        return false;
    if (load_raw16(ip + IP4_FRAG_OFF) & (IP4_FRAG_MF | IP4_FRAG_OFFSET_MASK))
        return false;
    h->proto = ip[IP4_PROTO_OFF];
    h->l4_off = h->l3_off + hdr_bytes;
    h->end = h->l3_off + ip_bytes;
    h->plain = true;
    return true;
}

static bool find_l4_ip6(struct offload_headers *h, const struct pkt *p)
{
    const uint8_t *ip = p->data + h->l3_off;
    uint32_t at = h->l3_off + IP6_HDR_BYTES;

    if (at > p->len || ip[0] >> 4 != 6)
        return false;
    uint8_t next = ip[IP6_NEXT_OFF];
    for (int n = 0; next == IP6_HOP_BY_HOP || next == IP6_ROUTING || next == IP6_DESTINATION; n++) {
        if (n == IP6_EXTENSIONS_MAX || at + 8 > p->len)
            return false;
        next = p->data[at];
        at += (p->data[at + 1] + 1u) * 8u;
    }
    h->proto = next;
    h->l4_off = at;
    h->end = h->l3_off + IP6_HDR_BYTES + load_be16(ip + IP6_LEN_OFF);
    h->plain = at == h->l3_off + IP6_HDR_BYTES;
    return true;
}

/* The transport header, which must lie in the head segment and before the end of the packet. */
static bool find_payload(struct offload_headers *h, const struct pkt *p)
{
    uint32_t limit = MIN(p->len, h->end);

    if (h->end > p->total_bytes)
        return false;
    if (h->proto == IP_PROTO_TCP) {
        if (h->l4_off + TCP_HDR_BYTES > limit)
            return false;
        uint32_t hdr_bytes = (p->data[h->l4_off + TCP_DATAOFF_OFF] >> 4) * 4u;
        h->payload_off = h->l4_off + hdr_bytes;
        return hdr_bytes >= TCP_HDR_BYTES && h->payload_off <= limit;
    }
    if (h->proto == IP_PROTO_UDP) {
        h->payload_off = h->l4_off + UDP_HDR_BYTES;
        return h->payload_off <= limit &&
               load_be16(p->data + h->l4_off + UDP_LEN_OFF) == h->end - h->l4_off;
    }
    return false;
}

bool offload_find_headers(struct offload_headers *h, const struct pkt *p)
{
    be16 type;

    if (!find_l3(h, p, &type))
        return false;
    h->ip6 = type == ETH_TYPE_IP6;
    if (h->ip6)
        return find_l4_ip6(h, p) && find_payload(h, p);
    return type == ETH_TYPE_IP4 && find_l4_ip4(h, p) && find_payload(h, p);
}

uint32_t offload_pseudo_sum(const uint8_t *ip, const struct offload_headers *h, uint32_t tcp_bytes)
{
    if (!h->ip6)
        return csum_pseudo(load_raw32(ip + IP4_SRC_OFF), load_raw32(ip + IP4_DST_OFF), IP_PROTO_TCP,
                           (uint16_t)tcp_bytes);
    /* RFC 8200, section 8.1: wider fields, the same sum. */
    return csum_add(csum_pseudo(0, 0, IP_PROTO_TCP, (uint16_t)tcp_bytes), ip + IP6_SRC_OFF,
                    IP6_ADDRESS_BYTES);
}

void offload_set_ip_bytes(uint8_t *ip, const struct offload_headers *h, uint32_t ip_bytes)
{
    if (h->ip6) {
        store_be16(ip + IP6_LEN_OFF, (uint16_t)(ip_bytes - IP6_HDR_BYTES));
        return;
    }
    store_be16(ip + IP4_LEN_OFF, (uint16_t)ip_bytes);
    store_raw16(ip + IP4_CSUM_OFF, 0);
    store_raw16(ip + IP4_CSUM_OFF, csum_of(ip, h->l4_off - h->l3_off));
}

/* Whoever cuts a packet writes new IPv4 header checksums, which must not whitewash a bad one; and a
 * SYN or RST has no business in a packet made of data. */
static bool gso_ok(const struct offload_headers *h, const struct pkt *p)
{
    uint8_t wanted = h->ip6 ? PKT_GSO_TCP6 : PKT_GSO_TCP4;

    if (p->gso_type != wanted || p->gso_size < OFFLOAD_MIN_GSO_SIZE)
        return false;
    if (h->proto != IP_PROTO_TCP || !h->plain)
        return false;
    if (p->data[h->l4_off + TCP_FLAGS_OFF] & (TCP_SYN | TCP_RST))
        return false;
    return h->ip6 || csum_of(p->data + h->l3_off, h->l4_off - h->l3_off) == 0;
}

bool offload_check(struct pkt *p)
{
    struct offload_headers h;

    if (p->gso_size == 0 && p->gso_type != PKT_GSO_NONE)
        return false;
    if (!(p->flags & PKT_NEEDS_CSUM))
        return p->gso_size == 0;
    if (!offload_find_headers(&h, p) || h.l3_off > ETH_HDR_BYTES + VLAN_TAGS_MAX * VLAN_TAG_BYTES)
        return false;
    if (p->csum_start != h.l4_off ||
        p->csum_offset != (h.proto == IP_PROTO_TCP ? TCP_CSUM_OFF : UDP_CSUM_OFF))
        return false;
    if (p->gso_size != 0 && !gso_ok(&h, p))
        return false;

    pkt_trim(p, h.end);
    p->hdr_len = (uint16_t)h.payload_off;
    if (h.end - h.payload_off <= p->gso_size) {
        p->gso_size = 0;
        p->gso_type = PKT_GSO_NONE;
        p->gso_ecn = 0;
    }
    return true;
}

bool offload_is_near(const struct pkt *p)
{
    uint32_t second = ETH_TYPE_OFF + VLAN_TAG_BYTES;
    be16 type = load_raw16(p->data + ETH_TYPE_OFF);

    if (p->csum_start + p->csum_offset + 2u > NIC_NEAR_BYTES)
        return false;
    if (type != ETH_TYPE_VLAN && type != ETH_TYPE_QINQ)
        return true;
    type = load_raw16(p->data + second); /* there, as the transport header is behind it */
    return type != ETH_TYPE_VLAN && type != ETH_TYPE_QINQ;
}

void offload_finish_csum(struct pkt *p)
{
    if (!(p->flags & PKT_NEEDS_CSUM))
        return;
    CHECK(!pkt_shared(p));

    /* The field, which holds the pseudo-header's sum, is part of what is summed. */
    size_t field_off = (size_t)p->csum_start + p->csum_offset;
    uint16_t csum =
        (uint16_t)~csum_fold(csum_pkt(p, p->csum_start, p->total_bytes - p->csum_start));
    if (csum == 0 && p->csum_offset == UDP_CSUM_OFF)
        csum = 0xFFFF; /* in UDP, 0 says that there is no checksum */
    bool written = pkt_copy_in(p, field_off, &csum, sizeof(csum));
    CHECK(written);
    p->flags &= (uint8_t)~PKT_NEEDS_CSUM;
}
