/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A vmxnet3 that lies (drivers/vmxnet3*.c): what it cannot be in its right mind to say takes the
 * port down with one line in the log, what is merely a bad frame is counted, and either way every
 * buffer is accounted for. The address sanitizer watches the rest.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/vmxnet3.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_pool.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/fake_vmxnet3.h"
#include "tests/fake/nic_rig.h"

#define POOL_COUNT 200
#define RX_MAX     60
#define HEADS      45
#define SOP        VMXNET3_RCD_SOP
#define EOP        VMXNET3_RCD_EOP
#define ERR        VMXNET3_RCD_ERR
#define RING(n)    ((uint32_t)(n) << 16)
#define FULL       VMXNET3_RX_BUFFER_BYTES

static struct fake_vmxnet3 device;
static struct pkt_pool pool;
static struct nic *nic;
static const struct nic_limits limits = {.pool = &pool, .rx_buffers_max = RX_MAX};

static void start(void **state)
{
    (void)state;
    fake_pool_start(&pool, POOL_COUNT);
    fake_vmxnet3_init(&device, &pool);
    nic = fake_vmxnet3_start(&device, &limits);
    assert_non_null(nic);
    assert_null(nic->dead);
}

static void finish(void **state)
{
    (void)state;
    fake_vmxnet3_stop(&device, nic);
    assert_null(device.fault);
    assert_int_equal(fake_pool_stop(&pool), 0);
}

/* ---- receive ---- */

/* Behind a good frame and the beginning of another. */
static void test_completions_that_cannot_be(void **state)
{
    static const struct {
        int id;
        uint32_t index, length;
    } rows[] = {
        {1, 2 | SOP | EOP, FULL + 1}, /* a length over the buffer */
        {2, 2 | SOP | EOP, 0x3FFF},
        {3, 2 | EOP, FULL + 1},
        {4, HEADS | SOP | EOP, 60}, /* not given to it */
        {5, 1 | SOP | EOP, 60},     /* has come back */
        {6, 0 | SOP | EOP, 60},
        {7, 255 | SOP | EOP, 60},
        {8, 256 | SOP | EOP, 60}, /* no descriptor */
        {9, 0xFFF | SOP | EOP, 60},
        {10, 15 | RING(1) | EOP, 60}, /* not given to it, in the other ring */
        {11, 255 | RING(1) | EOP, 60},
        {12, 0 | RING(2) | SOP | EOP, 60}, /* no ring */
        {13, 0 | RING(0x3FF) | SOP | EOP, 60},
        {14, UINT32_MAX, UINT32_MAX},
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        start(state);
        fake_vmxnet3_complete(&device, 0 | SOP | EOP, 60);
        fake_vmxnet3_complete(&device, 1 | SOP, 500);
        fake_vmxnet3_complete(&device, rows[i].index, rows[i].length);
        nic_rig_send(nic, &pool, 3);
        if (nic_rig_poll(nic) != 1 || nic->counters.rx_packets != 1 || !nic->dead)
            fail_msg("row %d", rows[i].id);
        if (rows[i].id == 12 || rows[i].id == 13)
            assert_string_equal(nic->dead, "a buffer of no ring");
        nic_rig_expect_given_up(nic, &pool, device.fn->config);
        finish(NULL);
    }
}

/* Buffers that make no frame: the next frame comes through. */
static void test_parts(void **state)
{
    static const struct {
        int id;
        uint32_t first, first_bits, others, others_count, last_bits;
        bool good;
    } rows[] = {
        {1, FULL, SOP, FULL, 1, EOP, true},  {2, 128, SOP, 1, 1, EOP, true},
        {3, 127, SOP, 1000, 1, EOP, false}, /* the headers must be in the first */
        {4, 1000, SOP, 0, 2, EOP, false},    {5, 1000, SOP, 2000, 10, EOP, true},
        {6, FULL, SOP, 3900, 14, EOP, true}, {7, 0, SOP, 1000, 2, EOP, false},
        {8, 500, 0, 500, 1, EOP, false}, /* no beginning */
        {9, 500, EOP, 500, 0, 0, false},     {10, 0, SOP | EOP, 0, 0, 0, false},
        {11, 500, SOP, 0, 1, EOP, true}, /* nothing in the last */
    };

    for (unsigned i = 0; i < 2 * ARRAY_COUNT(rows); i++) {
        unsigned row = i / 2, n = 0;
        bool each = i % 2; /* polled after each buffer, or at the end */
        start(state);
        fake_vmxnet3_complete(&device, rows[row].first_bits, rows[row].first);
        for (unsigned k = 0; k < rows[row].others_count; k++) {
            n += each ? nic_rig_poll(nic) : 0;
            uint32_t end = k + 1 == rows[row].others_count ? rows[row].last_bits : 0;
            fake_vmxnet3_complete(&device, k | RING(1) | end, rows[row].others);
        }
        n += nic_rig_poll(nic);
        if (n != rows[row].good || nic->counters.rx_bad != !rows[row].good || nic->dead)
            fail_msg("row %d: %u", rows[row].id, n);
        fake_vmxnet3_complete(&device, 1 | SOP | EOP, 60);
        assert_int_equal(nic_rig_poll(nic), 1);
        finish(NULL);
    }
}

