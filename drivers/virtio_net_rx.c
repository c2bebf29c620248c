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

static inline void rx_post(struct virtio_net_rx *rx, uint16_t id, struct pkt *p)
{
    rx->slots[id] = p;
    rx->q.desc[id].address = (uintptr_t)p->data - rx->header_bytes;
    if (UNLIKELY(rx->split_header))
        rx->q.desc[id + 1].address = (uintptr_t)p->data;
    virtq_put(&rx->q, id);
}

/* Puts a fresh buffer under the descriptor, or notes that it has none. */
static inline void rx_replace(struct virtio_net *vn, uint16_t id)
{
    struct virtio_net_rx *rx = &vn->rx;
    struct pkt *fresh = pkt_alloc(vn->nic.pool);

    if (UNLIKELY(!fresh)) {
        rx->slots[id] = NULL;
        rx->missing_ids[rx->missing++] = id;
        vn->nic.counters.rx_no_buffer++;
        return;
    }
    rx_post(rx, id, fresh);
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
    struct virtio_net_hdr h = {.num_buffers = 1};
    unsigned parts = 1;

    memcpy(&h, p->data - rx->header_bytes, rx->header_bytes);
    if (rx->merge_mask)
        parts = h.num_buffers;
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

/* Takes a buffer of which the device says it wrote used_len bytes. Returns a packet that is
 * complete, or NULL: more is to come, it was dropped, or the port is down. */
static struct pkt *rx_slow(struct virtio_net *vn, struct pkt *p, uint32_t used_len)
{
    struct virtio_net_rx *rx = &vn->rx;

    if (rx->parts_left == 0) {
        if (used_len - rx->header_bytes >
            rx->data_bytes) { /* shorter than a header: wraps around */
            pkt_free(p);
            virtio_net_die(vn, "a receive length over the buffer or under the header");
            return NULL;
        }
        if (!rx_begin(vn, p, used_len - rx->header_bytes))
            return NULL;
    } else {
        if (used_len > rx->data_bytes + rx->header_bytes) {
            pkt_free(p);
            virtio_net_die(vn, "a receive length over the buffer");
            return NULL;
        }
        rx_continue(vn, p, used_len);
    }
    if (--rx->parts_left > 0)
        return NULL;
    struct pkt *done = rx->partial;
    rx->partial = NULL;
    return done;
}

/* True if the header in front of a frame says nothing: no checksum, no super-packet, one buffer. */
static inline bool rx_plain(const struct virtio_net_rx *rx, const struct pkt *p)
{
    const uint8_t *h = p->data - rx->header_bytes;
    unsigned offloads = load_raw16(h); /* flags, gso_type */
    unsigned more = (load_raw16(h + VIRTIO_NET_HDR_NUM_BUFFERS) ^ 1u) & rx->merge_mask;
    return (offloads | more) == 0;
}

unsigned virtio_net_rx_batch(struct nic *nic, struct pkt **out, unsigned max)
{
    struct virtio_net *vn = virtio_net_of(nic);
    struct virtio_net_rx *rx = &vn->rx;
    unsigned ready = virtq_used_count(&rx->q), n = 0;
    uint64_t bytes = 0;

    if (ready == 0 && rx->missing == 0)
        return 0;
    if (UNLIKELY(ready > rx->q.size)) {
        virtio_net_die(vn, "a receive index that jumped");
        return 0;
    }
    for (; ready > 0 && n < max; ready--) {
        struct virtq_used_elem e = virtq_used_at(&rx->q, rx->q.last_used++);
        struct pkt *p = LIKELY(e.id < rx->q.size) ? rx->slots[e.id] : NULL;
        if (UNLIKELY(!p)) {
            virtio_net_die(vn, "a receive buffer it did not have");
            break;
        }
        rx_replace(vn, (uint16_t)e.id);
        uint32_t len = e.len - rx->header_bytes;
        /* len - 1 also refuses an empty frame, which rx_slow counts. */
        if (LIKELY(rx->parts_left == 0 && len - 1 < rx->data_bytes && rx_plain(rx, p))) {
            p->len = len;
            p->total_bytes = len;
        } else {
            p = rx_slow(vn, p, e.len);
            if (UNLIKELY(nic->dead))
                break;
            if (!p)
                continue;
        }
        bytes += p->total_bytes;
        out[n++] = p;
    }
    nic->counters.rx_packets += n;
    nic->counters.rx_bytes += bytes;
    if (UNLIKELY(nic->dead))
        return n;
    if (UNLIKELY(rx->missing > 0))
        virtio_net_rx_fill(vn);
    if (rx->q.next_avail != rx->q.kicked)
        virtio_net_rx_flush(vn);
    return n;
}

void virtio_net_rx_release(struct virtio_net *vn)
{
    struct virtio_net_rx *rx = &vn->rx;

    for (unsigned i = 0; i < rx->q.size; i++) {
        if (rx->slots[i])
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
    rx->merge_mask = merge ? UINT16_MAX : 0;
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
