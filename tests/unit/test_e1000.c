/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drivers/e1000*.c against a well-behaved controller in software: start, link, interrupts, frames
 * both ways, checksums and segments.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/e1000.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_e1000.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_pool.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/frame_build.h"
#include "tests/fake/nic_rig.h"

#define POOL_COUNT 400
#define RX_MAX     60

static struct fake_e1000 device;
static struct pkt_pool pool;
static struct nic *nic;
static uint8_t bytes[FRAME_MAX_BYTES];
static struct frame built;

static void prepare(uint16_t id)
{
    fake_pool_start(&pool, POOL_COUNT);
    fake_e1000_init(&device, id, &pool);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
}

static void begin(uint32_t tx_max)
{
    struct nic_limits limits = {.pool = &pool, .rx_buffers_max = RX_MAX, .tx_buffers_max = tx_max};

    nic = fake_e1000_start(&device, &limits);
    assert_non_null(nic);
}

static int start(void **state)
{
    (void)state;
    prepare(FAKE_E1000_82540EM);
    begin(0);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fake_e1000_stop(&device, nic);
    assert_null(device.fault);
    frame_unpoison(&pool);
    return fake_pool_stop(&pool);
}

/* ---- start, link and interrupts ---- */

static void test_start(void **state)
{
    uint32_t ctrl = fake_e1000_reg(&device, E1000_CTRL), rctl = fake_e1000_reg(&device, E1000_RCTL);

    (void)state;
    assert_true(device.was_reset);
    assert_true(fake_now_us >= 5000 && fake_now_us < 10000); /* the EEPROM's time, and not much */
    assert_memory_equal(nic->mac, device.eeprom_mac, MAC_BYTES);
    assert_string_equal(nic->driver, "e1000");
    assert_string_equal(nic->location, "00:03.0");
    assert_int_equal(nic->mtu, 1500);
    assert_int_equal(nic->mtu_max, 9212);
    assert_int_equal(nic->offloads, NIC_TX_CSUM_NEAR | NIC_TX_TSO4 | NIC_RX_CSUM);
    assert_int_equal(ctrl & (E1000_CTRL_SLU | E1000_CTRL_ASDE), E1000_CTRL_SLU | E1000_CTRL_ASDE);
    assert_int_equal(ctrl & (E1000_CTRL_LRST | E1000_CTRL_ILOS | E1000_CTRL_FRCSPD |
                             E1000_CTRL_VME | E1000_CTRL_RFCE | E1000_CTRL_RST),
                     0);
    assert_int_equal(ctrl & 0x100, 0x100); /* what it does not know stays as the EEPROM has it */
    assert_true((rctl & E1000_RCTL_EN) && (rctl & E1000_RCTL_UPE) && (rctl & E1000_RCTL_MPE));
    assert_true((rctl & E1000_RCTL_SECRC) && (rctl & E1000_RCTL_LPE));
    for (unsigned i = 0; i < E1000_MTA_WORDS; i++)
        assert_int_equal(fake_e1000_reg(&device, E1000_MTA + 4 * i), 0);
    assert_int_equal(fake_e1000_reg(&device, E1000_FCT), 0);
    assert_int_equal(fake_e1000_reg(&device, E1000_RDTR), 0);
    assert_int_equal(fake_e1000_reg(&device, E1000_RXCSUM), 0x300);
    assert_int_equal(device.ims, E1000_INT_LSC);
    assert_int_equal(fake_e1000_rx_room(&device), RX_MAX);
    assert_true(nic->ops->link_up(nic));
}

static void test_the_younger_family(void **state)
{
    (void)state;
    prepare(FAKE_E1000_82574L);
    begin(0);
    assert_string_equal(nic->driver, "e1000e");
    assert_true(nic->offloads & NIC_TX_TSO6);
    assert_int_equal(fake_e1000_reg(&device, E1000_RFCTL), 0);
    assert_true(fake_e1000_reg(&device, E1000_TXDCTL) & E1000_TXDCTL_82574);
    assert_int_equal(device.fn->config[0xD0 + PCI_MSI_CONTROL] & 1, 1);
    finish(NULL);
}

/* What the device counts, which begins anew whenever it is read. */
static void test_counters(void **state)
{
    (void)state;
    assert_int_equal(nic->counters.rx_missed, 0); /* of whoever had it before us */
    assert_int_equal(nic->counters.rx_errors, 0);
    fake_e1000_set(&device, E1000_MPC, 5);
    fake_e1000_set(&device, E1000_CRCERRS, 100);
    fake_e1000_set(&device, E1000_RXERRC, 20);
    fake_e1000_set(&device, E1000_RLEC, 3);
    nic->ops->read_counters(nic);
    nic->ops->read_counters(nic); /* plain memory, so it reads the same again */
    assert_int_equal(nic->counters.rx_missed, 10);
    assert_int_equal(nic->counters.rx_errors, 246);
    fake_e1000_set(&device, E1000_STATUS, UINT32_MAX); /* gone */
    nic->ops->read_counters(nic);
    assert_int_equal(nic->counters.rx_missed, 10);
}

