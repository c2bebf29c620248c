/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A virtio network device that lies (drivers/virtio_net*.c, drivers/virtio.c): what it may not do
 * takes the port down with one line in the log, what is merely a bad frame is counted, and either
 * way every buffer is accounted for. The address sanitizer watches the rest.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/virtio_net.h"
#include "drivers/virtio_rng.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_virtio.h"
#include "tests/fake/nic_rig.h"

#include <stdlib.h>

#define POOL_COUNT 200
#define QUEUE      64
#define RX         VIRTIO_NET_QUEUE_RX
#define TX         VIRTIO_NET_QUEUE_TX

#define OFFERED                                                                                    \
    (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS |            \
     VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM |                        \
     VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_HOST_TSO4)

static struct fake_virtio device;
static struct pkt_pool pool;
static struct nic *nic;
static struct fake_frame frame;
static struct pkt *held[POOL_COUNT];
static unsigned held_count;

static void start(uint64_t offered)
{
    uint8_t *memory = aligned_alloc(CACHE_LINE_BYTES, (size_t)POOL_COUNT * PKT_BUF_BYTES);

    pkt_pool_init(&pool, memory, POOL_COUNT);
    fake_log_clear();
    fake_virtio_init(&device, offered, QUEUE, false);
    device.pool = &pool;
    struct nic_limits limits = {.pool = &pool, .rx_buffers_max = 50, .tx_buffers_max = 50};
    nic = virtio_net_start(&device.dev, &limits);
    memset(&frame, 0, sizeof(frame));
    frame.bytes = 60;
}

static void finish(void)
{
    if (nic && !nic->dead) {
        struct virtio_net *vn = container_of(nic, struct virtio_net, nic);
        nic->ops->stop(nic);
        virtio_net_rx_release(vn);
        virtio_net_tx_release(vn);
    }
    while (held_count > 0)
        pkt_free(held[--held_count]);
    assert_int_equal(pool.free_count, POOL_COUNT);
    free(pool.memory);
    fake_machine_reset();
}

static uint16_t take(unsigned queue)
{
    uint16_t head;
    assert_true(fake_virtio_take(&device, queue, &head));
    return head;
}

/* Hands one receive buffer back with any header and any length. */
static void hand_back(const struct virtio_net_hdr *h, uint32_t len)
{
    uint16_t head = take(RX);
    memcpy((void *)(uintptr_t)device.q[RX].desc[head].address, h, sizeof(*h));
    fake_virtio_used(&device, RX, 0, head, len);
    fake_virtio_publish(&device, RX, 1);
}

/* ---- what takes the port down ---- */

static void rx_id_out_of_range(void)
{
    take(RX);
    fake_virtio_used(&device, RX, 0, QUEUE, 100);
    fake_virtio_publish(&device, RX, 1);
}

static void rx_id_huge(void)
{
    take(RX);
    fake_virtio_used(&device, RX, 0, 0xFFFFFFFFu, 100);
    fake_virtio_publish(&device, RX, 1);
}

static void rx_id_never_posted(void)
{
    fake_virtio_used(&device, RX, 0, 55, 100); /* only 50 buffers were posted */
    fake_virtio_publish(&device, RX, 1);
}

static void rx_same_buffer_twice(void)
{
    uint16_t head = take(RX);
    /* Nothing can replace the first one, so the second is of a buffer the device does not have. */
    while (pool.free_count > 0)
        held[held_count++] = pkt_alloc(&pool);
    struct virtio_net_hdr h = {.num_buffers = 1};
    memcpy((void *)(uintptr_t)device.q[RX].desc[head].address, &h, sizeof(h));
    fake_virtio_used(&device, RX, 0, head, 72);
    fake_virtio_used(&device, RX, 1, head, 72);
    fake_virtio_publish(&device, RX, 2);
}

static void rx_length_over_the_buffer(void)
{
    struct virtio_net_hdr h = {.num_buffers = 1};
    hand_back(&h, PKT_DATA_BYTES + VIRTIO_NET_HDR_BYTES + 1);
}

