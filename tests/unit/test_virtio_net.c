/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drivers/virtio_net*.c and drivers/virtio_ring.h against a well-behaved device in software: random
 * traffic both ways over many sets of features, in steps of random order, with these properties
 * checked after every step:
 *   - frames arrive complete, in order and with their metadata, both ways; shared packets are not
 * written;
 *   - what the device sleeps on, the driver tells it of (no lost doorbell), and what the driver
 * sleeps on raises an interrupt (no lost wake-up);
 *   - no buffer is lost, whatever state the port is stopped in.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/virtio_net.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_virtio_mmio.h"

#include <stdlib.h>

#define POOL_COUNT 300
#define BURST      32
#define EXPECT_MAX 2048
#define HELD_MAX   64

static const struct row {
    int id;
    uint64_t offered;
    uint16_t queue_size;
    bool legacy;
    uint32_t rx_max, tx_max;
    unsigned steps;
} rows[] = {
    {1, F_ALL | F_V1 | F_TABLES | F_NOT_OURS, 256, false, 100, 100, 3000},
    {2, (F_ALL & ~F_MRG) | F_V1, 256, false, 100, 100, 3000},
    {3, (F_ALL & ~F_IDX) | F_V1, 256, false, 100, 100, 3000},
    {4, (F_ALL & ~F_RX) | F_V1, 128, false, 128, 128, 2000},
    {5, (F_ALL & ~F_TX) | F_V1, 128, false, 128, 128, 2000},
    {6, F_V1, 64, false, 64, 64, 2000},
    {7, F_ALL | F_LAYOUT, 256, true, 100, 100, 3000},
    {8, (F_ALL & ~F_MRG) | F_LAYOUT, 256, true, 100, 100, 3000},
    {9, F_ALL, 256, true, 100, 100, 2000},
    {10, F_ALL & ~F_MRG, 256, true, 100, 100, 3000},
    {11, 0, 64, true, 64, 64, 2000},
    {12, (F_ALL & ~VIRTIO_NET_F_GUEST_TSO4) | F_V1, 256, false, 40, 40, 2000},
    {13, F_ALL | F_V1, 32, false, 0, 0, 2000},
    {14, F_ALL | F_V1, 1024, false, 250, 250, 2000},
    {15, F_ALL | F_V1 | F_TABLES, 32, false, 40, 150, 3000},
    {16, F_ALL | F_LAYOUT | F_TABLES, 64, true, 60, 0, 3000},
    {17, F_ALL | F_TABLES, 64, true, 60, 60, 2000},          /* the header apart, in the table */
    {18, F_ALL | F_V1 | F_TABLES, 16, false, 16, 100, 2000}, /* too small for tables */
};

struct expectation {
    uint32_t seed;
    struct pkt *shared; /* a second owner's packet, to compare after sending */
};

static struct rig {
    struct fake_virtio device;
    struct virtio_net *vn;
    struct nic *nic;
    struct pkt_pool pool;
    const struct row *row;
    struct expectation rx[EXPECT_MAX], tx[EXPECT_MAX]; /* free-running indices */
    unsigned rx_head, rx_tail, tx_head, tx_tail;
    uint16_t done[EXPECT_MAX]; /* heads taken by the device and not handed back */
    unsigned done_count;
    uint16_t free_count, room; /* of an idle transmit ring */
    struct pkt *held[HELD_MAX];
    unsigned held_count;
    uint64_t moved;
    uint16_t starved_at; /* avail index when the device found no buffer */
    bool starved;
} rig;

/* The same rows are run with the device behind registers in memory. */
static struct fake_vmmio registers;
static bool by_registers;

static struct fake_frame frame, sent;
static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(seed >> 4) * below) >> 28);
}

static bool has(uint64_t feature)
{
    return (rig.device.accepted & feature) == feature;
}

