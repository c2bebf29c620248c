/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Receiving from an 8254x (317453, section 3.2) or a younger chip.
 */
#include "drivers/igb.h"

#include "mem.h"

#define RING_MASK  (E1000_RING - 1u)
#define TELL_EVERY 32 /* buffers */

static inline uint64_t written_at(const struct e1000_rx *rx, uint16_t at)
{
    uint64_t written = *(const volatile uint64_t *)&rx->desc[at & RING_MASK].written;

    return rx->advanced ? igb_rx_written(written) : written;
}

bool e1000_rx_pending(const struct e1000 *e)
{
    const struct e1000_rx *rx = &e->rx;
    bool short_of_buffers = (uint16_t)(rx->filled - rx->next) < rx->posted_max;

    return (rx->next != rx->filled && (written_at(rx, rx->next) & E1000_RXD_DD)) ||
           (short_of_buffers && e->nic.pool->free_count > 0);
}

/* Posts fresh buffers, without telling the device. */
static void rx_fill(struct e1000 *e)
{
    struct e1000_rx *rx = &e->rx;
    unsigned missing = rx->posted_max - (unsigned)(uint16_t)(rx->filled - rx->next);

    for (; missing > 0; missing--) {
        struct pkt *p = pkt_alloc(e->nic.pool);
        if (UNLIKELY(!p)) {
            e->nic.counters.rx_no_buffer++;
            return;
        }
        struct e1000_rx_desc *d = &rx->desc[rx->filled & RING_MASK];
        d->address = (uintptr_t)p->data;
        d->written = 0;
        rx->slots[rx->filled++ & RING_MASK] = p;
    }
}

static void rx_tell(struct e1000 *e)
{
    e->rx.told = e->rx.filled;
    e1000_write(e, e->kind->rx_queue + E1000_QUEUE_TAIL, e->rx.filled & RING_MASK);
    e->nic.counters.rx_doorbells++;
}

/* The buffer of the next descriptor, which is done, made a packet; NULL: nonsense, the port is
 * down.
 */
static inline struct pkt *rx_take(struct e1000 *e, uint64_t written)
{
    struct e1000_rx *rx = &e->rx;
    unsigned at = rx->next++ & RING_MASK;
    struct pkt *p = rx->slots[at];
    uint32_t len = written & E1000_RXD_LENGTH_MASK;

    rx->slots[at] = NULL;
    pkt_reset(p);
    if (UNLIKELY(len > E1000_RX_BUFFER_BYTES)) {
        pkt_free(p);
        e1000_die(e, "a receive length over the buffer");
        return NULL;
    }
    __builtin_prefetch(p->data);
    p->len = len;
    p->total_bytes = len;
    /* A checksum that was found wrong is for the receiver to judge, not for a switch. */
    if ((written & (E1000_RXD_IXSM | E1000_RXD_TCPCS | E1000_RXD_ERR_TCPE)) == E1000_RXD_TCPCS &&
        (written & E1000_RXD_EOP))
        p->flags = PKT_CSUM_VALID;
    return p;
}

unsigned e1000_rx_batch(struct nic *nic, struct pkt **out, unsigned max)
{
    struct e1000 *e = e1000_of(nic);
    struct e1000_rx *rx = &e->rx;
    unsigned n = 0;
    uint64_t bytes = 0;

    while (n < max && rx->next != rx->filled) {
        uint64_t written = written_at(rx, rx->next);
        if (!(written & E1000_RXD_DD))
            break;
        struct pkt *p = rx_take(e, written);
        if (UNLIKELY(!p))
            break;
        if (UNLIKELY((written & (E1000_RXD_EOP | E1000_RXD_ERR_FRAME)) != E1000_RXD_EOP ||
                     nic_is_gathering(&rx->gather) || p->len == 0))
            p = nic_gather(nic, &rx->gather, p, written & E1000_RXD_ERR_FRAME,
                           written & E1000_RXD_EOP);
        if (LIKELY(p != NULL)) {
            bytes += p->total_bytes;
            out[n++] = p;
        }
    }
    nic->counters.rx_packets += n;
    nic->counters.rx_bytes += bytes;
    if (UNLIKELY(nic->dead != NULL))
        return n;
    if ((uint16_t)(rx->filled - rx->next) < rx->posted_max)
        rx_fill(e);
    /* At once when the device has few left: it may be waiting for them. */
    unsigned untold = (uint16_t)(rx->filled - rx->told), known = (uint16_t)(rx->told - rx->next);
    if (untold >= TELL_EVERY || (untold > 0 && known < rx->posted_max / 2u))
        rx_tell(e);
    return n;
}

void e1000_rx_start(struct e1000 *e)
{
    rx_fill(e);
    rx_tell(e);
}

void e1000_rx_release(struct e1000 *e)
{
    struct e1000_rx *rx = &e->rx;

    for (unsigned i = 0; i < E1000_RING; i++) {
        if (!rx->slots[i])
            continue;
        pkt_reset(rx->slots[i]);
        pkt_free(rx->slots[i]);
        rx->slots[i] = NULL;
    }
    nic_gather_drop(&rx->gather);
}

int e1000_rx_init(struct e1000 *e, const struct nic_limits *limits)
{
    struct e1000_rx *rx = &e->rx;

    rx->desc = mem_alloc(E1000_RING * sizeof(*rx->desc), 128);
    rx->slots = mem_alloc(E1000_RING * sizeof(struct pkt *), CACHE_LINE_BYTES);
    if (!rx->desc || !rx->slots)
        return -ENOMEM;
    rx->posted_max = (uint16_t)MIN(MAX(limits->rx_buffers_max, NIC_RX_BUFFERS_MIN), RING_MASK);
    rx->advanced = e->kind->advanced;
    e1000_set_ring(e, e->kind->rx_queue, rx->desc);
    return 0;
}
