/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP segments put together to super-packets: what a NIC with large receive offload does, and the
 * reverse of offload_cut.c.
 *
 * Theory of operation. The packets of a burst are looked at in order. One continues the one before
 * it if it is what offload_cut() would make of the two put together, byte for byte: every field of
 * the headers the same, but the sequence number and the IPv4 identification further on as they
 * would be, lengths and checksums right, PSH on the last one only, all but the last of the same
 * size. Its headers are dropped then, and its buffer becomes a segment of the one before. What a
 * packet said is never lost, then: cut again, it is what came.
 *
 * The checksum of a super-packet is computed anew by whoever cuts it, so a wrong one would become
 * right: only packets whose checksums were found right, by the NIC or here, are put together. Two
 * zeros exist in one's complement, of which senders write one; with the other, a packet stays as it
 * is.
 *
 * What costs comes last: most pairs of packets that do not belong together differ in size or in
 * their first 16 bytes.
 */
#include "net/offload.h"
#include "net/offload_headers.h"
#include "net/wire/csum.h"

#define URGENT_OFF    18
#define ODD_ZERO      0xFFFF
#define IP_MAX_BYTES  65535u
#define FLAGS_LEFT    TCP_PSH         /* on the last one */
#define FLAGS_ALIKE   (TCP_ACK | 64u) /* and ECE (RFC 3168, section 6.1), on all of them or none */
#define ALIKE_BYTES   (ETH_HDR_BYTES + 2)
#define MIN_HDR_BYTES (ETH_HDR_BYTES + IP4_HDR_BYTES + TCP_HDR_BYTES)

/* The super-packet in the making, which is one packet at first. */
struct merge {
    enum { NOT_LOOKED_AT, UNVERIFIED, OPEN, CLOSED } state;
    struct pkt *head, *tail;
    struct offload_headers h;
    uint32_t size; /* payload of each packet but the last */
    uint32_t seq;  /* the next one's */
    uint16_t id;
    uint16_t ip_sum; /* sum_of_changing() of all */
};

/* n is a multiple of 4. */
static inline bool same(const uint8_t *a, const uint8_t *b, uint32_t n)
{
    for (; n >= 8; n -= 8, a += 8, b += 8)
        if (load_raw64(a) != load_raw64(b))
            return false;
    return n == 0 || load_raw32(a) == load_raw32(b);
}

/* A cheap look, which sorts out most of what does not belong together: up to where IP's length is,
 * if there is no tag. */
static inline bool alike(const struct pkt *a, const struct pkt *b)
{
    return a->len >= MIN_HDR_BYTES + OFFLOAD_MIN_GSO_SIZE && b->len > MIN_HDR_BYTES &&
           b->len == b->total_bytes && same(a->data, b->data, ALIKE_BYTES);
}

/* What of an IPv4 header differs between the packets adds up to the same in all of them, if their
 * checksums are right, or all equally wrong. */
static inline uint16_t sum_of_changing(const uint8_t *ip)
{
    return csum_fold((uint32_t)load_raw16(ip + IP4_LEN_OFF) + load_raw16(ip + IP4_ID_OFF) +
                     load_raw16(ip + IP4_CSUM_OFF));
}

static bool tcp_sum_is_right(const struct pkt *p, const struct offload_headers *h)
{
    uint32_t bytes = p->len - h->l4_off;

    return csum_fold(offload_pseudo_sum(p->data + h->l3_off, h, bytes) +
                     csum_add(0, p->data + h->l4_off, bytes)) == 0xFFFF;
}

static inline bool tcp_csum_ok(const struct pkt *p, const struct offload_headers *h)
{
    return load_raw16(p->data + h->l4_off + TCP_CSUM_OFF) != ODD_ZERO &&
           ((p->flags & PKT_CSUM_VALID) || tcp_sum_is_right(p, h));
}

/* The same for the first one, and its IP header. */
static bool csums_ok(const struct pkt *p, const struct offload_headers *h)
{
    const uint8_t *ip = p->data + h->l3_off;

    if (!h->ip6 && (csum_of(ip, IP4_HDR_BYTES) != 0 || load_raw16(ip + IP4_CSUM_OFF) == ODD_ZERO))
        return false;
    return tcp_csum_ok(p, h);
}

/* Looks at p as the first of several: UNVERIFIED or CLOSED. */
static void begin(struct merge *m, struct pkt *p, uint32_t types)
{
    const struct offload_headers *h = &m->h;

    m->state = CLOSED;
    if (!pkt_plain(p) || p->len != p->total_bytes || !offload_find_headers(&m->h, p) ||
        h->proto != IP_PROTO_TCP || !h->plain || h->end != p->len ||
        h->l3_off > ETH_HDR_BYTES + VLAN_TAGS_MAX * VLAN_TAG_BYTES ||
        !(types & (h->ip6 ? NIC_TX_TSO6 : NIC_TX_TSO4)) ||
        (!h->ip6 && h->l4_off - h->l3_off != IP4_HDR_BYTES))
        return;
    const uint8_t *tcp = p->data + h->l4_off;
    m->size = p->len - h->payload_off;
    if (m->size < OFFLOAD_MIN_GSO_SIZE || (tcp[TCP_FLAGS_OFF] | FLAGS_ALIKE) != FLAGS_ALIKE ||
        !(tcp[TCP_FLAGS_OFF] & TCP_ACK))
        return;
    m->head = m->tail = p;
    m->seq = load_be32(tcp + TCP_SEQ_OFF) + m->size;
    m->id = (uint16_t)(load_be16(p->data + h->l3_off + IP4_ID_OFF) + 1);
    m->ip_sum = sum_of_changing(p->data + h->l3_off);
    m->state = UNVERIFIED;
}

