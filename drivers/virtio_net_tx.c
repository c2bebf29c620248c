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

#define TABLE_SEGS_MIN  3    /* shorter chains are cheaper in the ring itself */
#define TX_BUFFERS_MOST 4096 /* what one port may ever hold */

static const uint8_t gso_types[] = {
    [PKT_GSO_NONE] = VIRTIO_NET_HDR_GSO_NONE,
    [PKT_GSO_TCP4] = VIRTIO_NET_HDR_GSO_TCPV4,
    [PKT_GSO_TCP6] = VIRTIO_NET_HDR_GSO_TCPV6,
};

static_assert(offsetof(struct pkt, refs) == offsetof(struct pkt, segs) + 2, "read together");
#define ONE_SEGMENT_ONE_OWNER 0x00010001u

static inline uint32_t segs_and_refs(const struct pkt *p)
{
    return load_raw32((const uint8_t *)p + offsetof(struct pkt, segs));
}

/* Puts the descriptors of any completed chain back on the free list and frees its packet. */
static void tx_complete_slow(struct virtio_net_tx *tx, uint16_t id)
{
    struct virtio_net_tx_slot *slot = &tx->slots[id];

    pkt_free(slot->pkt);
    slot->pkt = NULL;
    tx->slots[slot->last].next = tx->free_head;
    tx->free_head = id;
    tx->free_count = (uint16_t)(tx->free_count + slot->count);
    tx->room = (uint16_t)(tx->room + slot->buffers);
    slot->last = id;
    slot->count = 1;
    slot->buffers = 1;
}

/* Takes back packets of one segment and one descriptor, at most done; stops at the first that is
 * anything else. Returns how many. Everything lives in registers. */
__attribute__((noinline)) static unsigned tx_reap_run(struct virtio_net *vn, unsigned done)
{
    struct virtio_net_tx *tx = &vn->tx;
    struct pkt_pool *pool = vn->nic.pool;
    struct virtio_net_tx_slot *slots = tx->slots;
    const struct virtq_used *used = tx->q.used;
    struct pkt *free = pool->free;
    const unsigned mask = tx->q.mask;
    unsigned at = tx->q.last_used, free_head = tx->free_head, n;

    done += at;
    for (; at != done; at++) {
        uint32_t id = virtq_used_read(used, mask, at).id;
        if (UNLIKELY(id > mask))
            break;
        struct virtio_net_tx_slot *slot = &slots[id];
        struct pkt *p = slot->pkt;
        if (UNLIKELY(!p || slot->count != 1 || segs_and_refs(p) != ONE_SEGMENT_ONE_OWNER ||
                     p->pool != pool))
            break;
        slot->pkt = NULL;
        slot->next = (uint16_t)free_head;
        free_head = id;
        p->next = free;
        free = p;
    }
    n = (uint16_t)(at - tx->q.last_used);
    pool->free = free;
    pool->free_count += n;
    tx->q.last_used = (uint16_t)at;
    tx->free_head = (uint16_t)free_head;
    tx->free_count = (uint16_t)(tx->free_count + n);
    tx->room = (uint16_t)(tx->room + n);
    return n;
}

/* Takes back what the device has sent. False: nonsense, the port is down. */
static bool tx_reap(struct virtio_net *vn)
{
    struct virtio_net_tx *tx = &vn->tx;
    unsigned done = virtq_used_count(&tx->q);

    if (UNLIKELY(done > tx->q.size)) {
        virtio_net_die(vn, "a transmit index that jumped");
        return false;
    }
    for (;;) {
        done -= tx_reap_run(vn, done);
        if (done == 0)
            return true;
        uint32_t id = virtq_used_at(&tx->q, tx->q.last_used++).id;
        if (UNLIKELY(id >= tx->q.size || !tx->slots[id].pkt)) {
            virtio_net_die(vn, "a transmit buffer it did not have");
            return false;
        }
        tx_complete_slow(tx, (uint16_t)id);
        done--;
    }
}

void virtio_net_tx_reclaim(struct nic *nic)
{
    struct virtio_net *vn = virtio_net_of(nic);

    if (virtq_used_count(&vn->tx.q) != 0)
        tx_reap(vn);
}

/* Writes the header of header_bytes, 12 or 10, in two stores that overlap when it is the short one.
 */
static inline void tx_header_store(uint8_t *start, const struct virtio_net_hdr *h,
                                   unsigned header_bytes)
{
    const size_t tail = header_bytes - sizeof(uint32_t);

    memcpy(start, h, sizeof(uint64_t));
    memcpy(start + tail, (const uint8_t *)h + tail, sizeof(uint32_t));
}

static void tx_header(uint8_t *start, const struct pkt *p, unsigned header_bytes)
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
    tx_header_store(start, &h, header_bytes);
}

/* The header of a packet that is not a super-packet: nothing, or a checksum to complete, which is
 * what hosts on the same machine send all the time. */
