/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP super-packets cut into frames: what a NIC with TSO does.
 *
 * Every frame is a copy of the headers with the fields changed that differ between frames, followed
 * by its share of the payload. The payload is copied once, and summed where it has been copied to
 * and still is in the cache. A frame longer than one buffer (jumbo gso_size) is a chain.
 */
#include "net/offload.h"
#include "net/offload_headers.h"
#include "net/wire/csum.h"

#define TCP_URG        32 /* RFC 9293, section 3.1; only here does anything look at it */
#define TCP_URGENT_OFF 18

/* A place in the super-packet's chain, moving forward. */
struct cursor {
    const struct pkt *seg;
    size_t off;
};

static bool append_payload(struct pkt *frame, struct cursor *from, size_t n)
{
    while (n > 0) {
        if (from->off >= from->seg->len) {
            from->off -= from->seg->len;
            from->seg = from->seg->next;
            continue;
        }
        size_t part = MIN(n, from->seg->len - from->off);
        if (!pkt_append(frame, from->seg->data + from->off, part))
            return false;
        from->off += part;
        n -= part;
    }
    return true;
}

static void fix_ip(uint8_t *ip, const struct offload_headers *h, uint32_t ip_bytes, unsigned index)
{
    if (!h->ip6)
        store_be16(ip + IP4_ID_OFF, (uint16_t)(load_be16(ip + IP4_ID_OFF) + index));
    offload_set_ip_bytes(ip, h, ip_bytes);
}

/* done is the payload before this frame. */
static void fix_tcp(uint8_t *tcp, uint32_t done, bool last)
{
    uint8_t flags = tcp[TCP_FLAGS_OFF];

    store_be32(tcp + TCP_SEQ_OFF, load_be32(tcp + TCP_SEQ_OFF) + done);
    if (!last)
        flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (done > 0)
        flags &= (uint8_t)~TCP_CWR;
    /* The urgent pointer counts from the sequence number, which has moved. */
    uint16_t urgent = load_be16(tcp + TCP_URGENT_OFF);
    if (flags & TCP_URG) {
        store_be16(tcp + TCP_URGENT_OFF, (uint16_t)(urgent > done ? urgent - done : 0));
        if (urgent <= done)
            flags &= (uint8_t)~TCP_URG;
    }
    tcp[TCP_FLAGS_OFF] = flags;
    store_raw16(tcp + TCP_CSUM_OFF, 0);
}

/* Frame number index with part bytes of payload, or NULL if the pool is empty. */
static struct pkt *cut_one(const struct pkt *p, const struct offload_headers *h,
                           struct cursor *payload, unsigned index, uint32_t part)
{
    uint32_t done = index * (uint32_t)p->gso_size;
    bool last = h->payload_off + done + part == h->end;
    struct pkt *frame = pkt_alloc(p->pool);

    if (!frame)
        return NULL;
    frame->port = p->port;
    if (!pkt_append(frame, p->data, h->payload_off) || !append_payload(frame, payload, part)) {
        pkt_free(frame);
        return NULL;
    }
    uint8_t *ip = frame->data + h->l3_off, *tcp = frame->data + h->l4_off;
    uint32_t tcp_bytes = h->payload_off - h->l4_off + part;
    fix_ip(ip, h, h->payload_off - h->l3_off + part, index);
    fix_tcp(tcp, done, last);
    uint32_t sum = offload_pseudo_sum(ip, h, tcp_bytes) + csum_pkt(frame, h->l4_off, tcp_bytes);
    store_raw16(tcp + TCP_CSUM_OFF, (uint16_t)~csum_fold(sum));
    return frame;
}

unsigned offload_cut(struct pkt *p, struct pkt **out, unsigned *missing)
{
    struct offload_headers h;

    /* offload_check() has seen these headers, and only their addresses and ports change. */
    CHECK(p->gso_size >= OFFLOAD_MIN_GSO_SIZE);
    bool found = offload_find_headers(&h, p);
    CHECK(found && h.proto == IP_PROTO_TCP && h.plain && h.end > h.payload_off);

    uint32_t left = h.end - h.payload_off;
    unsigned count = (left + p->gso_size - 1) / p->gso_size, n = 0;
    struct cursor payload = {p, h.payload_off};
    CHECK(count <= OFFLOAD_MAX_SEGMENTS);
    for (; n < count; n++) {
        uint32_t part = MIN(left, (uint32_t)p->gso_size);
        out[n] = cut_one(p, &h, &payload, n, part);
        if (!out[n])
            break;
        left -= part;
    }
    *missing = count - n;
    pkt_free(p);
    return n;
}