/* A second beginning ends what had none. */
static void test_two_beginnings(void **state)
{
    (void)state;
    fake_vmxnet3_complete(&device, 0 | SOP, 500);
    fake_vmxnet3_complete(&device, 1 | SOP, 600);
    fake_vmxnet3_complete(&device, 0 | RING(1) | EOP, 100);
    fake_vmxnet3_complete(&device, 2 | SOP, 500);
    fake_vmxnet3_complete(&device, 3 | SOP | EOP, 60);
    fake_vmxnet3_complete(&device, 4 | SOP, 60); /* too short to go on: what follows is dropped */
    fake_vmxnet3_complete(&device, 5 | SOP | EOP, 60);
    assert_int_equal(nic_rig_poll(nic), 3);
    assert_int_equal(nic->counters.rx_bytes, 820);
    assert_int_equal(nic->counters.rx_bad, 3);
}

/* A frame without end holds no more than a packet may, and the port goes on. */
static void test_a_frame_without_end(void **state)
{
    (void)state;
    fake_vmxnet3_complete(&device, 0 | SOP, 2000);
    for (unsigned i = 0; i < 1000; i++) {
        fake_vmxnet3_complete(&device, i % VMXNET3_RING | RING(1), 2000);
        assert_int_equal(nic_rig_poll(nic), 0);
        assert_true(pool.free_count >= POOL_COUNT - RX_MAX - PKT_MAX_SEGS);
    }
    fake_vmxnet3_complete(&device, 1000 % VMXNET3_RING | RING(1) | EOP, 2000);
    assert_int_equal(nic_rig_poll(nic), 0);
    assert_int_equal(nic->counters.rx_bad, 1);
    fake_vmxnet3_complete(&device, 1 | SOP | EOP, 60);
    assert_int_equal(nic_rig_poll(nic), 1);
}

/* ---- transmit ---- */

static void test_ends_of_what_was_not_sent(void **state)
{
    static const struct {
        int id;
        uint32_t index;
        bool dies;
    } rows[] = {{1, 4, false},  {2, 3, false},    {3, 5, true}, {4, 255, true},
                {5, 256, true}, {6, 0xFFF, true}, {7, 1, true}, /* not a packet's last */
                {8, 0, false}};

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        start(state);
        assert_int_equal(nic_rig_send(nic, &pool, 1), 1);
        struct pkt *p = pkt_alloc(&pool);
        assert_true(pkt_append(p, &device, PKT_DATA_BYTES + 100)); /* of two buffers: 1, 2 */
        assert_int_equal(nic->ops->tx_batch(nic, &p, 1), 1);
        assert_int_equal(nic_rig_send(nic, &pool, 2), 2);
        fake_vmxnet3_sent(&device, rows[i].index);
        nic_rig_poll(nic);
        if ((nic->dead != NULL) != rows[i].dies)
            fail_msg("row %d", rows[i].id);
        if (nic->dead) {
            nic_rig_expect_given_up(nic, &pool, device.fn->config);
        } else {
            fake_vmxnet3_sent(&device, rows[i].index); /* once more */
            nic_rig_poll(nic);
            nic_rig_expect_given_up(nic, &pool, device.fn->config);
        }
        finish(NULL);
    }
}

/* ---- registers ---- */

static void test_events(void **state)
{
    static const struct {
        int id;
        uint32_t events;
        bool dies;
    } rows[] = {{1, VMXNET3_EVENT_RQ, true},
                {2, VMXNET3_EVENT_TQ, true},
                {3, VMXNET3_EVENT_LINK, false},
                {4, 0xFFFFFFF8, false},
                {5, UINT32_MAX, true}};

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        start(state);
        fake_vmxnet3_event(&device, rows[i].events);
        if (nic->ops->link_up(nic) == rows[i].dies)
            fail_msg("row %d", rows[i].id);
        if (rows[i].dies)
            nic_rig_expect_given_up(nic, &pool, device.fn->config);
        finish(NULL);
    }
}

/* A device that was pulled reads as ones everywhere. */
static void test_gone(void **state)
{
    (void)state;
    nic_rig_send(nic, &pool, 2);
    device.gone = true;
    nic->ops->read_counters(nic);
    assert_false(nic->ops->link_up(nic));
    device.gone = false;
    nic_rig_expect_given_up(nic, &pool, device.fn->config);
}