static void rx_length_huge(void)
{
    struct virtio_net_hdr h = {.num_buffers = 1};
    hand_back(&h, 0xFFFFFFFFu);
}

static void rx_length_under_the_header(void)
{
    struct virtio_net_hdr h = {.num_buffers = 1};
    hand_back(&h, VIRTIO_NET_HDR_BYTES - 1);
}

static void rx_length_zero(void)
{
    struct virtio_net_hdr h = {.num_buffers = 1};
    hand_back(&h, 0);
}

static void rx_index_jumps(void)
{
    fake_virtio_publish(&device, RX, QUEUE + 1);
}

static void rx_index_goes_back(void)
{
    fake_virtio_receive(&device, &frame);
    nic_rig_poll(nic);
    device.q[RX].published--;
    fake_virtio_publish(&device, RX, 0);
}

static void rx_no_merged_buffers(void)
{
    struct virtio_net_hdr h = {.num_buffers = 0};
    hand_back(&h, 72);
}

static void rx_more_merged_buffers_than_the_ring(void)
{
    struct virtio_net_hdr h = {.num_buffers = QUEUE + 1};
    hand_back(&h, 72);
}

static void rx_merged_part_over_the_buffer(void)
{
    struct virtio_net_hdr h = {.num_buffers = 2};
    hand_back(&h, 1000);
    hand_back(&h, PKT_DATA_BYTES + VIRTIO_NET_HDR_BYTES + 1);
}

static void tx_id_out_of_range(void)
{
    nic_rig_send(nic, &pool, 3);
    fake_virtio_used(&device, TX, 0, QUEUE, 0);
    fake_virtio_publish(&device, TX, 1);
}

static void tx_id_not_outstanding(void)
{
    nic_rig_send(nic, &pool, 3);
    fake_virtio_used(&device, TX, 0, 10, 0);
    fake_virtio_publish(&device, TX, 1);
}

static void tx_same_twice(void)
{
    nic_rig_send(nic, &pool, 3);
    uint16_t head = take(TX);
    fake_virtio_used(&device, TX, 0, head, 0);
    fake_virtio_used(&device, TX, 1, head, 0);
    fake_virtio_publish(&device, TX, 2);
}

static void tx_middle_of_a_chain(void)
{
    struct pkt *p = pkt_alloc(&pool);
    static const uint8_t bytes[9000];
    pkt_append(p, bytes, sizeof(bytes));
    assert_int_equal(nic->ops->tx_batch(nic, &p, 1), 1);
    uint16_t head = take(TX);
    fake_virtio_used(&device, TX, 0, device.q[TX].desc[head].next, 0);
    fake_virtio_publish(&device, TX, 1);
}

static void tx_index_jumps(void)
{
    nic_rig_send(nic, &pool, 3);
    fake_virtio_publish(&device, TX, 30000);
}

static void tx_index_jumps_while_the_ring_is_full(void)
{
    while (nic_rig_send(nic, &pool, 1) == 1)
        ;
    fake_virtio_publish(&device, TX, 30000);
    nic_rig_send(nic, &pool, 10);
}

static void wants_to_be_reset(void)
{
    device.status |= VIRTIO_STATUS_NEEDS_RESET;
    device.dev.config_changed = true;
    nic->ops->link_up(nic);
}

