/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drivers/vmxnet3*.c against a well-behaved vmxnet3 in software: what only it has. Traffic is in
 * test_nic_traffic.c and test_nic_random.c.
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
#include "tests/fake/frame_build.h"

#define POOL_COUNT  400
#define RX_MAX      60
#define BODIES      (RX_MAX / 4)
#define MASK_ACTIVE (1u << 2)

static struct fake_vmxnet3 device;
static struct pkt_pool pool;
static struct nic *nic;
static uint8_t bytes[9100];
static const struct nic_limits limits = {.pool = &pool, .rx_buffers_max = RX_MAX};

static void prepare(void)
{
    fake_pool_start(&pool, POOL_COUNT);
    fake_vmxnet3_init(&device, &pool);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
}

static void begin(void)
{
    nic = fake_vmxnet3_start(&device, &limits);
    assert_non_null(nic);
    assert_null(nic->dead);
}

static void start(void **state)
{
    (void)state;
    prepare();
    begin();
}

static void finish(void **state)
{
    (void)state;
    fake_vmxnet3_stop(&device, nic);
    assert_null(device.fault);
    frame_unpoison(&pool);
    assert_int_equal(fake_pool_stop(&pool), 0);
}

/* ---- start, link and interrupts ---- */

static void test_start(void **state)
{
    const struct vmxnet3_shared *s = device.shared;

    (void)state;
    assert_memory_equal(nic->mac, device.mac, MAC_BYTES);
    assert_string_equal(nic->driver, "vmxnet3");
    assert_string_equal(nic->location, "00:03.0");
    assert_int_equal(nic->mtu, 1500);
    assert_int_equal(nic->mtu_max, 9000);
    assert_int_equal(nic->offloads, NIC_TX_CSUM_NEAR | NIC_TX_TSO4 | NIC_TX_TSO6);
    assert_int_equal(s->rx_mode, 0x1F);
    for (unsigned i = 0; i < VMXNET3_VLAN_WORDS; i++)
        assert_int_equal(s->vlans[i], UINT32_MAX);
    assert_int_equal(s->features, 0);
    assert_int_equal(s->interrupt_control, 0);
    assert_int_equal(s->rx_buffers_max, PKT_MAX_SEGS);
    assert_int_equal(fake_vmxnet3_rx_room(&device, 0), RX_MAX - BODIES);
    assert_int_equal(fake_vmxnet3_rx_room(&device, 1), BODIES);
    assert_true(fake_vmxnet3_masked(&device, 0) && fake_vmxnet3_masked(&device, 1));
    assert_true(nic->ops->link_up(nic));
}

static void test_macs(void **state)
{
    static const struct {
        int id;
        uint8_t mac[MAC_BYTES];
        bool used;
    } rows[] = {{1, {0x52, 0x54, 0, 1, 2, 3}, true},
                {2, {0, 0, 0, 0, 0, 0}, false},
                {3, {1, 2, 3, 4, 5, 6}, false}};

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        prepare();
        memcpy(device.mac, rows[i].mac, MAC_BYTES);
        begin();
        if ((memcmp(nic->mac, rows[i].mac, MAC_BYTES) == 0) != rows[i].used ||
            !nic_mac_is_usable(nic->mac))
            fail_msg("row %d", rows[i].id);
        finish(state);
    }
}

