/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sending through a vmxnet3.
 */
#include "drivers/vmxnet3.h"

#include "mem.h"

#define RING_MASK  (VMXNET3_RING - 1u)
#define RING_ALIGN 512

/* Descriptors that can be filled. */
static inline unsigned tx_free(const struct vmxnet3_tx *tx)
{
    return RING_MASK - (uint16_t)(tx->next - tx->clean);
}

bool vmxnet3_tx_pending(const struct vmxnet3 *v)
{
    return vmxnet3_is_done(v->tx.done, v->tx.done_next, VMXNET3_RING);
}

/* Takes back what was sent up to the packet that ends at this descriptor, which has to be one. */
static bool tx_reap(struct vmxnet3_tx *tx, unsigned last)
{
    unsigned count = ((last - tx->clean) & RING_MASK) + 1;

    if (last > RING_MASK || count > (uint16_t)(tx->next - tx->clean) || !tx->slots[last])
        return false;
    for (; count > 0; count--) {
        struct pkt **slot = &tx->slots[tx->clean++ & RING_MASK];
        if (!*slot)
            continue;
        tx->room = (uint16_t)(tx->room + (*slot)->segs);
        pkt_free(*slot);
        *slot = NULL;
    }
    return true;
}

void vmxnet3_tx_reclaim(struct nic *nic)
{
    struct vmxnet3 *v = vmxnet3_of(nic);
    struct vmxnet3_tx *tx = &v->tx;

    while (vmxnet3_tx_pending(v)) {
        const volatile uint32_t *index = &tx->done[tx->done_next++ & RING_MASK].index;
        if (UNLIKELY(!tx_reap(tx, VMXNET3_CD_INDEX(*index)))) {
            vmxnet3_die(v, "the end of what was not sent");
            return;
        }
    }
}

/* The length of a packet to cut is the device's to add to the sum, of each piece its own. */
static void make_sum_lengthless(const struct pkt *p, uint8_t *frame)
{
    uint8_t *csum = frame + p->csum_start + p->csum_offset;

    store_be16(csum, nic_sum_without(load_be16(csum), (uint16_t)(p->total_bytes - p->csum_start)));
}

/* Returns the bytes copied, which are some of the payload, too. */
static unsigned copy_headers(uint8_t *copy, const struct pkt *p)
{
    unsigned bytes = MIN(p->len, VMXNET3_TX_HEADER_BYTES);

    memcpy(copy, p->data, bytes);
    if (p->gso_size != 0) {
        CHECK(p->hdr_len <= bytes);
        make_sum_lengthless(p, copy);
    }
    return bytes;
}

/* The next descriptor; turn is VMXNET3_TXD_GEN while it is to stay ours. */
static inline void tx_put(struct vmxnet3_tx *tx, const void *data, uint32_t bytes, uint32_t turn)
{
    uint32_t generation = vmxnet3_generation(tx->next, VMXNET3_RING, VMXNET3_TXD_GEN);

    tx->desc[tx->next++ & RING_MASK] = (struct vmxnet3_tx_desc){
        .address = (uintptr_t)data, .length = bytes | (generation ^ turn), .flags = 0};
}

/* Hands a packet over, all of whose descriptors are written, by the first one's generation. */
static inline void tx_give(struct vmxnet3_tx_desc *first, const struct pkt *p)
{
    uint32_t length = first->length ^ VMXNET3_TXD_GEN;

    if (!pkt_plain(p)) {
        bool cut = p->gso_size != 0;
        first->flags |= cut ? VMXNET3_TXD_TSO | VMXNET3_TXD_HLEN(p->hdr_len)
                            : VMXNET3_TXD_CSUM | VMXNET3_TXD_HLEN(p->csum_start);
        length |= VMXNET3_TXD_MSSCOF(cut ? p->gso_size : p->csum_start + p->csum_offset);
    }
    io_order();
    *(volatile uint32_t *)&first->length = length;
}

/* p fits. */
static void tx_put_packet(struct vmxnet3_tx *tx, struct pkt *p)
{
    unsigned first = tx->next & RING_MASK;
    uint32_t turn = VMXNET3_TXD_GEN;
    unsigned done = 0; /* bytes of the head that have a descriptor */

    if (UNLIKELY(p->gso_size != 0 || ((p->flags & PKT_NEEDS_CSUM) && pkt_shared(p)))) {
        done = copy_headers(tx->headers[first], p);
        tx_put(tx, tx->headers[first], done, turn);
        turn = 0;
    }
    for (const struct pkt *s = p; s; s = s->next) {
        if (LIKELY(s->len > done)) {
            tx_put(tx, s->data + done, s->len - done, turn);
            turn = 0;
        }
        done = 0;
    }
    unsigned last = (tx->next - 1u) & RING_MASK;
    tx->desc[last].flags = VMXNET3_TXD_EOP | VMXNET3_TXD_CQ;
    tx->slots[last] = p;
    tx->room = (uint16_t)(tx->room - p->segs);
    tx_give(&tx->desc[first], p);
}

