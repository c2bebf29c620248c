/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What every NIC's driver has to do, with a well-behaved device in software: frames both ways over
 * any number of buffers, checksums, segments, and going on when buffers or descriptors run out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/offload.h"
#include "tests/fake/fake_doorbell.h"
#include "tests/fake/fake_pool.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/frame_build.h"
#include "tests/fake/nic_rig.h"

#define POOL_COUNT 1000
#define RX_MAX     60

static const struct nic_rig *rig;
static struct pkt_pool pool;
static struct nic *nic;
static uint8_t bytes[FRAME_MAX_BYTES];
static struct frame built;

static void begin(const struct nic_rig *which, uint32_t tx_max)
{
    struct nic_limits limits = {.pool = &pool, .rx_buffers_max = RX_MAX, .tx_buffers_max = tx_max};

    rig = which;
    fake_pool_start(&pool, POOL_COUNT);
    nic = rig->start(&limits);
    assert_non_null(nic);
    assert_null(nic->dead);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
}

static void finish(void)
{
    assert_null(nic->dead);
    rig->stop(nic);
    if (rig->fault())
        fail_msg("%s: %s", rig->name, rig->fault());
    frame_unpoison(&pool);
    assert_int_equal(fake_pool_stop(&pool), 0);
}

/* Each test on each NIC. */
static void on_every_nic(void (*test)(void))
{
    for (const struct nic_rig *each = nic_rigs; each < nic_rigs + nic_rig_count; each++) {
        begin(each, 0);
        test();
        finish();
    }
}

/* ---- receive ---- */

static unsigned receive_all(struct pkt **out, unsigned max)
{
    unsigned n = nic->ops->rx_batch(nic, out, max);

    for (unsigned i = 0; i < n; i++)
        assert_true(out[i]->len >= MIN(out[i]->total_bytes, 128u));
    return n;
}

static void rx_lengths(void)
{
    size_t one = rig->buffer_bytes;
    const size_t lengths[] = {0, 1, 14, 60, 128, 1514, one, one + 1, 9018, 2 * one, 4 * one + 127};
    static uint8_t flat[FRAME_MAX_BYTES];

    for (unsigned i = 0; i < ARRAY_COUNT(lengths); i++) {
        struct pkt *p = NULL;
        size_t n = lengths[i];
        uint64_t bad = nic->counters.rx_bad;
        assert_true(rig->receive(bytes, n));
        unsigned got = receive_all(&p, 1);
        if (got != (n != 0) || nic->counters.rx_bad - bad != (n == 0))
            fail_msg("%s, %zu bytes", rig->name, n);
        if (got == 0)
            continue;
        if (p->segs != (n + one - 1) / one || p->total_bytes != n || frame_flatten(p, flat) != n ||
            memcmp(flat, bytes, n) != 0 || p->flags != 0 || p->gso_size != 0)
            fail_msg("%s, %zu bytes", rig->name, n);
        pkt_free(p);
    }
}

static void test_rx_lengths(void **state)
{
    (void)state;
    on_every_nic(rx_lengths);
}

/* With the pool empty it goes on with what is posted; with buffers again, the device has them
 * although nothing comes that would ask. */
static void rx_starvation(void)
{
    static struct pkt *hold[POOL_COUNT], *got[RX_MAX];
    unsigned held = 0, n = 0, room = rig->rx_room();

    while (pool.free_count > 0)
        hold[held++] = pkt_alloc(&pool);
    while (rig->receive(bytes, 60))
        ;
    while (n < RX_MAX && receive_all(&got[n], 1) == 1)
        n++;
    assert_int_equal(n, room);
    assert_true(nic->counters.rx_no_buffer > 0);
    assert_int_equal(rig->rx_room(), 0);
    rig->arm(nic); /* an interrupt that waited does not matter */
    nic->ops->irq_disarm(nic);
    assert_false(rig->arm(nic)); /* nothing it could do */
    nic->ops->irq_disarm(nic);
    pkt_free(hold[--held]);
    assert_true(rig->arm(nic));
    nic->ops->irq_disarm(nic);
    assert_int_equal(receive_all(hold, 0), 0);
    assert_int_equal(rig->rx_room(), 1);
    while (held > 0)
        pkt_free(hold[--held]);
    while (n > 0)
        pkt_free(got[--n]);
    receive_all(got, 0);
    assert_int_equal(rig->rx_room(), room);
}