/* By two messages, one, or the line; masked by the device or by us. */
static void test_interrupts(void **state)
{
    static const struct {
        int id;
        uint32_t kind;
        uint8_t without; /* this capability */
        unsigned handlers;
    } rows[] = {
        {1, VMXNET3_INT_AUTO, 0, 2},
        {2, VMXNET3_INT_MSIX, 0, 2},
        {3, VMXNET3_INT_MSI, 0, 1},
        {4, VMXNET3_INT_LINE, 0, 1},
        {5, VMXNET3_INT_AUTO, PCI_CAP_ID_MSIX, 1},
        {6, VMXNET3_INT_AUTO, PCI_CAP_ID_MSI, 1},
        {7, VMXNET3_INT_AUTO | MASK_ACTIVE, 0, 2},
        {8, VMXNET3_INT_MSI | MASK_ACTIVE, 0, 1},
        {9, VMXNET3_INT_LINE | MASK_ACTIVE, 0, 1},
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct pkt *p = NULL;
        prepare();
        device.interrupt_kind = rows[i].kind;
        if (rows[i].without)
            fake_vmxnet3_without(&device, rows[i].without);
        begin();
        if (fake_irq_count != rows[i].handlers || nic->irq != NIC_IRQ_UNPROVEN)
            fail_msg("row %d: %u handlers", rows[i].id, fake_irq_count);
        assert_true(fake_vmxnet3_receive(&device, bytes, 60, 0));
        assert_int_equal(device.interrupts, 0); /* nobody sleeps */
        assert_int_equal(nic->ops->rx_batch(nic, &p, 1), 1);
        pkt_free(p);
        assert_false(fake_vmxnet3_arm(&device, nic)); /* it waited, and comes for nothing */
        nic->ops->irq_disarm(nic);
        assert_false(fake_vmxnet3_arm(&device, nic));
        assert_int_equal(device.interrupts, 1);
        assert_true(fake_vmxnet3_receive(&device, bytes, 60, 0));
        if (device.interrupts != 2 || nic->counters.interrupts != 2 ||
            !fake_vmxnet3_masked(&device, 0))
            fail_msg("row %d: %u interrupts", rows[i].id, device.interrupts);
        nic->ops->irq_disarm(nic);
        assert_true(fake_vmxnet3_arm(&device, nic));
        nic->ops->irq_disarm(nic);
        assert_true(fake_vmxnet3_masked(&device, 0));
        finish(state);
    }
}

static void test_without_interrupts(void **state)
{
    prepare();
    fake_irq_limit = 0;
    begin();
    assert_int_equal(nic->irq, NIC_IRQ_NONE);
    assert_false(fake_vmxnet3_arm(&device, nic));
    assert_true(fake_vmxnet3_masked(&device, 0));
    device.link = 0; /* it looks by itself */
    assert_false(nic->ops->link_up(nic));
    finish(state);
}

/* The line may be another device's. */
static void test_shared_line(void **state)
{
    prepare();
    device.interrupt_kind = VMXNET3_INT_LINE;
    begin();
    assert_false(fake_vmxnet3_arm(&device, nic));
    fake_irq_raise(0);
    assert_int_equal(nic->counters.interrupts, 0);
    assert_false(fake_vmxnet3_masked(&device, 0));
    finish(state);
}

static void test_link(void **state)
{
    (void)state;
    nic->irq = NIC_IRQ_PROVEN;
    assert_false(fake_vmxnet3_arm(&device, nic));
    fake_vmxnet3_set_link(&device, false);
    assert_int_equal(device.interrupts, 1);
    nic->ops->irq_disarm(nic);
    assert_true(fake_vmxnet3_arm(&device, nic)); /* it has not been looked at */
    nic->ops->irq_disarm(nic);
    assert_false(nic->ops->link_up(nic));
    assert_int_equal(device.shared->events, 0);
    fake_vmxnet3_set_link(&device, true); /* noticed without an interrupt, too */
    assert_true(nic->ops->link_up(nic));
    device.link = 0; /* without an event it is not asked */
    assert_true(nic->ops->link_up(nic));
}

static void test_counters(void **state)
{
    (void)state;
    device.no_buffer = 5;
    device.rx_errors = 3;
    nic->ops->read_counters(nic);
    device.no_buffer = 7;
    nic->ops->read_counters(nic);
    nic->ops->read_counters(nic);
    assert_int_equal(nic->counters.rx_missed, 7);
    assert_int_equal(nic->counters.rx_errors, 3);
}

/* ---- receive ---- */

static unsigned poll(void)
{
    struct pkt *out[32];
    unsigned n = nic->ops->rx_batch(nic, out, 32);

    for (unsigned i = 0; i < n; i++)
        pkt_free(out[i]);
    return n;
}

static void test_rx_error(void **state)
{
    static const size_t lengths[] = {60, 5000};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(lengths); i++) {
        assert_true(fake_vmxnet3_receive(&device, bytes, lengths[i], VMXNET3_RCD_ERR));
        assert_int_equal(poll(), 0);
        assert_int_equal(nic->counters.rx_bad, i + 1);
    }
    assert_true(fake_vmxnet3_receive(&device, bytes, 60, 0));
    assert_int_equal(poll(), 1);
}

/* Buffers that it passes over come back with the next that it does not. */
static void test_rx_passed_over(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        device.rx_at[0] += round % 5;
        device.rx_at[1] += round % 3;
        assert_true(fake_vmxnet3_receive(&device, bytes, 5000, 0));
        assert_int_equal(poll(), 1);
        assert_int_equal(fake_vmxnet3_rx_room(&device, 0), RX_MAX - BODIES);
        assert_int_equal(fake_vmxnet3_rx_room(&device, 1), BODIES);
    }
    assert_int_equal(pool.free_count, POOL_COUNT - RX_MAX);
}