/* A frame that depends on its seed only: what is received, and what is sent. */
static void make_frame(struct fake_frame *f, uint32_t frame_seed, bool receive)
{
    uint32_t keep = seed;
    bool csum = has(receive ? VIRTIO_NET_F_GUEST_CSUM : VIRTIO_NET_F_CSUM);
    uint64_t tso4 = receive ? VIRTIO_NET_F_GUEST_TSO4 : VIRTIO_NET_F_HOST_TSO4;
    uint64_t tso6 = receive ? VIRTIO_NET_F_GUEST_TSO6 : VIRTIO_NET_F_HOST_TSO6;
    uint64_t ecn = receive ? VIRTIO_NET_F_GUEST_ECN : VIRTIO_NET_F_HOST_ECN;

    seed = frame_seed;
    f->hdr = (struct virtio_net_hdr){0};
    f->bytes = 14 + rnd(1501);
    unsigned kind = rnd(10);
    if (kind >= 6 && csum && f->bytes >= 60) {
        f->hdr.flags = VIRTIO_NET_HDR_NEEDS_CSUM;
        f->hdr.csum_start = (uint16_t)(14 + rnd(30));
        f->hdr.csum_offset = (uint16_t)rnd(14);
    } else if (kind == 5 && csum && receive) {
        f->hdr.flags = VIRTIO_NET_HDR_DATA_VALID;
    }
    if (kind == 9 && (f->hdr.flags & VIRTIO_NET_HDR_NEEDS_CSUM) && has(rnd(2) ? tso4 : tso6)) {
        f->bytes = rnd(3) ? 1515 + rnd(20000) : 60000 + rnd(PKT_MAX_BYTES - 60000 + 1);
        f->hdr.gso_type = has(tso4) ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
        if (has(ecn) && rnd(4) == 0)
            f->hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
        f->hdr.gso_size = (uint16_t)(500 + rnd(1000));
        f->hdr.hdr_len = 54;
    }
    uint32_t word = frame_seed;
    for (size_t i = 0; i < f->bytes; i++) {
        word = word * 747796405u + 2891336453u;
        f->data[i] = (uint8_t)(word >> 24);
    }
    seed = keep;
}

static void assert_meta(const struct pkt *p, const struct virtio_net_hdr *h)
{
    assert_int_equal(p->flags & PKT_NEEDS_CSUM ? VIRTIO_NET_HDR_NEEDS_CSUM : 0,
                     h->flags & VIRTIO_NET_HDR_NEEDS_CSUM);
    if (h->flags & VIRTIO_NET_HDR_NEEDS_CSUM) {
        assert_int_equal(p->csum_start, h->csum_start);
        assert_int_equal(p->csum_offset, h->csum_offset);
    }
    assert_int_equal(p->flags & PKT_CSUM_VALID ? 1 : 0,
                     h->flags & VIRTIO_NET_HDR_DATA_VALID ? 1 : 0);
    assert_int_equal(p->gso_size, h->gso_size);
    if (h->gso_size) {
        unsigned type = h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
        assert_int_equal(p->gso_type, type == VIRTIO_NET_HDR_GSO_TCPV4   ? PKT_GSO_TCP4
                                      : type == VIRTIO_NET_HDR_GSO_TCPV6 ? PKT_GSO_TCP6
                                                                         : 99);
        assert_int_equal(p->gso_ecn, h->gso_type & VIRTIO_NET_HDR_GSO_ECN ? 1 : 0);
        assert_int_equal(p->hdr_len, h->hdr_len);
    } else {
        assert_int_equal(p->gso_type, PKT_GSO_NONE);
    }
}

static void assert_frame_is(const struct pkt *p, const struct fake_frame *f)
{
    unsigned segs = 0;
    size_t at = 0;

    assert_int_equal(p->total_bytes, f->bytes);
    assert_int_equal(p->refs, 1);
    assert_true(p->len >= MIN(p->total_bytes, 128u));
    for (const struct pkt *s = p; s; s = s->next, segs++) {
        assert_true(pkt_pool_owns(&rig.pool, s));
        assert_true(at + s->len <= f->bytes);
        assert_memory_equal(s->data, f->data + at, s->len);
        at += s->len;
    }
    assert_int_equal(at, f->bytes);
    assert_int_equal(segs, p->segs);
    assert_meta(p, &f->hdr);
}

/* ---- steps ---- */

static void device_receives(void)
{
    struct fake_queue *q = &rig.device.q[VIRTIO_NET_QUEUE_RX];

    for (unsigned n = 1 + rnd(20); n > 0 && rig.rx_tail - rig.rx_head < EXPECT_MAX; n--) {
        uint32_t s = rnd(UINT32_MAX >> 4);
        make_frame(&frame, s, true);
        if (!fake_virtio_receive(&rig.device, &frame)) {
            rig.starved = true;
            rig.starved_at = q->avail->idx;
            return;
        }
        rig.starved = false;
        rig.rx[rig.rx_tail++ % EXPECT_MAX].seed = s;
    }
}

