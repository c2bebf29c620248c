/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Receiving from a virtio network device (VIRTIO 1.2, sections 5.1.6.3 and 5.1.6.4).
 *
 * The loop in virtio_net_rx_batch is what every packet costs; a frame in one buffer without offload
 * metadata stays in it. Everything else (super-packets, merged buffers, checksum metadata) goes
 * through rx_slow.
 */
#include "drivers/virtio_net.h"

#include "mem.h"

#define ETH_HEADER_BYTES 14
#define HEAD_BYTES_MIN   128 /* of a packet in several buffers, in the first (nic.h) */

/* Where the device writes, with the long header: posted buffers have the full headroom. */
static inline uint8_t *posted_at(struct pkt *p)
{
    return pkt_buf_start(p) + PKT_HEADROOM_BYTES - VIRTIO_NET_HDR_BYTES;
}

static void rx_post(struct virtio_net_rx *rx, uint16_t id, struct pkt *p)
{
    rx->slots[id] = p;
    rx->q.desc[id].address = (uintptr_t)p->data - rx->header_bytes;
    if (rx->split_header)
        rx->q.desc[id + 1].address = (uintptr_t)p->data;
    virtq_put(&rx->q, id);
}

void virtio_net_rx_fill(struct virtio_net *vn)
{
    struct virtio_net_rx *rx = &vn->rx;

    while (rx->missing > 0 && vn->nic.pool->free_count > 0)
        rx_post(rx, rx->missing_ids[--rx->missing], pkt_alloc(vn->nic.pool));
}

void virtio_net_rx_flush(struct virtio_net *vn)
{
    virtq_publish(&vn->rx.q);
    if (virtq_kick_wanted(&vn->rx.q)) {
        vn->dev->ops->notify(vn->dev, VIRTIO_NET_QUEUE_RX);
        vn->nic.counters.rx_doorbells++;
    }
}

/* Checksum metadata of a header: false if it is nonsense. */
static bool rx_csum_ok(const struct virtio_dev *dev, struct pkt *p, const struct virtio_net_hdr *h)
{
    if (h->flags & VIRTIO_NET_HDR_NEEDS_CSUM) {
        uint32_t end = (uint32_t)h->csum_start + h->csum_offset + sizeof(uint16_t);
        if (!virtio_has(dev, VIRTIO_NET_F_GUEST_CSUM) || h->csum_start < ETH_HEADER_BYTES ||
            end > p->len)
            return false;
        p->flags |= PKT_NEEDS_CSUM;
        p->csum_start = h->csum_start;
        p->csum_offset = h->csum_offset;
    } else if ((h->flags & VIRTIO_NET_HDR_DATA_VALID) && virtio_has(dev, VIRTIO_NET_F_GUEST_CSUM)) {
        p->flags |= PKT_CSUM_VALID;
    }
    return true;
}

/* Super-packet metadata: false if it is nonsense or was not negotiated. */
static bool rx_gso_ok(const struct virtio_dev *dev, struct pkt *p, const struct virtio_net_hdr *h)
{
    if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE)
        return true;

    uint64_t needed;
    switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
        needed = VIRTIO_NET_F_GUEST_TSO4;
        p->gso_type = PKT_GSO_TCP4;
        break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        needed = VIRTIO_NET_F_GUEST_TSO6;
        p->gso_type = PKT_GSO_TCP6;
        break;
    default:
        return false;
    }
    p->gso_ecn = (h->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0;
    if (p->gso_ecn)
        needed |= VIRTIO_NET_F_GUEST_ECN;
    p->gso_size = h->gso_size;
    /* The header's length is a hint; whoever relies on it computes it again from the headers. */
    p->hdr_len = (uint16_t)MIN(h->hdr_len, p->len);
    return (dev->features & needed) == needed && h->gso_size != 0 &&
           (h->flags & VIRTIO_NET_HDR_NEEDS_CSUM);
}