static inline void tx_header_short(uint8_t *start, const struct pkt *p, unsigned header_bytes)
{
    if (!(p->flags & PKT_NEEDS_CSUM)) {
        memset(start, 0, sizeof(uint64_t));
        memset(start + header_bytes - sizeof(uint32_t), 0, sizeof(uint32_t));
        return;
    }
    uint64_t first = VIRTIO_NET_HDR_NEEDS_CSUM | (uint64_t)p->csum_start << 48;
    memcpy(start, &first, sizeof(first));
    store_raw16(start + sizeof(first), p->csum_offset);
    if (header_bytes > VIRTIO_NET_HDR_BYTES_SHORT)
        store_raw16(start + VIRTIO_NET_HDR_NUM_BUFFERS, 0);
}

/* What a packet's chain begins with: the header alone, in its slot, or nothing when the header
 * stands before the data (*before says how many bytes of it). Returns the number of descriptors
 * filled. */
static unsigned tx_begin(struct virtio_net_tx *tx, struct pkt *p, unsigned head,
                         struct virtq_desc *first, unsigned *before)
{
    if (!pkt_shared(p) && pkt_headroom(p) >= tx->headroom_min && p->len != 0) {
        *before = tx->header_bytes;
        tx_header(p->data - *before, p, *before);
        return 0;
    }
    *before = 0;
    tx_header((uint8_t *)&tx->headers[head], p, tx->header_bytes);
    first->address = (uintptr_t)&tx->headers[head];
    virtq_desc_set_len(first, tx->header_bytes);
    return 1;
}

/* A packet of many segments in a table of its own. */
static void tx_put_table(struct virtio_net_tx *tx, struct pkt *p)
{
    const unsigned head = tx->free_head;
    struct virtq_desc *table = tx->tables[head].desc;
    unsigned before, n = tx_begin(tx, p, head, table, &before);

    if (n > 0) {
        table[0].flags = VIRTQ_DESC_NEXT;
        table[0].next = 1;
    }
    for (const struct pkt *s = p; s; s = s->next) {
        if (UNLIKELY(s->len == 0))
            continue; /* devices take offence at empty descriptors */
        table[n] = (struct virtq_desc){.address = (uintptr_t)s->data - before,
                                       .len = s->len + before,
                                       .flags = VIRTQ_DESC_NEXT,
                                       .next = (uint16_t)(n + 1)};
        before = 0;
        n++;
    }
    table[n - 1].flags = 0;
    tx->q.desc[head] = (struct virtq_desc){.address = (uintptr_t)table,
                                           .len = n * (uint32_t)sizeof(*table),
                                           .flags = VIRTQ_DESC_INDIRECT};
    tx->free_head = tx->slots[head].next;
    tx->free_count--;
    virtq_put(&tx->q, (uint16_t)head);
    tx->slots[head].pkt = p;
}

/* A packet over descriptors of the ring. */
static void tx_put_chain(struct virtio_net_tx *tx, struct pkt *p)
{
    struct virtq_desc *desc = tx->q.desc;
    const struct virtio_net_tx_slot *slots = tx->slots;
    const unsigned head = tx->free_head;
    unsigned id = head, last = head, before;
    unsigned used = tx_begin(tx, p, head, &desc[head], &before);

    if (used > 0)
        id = slots[head].next;
    for (const struct pkt *s = p; s; s = s->next) {
        if (UNLIKELY(s->len == 0))
            continue;
        desc[last].flags = VIRTQ_DESC_NEXT;
        desc[last].next = (uint16_t)id;
        desc[id].address = (uintptr_t)s->data - before;
        virtq_desc_set_len(&desc[id], s->len + before);
        before = 0;
        last = id;
        id = slots[id].next;
        used++;
    }
    tx->free_head = (uint16_t)id;
    tx->free_count = (uint16_t)(tx->free_count - used);
    tx->slots[head].pkt = p;
    tx->slots[head].last = (uint16_t)last;
    tx->slots[head].count = (uint16_t)used;
    virtq_put(&tx->q, (uint16_t)head);
}

/* Any packet: shared, in several segments, or without headroom. False if the ring has no room for
 * it. */
static bool tx_put_slow(struct virtio_net_tx *tx, struct pkt *p)
{
    const unsigned head = tx->free_head, buffers = p->segs;

    if (tx->free_count == 0 || tx->room < buffers)
        return false;
    if (buffers >= TABLE_SEGS_MIN && tx->tables)
        tx_put_table(tx, p);
    else if (tx->free_count > buffers) /* one for the header, too */
        tx_put_chain(tx, p);
    else
        return false;
    tx->slots[head].buffers = (uint16_t)buffers;
    tx->room = (uint16_t)(tx->room - buffers);
    return true;
}

/* Puts packets of one segment and one owner, with room for the header before the data, into the
 * ring, as far as there are descriptors; stops at the first that is anything else. Returns how
 * many. Everything lives in registers: with rx_run and tx_reap_run, this is the price of a packet.
 */