/* The same bytes in as few buffers as it takes, in place of p. NULL: there are no buffers, and p is
 * as it was. */
static struct pkt *tx_compact(struct pkt *p)
{
    struct pkt *copy = pkt_alloc(p->pool);
    const struct pkt *s = p;

    if (!copy)
        return NULL;
    while (s && pkt_append(copy, s->data, s->len))
        s = s->next;
    if (s) {
        pkt_free(copy);
        return NULL;
    }
    copy->flags = p->flags;
    copy->hdr_len = p->hdr_len;
    copy->csum_start = p->csum_start;
    copy->csum_offset = p->csum_offset;
    pkt_free(p);
    return copy;
}

static bool tx_has_room(const struct vmxnet3_tx *tx, const struct pkt *p)
{
    return tx_free(tx) > p->segs && tx->room >= p->segs; /* one for the headers, too */
}

/* Tells the device of all there is to send. */
static void tx_tell(struct vmxnet3 *v)
{
    io_order();
    write32(v->bar0 + VMXNET3_TXPROD, v->tx.next & RING_MASK);
    v->nic.counters.tx_doorbells++;
}

unsigned vmxnet3_tx_batch(struct nic *nic, struct pkt **pkts, unsigned n)
{
    struct vmxnet3 *v = vmxnet3_of(nic);
    struct vmxnet3_tx *tx = &v->tx;
    uint16_t told = tx->next;
    uint64_t bytes = 0;
    unsigned i;

    for (i = 0; i < n; i++) {
        struct pkt *p = pkts[i];
        if (UNLIKELY(p->segs >= VMXNET3_TXD_MAX && p->gso_size == 0)) {
            p = tx_compact(p);
            if (!p)
                break;
            pkts[i] = p;
        }
        if (UNLIKELY(!tx_has_room(tx, p))) {
            /* A virtual device sends while it is told, and has room then. */
            if (tx->next != told)
                tx_tell(v);
            told = tx->next;
            vmxnet3_tx_reclaim(nic);
            if (nic->dead || !tx_has_room(tx, p))
                break;
        }
        bytes += p->total_bytes;
        tx_put_packet(tx, p);
    }
    nic->counters.tx_packets += i;
    nic->counters.tx_bytes += bytes;
    nic->counters.tx_full += n - i;
    if (tx->next != told && LIKELY(!nic->dead))
        tx_tell(v);
    return i;
}

void vmxnet3_tx_release(struct vmxnet3 *v)
{
    struct vmxnet3_tx *tx = &v->tx;

    for (; tx->clean != tx->next; tx->clean++) {
        struct pkt **slot = &tx->slots[tx->clean & RING_MASK];
        if (*slot)
            pkt_free(*slot);
        *slot = NULL;
    }
}

int vmxnet3_tx_init(struct vmxnet3 *v, const struct nic_limits *limits)
{
    struct vmxnet3_tx *tx = &v->tx;
    struct vmxnet3_tx_queue *queue = &v->queues->tx;
    uint32_t buffers = limits->tx_buffers_max;

    tx->desc = mem_alloc(VMXNET3_RING * sizeof(*tx->desc), RING_ALIGN);
    tx->done = mem_alloc(VMXNET3_RING * sizeof(*tx->done), RING_ALIGN);
    tx->slots = mem_alloc(VMXNET3_RING * sizeof(struct pkt *), CACHE_LINE_BYTES);
    tx->headers = mem_alloc(VMXNET3_RING * sizeof(*tx->headers), CACHE_LINE_BYTES);
    if (!tx->desc || !tx->done || !tx->slots || !tx->headers)
        return -ENOMEM;
    if (buffers == 0)
        buffers = MIN(2 * limits->rx_buffers_max, limits->pool->count / 3);
    tx->room = (uint16_t)MIN(MAX(buffers, (uint32_t)NIC_TX_BUFFERS_MIN), RING_MASK);
    queue->ring = (uintptr_t)tx->desc;
    queue->ring_count = VMXNET3_RING;
    queue->completions = (uintptr_t)tx->done;
    queue->completions_count = VMXNET3_RING;
    queue->interrupt = v->tx_interrupt;
    return 0;
}