/* A MAC that is none is replaced by one that is made up. */
static void test_macs(void **state)
{
    static const struct {
        int id;
        uint8_t mac[MAC_BYTES];
        bool invalid, by_word, used;
    } rows[] = {
        {1, {0x52, 0x54, 0, 1, 2, 3}, false, false, true},
        {2, {0x52, 0x54, 0, 1, 2, 3}, true, false, false},
        {3, {0, 0, 0, 0, 0, 0}, false, false, false},
        {4, {255, 255, 255, 255, 255, 255}, false, false, false},
        {5, {1, 2, 3, 4, 5, 6}, false, false, false},
        {6, {0x52, 0x54, 0, 1, 2, 3}, true, true, true}, /* the EEPROM is asked */
        {7, {1, 2, 3, 4, 5, 6}, true, true, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        prepare(FAKE_E1000_82540EM);
        memcpy(device.eeprom_mac, rows[i].mac, MAC_BYTES);
        device.no_mac = rows[i].invalid;
        device.mac_by_word = rows[i].by_word;
        begin(0);
        if ((memcmp(nic->mac, rows[i].mac, MAC_BYTES) == 0) != rows[i].used || (nic->mac[0] & 1))
            fail_msg("row %d", rows[i].id);
        finish(NULL);
    }
}

/* Between them they want no interrupt but the link's; asleep, for what comes. */
static void test_interrupts(void **state)
{
    struct pkt *p = NULL;

    (void)state;
    assert_true(fake_e1000_receive(&device, bytes, 60, 0));
    assert_int_equal(device.interrupts, 0);    /* polled */
    assert_true(fake_e1000_arm(&device, nic)); /* there is work: no sleep */
    nic->ops->irq_disarm(nic);
    assert_int_equal(nic->ops->rx_batch(nic, &p, 1), 1);
    pkt_free(p);

    assert_false(fake_e1000_arm(&device, nic)); /* what was polled wakes nobody */
    assert_int_equal(device.interrupts, 0);
    assert_true(fake_e1000_receive(&device, bytes, 60, 0));
    assert_int_equal(device.interrupts, 1);
    assert_true(fake_e1000_receive(&device, bytes, 60, 0));
    assert_int_equal(device.interrupts, 1); /* one wakes */
    assert_int_equal(nic->counters.interrupts, 1);
    nic->ops->irq_disarm(nic);
    fake_e1000_settle(&device);
    assert_int_equal(device.ims, E1000_INT_LSC);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(nic->ops->rx_batch(nic, &p, 1), 1);
        pkt_free(p);
    }
    fake_irq_raise(0); /* somebody else's, on the same line */
    assert_int_equal(nic->counters.interrupts, 1);
}

static void test_link(void **state)
{
    (void)state;
    assert_true(nic->ops->link_up(nic));
    fake_e1000_set_link(&device, false); /* while polling */
    assert_int_equal(device.interrupts, 1);
    assert_false(nic->ops->link_up(nic));
    assert_false(fake_e1000_arm(&device, nic));
    fake_e1000_set_link(&device, true); /* while asleep */
    assert_int_equal(device.interrupts, 2);
    nic->ops->irq_disarm(nic);
    assert_true(nic->ops->link_up(nic));

    /* A change that only the last look before the sleep sees. */
    fake_e1000_set(&device, E1000_STATUS, 0);
    device.causes = E1000_INT_LSC;
    assert_true(fake_e1000_arm(&device, nic));
    nic->ops->irq_disarm(nic);
    assert_false(nic->ops->link_up(nic));
}

static void test_without_interrupts(void **state)
{
    (void)state;
    prepare(FAKE_E1000_82574L);
    fake_irq_limit = 0;
    begin(0);
    assert_int_equal(nic->irq, NIC_IRQ_NONE);
    assert_false(fake_e1000_arm(&device, nic));
    /* Nobody would silence its line. */
    assert_int_equal(device.ims, 0);
    assert_true(device.fn->config[PCI_COMMAND + 1] & PCI_COMMAND_INTX_OFF >> 8);
    assert_true(nic->ops->link_up(nic));
    fake_e1000_set(&device, E1000_STATUS, 0); /* it looks itself */
    assert_false(nic->ops->link_up(nic));
    finish(NULL);
}

/* ---- receive ---- */

static unsigned receive_all(struct pkt **out, unsigned max)
{
    unsigned n = nic->ops->rx_batch(nic, out, max);

    for (unsigned i = 0; i < n; i++)
        assert_true(out[i]->len >= MIN(out[i]->total_bytes, 128u));
    return n;
}