static void rx_drop_partial(struct virtio_net *vn)
{
    struct virtio_net_rx *rx = &vn->rx;

    vn->nic.counters.rx_bad++;
    pkt_free(rx->partial);
    rx->partial = NULL;
}

/* The first buffer of a packet. False: nonsense, the port is down. */
static bool rx_begin(struct virtio_net *vn, struct pkt *p, uint32_t bytes)
{
    struct virtio_net_rx *rx = &vn->rx;
    struct virtio_net_hdr h;
    unsigned parts = 1;

    memcpy(&h, p->data - rx->header_bytes, VIRTIO_NET_HDR_BYTES_SHORT);
    if (rx->merge_mask)
        parts = load_raw16(p->data - sizeof(h.num_buffers));
    if (parts == 0 || parts > rx->q.size) {
        pkt_free(p);
        virtio_net_die(vn, "a number of merged buffers that cannot be");
        return false;
    }
    p->len = bytes;
    p->total_bytes = bytes;
    rx->parts_left = (uint16_t)parts;
    rx->partial = p;
    rx->partial_tail = p;
    if (parts > PKT_MAX_SEGS || bytes == 0 || (parts > 1 && bytes < HEAD_BYTES_MIN) ||
        !rx_csum_ok(vn->dev, p, &h) || !rx_gso_ok(vn->dev, p, &h))
        rx_drop_partial(vn);
    return true;
}

/* A further buffer of it: all of it is frame, from where a header would begin. */
static void rx_continue(struct virtio_net *vn, struct pkt *p, uint32_t bytes)
{
    struct virtio_net_rx *rx = &vn->rx;

    if (!rx->partial) {
        pkt_free(p);
        return;
    }
    p->data -= rx->header_bytes;
    p->len = bytes;
    rx->partial_tail->next = p;
    rx->partial_tail = p;
    rx->partial->segs++;
    rx->partial->total_bytes += bytes;
    if (bytes == 0 || rx->partial->total_bytes > PKT_MAX_BYTES)
        rx_drop_partial(vn);
}

/* Takes one buffer handed back, whatever it is. */
static void rx_slow(struct virtio_net *vn)
{
    struct virtio_net_rx *rx = &vn->rx;
    struct virtq_used_elem e = virtq_used_at(&rx->q, rx->q.last_used++);
    struct pkt *p = e.id < rx->q.size ? rx->slots[e.id] : NULL;
    uint32_t header = rx->parts_left == 0 ? rx->header_bytes : 0;

    if (!p) {
        virtio_net_die(vn, "a receive buffer it did not have");
        return;
    }
    rx->slots[e.id] = NULL;
    rx->missing_ids[rx->missing++] = (uint16_t)e.id;
    pkt_reset(p);
    if (e.len < header || e.len > rx->header_bytes + rx->data_bytes) {
        pkt_free(p);
        virtio_net_die(vn, "a receive length over the buffer or under the header");
        return;
    }
    if (header == 0)
        rx_continue(vn, p, e.len);
    else if (!rx_begin(vn, p, e.len - header))
        return;
    rx->parts_left--;
}

static_assert(offsetof(struct pkt, csum_offset) == offsetof(struct pkt, csum_start) + 2 &&
                  offsetof(struct virtio_net_hdr, csum_offset) ==
                      offsetof(struct virtio_net_hdr, csum_start) + 2,
              "copied together");
static_assert(VIRTIO_NET_HDR_NEEDS_CSUM == (int)PKT_NEEDS_CSUM &&
                  VIRTIO_NET_HDR_DATA_VALID == (int)PKT_CSUM_VALID,
              "flags pass as they are");
#define RX_NOT_SIMPLE 0x100u

/* The packet flags that a frame's header asks for, or RX_NOT_SIMPLE: a super-packet, several
 * buffers, or nonsense. With PKT_NEEDS_CSUM, csum_start and csum_offset are good. */
