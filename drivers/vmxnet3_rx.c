/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Receiving from a vmxnet3.
 */
#include "drivers/vmxnet3.h"

#include "mem.h"

#define RING_MASK  (VMXNET3_RING - 1u)
#define DONE       (2 * VMXNET3_RING) /* completions: of both rings */
#define TELL_EVERY 16                 /* buffers */
#define BODY_SHARE 4                  /* one buffer in so many is for long frames' rest */
#define RING_ALIGN 512
static_assert(VMXNET3_RX_BUFFER_BYTES < 1 << 14, "as many bits as a length has");

static inline unsigned posted(const struct vmxnet3_rx_ring *ring)
{
    return (uint16_t)(ring->filled - ring->next);
}

static inline bool lacks_buffers(const struct vmxnet3_rx *rx)
{
    return posted(&rx->rings[0]) < rx->rings[0].posted_max ||
           posted(&rx->rings[1]) < rx->rings[1].posted_max;
}

bool vmxnet3_rx_pending(const struct vmxnet3 *v)
{
    return vmxnet3_is_done(v->rx.done, v->rx.done_next, DONE) ||
           (lacks_buffers(&v->rx) && v->nic.pool->free_count > 0);
}

static bool fill_ring(struct vmxnet3 *v, struct vmxnet3_rx_ring *ring)
{
    for (unsigned missing = ring->posted_max - posted(ring); missing > 0; missing--) {
        struct pkt *p = pkt_alloc(v->nic.pool);
        if (UNLIKELY(!p)) {
            v->nic.counters.rx_no_buffer++;
            return false;
        }
        struct vmxnet3_rx_desc *d = &ring->desc[ring->filled & RING_MASK];
        ring->slots[ring->filled & RING_MASK] = p;
        d->address = (uintptr_t)p->data;
        io_order();
        *(volatile uint32_t *)&d->length =
            VMXNET3_RX_BUFFER_BYTES | ring->type |
            vmxnet3_generation(ring->filled, VMXNET3_RING, VMXNET3_RXD_GEN);
        ring->filled++;
    }
    return true;
}

void vmxnet3_rx_fill(struct vmxnet3 *v)
{
    if (fill_ring(v, &v->rx.rings[0]))
        fill_ring(v, &v->rx.rings[1]);
}

static void tell_ring(struct vmxnet3 *v, struct vmxnet3_rx_ring *ring, unsigned reg)
{
    ring->told = ring->filled;
    io_order();
    write32(v->bar0 + reg, ring->filled & RING_MASK);
    v->nic.counters.rx_doorbells++;
}

void vmxnet3_rx_tell(struct vmxnet3 *v)
{
    tell_ring(v, &v->rx.rings[0], VMXNET3_RXPROD);
    tell_ring(v, &v->rx.rings[1], VMXNET3_RXPROD2);
}

/* At once when the device has few left: it may be waiting for them. */
static bool is_worth_telling(const struct vmxnet3_rx_ring *ring)
{
    unsigned untold = (uint16_t)(ring->filled - ring->told);
    unsigned known = (uint16_t)(ring->told - ring->next);

    return untold >= TELL_EVERY || (untold > 0 && known < ring->posted_max / 2u);
}

static void free_slot(struct vmxnet3_rx_ring *ring, unsigned at)
{
    struct pkt *p = ring->slots[at];

    ring->slots[at] = NULL;
    pkt_reset(p);
    pkt_free(p);
}

/* The buffer of a completion, made a packet; NULL: nonsense, the port is down. */
static inline struct pkt *rx_take(struct vmxnet3 *v, uint32_t index, uint32_t len)
{
    unsigned number = VMXNET3_RCD_RING(index);
    if (UNLIKELY(number > 1 || len > VMXNET3_RX_BUFFER_BYTES)) {
        vmxnet3_die(v, number > 1 ? "a buffer of no ring" : "a receive length over the buffer");
        return NULL;
    }
    struct vmxnet3_rx_ring *ring = &v->rx.rings[number];
    unsigned at = VMXNET3_CD_INDEX(index), skipped = (at - ring->next) & RING_MASK;
    if (UNLIKELY(at > RING_MASK || skipped >= posted(ring))) {
        vmxnet3_die(v, "a buffer it was not given");
        return NULL;
    }
    for (; UNLIKELY(skipped > 0); skipped--)
        free_slot(ring, ring->next++ & RING_MASK);
    ring->next++;
    struct pkt *p = ring->slots[at];
    ring->slots[at] = NULL;
    pkt_reset(p);
    __builtin_prefetch(p->data);
    p->len = len;
    p->total_bytes = len;
    return p;
}

