/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sending through an 8254x (317453, sections 3.3 to 3.5) or a younger chip.
 */
#include "drivers/igb.h"

#include "mem.h"

#define RING_MASK    (E1000_RING - 1u)
#define REPORT_EVERY 32 /* descriptors */

/* What the driver must know of headers to change a super-packet's. */
#define ETH_TYPE_AT      12
#define ETH_TAGGED_BYTES 18
#define TYPE_VLAN        0x8100
#define TYPE_QINQ        0x88A8
#define TCP_CSUM_AT      16
#define IP4_LENGTH_AT    2
#define IP4_CHECKSUM_AT  10
#define IP6_LENGTH_AT    4
#define DATA_COMMAND     (E1000_TXD_DEXT | E1000_TXD_IFCS)
#define CONTEXT_TO_END   0 /* TUCSE: the sum goes to the end of the packet */
#define CONTEXT_FIELD(n) ((uint64_t)(n)&0xFF)

/* Descriptors that can be filled. */
static inline unsigned tx_free(const struct e1000_tx *tx)
{
    return RING_MASK - (uint16_t)(tx->next - tx->clean);
}

bool e1000_tx_pending(const struct e1000 *e)
{
    const struct e1000_tx *tx = &e->tx;
    uint16_t last = tx->slots[tx->clean & RING_MASK].last;
    const volatile uint32_t *upper = &tx->desc[last & RING_MASK].upper;

    return tx->clean != tx->group && (*upper & E1000_TXD_STATUS_DD);
}

/* Takes back one group, which has been sent. */
static void tx_reap_group(struct e1000_tx *tx)
{
    uint16_t last = tx->slots[tx->clean & RING_MASK].last;

    for (uint16_t end = (uint16_t)(last + 1); tx->clean != end; tx->clean++) {
        struct e1000_tx_slot *slot = &tx->slots[tx->clean & RING_MASK];
        if (!slot->pkt)
            continue;
        tx->room = (uint16_t)(tx->room + slot->pkt->segs);
        pkt_free(slot->pkt);
        slot->pkt = NULL;
    }
}

void e1000_tx_reclaim(struct nic *nic)
{
    struct e1000 *e = e1000_of(nic);

    while (e1000_tx_pending(e))
        tx_reap_group(&e->tx);
}

/* Ends the group: its last descriptor will be reported. */
static void tx_report(struct e1000_tx *tx)
{
    uint16_t last = (uint16_t)(tx->next - 1);

    if (tx->group == tx->next)
        return;
    tx->desc[last & RING_MASK].cmd |= E1000_TXD_RS;
    tx->slots[tx->group & RING_MASK].last = last;
    tx->group = tx->next;
}

static inline void tx_put(struct e1000_tx *tx, struct e1000_tx_desc d)
{
    tx->desc[tx->next++ & RING_MASK] = d;
}

static unsigned network_header_at(const uint8_t *frame)
{
    uint16_t type = load_be16(frame + ETH_TYPE_AT);

    return type == TYPE_VLAN || type == TYPE_QINQ ? ETH_TAGGED_BYTES : ETH_TYPE_AT + 2;
}

/* The context for p, whose network header begins at network: of a checksum to complete (a UDP one
 * of 0 becomes FFFF), or of a super-packet. */
static struct e1000_tx_desc tx_context(const struct pkt *p, unsigned network)
{
    uint64_t start = p->csum_start, at = (uint64_t)p->csum_start + p->csum_offset;
    struct e1000_tx_desc d = {.low = start << 32 | at << 40 | (uint64_t)CONTEXT_TO_END << 48,
                              .cmd = E1000_TXD_DEXT};

    CHECK(at < NIC_NEAR_BYTES);
    if (p->csum_offset == TCP_CSUM_AT)
        d.cmd |= E1000_TXD_CTX_TCP;
    if (p->gso_size == 0)
        return d;
    d.cmd |= E1000_TXD_TSE | (p->total_bytes - p->hdr_len);
    d.upper = E1000_TXD_HDRLEN(p->hdr_len) | E1000_TXD_MSS(p->gso_size);
    if (p->gso_type == PKT_GSO_TCP4) {
        d.cmd |= E1000_TXD_CTX_IP4;
        d.low |= CONTEXT_FIELD(network) | CONTEXT_FIELD(network + IP4_CHECKSUM_AT) << 8 |
                 (start - 1) << 16;
    }
    return d;
}

static void tx_put_context(struct e1000 *e, const struct pkt *p)
{
    unsigned network = network_header_at(p->data);

    tx_put(&e->tx, e->kind->advanced ? igb_tx_context(p, network) : tx_context(p, network));
}

static void tx_put_csum_context(struct e1000 *e, const struct pkt *p)
{
    struct e1000_tx *tx = &e->tx;

    if (tx->csum_start == p->csum_start && tx->csum_offset == p->csum_offset)
        return;
    tx->csum_start = p->csum_start;
    tx->csum_offset = p->csum_offset;
    tx_put_context(e, p);
}

/* Writes the lengths out of a super-packet's headers: the device puts those of each segment in, and
 * adds them to the sum (section 3.5.3). */
static void clear_lengths(const struct pkt *p, uint8_t *frame, unsigned network)
{
    uint8_t *csum = frame + p->csum_start + p->csum_offset;

    if (p->gso_type == PKT_GSO_TCP4) {
        store_be16(frame + network + IP4_LENGTH_AT, 0);
        store_be16(frame + network + IP4_CHECKSUM_AT, 0);
    } else {
        store_be16(frame + network + IP6_LENGTH_AT, 0);
    }
    store_be16(csum, nic_sum_without(load_be16(csum), (uint16_t)(p->total_bytes - p->csum_start)));
}