static void test_rx_lengths(void **state)
{
    static const struct {
        int id;
        size_t n;
        uint64_t bits;
        uint16_t segs; /* 0: refused */
        bool valid;
    } rows[] = {
        {1, 60, 0, 1, false},
        {2, 1514, E1000_RXD_TCPCS, 1, true},
        {3, 1514, E1000_RXD_TCPCS | E1000_RXD_ERR_TCPE, 1, false},
        {4, 1514, E1000_RXD_TCPCS | E1000_RXD_IXSM, 1, false},
        {5, 2048, 0, 1, false},
        {6, 2049, 0, 2, false},
        {7, 9018, E1000_RXD_TCPCS, 5, false}, /* in several buffers: for the receiver to judge */
        {8, 16384, 0, 8, false},
        {9, 20 * 2048, 0, 20, false},
        {10, 20 * 2048 + 1, 0, 0, false}, /* more buffers than a packet may have */
        {11, 60, 1ull << 40, 0, false},   /* CE */
        {12, 60, 1ull << 41, 0, false},   /* SE */
        {13, 60, 1ull << 42, 0, false},   /* SEQ */
        {14, 60, 1ull << 44, 0, false},   /* CXE */
        {15, 60, 1ull << 47, 0, false},   /* RXE */
        {16, 60, 1ull << 46, 1, false},   /* IPE: for the receiver to judge */
        {17, 5000, 1ull << 40, 0, false},
        {18, 0, 0, 0, false},
        {19, 1, 0, 1, false},
    };
    static uint8_t flat[FRAME_MAX_BYTES];

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct pkt *p = NULL;
        uint64_t bad = nic->counters.rx_bad;
        assert_true(fake_e1000_receive(&device, bytes, rows[i].n, rows[i].bits));
        unsigned n = receive_all(&p, 1);
        if (n != (rows[i].segs != 0) || nic->counters.rx_bad - bad != (rows[i].segs == 0))
            fail_msg("row %d: %u", rows[i].id, n);
        if (n == 0)
            continue;
        if (p->segs != rows[i].segs || p->total_bytes != rows[i].n ||
            frame_flatten(p, flat) != rows[i].n || memcmp(flat, bytes, rows[i].n) != 0 ||
            (p->flags == PKT_CSUM_VALID) != rows[i].valid || p->gso_size != 0)
            fail_msg("row %d", rows[i].id);
        pkt_free(p);
    }
    assert_null(nic->dead);
}

/* The frame check sequence that the device takes off may have had a buffer of its own. */
static void test_rx_empty_last_part(void **state)
{
    struct pkt *p = NULL;

    (void)state;
    fake_e1000_rx_write(&device, 2048 | E1000_RXD_DD);
    fake_e1000_rx_write(&device, E1000_RXD_DD | E1000_RXD_EOP);
    assert_int_equal(receive_all(&p, 1), 1);
    assert_int_equal(p->total_bytes, 2048);
    assert_int_equal(p->segs, 1);
    pkt_free(p);
}

/* ---- transmit ---- */

static struct pkt *plain_packet(size_t n, size_t head, size_t seg_max)
{
    return frame_pkt(&pool, bytes, n, head, seg_max, rnd);
}

static void send_one(struct pkt *p)
{
    frame_unpoison(&pool);
    assert_int_equal(nic->ops->tx_batch(nic, &p, 1), 1);
}