static inline unsigned rx_simple_flags(const uint8_t *header, uint32_t len, unsigned merge_mask,
                                       unsigned flags_mask)
{
    unsigned more = (load_raw16(header + VIRTIO_NET_HDR_NUM_BUFFERS) ^ 1u) & merge_mask;
    unsigned flags = load_raw16(header); /* and gso_type, in the upper byte */

    if (LIKELY((flags | more) == 0))
        return 0;
    if (flags > 0xFF || more != 0)
        return RX_NOT_SIMPLE;
    if (!(flags & VIRTIO_NET_HDR_NEEDS_CSUM))
        return flags & flags_mask;
    unsigned start = load_raw16(header + offsetof(struct virtio_net_hdr, csum_start));
    unsigned offset = load_raw16(header + offsetof(struct virtio_net_hdr, csum_offset));
    if (start < ETH_HEADER_BYTES || start + offset + sizeof(uint16_t) > len || flags_mask == 0)
        return RX_NOT_SIMPLE;
    return PKT_NEEDS_CSUM;
}

/* Takes up to max buffers as long as they are plain frames and the pool has replacements, and stops
 * at the first that is not. Everything lives in registers: this loop is the price of a packet. */
__attribute__((noinline)) static unsigned rx_run(struct virtio_net *vn, struct pkt **out,
                                                 unsigned max)
{
    struct virtio_net_rx *rx = &vn->rx;
    struct pkt_pool *pool = vn->nic.pool;
    const struct virtq_used *used = rx->q.used;
    struct virtq_desc *desc = rx->q.desc;
    struct virtq_avail *avail = rx->q.avail;
    struct pkt **slots = rx->slots, *fresh = pool->free;
    const unsigned mask = rx->q.mask, merge_mask = rx->merge_mask, flags_mask = rx->flags_mask;
    unsigned at = rx->q.last_used, n;
    /* Seen from at: every buffer taken here is replaced. */
    const unsigned put = (unsigned)rx->q.next_avail - at;
    uint64_t bytes = 0;

    max = at + MIN(max, pool->free_count);
    for (; at != max; at++) {
        struct virtq_used_elem e = virtq_used_read(used, mask, at);
        struct pkt *p = LIKELY(e.id <= mask) ? slots[e.id] : NULL;
        uint32_t len = e.len - VIRTIO_NET_HDR_BYTES;
        /* len - 1 wraps around for an empty frame, len for less than a header. */
        if (UNLIKELY(!p || len - 1 >= PKT_DATA_BYTES))
            break;
        const uint8_t *header = posted_at(p);
        __builtin_prefetch(header + VIRTIO_NET_HDR_BYTES); /* the dataplane will look at it soon */
        unsigned flags = rx_simple_flags(header, len, merge_mask, flags_mask);
        if (UNLIKELY(flags == RX_NOT_SIMPLE))
            break;
        slots[e.id] = fresh;
        desc[e.id].address = (uintptr_t)posted_at(fresh);
        avail->ring[(put + at) & mask] = (uint16_t)e.id;
        fresh = fresh->next;
        pkt_reset(p);
        p->flags = (uint8_t)flags;
        memcpy(&p->csum_start, header + offsetof(struct virtio_net_hdr, csum_start),
               sizeof(uint32_t)); /* and csum_offset */
        p->len = len;
        p->total_bytes = len;
        bytes += len;
        *out++ = p;
    }
    n = (uint16_t)(at - rx->q.last_used);
    rx->q.last_used = (uint16_t)at;
    rx->q.next_avail = (uint16_t)(put + at);
    pool->free = fresh;
    pool->free_count -= n;
    pool->low_mark = MIN(pool->low_mark, pool->free_count);
    vn->nic.counters.rx_packets += n;
    vn->nic.counters.rx_bytes += bytes;
    return n;
}

