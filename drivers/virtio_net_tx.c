/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sending through a virtio network device (VIRTIO 1.2, sections 5.1.6.1 and 5.1.6.2).
 *
 * A burst is put into the ring packet by packet and shown to the device with one store and at most
 * one doorbell. Completions are not waited for: they are taken when the caller reclaims or the ring
 * is full.
 */
#include "drivers/virtio_net.h"

#include "mem.h"

static const uint8_t gso_types[] = {
    [PKT_GSO_NONE] = VIRTIO_NET_HDR_GSO_NONE,
    [PKT_GSO_TCP4] = VIRTIO_NET_HDR_GSO_TCPV4,
    [PKT_GSO_TCP6] = VIRTIO_NET_HDR_GSO_TCPV6,
};

/* Takes back what the device has sent. False: nonsense, the port is down. */
static inline bool tx_reap(struct virtio_net *vn)
{
    struct virtio_net_tx *tx = &vn->tx;
    unsigned done = virtq_used_count(&tx->q);

    if (UNLIKELY(done > tx->q.size)) {
        virtio_net_die(vn, "a transmit index that jumped");
        return false;
    }
    for (; done > 0; done--) {
        uint32_t id = virtq_used_at(&tx->q, tx->q.last_used++).id;
        struct virtio_net_tx_slot *slot = &tx->slots[id & tx->q.mask];
        if (UNLIKELY(id >= tx->q.size || !slot->pkt)) {
            virtio_net_die(vn, "a transmit buffer it did not have");
            return false;
        }
        pkt_free(slot->pkt);
        slot->pkt = NULL;
        tx->slots[slot->last].next = tx->free_head;
        tx->free_head = (uint16_t)id;
        tx->free_count = (uint16_t)(tx->free_count + slot->count);
        if (UNLIKELY(slot->count != 1)) {
            slot->last = (uint16_t)id;
            slot->count = 1;
        }
    }
    return true;
}

void virtio_net_tx_reclaim(struct nic *nic)
{
    tx_reap(virtio_net_of(nic));
}

static void tx_header(void *to, const struct pkt *p, unsigned header_bytes)
{
    struct virtio_net_hdr h = {0};

    if (p->flags & PKT_NEEDS_CSUM) {
        h.flags = VIRTIO_NET_HDR_NEEDS_CSUM;
        h.csum_start = p->csum_start;
        h.csum_offset = p->csum_offset;
    }
    if (p->gso_size != 0) {
        CHECK(p->gso_type < ARRAY_COUNT(gso_types));
        h.gso_type = gso_types[p->gso_type];
        if (p->gso_ecn)
            h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
        h.gso_size = p->gso_size;
        h.hdr_len = p->hdr_len;
    }
    memcpy(to, &h, header_bytes);
}

/* All zero, in two stores that overlap when the header is the short one. */
static inline void tx_header_plain(uint8_t *start, uint8_t *end)
{
    memset(start, 0, sizeof(uint64_t));
    memset(end - sizeof(uint32_t), 0, sizeof(uint32_t));
}

/* Any packet: shared, in several segments, or without headroom. False if the ring has no room for
 * it. */
static bool tx_put_slow(struct virtio_net_tx *tx, struct pkt *p)
{
    bool apart = pkt_shared(p) || pkt_headroom(p) < tx->headroom_min || p->len == 0;
    unsigned needed = apart;

    /* Devices take offence at empty descriptors, so empty segments get none. */
    for (const struct pkt *s = p; s; s = s->next)
        needed += s->len != 0;
    if (needed > tx->free_count)
        return false;

    uint16_t head = tx->free_head, id = head, last = head;
    if (apart) {
        tx_header(&tx->headers[head], p, tx->header_bytes);
        tx->q.desc[head] =
            (struct virtq_desc){.address = (uintptr_t)&tx->headers[head], .len = tx->header_bytes};
        id = tx->slots[head].next;
    } else {
        tx_header(p->data - tx->header_bytes, p, tx->header_bytes);
    }
    for (const struct pkt *s = p; s; s = s->next) {
        if (s->len == 0)
            continue;
        unsigned before = s == p && !apart ? tx->header_bytes : 0;
        tx->q.desc[id] =
            (struct virtq_desc){.address = (uintptr_t)s->data - before, .len = s->len + before};
        if (id != head) {
            tx->q.desc[last].flags = VIRTQ_DESC_NEXT;
            tx->q.desc[last].next = id;
        }
        last = id;
        id = tx->slots[id].next;
    }
    tx->free_head = id;
    tx->free_count = (uint16_t)(tx->free_count - needed);
    tx->slots[head].pkt = p;
    tx->slots[head].last = last;
    tx->slots[head].count = (uint16_t)needed;
    virtq_put(&tx->q, head);
    return true;
}