/* One context does for packets that have their checksum in the same place. */
static void test_tx_checksums(void **state)
{
    static const struct {
        struct frame_plan plan;
        unsigned descriptors;
    } rows[] = {
        {{.proto = 6, .payload_bytes = 100}, 2},
        {{.proto = 6, .payload_bytes = 1460}, 1},
        {{.proto = 17, .payload_bytes = 100}, 2},
        {{.proto = 17, .payload_bytes = 3}, 1},
        {{.proto = 6, .payload_bytes = 100}, 2},
        {{.proto = 6, .payload_bytes = 100, .vlan_tags = 1}, 2},
        {{.proto = 6, .ip6 = true, .payload_bytes = 101}, 2},
        {{.proto = 17, .ip6 = true, .payload_bytes = 0}, 2},
        {{.proto = 17, .ip6 = true, .payload_bytes = 1}, 1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        unsigned before = device.tx_at;
        send_one(nic_rig_packet(&pool, &built, &rows[i].plan, 0, 200));
        assert_true(fake_e1000_transmit(&device));
        assert_int_equal(device.frame_count, 1);
        assert_int_equal(device.frame_bytes[0], built.n);
        if (!frame_sums_right(device.frames[0], built.n, built.l3, built.ip6) ||
            device.tx_at - before < rows[i].descriptors ||
            device.tx_at - before > rows[i].descriptors + 1)
            fail_msg("row %u: %u descriptors", i + 1, device.tx_at - before);
        fake_e1000_report(&device, 1);
        nic->ops->tx_reclaim(nic);
    }
}

/* Full by descriptors or by buffers, and a group at a time again. */
static void test_tx_full(void **state)
{
    static const struct {
        int id;
        uint32_t tx_max, taken;
    } rows[] = {{1, 100, 100}, {2, 0, 120}, {3, 1, NIC_TX_BUFFERS_MIN}, {4, 10000, 253}};
    struct pkt *burst[32];

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        unsigned taken = 0, n = 32;
        prepare(FAKE_E1000_82540EM);
        begin(rows[i].tx_max);
        while (n == 32) {
            for (n = 0; n < 32; n++)
                burst[n] = plain_packet(60, 60, 100);
            frame_unpoison(&pool);
            n = nic->ops->tx_batch(nic, burst, 32);
            taken += n;
            for (unsigned k = n; k < 32; k++)
                pkt_free(burst[k]);
        }
        if (taken != rows[i].taken || nic->counters.tx_full != 32 - n)
            fail_msg("row %d: %u", rows[i].id, taken);
        /* One is sent: the group that it belongs to is free, and no more. */
        assert_true(fake_e1000_transmit(&device));
        assert_false(fake_e1000_report(&device, 1) && taken > 32);
        for (unsigned k = 1; k < taken; k++)
            assert_true(fake_e1000_transmit(&device));
        assert_false(fake_e1000_transmit(&device));
        uint32_t free_before = pool.free_count;
        assert_true(fake_e1000_report(&device, 1));
        nic->ops->tx_reclaim(nic);
        assert_int_equal(pool.free_count, free_before + MIN(taken, 32u));
        finish(NULL);
    }
}

/* Of a burst of long packets, the first ones are free before the last ones are sent. */
static void test_tx_groups(void **state)
{
    struct pkt *burst[20];

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        burst[i] = pkt_alloc(&pool);
        assert_true(pkt_append(burst[i], bytes, PKT_DATA_BYTES + 100));
    }
    assert_int_equal(nic->ops->tx_batch(nic, burst, 20), 20);
    assert_int_equal(nic->counters.tx_doorbells, 1);
    uint32_t free_before = pool.free_count;
    for (unsigned i = 0; i < 16; i++)
        assert_true(fake_e1000_transmit(&device));
    assert_true(fake_e1000_report(&device, 1));
    nic->ops->tx_reclaim(nic);
    assert_int_equal(pool.free_count, free_before + 32);
    while (fake_e1000_transmit(&device))
        ;
    fake_e1000_report(&device, 20);
    nic->ops->tx_reclaim(nic);
    assert_int_equal(pool.free_count, POOL_COUNT - RX_MAX);
}

/* Asleep with the pool nearly empty, the end of a transmission is waited for. */
static void test_tx_interrupt(void **state)
{
    static struct pkt *hold[POOL_COUNT];
    unsigned held = 0;

    (void)state;
    send_one(plain_packet(60, 60, 100));
    assert_false(fake_e1000_arm(&device, nic));
    assert_int_equal(device.ims & E1000_INT_TXDW, 0); /* there are buffers enough */
    nic->ops->irq_disarm(nic);
    while (pool.free_count > 2)
        hold[held++] = pkt_alloc(&pool);
    assert_false(fake_e1000_arm(&device, nic));
    assert_true(fake_e1000_transmit(&device));
    assert_true(fake_e1000_report(&device, 1));
    assert_int_equal(device.interrupts, 1);
    nic->ops->irq_disarm(nic);
    assert_true(fake_e1000_arm(&device, nic)); /* there is something to take back */
    nic->ops->irq_disarm(nic);
    nic->ops->tx_reclaim(nic);
    while (held > 0)
        pkt_free(hold[--held]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start, start, finish),
        cmocka_unit_test(test_the_younger_family),
        cmocka_unit_test_setup_teardown(test_counters, start, finish),
        cmocka_unit_test(test_macs),
        cmocka_unit_test_setup_teardown(test_interrupts, start, finish),
        cmocka_unit_test_setup_teardown(test_link, start, finish),
        cmocka_unit_test(test_without_interrupts),
        cmocka_unit_test_setup_teardown(test_rx_lengths, start, finish),
        cmocka_unit_test_setup_teardown(test_rx_empty_last_part, start, finish),
        cmocka_unit_test_setup_teardown(test_tx_checksums, start, finish),
        cmocka_unit_test(test_tx_full),
        cmocka_unit_test_setup_teardown(test_tx_groups, start, finish),
        cmocka_unit_test_setup_teardown(test_tx_interrupt, start, finish),
    };
    return cmocka_run_group_tests_name("e1000", tests, NULL, NULL);
}