static void test_nonsense_takes_the_port_down(void **state)
{
    static const struct {
        int id;
        void (*lie)(void);
        const char *said;
    } rows[] = {
        {1, rx_id_out_of_range, "buffer it did not have"},
        {2, rx_id_huge, "buffer it did not have"},
        {3, rx_id_never_posted, "buffer it did not have"},
        {4, rx_same_buffer_twice, "buffer it did not have"},
        {5, rx_length_over_the_buffer, "receive length"},
        {6, rx_length_huge, "receive length"},
        {7, rx_length_under_the_header, "receive length"},
        {8, rx_length_zero, "receive length"},
        {9, rx_index_jumps, "receive index"},
        {10, rx_index_goes_back, "receive index"},
        {11, rx_no_merged_buffers, "merged buffers"},
        {12, rx_more_merged_buffers_than_the_ring, "merged buffers"},
        {13, rx_merged_part_over_the_buffer, "receive length"},
        {14, tx_id_out_of_range, "transmit buffer it did not have"},
        {15, tx_id_not_outstanding, "transmit buffer it did not have"},
        {16, tx_same_twice, "transmit buffer it did not have"},
        {17, tx_middle_of_a_chain, "transmit buffer it did not have"},
        {18, tx_index_jumps, "transmit index"},
        {19, tx_index_jumps_while_the_ring_is_full, "transmit index"},
        {20, wants_to_be_reset, "reset"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        start(OFFERED);
        assert_non_null(nic);
        rows[i].lie();
        nic_rig_poll(nic);
        if (!nic->dead || !strstr(nic->dead, rows[i].said) || !fake_log_has(rows[i].said))
            fail_msg("row %d: %s, \"%s\"", rows[i].id, nic->dead ? nic->dead : "alive",
                     fake_log_last);
        assert_int_equal(fake_log_count, 1);
        assert_false(device.dma_allowed);
        /* From now on nothing moves, and nothing is said. */
        assert_int_equal(nic_rig_poll(nic), 0);
        assert_int_equal(nic_rig_send(nic, &pool, 5), 0);
        assert_false(nic->ops->irq_arm(nic));
        nic->ops->irq_disarm(nic);
        assert_false(nic->ops->link_up(nic));
        nic->ops->stop(nic);
        assert_int_equal(fake_log_count, 1);
        finish();
    }
}

/* ---- what is only a bad frame ---- */

#define NC VIRTIO_NET_HDR_NEEDS_CSUM
#define T4 VIRTIO_NET_HDR_GSO_TCPV4
#define T6 VIRTIO_NET_HDR_GSO_TCPV6

static void test_lying_headers(void **state)
{
    static const struct {
        int id;
        struct virtio_net_hdr h; /* flags, type, header, size, start, offset, buffers */
        uint32_t bytes;
        bool good;
    } rows[] = {
        {1, {0, 0, 0, 0, 0, 0, 1}, 60, true},
        {2, {NC, 0, 0, 0, 34, 16, 1}, 60, true},
        {3, {NC, 0, 0, 0, 34, 24, 1}, 60, true}, /* the last two bytes */
        {4, {NC, 0, 0, 0, 34, 25, 1}, 60, false},
        {5, {NC, 0, 0, 0, 60, 0, 1}, 60, false},
        {6, {NC, 0, 0, 0, 65535, 65535, 1}, 60, false},
        {7, {NC, 0, 0, 0, 65535, 3, 1}, 60, false}, /* wraps around in 16 bits */
        {8, {NC, 0, 0, 0, 13, 4, 1}, 60, false},    /* inside the Ethernet header */
        {9, {NC, T4, 54, 1448, 34, 16, 1}, 3000, true},
        {10, {NC, T4, 54, 0, 34, 16, 1}, 3000, false},
        {11, {0, T4, 54, 1448, 34, 16, 1}, 3000, false},    /* a super-packet without a sum */
        {12, {NC, T6, 74, 1448, 54, 16, 1}, 3000, false},   /* not negotiated */
        {13, {NC, 3, 42, 1448, 34, 6, 1}, 3000, false},     /* UFO: never negotiated */
        {14, {NC, 5, 42, 1448, 34, 6, 1}, 3000, false},     /* USO */
        {15, {NC, 0x81, 54, 1448, 34, 16, 1}, 3000, false}, /* ECN: not negotiated */
        {16, {NC, 0x80, 54, 1448, 34, 16, 1}, 3000, false}, /* ECN of nothing */
        {17, {NC, 0xFF, 54, 1448, 34, 16, 1}, 3000, false},
        {18, {NC, T4, 65535, 1448, 34, 16, 1}, 3000, true},    /* the length is only a hint */
        {19, {0xFE, 0, 0, 0, 0, 0, 1}, 60, true},              /* unknown flags mean nothing */
        {20, {0, 0, 0, 0, 0, 0, 1}, 0, false},                 /* no frame at all */
        {21, {0, 0, 65535, 65535, 65535, 65535, 1}, 60, true}, /* fields without their flags */
        {22, {2, 0, 0, 0, 0, 0, 1}, 1, true}, /* short, but the dataplane's business */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        start(OFFERED);
        hand_back(&rows[i].h, rows[i].bytes + VIRTIO_NET_HDR_BYTES);
        unsigned n = nic_rig_poll(nic);
        if (n != rows[i].good || nic->counters.rx_bad != !rows[i].good || nic->dead)
            fail_msg("row %d: %u packets, %s", rows[i].id, n, nic->dead ? nic->dead : "alive");
        frame.hdr = (struct virtio_net_hdr){0};
        assert_true(fake_virtio_receive(&device, &frame)); /* and the next one comes through */
        assert_int_equal(nic_rig_poll(nic), 1);
        finish();
    }
}

static void test_offloads_nobody_negotiated(void **state)
{
    static const struct virtio_net_hdr lies[] = {{NC, 0, 0, 0, 34, 16, 1},
                                                 {NC, T4, 54, 1448, 34, 16, 1}};

    (void)state;
    start(VIRTIO_F_VERSION_1 | VIRTIO_NET_F_MRG_RXBUF);
    for (unsigned i = 0; i < ARRAY_COUNT(lies); i++) {
        hand_back(&lies[i], 200);
        assert_int_equal(nic_rig_poll(nic), 0);
        assert_int_equal(nic->counters.rx_bad, i + 1);
    }
    struct pkt *p;
    struct virtio_net_hdr valid = {.flags = VIRTIO_NET_HDR_DATA_VALID, .num_buffers = 1};
    hand_back(&valid, 200);
    assert_int_equal(nic->ops->rx_batch(nic, &p, 1), 1);
    assert_int_equal(p->flags, 0); /* a promise nobody asked for is not believed */
    pkt_free(p);
    finish();
}

/* Packets over several buffers: how many the header says, and the lengths of what comes. */
static void test_merged_buffers(void **state)
{
    static const struct {
        int id;
        uint16_t says;
        uint32_t first, others; /* bytes of frame in each */
        unsigned come;
        bool good;
    } rows[] = {
        {1, 2, 3968, 3980, 2, true},    {2, 2, 128, 1, 2, true},
        {3, 2, 127, 1, 2, false}, /* the headers must be in the first */
        {4, 2, 1000, 0, 2, false},      {5, 17, 3968, 3848, 17, true},
        {6, 17, 3968, 3980, 17, false}, /* over 65,550 bytes */
        {7, 20, 200, 1000, 20, true},   {8, 21, 200, 1000, 21, false},
        {9, 40, 200, 1000, 40, false},  {10, 3, 0, 1000, 3, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        for (unsigned step = 1; step <= 50;
             step += 49) { /* polled after each buffer, or at the end */
            start(OFFERED);
            struct virtio_net_hdr h = {.num_buffers = rows[i].says};
            unsigned n = 0;
            hand_back(&h, rows[i].first + VIRTIO_NET_HDR_BYTES);
            for (unsigned k = 1; k < rows[i].come; k++) {
                if (k % step == 0)
                    n += nic_rig_poll(nic);
                hand_back(&h, rows[i].others);
            }
            n += nic_rig_poll(nic);
            if (n != rows[i].good || nic->counters.rx_bad != !rows[i].good || nic->dead)
                fail_msg("row %d: %u packets, %s", rows[i].id, n, nic->dead ? nic->dead : "alive");
            /* All parts are gone: the next frame is a frame again. */
            assert_true(fake_virtio_receive(&device, &frame));
            assert_int_equal(nic_rig_poll(nic), 1);
            finish();
        }
    }
}

/* A packet that never becomes complete holds its buffers and nothing else. */
static void test_unfinished_packet(void **state)
{
    struct virtio_net_hdr h = {.num_buffers = 5};

    (void)state;
    start(OFFERED);
    hand_back(&h, 2000);
    hand_back(&h, 2000);
    assert_int_equal(nic_rig_poll(nic), 0);
    assert_false(nic->ops->irq_arm(nic)); /* nothing to do: sleep */
    finish();
}

static void test_devices_that_do_not_start(void **state)
{
    static const struct {
        int id;
        uint64_t offered;
        uint16_t queue_size;
        bool stuck, refuses;
        size_t memory;
        const char *why; /* NULL: there was no room for a port either */
    } rows[] = {
        {1, OFFERED & ~VIRTIO_F_VERSION_1, QUEUE, false, false, SIZE_MAX, "no interface"},
        {2, OFFERED, 0, false, false, SIZE_MAX, "queues"},
        {3, OFFERED, QUEUE, true, false, SIZE_MAX, "reset"},
        {4, OFFERED, QUEUE, false, true, SIZE_MAX, "refuses"},
        {5, OFFERED, QUEUE, false, false, 100, NULL},
        {6, OFFERED, QUEUE, false, false, 2000, "memory"},
        {7, OFFERED, QUEUE, false, false, 4000, "memory"},
        {8, OFFERED, QUEUE, false, false, 6000, "memory"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t *memory = aligned_alloc(CACHE_LINE_BYTES, (size_t)POOL_COUNT * PKT_BUF_BYTES);
        pkt_pool_init(&pool, memory, POOL_COUNT);
        fake_log_clear();
        fake_virtio_init(&device, rows[i].offered, rows[i].queue_size, false);
        device.stuck_in_reset = rows[i].stuck;
        device.refuses_features = rows[i].refuses;
        fake_mem_limit = rows[i].memory;
        struct nic_limits limits = {.pool = &pool, .rx_buffers_max = 50};
        nic = virtio_net_start(&device.dev, &limits);
        if ((rows[i].why ? !nic || !nic->dead || !strstr(nic->dead, rows[i].why) : nic != NULL) ||
            device.dma_allowed)
            fail_msg("row %d", rows[i].id);
        assert_true(fake_now_us < 1000000);
        finish();
    }
}

/* The entropy device: what it says it wrote is not believed beyond the buffer. */
static void test_entropy_lengths(void **state)
{
    static const struct {
        int id;
        uint32_t len;
        size_t mixed;
    } rows[] = {{1, 64, 64}, {2, 10, 10}, {3, 0, 0}, {4, 65, 64}, {5, 0xFFFFFFFFu, 64}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        fake_virtio_init(&device, VIRTIO_F_VERSION_1, 8, false);
        device.entropy_len = rows[i].len;
        device.answers_entropy = true;
        assert_int_equal(virtio_rng_read(&device.dev), rows[i].mixed);
        assert_int_equal(fake_entropy_bytes, rows[i].mixed);
        assert_false(device.dma_allowed);
        fake_machine_reset();
    }
    fake_virtio_init(&device, VIRTIO_F_VERSION_1, 8, false); /* one that never answers */
    assert_int_equal(virtio_rng_read(&device.dev), 0);
    assert_in_range(fake_now_us, 9000, 11000);
    fake_machine_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nonsense_takes_the_port_down),
        cmocka_unit_test(test_lying_headers),
        cmocka_unit_test(test_offloads_nobody_negotiated),
        cmocka_unit_test(test_merged_buffers),
        cmocka_unit_test(test_unfinished_packet),
        cmocka_unit_test(test_devices_that_do_not_start),
        cmocka_unit_test(test_entropy_lengths),
    };
    return cmocka_run_group_tests_name("virtio_hostile", tests, NULL, NULL);
}