__attribute__((noinline)) static unsigned tx_put_run(struct virtio_net *vn, struct pkt **pkts,
                                                     unsigned max)
{
    struct virtio_net_tx *tx = &vn->tx;
    struct virtq_desc *desc = tx->q.desc;
    struct virtio_net_tx_slot *slots = tx->slots;
    uint16_t *avail = tx->q.avail->ring;
    const unsigned mask = tx->q.mask, header_bytes = tx->header_bytes;
    const size_t data_min = PKT_META_BYTES + (size_t)tx->headroom_min;
    unsigned id = tx->free_head, put = tx->q.next_avail, n;
    uint64_t bytes = 0;

    max = put + MIN(max, MIN(tx->free_count, tx->room));
    for (; put != max; put++) {
        struct pkt *p = *pkts++;
        uint8_t *data = p->data;
        if (UNLIKELY(segs_and_refs(p) != ONE_SEGMENT_ONE_OWNER ||
                     (size_t)(data - (uint8_t *)p) < data_min))
            break;
        uint8_t *start = data - header_bytes;
        if (LIKELY(p->gso_size == 0))
            tx_header_short(start, p, header_bytes);
        else
            tx_header(start, p, header_bytes);
        uint32_t len = p->len;
        desc[id].address = (uintptr_t)start;
        virtq_desc_set_len(&desc[id], len + header_bytes);
        slots[id].pkt = p;
        avail[put & mask] = (uint16_t)id;
        id = slots[id].next;
        bytes += len;
    }
    n = (uint16_t)(put - tx->q.next_avail);
    tx->q.next_avail = (uint16_t)put;
    tx->free_head = (uint16_t)id;
    tx->free_count = (uint16_t)(tx->free_count - n);
    tx->room = (uint16_t)(tx->room - n);
    vn->nic.counters.tx_packets += n;
    vn->nic.counters.tx_bytes += bytes;
    return n;
}

unsigned virtio_net_tx_batch(struct nic *nic, struct pkt **pkts, unsigned n)
{
    struct virtio_net *vn = virtio_net_of(nic);
    struct virtio_net_tx *tx = &vn->tx;
    unsigned taken = 0;
    bool reaped = false;

    for (;;) {
        taken += tx_put_run(vn, pkts + taken, n - taken);
        if (LIKELY(taken == n))
            break;
        uint32_t packet_bytes = pkts[taken]->total_bytes;
        if (tx_put_slow(tx, pkts[taken])) {
            nic->counters.tx_packets++;
            nic->counters.tx_bytes += packet_bytes;
            taken++;
            continue;
        }
        if (reaped)
            break;
        reaped = true;
        if (!tx_reap(vn))
            return taken; /* freed already, with all else that was in the ring */
    }
    nic->counters.tx_full += n - taken;
    if (tx->q.next_avail != tx->q.kicked) {
        virtq_publish(&tx->q);
        if (virtq_kick_wanted(&tx->q)) {
            vn->dev->ops->notify(vn->dev, VIRTIO_NET_QUEUE_TX);
            nic->counters.tx_doorbells++;
        }
    }
    return taken;
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
    uint32_t buffers = limits->tx_buffers_max;

    tx->slots = mem_alloc(tx->q.size * sizeof(*tx->slots), CACHE_LINE_BYTES);
    tx->headers = mem_alloc(tx->q.size * sizeof(*tx->headers), CACHE_LINE_BYTES);
    if (!tx->slots || !tx->headers)
        return -ENOMEM;
    if (buffers == 0)
        buffers = MIN(2 * limits->rx_buffers_max, limits->pool->count / 3);
    buffers = MIN(MAX(buffers, NIC_TX_BUFFERS_MIN), (uint32_t)TX_BUFFERS_MOST);
    tx->header_bytes = modern || merge ? VIRTIO_NET_HDR_BYTES : VIRTIO_NET_HDR_BYTES_SHORT;
    tx->headroom_min =
        modern || virtio_has(dev, VIRTIO_F_ANY_LAYOUT) ? tx->header_bytes : UINT16_MAX;
    for (unsigned i = 0; i < tx->q.size; i++) {
        tx->slots[i].next = (uint16_t)(i + 1);
        tx->slots[i].last = (uint16_t)i;
        tx->slots[i].count = 1;
        tx->slots[i].buffers = 1;
    }
    /* Fewer descriptors on the free list hold fewer buffers; as the list is a stack, the others are
     * never used and need no tables. */
    tx->free_count = (uint16_t)MIN(tx->q.size, buffers);
    tx->room = (uint16_t)buffers;
    /* A table may not be longer than the queue (section 2.7.5.3.1). Without memory for them:
     * without. */
    if (virtio_has(dev, VIRTIO_F_INDIRECT_DESC) && tx->q.size > PKT_MAX_SEGS)
        tx->tables = mem_alloc(tx->free_count * sizeof(*tx->tables), CACHE_LINE_BYTES);
    return 0;
}