static void test_rx_starvation(void **state)
{
    (void)state;
    on_every_nic(rx_starvation);
}

/* ---- transmit ---- */

static void send_one(struct pkt *p)
{
    frame_unpoison(&pool);
    assert_int_equal(nic->ops->tx_batch(nic, &p, 1), 1);
}

static void reported(unsigned n)
{
    rig->report(n);
    nic->ops->tx_reclaim(nic);
}

static void tx_plain(void)
{
    static const struct {
        int id;
        size_t n, head, seg_max;
    } rows[] = {{1, 60, 60, 1000},     {2, 1514, 1514, 1000}, {3, 1514, 128, 1000},
                {4, 9014, 3968, 1000}, {5, 14, 14, 1000},     {6, 1500, 128, 140}};
    uint64_t doorbells = nic->counters.tx_doorbells;

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        size_t n = 0;
        struct pkt *p = frame_pkt(&pool, bytes, rows[i].n, rows[i].head, rows[i].seg_max, rnd);
        pkt_ref(p); /* flooded */
        send_one(p);
        assert_int_equal(rig->transmit(), 1);
        if (memcmp(rig->frame(0, &n), bytes, rows[i].n) != 0 || n != rows[i].n)
            fail_msg("%s, row %d", rig->name, rows[i].id);
        nic->ops->tx_reclaim(nic);
        if (p->segs < 16)
            assert_int_equal(p->refs, 2); /* not before the device says so */
        reported(1);
        assert_int_equal(p->refs, 1);
        pkt_free(p);
    }
    assert_int_equal(nic->counters.tx_packets, ARRAY_COUNT(rows));
    assert_int_equal(nic->counters.tx_doorbells - doorbells, ARRAY_COUNT(rows));
}

static void test_tx_plain(void **state)
{
    (void)state;
    on_every_nic(tx_plain);
}

/* A partial checksum is completed, and a packet that is another port's as well left as it is. */
static void tx_checksums(void)
{
    static const struct frame_plan plans[] = {
        {.proto = 6, .payload_bytes = 100},
        {.proto = 6, .payload_bytes = 1460},
        {.proto = 17, .payload_bytes = 100},
        {.proto = 17, .payload_bytes = 3},
        {.proto = 6, .payload_bytes = 100, .vlan_tags = 1},
        {.proto = 6, .ip6 = true, .payload_bytes = 101},
        {.proto = 17, .ip6 = true, .payload_bytes = 0},
        {.proto = 17, .ip6 = true, .payload_bytes = 8900},
    };

    for (unsigned i = 0; i < 2 * ARRAY_COUNT(plans); i++) {
        static uint8_t before[FRAME_MAX_BYTES], after[FRAME_MAX_BYTES];
        size_t n = 0;
        struct pkt *p = nic_rig_packet(&pool, &built, &plans[i / 2], 0, 200);
        if (i % 2)
            pkt_ref(p);
        frame_flatten(p, before);
        send_one(p);
        assert_int_equal(rig->transmit(), 1);
        if (i % 2)
            assert_memory_equal(after, before, frame_flatten(p, after));
        const uint8_t *frame = rig->frame(0, &n);
        if (n != built.n || !frame_sums_right(frame, n, built.l3, built.ip6))
            fail_msg("%s, row %u", rig->name, i / 2 + 1);
        reported(1);
        if (i % 2)
            pkt_free(p);
    }
}

static void test_tx_checksums(void **state)
{
    (void)state;
    on_every_nic(tx_checksums);
}

/* A UDP checksum that comes out as 0 is sent as FFFF (RFC 768); of TCP it stays 0. */
static void tx_checksum_zero(void)
{
    for (unsigned tcp = 0; tcp < 2; tcp++) {
        size_t n;
        struct frame_plan plan = {.proto = tcp ? 6 : 17, .payload_bytes = 2};
        struct pkt *p = nic_rig_packet(&pool, &built, &plan, 0, 200);
        uint8_t *at = p->data + p->csum_start;
        size_t field = (size_t)p->csum_start + p->csum_offset;
        store_be16(p->data + built.payload, 0);
        uint16_t rest = frame_naive_sum(at, p->total_bytes - p->csum_start);
        store_be16(p->data + built.payload, (uint16_t)~rest); /* the whole sums up to FFFF */
        send_one(p);
        assert_int_equal(rig->transmit(), 1);
        assert_int_equal(load_be16(rig->frame(0, &n) + field), tcp ? 0 : 0xFFFF);
        reported(1);
    }
}