/* alike() has looked at what is before the length. */
static inline bool ip_continues(const struct merge *m, const struct pkt *p)
{
    const uint8_t *a = m->head->data + m->h.l3_off, *b = p->data + m->h.l3_off;
    uint32_t bytes = p->len - m->h.l3_off;

    if (!same(m->head->data + ALIKE_BYTES, p->data + ALIKE_BYTES, m->h.l3_off + 2 - ALIKE_BYTES))
        return false;
    if (m->h.ip6)
        return load_raw16(a + 2) == load_raw16(b + 2) &&
               load_be16(b + IP6_LEN_OFF) == bytes - IP6_HDR_BYTES &&
               load_raw16(a + IP6_NEXT_OFF) == load_raw16(b + IP6_NEXT_OFF) &&
               same(a + IP6_SRC_OFF, b + IP6_SRC_OFF, IP6_ADDRESS_BYTES);
    return load_be16(b + IP4_LEN_OFF) == bytes && load_be16(b + IP4_ID_OFF) == m->id &&
           load_raw32(a + IP4_FRAG_OFF) == load_raw32(b + IP4_FRAG_OFF) &&
           load_raw64(a + IP4_SRC_OFF) == load_raw64(b + IP4_SRC_OFF) &&
           sum_of_changing(b) == m->ip_sum && load_raw16(b + IP4_CSUM_OFF) != ODD_ZERO;
}

static inline bool tcp_continues(const struct merge *m, const struct pkt *p)
{
    const uint8_t *a = m->head->data + m->h.l4_off, *b = p->data + m->h.l4_off;

    return load_raw32(a) == load_raw32(b) && load_be32(b + TCP_SEQ_OFF) == m->seq &&
           load_raw32(a + TCP_ACK_OFF) == load_raw32(b + TCP_ACK_OFF) &&
           a[TCP_DATAOFF_OFF] == b[TCP_DATAOFF_OFF] &&
           a[TCP_FLAGS_OFF] == (b[TCP_FLAGS_OFF] & ~FLAGS_LEFT) &&
           load_raw16(a + TCP_WINDOW_OFF) == load_raw16(b + TCP_WINDOW_OFF) &&
           load_raw16(a + URGENT_OFF) == load_raw16(b + URGENT_OFF) &&
           same(a + TCP_HDR_BYTES, b + TCP_HDR_BYTES,
                m->h.payload_off - m->h.l4_off - TCP_HDR_BYTES);
}

/* True if p goes on where m ends. m is UNVERIFIED or OPEN. */
static bool continues(struct merge *m, const struct pkt *p)
{
    if (!pkt_plain(p) || p->len <= m->h.payload_off || p->len - m->h.payload_off > m->size ||
        m->head->segs == PKT_MAX_SEGS ||
        m->head->total_bytes - m->h.l3_off + m->size > IP_MAX_BYTES)
        return false;
    if (!ip_continues(m, p) || !tcp_continues(m, p))
        return false;
    if (m->state == UNVERIFIED) {
        m->state = CLOSED;
        if (!csums_ok(m->head, &m->h))
            return false;
        m->state = OPEN;
    }
    return tcp_csum_ok(p, &m->h);
}

static void append(struct merge *m, struct pkt *p)
{
    uint8_t left = p->data[m->h.l4_off + TCP_FLAGS_OFF] & FLAGS_LEFT;
    uint32_t part = p->len - m->h.payload_off;

    p->data += m->h.payload_off;
    p->len = part;
    m->tail->next = p;
    m->tail = p;
    m->head->segs++;
    m->head->total_bytes += part;
    m->head->data[m->h.l4_off + TCP_FLAGS_OFF] |= left;
    m->seq += part;
    m->id++;
    if (part < m->size) /* nothing goes on behind PSH, either: see tcp_continues() */
        m->state = CLOSED;
}

/* Makes a super-packet of what was put together. */
static void finish(struct merge *m)
{
    const struct offload_headers *h = &m->h;
    struct pkt *p = m->head;
    uint8_t *ip = p->data + h->l3_off, *tcp = p->data + h->l4_off;

    offload_set_ip_bytes(ip, h, p->total_bytes - h->l3_off);
    p->flags = PKT_NEEDS_CSUM;
    p->gso_type = h->ip6 ? PKT_GSO_TCP6 : PKT_GSO_TCP4;
    p->gso_ecn = 0;
    p->gso_size = (uint16_t)m->size;
    p->hdr_len = (uint16_t)h->payload_off;
    p->csum_start = (uint16_t)h->l4_off;
    p->csum_offset = TCP_CSUM_OFF;
    store_raw16(tcp + TCP_CSUM_OFF,
                csum_fold(offload_pseudo_sum(ip, h, p->total_bytes - h->l4_off)));
}

unsigned offload_merge(struct pkt **pkts, unsigned n, uint32_t types)
{
    struct merge m = {.state = CLOSED}; /* of the last one in pkts[0..kept) */
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        struct pkt *p = pkts[i];
        if (m.state != CLOSED && alike(pkts[kept - 1], p)) {
            if (m.state == NOT_LOOKED_AT)
                begin(&m, pkts[kept - 1], types);
            if (m.state != CLOSED && continues(&m, p)) {
                append(&m, p);
                continue;
            }
        }
        if (m.head && m.head->segs > 1)
            finish(&m);
        m.head = NULL;
        m.state = NOT_LOOKED_AT;
        pkts[kept++] = p;
    }
    if (m.head && m.head->segs > 1)
        finish(&m);
    return kept;
}