/* Takes up to max further buffers of the packet in partial, in the same way. */
__attribute__((noinline)) static void rx_gather_run(struct virtio_net *vn, unsigned max)
{
    struct virtio_net_rx *rx = &vn->rx;
    struct pkt_pool *pool = vn->nic.pool;
    const struct virtq_used *used = rx->q.used;
    struct virtq_desc *desc = rx->q.desc;
    struct virtq_avail *avail = rx->q.avail;
    struct pkt **slots = rx->slots, *fresh = pool->free, *tail = rx->partial_tail;
    const unsigned mask = rx->q.mask;
    unsigned at = rx->q.last_used, n;
    const unsigned put = (unsigned)rx->q.next_avail - at;
    uint32_t bytes = 0;

    max = at + MIN(max, MIN(rx->parts_left, pool->free_count));
    for (; at != max; at++) {
        struct virtq_used_elem e = virtq_used_read(used, mask, at);
        struct pkt *p = LIKELY(e.id <= mask) ? slots[e.id] : NULL;
        if (UNLIKELY(!p || e.len - 1 >= PKT_DATA_BYTES + VIRTIO_NET_HDR_BYTES))
            break;
        slots[e.id] = fresh;
        desc[e.id].address = (uintptr_t)posted_at(fresh);
        avail->ring[(put + at) & mask] = (uint16_t)e.id;
        fresh = fresh->next;
        p->data = posted_at(p);
        p->len = e.len;
        bytes += e.len;
        tail->next = p;
        tail = p;
    }
    tail->next = NULL;
    n = (uint16_t)(at - rx->q.last_used);
    rx->q.last_used = (uint16_t)at;
    rx->q.next_avail = (uint16_t)(put + at);
    pool->free = fresh;
    pool->free_count -= n;
    pool->low_mark = MIN(pool->low_mark, pool->free_count);
    rx->parts_left = (uint16_t)(rx->parts_left - n);
    rx->partial_tail = tail;
    rx->partial->segs = (uint16_t)(rx->partial->segs + n);
    rx->partial->total_bytes += bytes;
    if (UNLIKELY(rx->partial->total_bytes > PKT_MAX_BYTES))
        rx_drop_partial(vn);
}

/* The packet all of whose buffers are there, or NULL if it was dropped. */
static inline struct pkt *rx_finish(struct virtio_net *vn)
{
    struct pkt *p = vn->rx.partial;

    vn->rx.partial = NULL;
    if (p) {
        vn->nic.counters.rx_packets++;
        vn->nic.counters.rx_bytes += p->total_bytes;
    }
    return p;
}

/* Moves up to max packets to out, from the ready buffers that the device has handed back. */
static unsigned rx_take(struct virtio_net *vn, struct pkt **out, unsigned max, unsigned ready)
{
    struct virtio_net_rx *rx = &vn->rx;
    const uint16_t end = (uint16_t)(rx->q.last_used + ready);
    unsigned n = 0;

    while (rx->q.last_used != end && n < max) {
        unsigned left = (uint16_t)(end - rx->q.last_used);
        if (LIKELY(rx->parts_left == 0 && rx->long_header))
            n += rx_run(vn, out + n, MIN(left, max - n));
        else if (rx->partial && rx->long_header)
            rx_gather_run(vn, left);
        if (rx->parts_left == 0 && rx->partial == NULL && (rx->q.last_used == end || n == max))
            break;
        if (rx->q.last_used != end && !(rx->parts_left == 0 && rx->partial))
            rx_slow(vn);
        if (UNLIKELY(vn->nic.dead))
            break;
        if (rx->parts_left == 0 && rx->partial)
            out[n++] = rx_finish(vn);
    }
    return n;
}