static void driver_receives(void)
{
    struct pkt *out[BURST];
    unsigned n = rig.nic->ops->rx_batch(rig.nic, out, 1 + rnd(BURST));

    for (unsigned i = 0; i < n; i++) {
        assert_true(rig.rx_head != rig.rx_tail);
        make_frame(&frame, rig.rx[rig.rx_head++ % EXPECT_MAX].seed, true);
        assert_frame_is(out[i], &frame);
        if (rig.held_count < HELD_MAX && rnd(4) == 0)
            rig.held[rig.held_count++] = out[i];
        else
            pkt_free(out[i]);
    }
    rig.moved += n;
}

static void let_go_of_held(void)
{
    while (rig.held_count > 0 && rnd(8) != 0)
        pkt_free(rig.held[--rig.held_count]);
}

/* The packet of a frame in segments of odd sizes, with more or less headroom, or NULL. */
static struct pkt *build(const struct fake_frame *f)
{
    struct pkt *p = pkt_alloc(&rig.pool), *tail = p;
    size_t at = 0;

    if (!p)
        return NULL;
    if (rnd(4) == 0)
        p->data -= rnd(PKT_HEADROOM_BYTES + 1);
    bool odd = rnd(4) == 0 && f->bytes < 5000;
    while (at < f->bytes) {
        size_t part = MIN(pkt_tailroom(tail), f->bytes - at);
        size_t less = rnd(1000); /* 0 sometimes */
        if (odd)
            part = MIN(part, less);
        memcpy(tail->data, f->data + at, part);
        tail->len = (uint32_t)part;
        at += part;
        if (at == f->bytes)
            break;
        if (p->segs == PKT_MAX_SEGS || (tail->next = pkt_alloc(&rig.pool)) == NULL) {
            pkt_free(p);
            return NULL;
        }
        tail = tail->next;
        p->segs++;
    }
    p->total_bytes = (uint32_t)f->bytes;
    if (f->hdr.flags & VIRTIO_NET_HDR_NEEDS_CSUM)
        p->flags = PKT_NEEDS_CSUM;
    else if (rnd(2))
        p->flags = PKT_CSUM_VALID; /* as received; means nothing to a device */
    p->csum_start = f->hdr.csum_start;
    p->csum_offset = f->hdr.csum_offset;
    p->hdr_len = (uint16_t)rnd(65536); /* only super-packets have one */
    if (f->hdr.gso_size) {
        p->gso_size = f->hdr.gso_size;
        p->gso_type = (f->hdr.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_TCPV4
                          ? PKT_GSO_TCP4
                          : PKT_GSO_TCP6;
        p->gso_ecn = f->hdr.gso_type & VIRTIO_NET_HDR_GSO_ECN ? 1 : 0;
        p->hdr_len = f->hdr.hdr_len;
    }
    return p;
}

static void driver_sends(void)
{
    struct pkt *burst[BURST];
    struct expectation e[BURST];
    unsigned n = 0, max = 1 + rnd(BURST);

    if (rig.tx_tail - rig.tx_head + max > EXPECT_MAX)
        return;
    while (n < max) {
        e[n].seed = rnd(UINT32_MAX >> 4);
        e[n].shared = NULL;
        make_frame(&frame, e[n].seed, false);
        burst[n] = build(&frame);
        if (!burst[n])
            break;
        if (rnd(4) == 0) {
            pkt_ref(burst[n]);
            e[n].shared = burst[n];
            memset(pkt_buf_start(burst[n]), 0xC5, pkt_headroom(burst[n]));
        }
        n++;
    }
    unsigned taken = rig.nic->ops->tx_batch(rig.nic, burst, n);
    assert_true(taken <= n);
    for (unsigned i = 0; i < n; i++) {
        if (i < taken) {
            rig.tx[rig.tx_tail++ % EXPECT_MAX] = e[i];
            continue;
        }
        pkt_free(burst[i]);
        if (e[i].shared)
            pkt_free(burst[i]);
    }
    rig.moved += taken;
}

static void device_sends(void)
{
    uint16_t head;

    for (unsigned n = 1 + rnd(40); n > 0; n--) {
        if (!fake_virtio_transmit(&rig.device, &sent, &head))
            break;
        assert_true(rig.tx_head != rig.tx_tail);
        struct expectation *e = &rig.tx[rig.tx_head++ % EXPECT_MAX];
        make_frame(&frame, e->seed, false);
        assert_int_equal(sent.bytes, frame.bytes);
        assert_memory_equal(sent.data, frame.data, frame.bytes);
        assert_memory_equal(&sent.hdr, &frame.hdr, sizeof(sent.hdr));
        if (e->shared) {
            for (const uint8_t *b = pkt_buf_start(e->shared); b < e->shared->data; b++)
                assert_int_equal(*b, 0xC5); /* nothing was written before the data either */
            pkt_free(e->shared);
        }
        rig.done[rig.done_count++] = head;
    }
    /* Hands back what it has sent, some of it, out of order now and then. */
    while (rig.done_count > 0 && rnd(10) != 0) {
        unsigned i = rnd(5) == 0 ? rnd(rig.done_count) : 0;
        fake_virtio_sent(&rig.device, rig.done[i]);
        memmove(&rig.done[i], &rig.done[i + 1], (--rig.done_count - i) * sizeof(rig.done[0]));
    }
}

/* Sleeps as the loop does, lets the device work, and looks whether it would have been woken. */
static void driver_sleeps(void)
{
    struct fake_queue *rx = &rig.device.q[VIRTIO_NET_QUEUE_RX];
    struct fake_queue *tx = &rig.device.q[VIRTIO_NET_QUEUE_TX];

    rig.nic->ops->tx_reclaim(rig.nic);
    if (!rig.nic->ops->irq_arm(rig.nic)) {
        assert_int_equal(virtq_used_count(&rig.vn->rx.q), 0);
        bool tx_matters = rig.vn->tx.irq_armed;
        unsigned rx_before = rx->interrupts, tx_before = tx->interrupts;
        uint16_t rx_at = rx->published, tx_at = tx->published;
        device_receives();
        device_sends();
        if (rx->published != rx_at)
            assert_true(rx->interrupts > rx_before);
        if (tx_matters && tx->published != tx_at)
            assert_true(tx->interrupts > tx_before);
        /* Asleep with a pool that is empty and all of it in flight: the transmit interrupt must be
         * on. */
        if (rig.vn->rx.missing > 0 && rig.vn->tx.q.last_used != rig.vn->tx.q.next_avail)
            assert_true(tx_matters);
    }
    rig.nic->ops->irq_disarm(rig.nic);
    if (rnd(2) == 0) { /* polling: whatever the device does now makes no interrupt */
        unsigned before = rx->interrupts;
        device_receives();
        assert_int_equal(rx->interrupts, before);
    }
}

static void assert_no_lost_doorbell(void)
{
    struct fake_queue *rx = &rig.device.q[VIRTIO_NET_QUEUE_RX];
    struct fake_queue *tx = &rig.device.q[VIRTIO_NET_QUEUE_TX];

    assert_null(rig.device.fault);
    assert_null(rig.nic->dead);
    if (tx->asleep)
        assert_int_equal(fake_virtio_pending(&rig.device, VIRTIO_NET_QUEUE_TX), 0);
    if (rig.starved && rx->asleep)
        assert_int_equal(rx->avail->idx, rig.starved_at);
}

/* ---- rig ---- */

static void start(const struct row *row)
{
    memset(&rig, 0, sizeof(rig));
    rig.row = row;
    fake_log_clear();
    uint8_t *memory = aligned_alloc(CACHE_LINE_BYTES, (size_t)POOL_COUNT * PKT_BUF_BYTES);
    memset(memory, 0xEE, (size_t)POOL_COUNT * PKT_BUF_BYTES);
    pkt_pool_init(&rig.pool, memory, POOL_COUNT);
    fake_virtio_init(&rig.device, row->offered, row->queue_size, row->legacy);
    rig.device.pool = &rig.pool;
    struct nic_limits limits = {
        .pool = &rig.pool, .rx_buffers_max = row->rx_max, .tx_buffers_max = row->tx_max};
    struct virtio_dev *dev = &rig.device.dev;
    rig.nic =
        virtio_net_start(by_registers ? fake_vmmio_front(&registers, &rig.device) : dev, &limits);
    if (rig.nic)
        rig.vn = container_of(rig.nic, struct virtio_net, nic);
    if (rig.vn) {
        rig.free_count = rig.vn->tx.free_count;
        rig.room = rig.vn->tx.room;
    }
}

/* The device sends all there is and hands it back: then the ring is as it was at the start. */
static void drain(void)
{
    while (rig.done_count > 0 || fake_virtio_pending(&rig.device, VIRTIO_NET_QUEUE_TX) > 0)
        device_sends();
    rig.nic->ops->tx_reclaim(rig.nic);
    assert_int_equal(rig.vn->tx.free_count, rig.free_count);
    assert_int_equal(rig.vn->tx.room, rig.room);
}

static void finish(void)
{
    rig.nic->ops->stop(rig.nic);
    assert_int_equal(rig.device.status, 0);
    assert_false(rig.device.dma_allowed);
    virtio_net_rx_release(rig.vn);
    virtio_net_tx_release(rig.vn);
    while (rig.held_count > 0)
        pkt_free(rig.held[--rig.held_count]);
    while (rig.tx_head != rig.tx_tail) {
        struct pkt *p = rig.tx[rig.tx_head++ % EXPECT_MAX].shared;
        if (p)
            pkt_free(p);
    }
    assert_int_equal(rig.pool.free_count, POOL_COUNT);
    free(rig.pool.memory);
    fake_machine_reset();
}

static void random_traffic(void)
{
    static void (*const steps[])(void) = {device_receives, driver_receives, driver_sends,
                                          device_sends,    driver_sleeps,   let_go_of_held};

    for (unsigned r = 0; r < ARRAY_COUNT(rows); r++) {
        seed = 1000 + (uint32_t)rows[r].id;
        start(&rows[r]);
        assert_non_null(rig.nic);
        assert_true(rig.device.status & VIRTIO_STATUS_DRIVER_OK);
        for (unsigned i = 0; i < rows[r].steps; i++) {
            steps[rnd(ARRAY_COUNT(steps))]();
            assert_no_lost_doorbell();
        }
        assert_true(rig.moved > rows[r].steps);
        assert_int_equal(rig.nic->counters.rx_bad, 0);
        if (rnd(2) || r == 0)
            drain();
        finish();
    }
}

static void test_random_traffic(void **state)
{
    (void)state;
    random_traffic();
}

static void test_random_traffic_by_registers(void **state)
{
    (void)state;
    by_registers = true;
    random_traffic();
    by_registers = false;
}

/* A forwarder's life until all indices have come around, and what it costs in doorbells. */
static void test_indices_come_around(void **state)
{
    static const struct row row = {1, F_CORE | F_MRG | F_IDX | F_V1, 64, false, 60, 60, 0};
    uint32_t in = 0, out = 0;
    uint16_t head;

    (void)state;
    start(&row);
    memset(&frame, 0, sizeof(frame));
    frame.bytes = 60;
    while (out < 70000) {
        struct pkt *burst[BURST];
        for (unsigned i = 0; i < BURST; i++, in++) {
            memcpy(frame.data, &in, sizeof(in));
            assert_true(fake_virtio_receive(&rig.device, &frame));
        }
        assert_int_equal(rig.nic->ops->rx_batch(rig.nic, burst, BURST), BURST);
        assert_int_equal(rig.nic->ops->tx_batch(rig.nic, burst, BURST), BURST);
        while (fake_virtio_transmit(&rig.device, &sent, &head)) {
            assert_int_equal(sent.bytes, 60);
            assert_int_equal(load_raw32(sent.data), out++);
            fake_virtio_sent(&rig.device, head);
        }
        assert_no_lost_doorbell();
    }
    assert_true(rig.nic->counters.tx_doorbells <= out / BURST + 2);
    assert_true(rig.nic->counters.rx_doorbells <= 2);
    finish();
}

/* A device that never asks is not told, and one that stays awake costs one doorbell, whatever is
 * sent. */
static void test_doorbells_are_few(void **state)
{
    static const struct row row = {1, F_ALL | F_V1, 256, false, 100, 100, 0};
    uint16_t head;

    (void)state;
    start(&row);
    struct fake_queue *tx = &rig.device.q[VIRTIO_NET_QUEUE_TX];
    for (unsigned round = 0; round < 50; round++) {
        struct pkt *burst[BURST];
        for (unsigned i = 0; i < BURST; i++) {
            burst[i] = pkt_alloc(&rig.pool);
            pkt_append(burst[i], "0123456789abcdef", 16);
        }
        assert_int_equal(rig.nic->ops->tx_batch(rig.nic, burst, BURST), BURST);
        /* Takes all but one, so that it never goes to sleep. */
        while (fake_virtio_pending(&rig.device, VIRTIO_NET_QUEUE_TX) > 1) {
            assert_true(fake_virtio_transmit(&rig.device, &sent, &head));
            fake_virtio_sent(&rig.device, head);
        }
    }
    assert_int_equal(tx->kicks, 1);
    assert_int_equal(rig.nic->counters.tx_doorbells, 1);
    assert_int_equal(rig.nic->counters.tx_packets, 50 * BURST);
    assert_int_equal(tx->interrupts, 0);
    finish();
}

static void test_ring_full_is_counted(void **state)
{
    static const struct row row = {1, F_ALL | F_V1, 64, false, 20, 40, 0};
    struct pkt *burst[100];
    uint16_t head;

    (void)state;
    start(&row);
    for (unsigned i = 0; i < 100; i++) {
        burst[i] = pkt_alloc(&rig.pool);
        pkt_append(burst[i], "0123456789abcdef", 16);
    }
    assert_int_equal(rig.nic->ops->tx_batch(rig.nic, burst, 100), 40); /* tx_buffers_max */
    assert_int_equal(rig.nic->counters.tx_full, 60);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(fake_virtio_transmit(&rig.device, &sent, &head));
        fake_virtio_sent(&rig.device, head);
    }
    /* A full ring looks for completions by itself. */
    assert_int_equal(rig.nic->ops->tx_batch(rig.nic, burst + 40, 60), 10);
    for (unsigned i = 50; i < 100; i++)
        pkt_free(burst[i]);
    finish();
}