/* The context and the headers of a super-packet; returns the bytes of the head that are in the
 * copy, which are some of the payload, too, for there are chips that want it so. */
static unsigned tx_put_segment_head(struct e1000 *e, const struct pkt *p, uint32_t cmd,
                                    uint32_t options)
{
    struct e1000_tx *tx = &e->tx;
    uint8_t *copy = tx->headers[tx->next & RING_MASK];
    unsigned bytes = MIN(p->len, (uint32_t)E1000_TX_HEADER_BYTES);
    unsigned network = network_header_at(p->data);

    CHECK(p->hdr_len <= bytes && network + IP4_CHECKSUM_AT + 2 <= bytes);
    memcpy(copy, p->data, bytes);
    clear_lengths(p, copy, network);
    tx_put_context(e, p);
    tx_put(tx, (struct e1000_tx_desc){(uintptr_t)copy, cmd | bytes, options});
    return bytes;
}

/* p fits. */
static void tx_put_packet(struct e1000 *e, struct pkt *p)
{
    struct e1000_tx *tx = &e->tx;
    uint32_t cmd = tx->data, options = 0;
    unsigned done = 0; /* bytes of the head that have a descriptor */

    if (e->kind->advanced)
        options = IGB_TXD_PAYLEN(p->total_bytes);
    if (UNLIKELY(p->gso_size != 0)) {
        cmd = tx->segment;
        options = E1000_TXD_TXSM | (p->gso_type == PKT_GSO_TCP4 ? E1000_TXD_IXSM : 0);
        if (e->kind->advanced)
            options |= IGB_TXD_PAYLEN(p->total_bytes - p->hdr_len) | IGB_TXD_CONTEXT_1;
        done = tx_put_segment_head(e, p, cmd, options);
    } else if (p->flags & PKT_NEEDS_CSUM) {
        options |= E1000_TXD_TXSM;
        tx_put_csum_context(e, p);
    }
    for (const struct pkt *s = p; s; s = s->next) {
        if (LIKELY(s->len > done))
            tx_put(tx, (struct e1000_tx_desc){(uintptr_t)s->data + done, cmd | (s->len - done),
                                              options});
        done = 0;
    }
    uint16_t last = (uint16_t)(tx->next - 1);
    tx->desc[last & RING_MASK].cmd |= E1000_TXD_EOP;
    tx->slots[last & RING_MASK].pkt = p;
    tx->room = (uint16_t)(tx->room - p->segs);
    if ((uint16_t)(tx->next - tx->group) >= REPORT_EVERY)
        tx_report(tx);
}

/* Tells the device of all there is to send. */
static void tx_tell(struct e1000 *e)
{
    tx_report(&e->tx);
    e1000_write(e, e->kind->tx_queue + E1000_QUEUE_TAIL, e->tx.next & RING_MASK);
    e->nic.counters.tx_doorbells++;
}

unsigned e1000_tx_batch(struct nic *nic, struct pkt **pkts, unsigned n)
{
    struct e1000 *e = e1000_of(nic);
    struct e1000_tx *tx = &e->tx;
    uint16_t told = tx->next;
    uint64_t bytes = 0;
    unsigned i;

    for (i = 0; i < n; i++) {
        struct pkt *p = pkts[i];
        unsigned needed = p->segs + 2u; /* a context, and a super-packet's headers */
        if (UNLIKELY(tx_free(tx) < needed || tx->room < p->segs)) {
            /* A virtual device sends while it is told, and has room then. */
            if (tx->next != told)
                tx_tell(e);
            told = tx->next;
            e1000_tx_reclaim(nic);
            if (tx_free(tx) < needed || tx->room < p->segs)
                break;
        }
        bytes += p->total_bytes;
        tx_put_packet(e, p);
    }
    nic->counters.tx_packets += i;
    nic->counters.tx_bytes += bytes;
    nic->counters.tx_full += n - i;
    if (tx->next != told)
        tx_tell(e);
    return i;
}

void e1000_tx_release(struct e1000 *e)
{
    struct e1000_tx *tx = &e->tx;

    for (unsigned i = 0; i < E1000_RING; i++) {
        if (tx->slots[i].pkt)
            pkt_free(tx->slots[i].pkt);
        tx->slots[i].pkt = NULL;
    }
    tx->clean = tx->group = tx->next;
}

int e1000_tx_init(struct e1000 *e, const struct nic_limits *limits)
{
    struct e1000_tx *tx = &e->tx;
    uint32_t buffers = limits->tx_buffers_max;

    tx->desc = mem_alloc(E1000_RING * sizeof(*tx->desc), 128);
    tx->slots = mem_alloc(E1000_RING * sizeof(*tx->slots), CACHE_LINE_BYTES);
    tx->headers = mem_alloc(E1000_RING * sizeof(*tx->headers), CACHE_LINE_BYTES);
    if (!tx->desc || !tx->slots || !tx->headers)
        return -ENOMEM;
    if (buffers == 0)
        buffers = MIN(2 * limits->rx_buffers_max, limits->pool->count / 3);
    tx->room = (uint16_t)MIN(MAX(buffers, NIC_TX_BUFFERS_MIN), RING_MASK);
    tx->data = DATA_COMMAND | (e->kind->advanced ? IGB_TXD_DATA : E1000_TXD_DATA);
    tx->segment = tx->data | (e->kind->advanced ? IGB_TXD_TSE : E1000_TXD_TSE);
    e1000_set_ring(e, e->kind->tx_queue, tx->desc);
    return 0;
}