static void test_devices_that_do_not_start(void **state)
{
    static const struct {
        int id;
        uint32_t revisions, activation;
        bool gone;
        uint64_t bar_bytes;
        size_t memory;
    } rows[] = {
        {1, 0, 0, false, 4096, SIZE_MAX}, {2, 0xFE, 0, false, 4096, SIZE_MAX},
        {3, 1, 1, false, 4096, SIZE_MAX}, {4, 1, UINT32_MAX, false, 4096, SIZE_MAX},
        {5, 1, 0, true, 4096, SIZE_MAX},  {6, 1, 0, false, 2048, SIZE_MAX},
        {7, 1, 0, false, 4096, 1500},     {8, 1, 0, false, 4096, 3000},
        {9, 1, 0, false, 4096, 12000},    {10, 1, 0, false, 4096, 20000},
        {11, 1, 0, false, 4096, 40000},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        fake_pool_start(&pool, POOL_COUNT);
        fake_vmxnet3_init(&device, &pool);
        device.revisions = rows[i].revisions;
        device.activation = rows[i].activation;
        device.gone = rows[i].gone;
        fake_pci_set_bar(device.fn, 1, 0xFEB81000u, rows[i].bar_bytes, false);
        fake_mem_limit = rows[i].memory;
        nic = fake_vmxnet3_start(&device, &limits);
        if (!nic || !nic->dead || (device.fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER) ||
            pool.free_count != POOL_COUNT)
            fail_msg("row %d", rows[i].id);
        fake_machine_reset();
        assert_int_equal(fake_pool_stop(&pool), 0);
    }
}

/* ---- at random ---- */

/* Any bits in completions, descriptors and shared memory, now and then well-formed ones, for as
 * long as it lives. */
static void random_step(unsigned *received)
{
    struct vmxnet3 *v = vmxnet3_of(nic);
    uint32_t any = rnd(UINT32_MAX);

    switch (rnd(10)) {
    case 0:
        if (rnd(10) == 0)
            fake_vmxnet3_complete(&device, rnd(4) ? any & 0xC0FF : any, rnd(8) ? any & 0x7FF : any);
        break;
    case 1:
        if (v->tx.clean != v->tx.next || rnd(20) == 0)
            fake_vmxnet3_sent(&device, rnd(20) ? v->tx.clean % VMXNET3_RING : rnd(300));
        break;
    case 2:
        memcpy((uint8_t *)v->rx.rings[rnd(2)].desc + rnd(VMXNET3_RING) * 16, &any, 4);
        break;
    case 3:
        v->queues->rx.wants_rxprod = (uint8_t)any;
        v->queues->rx.stats[rnd(10)] = any;
        break;
    case 4:
        v->shared->events = any & (rnd(30) ? 0xFC : UINT32_MAX);
        fake_irq_raise(rnd(2));
        break;
    case 5:
        nic_rig_send(nic, &pool, 1 + rnd(8));
        break;
    case 6:
        nic->ops->irq_arm(nic);
        nic->ops->irq_disarm(nic);
        break;
    case 7:
        nic->ops->link_up(nic);
        break;
    case 8:
        nic->ops->read_counters(nic);
        break;
    default:
        fake_vmxnet3_complete(
            &device, v->rx.rings[0].next % VMXNET3_RING | SOP | (rnd(3) ? EOP : 0), any & 0x7FF);
        *received += nic_rig_poll(nic);
    }
}

static void test_at_random(void **state)
{
    unsigned deaths = 0, received = 0;

    for (unsigned run = 0; run < 200; run++) {
        start(state);
        for (unsigned i = 0; i < 200 && !nic->dead; i++)
            random_step(&received);
        deaths += nic->dead != NULL;
        device.queues = NULL;
        device.fault = NULL; /* it is the liar here */
        finish(NULL);
    }
    if (deaths < 20 || received < 200)
        fail_msg("%u deaths, %u received", deaths, received);
}

/* With a device, whose faults at its registers cmocka leaves alone inside of a test only. */
#define RUN_STARTED(test)                                                                          \
    static void test##_started(void **state)                                                       \
    {                                                                                              \
        start(state);                                                                              \
        test(state);                                                                               \
        finish(state);                                                                             \
    }
#define STARTED(test) cmocka_unit_test(test##_started)
RUN_STARTED(test_two_beginnings)
RUN_STARTED(test_a_frame_without_end)
RUN_STARTED(test_gone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_completions_that_cannot_be),
        cmocka_unit_test(test_parts),
        STARTED(test_two_beginnings),
        STARTED(test_a_frame_without_end),
        cmocka_unit_test(test_ends_of_what_was_not_sent),
        cmocka_unit_test(test_events),
        STARTED(test_gone),
        cmocka_unit_test(test_devices_that_do_not_start),
        cmocka_unit_test(test_at_random),
    };
    return cmocka_run_group_tests_name("vmxnet3_hostile", tests, NULL, NULL);
}