/* It is told of new buffers if it says so, of several at a time. */
static void test_rx_tell(void **state)
{
    for (unsigned wants = 0; wants < 2; wants++) {
        start(state);
        uint64_t before = nic->counters.rx_doorbells;
        device.queues->rx.wants_rxprod = (uint8_t)wants;
        for (unsigned i = 0; i < 100; i++) {
            fake_vmxnet3_receive(&device, bytes, 60, 0);
            poll();
        }
        uint64_t told = nic->counters.rx_doorbells - before;
        assert_true(wants ? told > 2 && told < 30 : told == 0);
        if (wants)
            assert_in_range(load_raw32(device.bar0 + VMXNET3_RXPROD), 100 + RX_MAX - BODIES - 16,
                            100 + RX_MAX - BODIES);
        finish(state);
    }
}

/* ---- transmit ---- */

/* More buffers than the device takes for a packet that it does not cut. */
static void test_tx_many_buffers(void **state)
{
    (void)state;
    for (unsigned segs = 14; segs <= PKT_MAX_SEGS; segs++) {
        for (unsigned scarce = 0; scarce < 2; scarce++) {
            static struct pkt *hold[POOL_COUNT];
            unsigned held = 0;
            struct pkt *p = frame_pkt(&pool, bytes, 100 + segs - 1, 100, 1, rnd);
            assert_int_equal(p->segs, segs);
            frame_unpoison(&pool);
            while (scarce && pool.free_count > 0)
                hold[held++] = pkt_alloc(&pool);
            bool taken = nic->ops->tx_batch(nic, &p, 1);
            assert_int_equal(taken, !scarce || segs < 16);
            if (!taken)
                pkt_free(p);
            assert_int_equal(fake_vmxnet3_transmit(&device), taken);
            if (taken)
                assert_memory_equal(device.frames[0], bytes, 100 + segs - 1);
            fake_vmxnet3_report(&device, 1);
            nic->ops->tx_reclaim(nic);
            while (held > 0)
                pkt_free(hold[--held]);
            assert_int_equal(pool.free_count, POOL_COUNT - RX_MAX);
        }
    }
}

/* Asleep with the pool nearly empty, the end of a transmission is waited for; else it is not. */
static void test_tx_interrupt(void **state)
{
    static struct pkt *hold[POOL_COUNT];
    struct pkt *p = frame_pkt(&pool, bytes, 60, 60, 60, rnd);
    unsigned held = 0;

    (void)state;
    frame_unpoison(&pool);
    assert_int_equal(nic->ops->tx_batch(nic, &p, 1), 1);
    assert_false(fake_vmxnet3_arm(&device, nic));
    assert_true(fake_vmxnet3_masked(&device, 1)); /* there are buffers enough */
    nic->ops->irq_disarm(nic);
    while (pool.free_count > 2)
        hold[held++] = pkt_alloc(&pool);
    assert_false(fake_vmxnet3_arm(&device, nic));
    assert_true(fake_vmxnet3_transmit(&device));
    assert_true(fake_vmxnet3_report(&device, 1));
    assert_int_equal(device.interrupts, 1);
    nic->ops->irq_disarm(nic);
    assert_true(fake_vmxnet3_arm(&device, nic)); /* there is something to take back */
    nic->ops->irq_disarm(nic);
    assert_true(fake_vmxnet3_masked(&device, 0) && fake_vmxnet3_masked(&device, 1));
    nic->ops->tx_reclaim(nic);
    while (held > 0)
        pkt_free(hold[--held]);
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
RUN_STARTED(test_start)
RUN_STARTED(test_link)
RUN_STARTED(test_counters)
RUN_STARTED(test_rx_error)
RUN_STARTED(test_rx_passed_over)
RUN_STARTED(test_tx_many_buffers)
RUN_STARTED(test_tx_interrupt)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STARTED(test_start),
        cmocka_unit_test(test_macs),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_without_interrupts),
        cmocka_unit_test(test_shared_line),
        STARTED(test_link),
        STARTED(test_counters),
        STARTED(test_rx_error),
        STARTED(test_rx_passed_over),
        cmocka_unit_test(test_rx_tell),
        STARTED(test_tx_many_buffers),
        STARTED(test_tx_interrupt),
    };
    return cmocka_run_group_tests_name("vmxnet3", tests, NULL, NULL);
}