static void test_tx_checksum_zero(void **state)
{
    (void)state;
    on_every_nic(tx_checksum_zero);
}

/* A packet to cut, of any headers, sizes and segments. */
static struct pkt *random_super_packet(void)
{
    static const uint8_t timestamps[12] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
    static const uint8_t options[40] = {148, 4, 0, 0, 1, 1, 1, 1};
    struct frame_plan plan = {.proto = 6,
                              .ip6 = (nic->offloads & NIC_TX_TSO6) && rnd(2),
                              .vlan_tags = (uint8_t)rnd(2),
                              .ip_options = options,
                              .ip_option_bytes = 0,
                              .tcp_options = timestamps,
                              .tcp_option_bytes = rnd(2) ? 12 : 0,
                              .payload_bytes = 600 + rnd(rnd(2) ? 64000 : 9000),
                              .tcp_flags = rnd(2) ? 0x19 : 0x10};

    if (!plan.ip6 && rnd(4) == 0)
        plan.ip_option_bytes = 40;
    uint16_t gso_size = (uint16_t)(500 + rnd(rnd(4) ? 1000 : 8400));
    gso_size = (uint16_t)MIN(gso_size, plan.payload_bytes - 1);
    return nic_rig_packet(&pool, &built, &plan, gso_size, 60 + rnd(3900));
}

/* What the device makes of a super-packet is what offload_cut() makes of it, byte for byte; and the
 * packet, which may be another port's as well, is as it was. */
static void tx_segments(void)
{
    static uint8_t before[FRAME_MAX_BYTES], after[FRAME_MAX_BYTES], wanted[FRAME_MAX_BYTES];

    for (unsigned i = 0; i < 200; i++) {
        struct pkt *cut[OFFLOAD_MAX_SEGMENTS], *p = random_super_packet();
        unsigned missing = 0;
        if (p->segs > PKT_MAX_SEGS) {
            frame_unpoison(&pool);
            pkt_free(p);
            continue;
        }
        pkt_ref(p);
        pkt_ref(p);
        size_t n = frame_flatten(p, before);
        send_one(p);
        unsigned frames = rig->transmit();
        if (rig->fault())
            fail_msg("%s: %s", rig->name, rig->fault());
        assert_int_equal(frame_flatten(p, after), n);
        assert_memory_equal(before, after, n);
        unsigned count = offload_cut(p, cut, &missing);
        assert_int_equal(missing, 0);
        assert_int_equal(frames, count);
        for (unsigned k = 0; k < count; k++) {
            const uint8_t *frame = rig->frame(k, &n);
            assert_int_equal(frame_flatten(cut[k], wanted), n);
            assert_memory_equal(wanted, frame, n);
            pkt_free(cut[k]);
        }
        reported(9);
        assert_int_equal(p->refs, 1);
        pkt_free(p);
    }
}

static void test_tx_segments(void **state)
{
    (void)state;
    on_every_nic(tx_segments);
}

/* Full by descriptors or by buffers; whatever was sent makes room again. */
static void test_tx_full(void **state)
{
    static const uint32_t limits[] = {100, 0, 1, 10000};
    struct pkt *burst[32];

    (void)state;
    for (unsigned i = 0; i < nic_rig_count * ARRAY_COUNT(limits); i++) {
        unsigned taken = 0, n = 32;
        begin(&nic_rigs[i / ARRAY_COUNT(limits)], limits[i % ARRAY_COUNT(limits)]);
        uint32_t at_start = pool.free_count;
        while (n == 32) {
            for (n = 0; n < 32; n++)
                burst[n] = frame_pkt(&pool, bytes, 60, 60, 100, rnd);
            frame_unpoison(&pool);
            n = nic->ops->tx_batch(nic, burst, 32);
            taken += n;
            for (unsigned k = n; k < 32; k++)
                pkt_free(burst[k]);
        }
        uint32_t limit = limits[i % ARRAY_COUNT(limits)];
        uint32_t wanted = limit == 0 ? 120 : MIN(MAX(limit, (uint32_t)NIC_TX_BUFFERS_MIN), 255u);
        if (taken > wanted || taken + 2 < wanted || nic->counters.tx_full != 32 - n)
            fail_msg("%s, %u: %u", rig->name, limit, taken);
        for (unsigned k = 0; k < taken; k++)
            assert_int_equal(rig->transmit(), 1);
        assert_int_equal(rig->transmit(), 0);
        assert_int_equal(pool.free_count, at_start - taken);
        reported(taken);
        assert_int_equal(pool.free_count, at_start);
        finish();
    }
}