/* The part of virtio_net_rx_batch for when there is something to do. */
__attribute__((noinline)) static unsigned rx_batch(struct virtio_net *vn, struct pkt **out,
                                                   unsigned max, unsigned ready)
{
    struct virtio_net_rx *rx = &vn->rx;
    struct nic *nic = &vn->nic;
    unsigned n;

    if (UNLIKELY(ready > rx->q.size)) {
        virtio_net_die(vn, "a receive index that jumped");
        return 0;
    }
    n = rx_take(vn, out, max, ready);
    if (UNLIKELY(nic->dead))
        return n;
    if (UNLIKELY(rx->missing > 0)) {
        virtio_net_rx_fill(vn);
        nic->counters.rx_no_buffer += rx->missing > 0;
    }
    if (rx->q.next_avail != rx->q.kicked)
        virtio_net_rx_flush(vn);
    return n;
}

unsigned virtio_net_rx_batch(struct nic *nic, struct pkt **out, unsigned max)
{
    struct virtio_net *vn = virtio_net_of(nic);
    unsigned ready = virtq_used_count(&vn->rx.q);

    return ready == 0 && vn->rx.missing == 0 ? 0 : rx_batch(vn, out, max, ready);
}

void virtio_net_rx_release(struct virtio_net *vn)
{
    struct virtio_net_rx *rx = &vn->rx;

    for (unsigned i = 0; i < rx->q.size; i++) {
        if (!rx->slots[i])
            continue;
        pkt_reset(rx->slots[i]);
        pkt_free(rx->slots[i]);
        rx->slots[i] = NULL;
    }
    if (rx->partial)
        pkt_free(rx->partial);
    rx->partial = NULL;
    rx->parts_left = 0;
    rx->missing = 0;
}

int virtio_net_rx_init(struct virtio_net *vn, const struct nic_limits *limits)
{
    struct virtio_net_rx *rx = &vn->rx;
    const struct virtio_dev *dev = vn->dev;
    bool merge = virtio_has(dev, VIRTIO_NET_F_MRG_RXBUF);
    bool modern = virtio_has(dev, VIRTIO_F_VERSION_1);

    rx->slots = mem_alloc(rx->q.size * sizeof(*rx->slots), CACHE_LINE_BYTES);
    rx->missing_ids = mem_alloc(rx->q.size * sizeof(*rx->missing_ids), CACHE_LINE_BYTES);
    if (!rx->slots || !rx->missing_ids)
        return -ENOMEM;
    rx->header_bytes = modern || merge ? VIRTIO_NET_HDR_BYTES : VIRTIO_NET_HDR_BYTES_SHORT;
    rx->data_bytes = PKT_DATA_BYTES;
    rx->long_header = rx->header_bytes == VIRTIO_NET_HDR_BYTES;
    rx->merge_mask = merge ? UINT16_MAX : 0;
    if (virtio_has(dev, VIRTIO_NET_F_GUEST_CSUM))
        rx->flags_mask = VIRTIO_NET_HDR_NEEDS_CSUM | VIRTIO_NET_HDR_DATA_VALID;
    rx->split_header = !modern && !merge && !virtio_has(dev, VIRTIO_F_ANY_LAYOUT);

    unsigned step = rx->split_header ? 2 : 1;
    unsigned buffers = MIN(rx->q.size / step, MAX(limits->rx_buffers_max, NIC_RX_BUFFERS_MIN));
    /* Lengths and flags never change; only addresses do. From the last to the first, because the
     * ids form a stack and the first shall be posted first. */
    for (unsigned i = buffers; i > 0; i--) {
        unsigned id = (i - 1) * step;
        struct virtq_desc *d = &rx->q.desc[id];
        d->flags = VIRTQ_DESC_WRITE;
        if (rx->split_header) {
            d[0].len = rx->header_bytes;
            d[0].flags |= VIRTQ_DESC_NEXT;
            d[0].next = (uint16_t)(id + 1);
            d[1].len = rx->data_bytes;
            d[1].flags = VIRTQ_DESC_WRITE;
        } else {
            d->len = rx->header_bytes + rx->data_bytes;
        }
        rx->missing_ids[rx->missing++] = (uint16_t)id;
    }
    virtio_net_rx_fill(vn);
    return 0;
}