/* A beginning where none may be ends what there was, which had no end. */
static struct pkt *rx_gather(struct vmxnet3 *v, struct pkt *p, uint32_t index, bool bad)
{
    struct nic_gather *gather = &v->rx.gather;
    bool begins = index & VMXNET3_RCD_SOP;

    if (begins && nic_is_gathering(gather)) {
        nic_gather_drop(gather);
        gather->spoilt = false;
        v->nic.counters.rx_bad++;
    }
    bad |= !begins && !nic_is_gathering(gather);
    return nic_gather(&v->nic, gather, p, bad, index & VMXNET3_RCD_EOP);
}

unsigned vmxnet3_rx_batch(struct nic *nic, struct pkt **out, unsigned max)
{
    struct vmxnet3 *v = vmxnet3_of(nic);
    struct vmxnet3_rx *rx = &v->rx;
    unsigned n = 0;
    uint64_t bytes = 0;

    while (n < max && vmxnet3_is_done(rx->done, rx->done_next, DONE)) {
        const volatile struct vmxnet3_completion *done = &rx->done[rx->done_next++ & (DONE - 1)];
        uint32_t index = done->index, length = done->length;
        struct pkt *p = rx_take(v, index, VMXNET3_RCD_LEN(length));
        if (UNLIKELY(!p))
            break;
        if (UNLIKELY((index & (VMXNET3_RCD_SOP | VMXNET3_RCD_EOP)) !=
                         (VMXNET3_RCD_SOP | VMXNET3_RCD_EOP) ||
                     (length & VMXNET3_RCD_ERR) || nic_is_gathering(&rx->gather) || p->len == 0))
            p = rx_gather(v, p, index, length & VMXNET3_RCD_ERR);
        if (LIKELY(p != NULL)) {
            bytes += p->total_bytes;
            out[n++] = p;
        }
    }
    nic->counters.rx_packets += n;
    nic->counters.rx_bytes += bytes;
    if (UNLIKELY(nic->dead != NULL) || !lacks_buffers(rx))
        return n;
    vmxnet3_rx_fill(v);
    if (UNLIKELY(*(volatile uint8_t *)&v->queues->rx.wants_rxprod) &&
        (is_worth_telling(&rx->rings[0]) || is_worth_telling(&rx->rings[1])))
        vmxnet3_rx_tell(v);
    return n;
}

void vmxnet3_rx_release(struct vmxnet3 *v)
{
    for (unsigned r = 0; r < 2; r++)
        for (struct vmxnet3_rx_ring *ring = &v->rx.rings[r]; ring->next != ring->filled;)
            free_slot(ring, ring->next++ & RING_MASK);
    nic_gather_drop(&v->rx.gather);
}

int vmxnet3_rx_init(struct vmxnet3 *v, const struct nic_limits *limits)
{
    struct vmxnet3_rx *rx = &v->rx;
    struct vmxnet3_rx_queue *queue = &v->queues->rx;
    uint32_t buffers = MIN(MAX(limits->rx_buffers_max, (uint32_t)NIC_RX_BUFFERS_MIN), RING_MASK);

    rx->done = mem_alloc(DONE * sizeof(*rx->done), RING_ALIGN);
    if (!rx->done)
        return -ENOMEM;
    queue->completions = (uintptr_t)rx->done;
    queue->completions_count = DONE;
    for (unsigned r = 0; r < 2; r++) {
        struct vmxnet3_rx_ring *ring = &rx->rings[r];
        uint32_t bodies = buffers / BODY_SHARE;
        ring->desc = mem_alloc(VMXNET3_RING * sizeof(*ring->desc), RING_ALIGN);
        ring->slots = mem_alloc(VMXNET3_RING * sizeof(struct pkt *), CACHE_LINE_BYTES);
        if (!ring->desc || !ring->slots)
            return -ENOMEM;
        ring->type = r == 0 ? 0 : VMXNET3_RXD_BODY;
        ring->posted_max = (uint16_t)(r == 0 ? buffers - bodies : bodies);
        queue->rings[r] = (uintptr_t)ring->desc;
        queue->ring_counts[r] = VMXNET3_RING;
    }
    return 0;
}