/* One segment and one owner, read as one word. */
static inline bool tx_simple(const struct virtio_net_tx *tx, struct pkt *p)
{
    static_assert(offsetof(struct pkt, refs) == offsetof(struct pkt, segs) + 2, "read together");
    return load_raw32((const uint8_t *)p + offsetof(struct pkt, segs)) == 0x00010001 &&
           pkt_headroom(p) >= tx->headroom_min;
}

static inline bool tx_put(struct virtio_net_tx *tx, struct pkt *p)
{
    if (UNLIKELY(tx->free_count == 0))
        return false;
    if (UNLIKELY(!tx_simple(tx, p)))
        return tx_put_slow(tx, p);

    uint8_t *start = p->data - tx->header_bytes;
    uint16_t id = tx->free_head;
    if (LIKELY(!(p->flags & PKT_NEEDS_CSUM) && p->gso_size == 0))
        tx_header_plain(start, p->data);
    else
        tx_header(start, p, tx->header_bytes);
    tx->free_head = tx->slots[id].next;
    tx->free_count--;
    tx->slots[id].pkt = p;
    tx->q.desc[id] =
        (struct virtq_desc){.address = (uintptr_t)start, .len = p->len + tx->header_bytes};
    virtq_put(&tx->q, id);
    return true;
}

unsigned virtio_net_tx_batch(struct nic *nic, struct pkt **pkts, unsigned n)
{
    struct virtio_net *vn = virtio_net_of(nic);
    struct virtio_net_tx *tx = &vn->tx;
    uint64_t bytes = 0;
    unsigned i;

    for (i = 0; i < n; i++) {
        /* Read before the device may own it. */
        uint32_t packet_bytes = pkts[i]->total_bytes;
        if (UNLIKELY(!tx_put(tx, pkts[i]))) {
            if (!tx_reap(vn))
                return i; /* what was taken is freed already */
            if (!tx_put(tx, pkts[i]))
                break;
        }
        bytes += packet_bytes;
    }
    nic->counters.tx_packets += i;
    nic->counters.tx_bytes += bytes;
    nic->counters.tx_full += n - i;
    if (tx->q.next_avail != tx->q.kicked) {
        virtq_publish(&tx->q);
        if (virtq_kick_wanted(&tx->q)) {
            vn->dev->ops->notify(vn->dev, VIRTIO_NET_QUEUE_TX);
            nic->counters.tx_doorbells++;
        }
    }
    return i;
}

void virtio_net_tx_release(struct virtio_net *vn)
{
    struct virtio_net_tx *tx = &vn->tx;

    for (unsigned i = 0; i < tx->q.size; i++) {
        if (tx->slots[i].pkt)
            pkt_free(tx->slots[i].pkt);
        tx->slots[i].pkt = NULL;
    }
    tx->free_count = 0;
}

int virtio_net_tx_init(struct virtio_net *vn, const struct nic_limits *limits)
{
    struct virtio_net_tx *tx = &vn->tx;
    const struct virtio_dev *dev = vn->dev;
    bool modern = virtio_has(dev, VIRTIO_F_VERSION_1);
    bool merge = virtio_has(dev, VIRTIO_NET_F_MRG_RXBUF);
    uint32_t buffers = limits->tx_buffers_max ? limits->tx_buffers_max : limits->rx_buffers_max;

    tx->slots = mem_alloc(tx->q.size * sizeof(*tx->slots), CACHE_LINE_BYTES);
    tx->headers = mem_alloc(tx->q.size * sizeof(*tx->headers), CACHE_LINE_BYTES);
    if (!tx->slots || !tx->headers)
        return -ENOMEM;
    tx->header_bytes = modern || merge ? VIRTIO_NET_HDR_BYTES : VIRTIO_NET_HDR_BYTES_SHORT;
    tx->headroom_min =
        modern || virtio_has(dev, VIRTIO_F_ANY_LAYOUT) ? tx->header_bytes : UINT16_MAX;
    for (unsigned i = 0; i < tx->q.size; i++) {
        tx->slots[i].next = (uint16_t)(i + 1);
        tx->slots[i].last = (uint16_t)i;
        tx->slots[i].count = 1;
    }
    /* Fewer descriptors on the free list is all that it takes to hold fewer buffers. */
    tx->free_count = (uint16_t)MIN(tx->q.size, MAX(buffers, NIC_TX_BUFFERS_MIN));
    return 0;
}