/* A full ring of super-packets of one buffer, which take more descriptors than buffers. */
static void test_tx_full_of_super_packets(void **state)
{
    struct frame_plan plan = {.proto = 6, .payload_bytes = 2000, .tcp_flags = 0x10};

    (void)state;
    for (const struct nic_rig *each = nic_rigs; each < nic_rigs + nic_rig_count; each++) {
        struct pkt *p;
        unsigned taken = 0;
        begin(each, 10000);
        for (;; taken++) {
            p = nic_rig_packet(&pool, &built, &plan, 1400, FRAME_MAX_BYTES);
            assert_int_equal(p->segs, 1);
            frame_unpoison(&pool);
            if (nic->ops->tx_batch(nic, &p, 1) == 0)
                break;
        }
        pkt_free(p);
        assert_true(taken >= 255 / 3 - 1 && taken < 256 / 2);
        for (unsigned i = 0; i < taken; i++)
            assert_int_equal(rig->transmit(), 2);
        reported(POOL_COUNT);
        finish();
    }
}

static unsigned sent_at_once;

static void send_at_once(void)
{
    while (rig->transmit() > 0)
        sent_at_once++;
    rig->report(POOL_COUNT);
}

/* A device that sends while it is told, as virtual ones do, has room for a burst of more than its
 * ring or its buffers hold: it is told on the way. One that does not is not told again and again.
 */
static void tx_told_on_the_way(void)
{
    struct frame_plan plan = {.proto = 6, .payload_bytes = 18000, .tcp_flags = 0x10};
    struct pkt *burst[32];

    for (unsigned at_once = 0; at_once < 2; at_once++) {
        uint64_t doorbells = nic->counters.tx_doorbells;
        uint32_t at_start = pool.free_count;
        for (unsigned i = 0; i < 32; i++) {
            burst[i] = nic_rig_packet(&pool, &built, &plan, 1400, 60);
            assert_true(burst[i]->segs <= PKT_MAX_SEGS);
        }
        frame_unpoison(&pool);
        sent_at_once = 0;
        if (at_once)
            fake_doorbell(rig->doorbell(), send_at_once);
        unsigned taken = nic->ops->tx_batch(nic, burst, 32);
        if (at_once)
            fake_doorbell(NULL, NULL);
        if ((taken == 32) != at_once || (at_once && sent_at_once != 32) ||
            (!at_once && nic->counters.tx_doorbells - doorbells != 1))
            fail_msg("%s: %u taken, %u sent, told %u times", rig->name, taken, sent_at_once,
                     (unsigned)(nic->counters.tx_doorbells - doorbells));
        for (unsigned i = taken; i < 32; i++)
            pkt_free(burst[i]);
        send_at_once();
        nic->ops->tx_reclaim(nic);
        assert_int_equal(pool.free_count, at_start);
    }
}

static void test_tx_told_on_the_way(void **state)
{
    (void)state;
    on_every_nic(tx_told_on_the_way);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rx_lengths),
        cmocka_unit_test(test_rx_starvation),
        cmocka_unit_test(test_tx_plain),
        cmocka_unit_test(test_tx_checksums),
        cmocka_unit_test(test_tx_checksum_zero),
        cmocka_unit_test(test_tx_segments),
        cmocka_unit_test(test_tx_full),
        cmocka_unit_test(test_tx_full_of_super_packets),
        cmocka_unit_test(test_tx_told_on_the_way),
    };
    return cmocka_run_group_tests_name("nic_traffic", tests, NULL, NULL);
}