/* Descriptors wait for buffers, and there are some again: that is work, not a reason to sleep. */
static void test_refill_is_work(void **state)
{
    static const struct row row = {1, F_ALL | F_V1, 64, false, 40, 20, 0};
    struct pkt *all[POOL_COUNT], *out[BURST];
    unsigned n = 0;

    (void)state;
    start(&row);
    while (rig.pool.free_count > 0)
        all[n++] = pkt_alloc(&rig.pool);
    memset(&frame, 0, sizeof(frame));
    frame.bytes = 60;
    for (unsigned i = 0; i < 40; i++)
        assert_true(fake_virtio_receive(&rig.device, &frame));
    assert_false(fake_virtio_receive(&rig.device, &frame));
    assert_int_equal(rig.nic->ops->rx_batch(rig.nic, out, BURST), BURST);
    assert_true(rig.nic->counters.rx_no_buffer > 0);
    assert_int_equal(rig.nic->ops->rx_batch(rig.nic, out, 0), 0);
    assert_true(rig.nic->ops->irq_arm(rig.nic)); /* eight more have come */
    struct pkt *more[BURST];
    assert_int_equal(rig.nic->ops->rx_batch(rig.nic, more, BURST), 8);
    assert_false(rig.nic->ops->irq_arm(rig.nic)); /* empty pool, empty ring: nothing to do */
    pkt_free(more[0]);
    assert_true(rig.nic->ops->irq_arm(rig.nic));
    assert_int_equal(rig.nic->ops->rx_batch(rig.nic, more, BURST), 0);
    assert_int_equal(rig.pool.free_count, 0); /* posted */
    assert_false(rig.nic->ops->irq_arm(rig.nic));
    assert_true(fake_virtio_receive(&rig.device, &frame));
    for (unsigned i = 1; i < 8; i++)
        pkt_free(more[i]);
    for (unsigned i = 0; i < BURST; i++)
        pkt_free(out[i]);
    while (n > 0)
        pkt_free(all[--n]);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doorbells_are_few),
        cmocka_unit_test(test_ring_full_is_counted),
        cmocka_unit_test(test_refill_is_work),
        cmocka_unit_test(test_indices_come_around),
        cmocka_unit_test(test_random_traffic),
        cmocka_unit_test(test_random_traffic_by_registers),
    };
    return cmocka_run_group_tests_name("virtio_net", tests, NULL, NULL);
}
