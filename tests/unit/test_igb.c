/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What drivers/igb*.c has beyond the e1000 driver, against a controller in software: start,
 * messages and what there is without them, the PHY, both forms of descriptors. What all NICs have
 * to do is in test_nic*.c, and lies in test_e1000_hostile.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/igb.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_e1000.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_pool.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/frame_build.h"

#define POOL_COUNT 400
#define RX_MAX     60
#define MSIX_CAP   0x70
#define MSI_CAP    0xD0
#define DD         1u
#define EOP        2u

static struct fake_e1000 device;
static struct pkt_pool pool;
static struct nic *nic;
static uint8_t bytes[2048];
static const struct nic_limits limits = {.pool = &pool, .rx_buffers_max = RX_MAX};

static void prepare(uint16_t id)
{
    fake_pool_start(&pool, POOL_COUNT);
    fake_e1000_init(&device, id, &pool);
}

static bool begin(void)
{
    nic = fake_e1000_start(&device, &limits);
    return nic && !nic->dead;
}

static int start(void **state)
{
    (void)state;
    prepare(FAKE_IGB_82576);
    assert_true(begin());
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

static uint32_t reg(unsigned at)
{
    return fake_e1000_reg(&device, at);
}

/* ---- start ---- */

static void test_start(void **state)
{
    uint32_t ctrl = reg(E1000_CTRL), rctl = reg(E1000_RCTL);
    uint32_t control = reg(IGB_RX_QUEUE + E1000_QUEUE_CONTROL);

    (void)state;
    assert_true(device.was_reset);
    assert_memory_equal(nic->mac, device.eeprom_mac, MAC_BYTES);
    assert_int_equal(nic->mtu_max, 9212);
    assert_int_equal(nic->offloads, NIC_TX_CSUM_NEAR | NIC_TX_TSO4 | NIC_TX_TSO6 | NIC_RX_CSUM);
    assert_int_equal(ctrl & E1000_CTRL_SLU, E1000_CTRL_SLU);
    assert_int_equal(ctrl & (IGB_CTRL_MASTER_OFF | E1000_CTRL_ASDE | E1000_CTRL_FRCSPD |
                             E1000_CTRL_VME | E1000_CTRL_RFCE | E1000_CTRL_RST),
                     0);
    assert_true((rctl & E1000_RCTL_EN) && (rctl & E1000_RCTL_UPE) && (rctl & E1000_RCTL_MPE));
    assert_true((rctl & E1000_RCTL_SECRC) && (rctl & E1000_RCTL_LPE));
    assert_int_equal(reg(IGB_RLPML), 9728);
    assert_int_equal(reg(IGB_RX_QUEUE + IGB_QUEUE_SRRCTL), 2 | 1u << 25);
    assert_int_equal(control >> 16 & 0x1F, 1); /* one is written back as soon as it is done */
    assert_true(control & IGB_QUEUE_CONTROL_ON);
    assert_true(reg(IGB_TX_QUEUE + E1000_QUEUE_CONTROL) & IGB_QUEUE_CONTROL_ON);
    assert_int_equal(reg(E1000_RXCSUM), 0x300);
    for (unsigned i = 0; i < E1000_MTA_WORDS; i++)
        assert_int_equal(reg(E1000_MTA + 4 * i), 0);
    assert_true(reg(IGB_CTRL_EXT) & IGB_CTRL_EXT_LOADED);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(reg(IGB_EITR(i)), 0);
    assert_int_equal(device.ims, E1000_INT_LSC);
    assert_int_equal(device.eims, 4);
    assert_int_equal(fake_e1000_rx_room(&device), RX_MAX);
    assert_true(nic->ops->link_up(nic));
}

/* What nobody has tried is said to be so; and only an 82576's PHY is spoken to. */
static void test_chips(void **state)
{
    static const struct {
        uint16_t id;
        const char *driver;
        bool experimental;
        uint16_t phy;
    } rows[] = {{FAKE_IGB_82576, "igb", false, 0x1240}, {FAKE_IGB_I225, "igc", true, 0x0840}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        prepare(rows[i].id);
        assert_true(begin());
        assert_string_equal(nic->driver, rows[i].driver);
        assert_int_equal(fake_log_has("experimental"), rows[i].experimental);
        assert_int_equal(fake_log_count, rows[i].experimental);
        assert_int_equal(device.phy_control, rows[i].phy);
        assert_int_equal(device.ims, E1000_INT_LSC);
        finish(NULL);
    }
}

/* Every wait ends. Some of what does not come can be done without. */
static void test_waits(void **state)
{
    enum { MASTER, EEPROM, FIRMWARE, SEMAPHORE, SILENT, NOTHING, RESET, QUEUE };
    static const struct {
        int id;
        bool starts;
        unsigned words; /* in the log */
    } rows[] = {{MASTER, true, 0}, {EEPROM, true, 0},  {FIRMWARE, true, 1}, {SEMAPHORE, true, 1},
                {SILENT, true, 1}, {NOTHING, true, 0}, {RESET, false, 0},   {QUEUE, false, 0}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        prepare(FAKE_IGB_82576);
        device.stuck_master = rows[i].id == MASTER;
        device.no_eeprom = rows[i].id == EEPROM;
        device.firmware_has_phy = rows[i].id == FIRMWARE;
        device.semaphore_taken = rows[i].id == SEMAPHORE;
        device.silent_phy = rows[i].id == SILENT;
        device.stuck_in_reset = rows[i].id == RESET;
        device.stuck_queue = rows[i].id == QUEUE;
        if (begin() != rows[i].starts || fake_now_us > 200000 ||
            (rows[i].starts && fake_log_count != rows[i].words) ||
            (rows[i].words && !fake_log_has("PHY")))
            fail_msg("row %d: %u words, %u us", rows[i].id, fake_log_count, (unsigned)fake_now_us);
        if (rows[i].id == FIRMWARE)
            assert_int_equal(reg(IGB_SW_FW_SYNC), IGB_SW_FW_SYNC_FIRMWARE(IGB_SW_FW_SYNC_PHY0));
        else if (rows[i].starts && rows[i].id != SEMAPHORE)
            assert_int_equal(reg(IGB_SW_FW_SYNC), 0); /* given back, answer or none */
        if (rows[i].starts) {
            finish(NULL);
            continue;
        }
        assert_false(device.fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
        fake_machine_reset();
        fake_pool_stop(&pool);
    }
}

/* ---- interrupts ---- */

static void drop_one(void)
{
    struct pkt *p = NULL;

    assert_int_equal(nic->ops->rx_batch(nic, &p, 1), 1);
    pkt_free(p);
}

/* Asleep, one message wakes; what was seen while polling sends none. */
static void expect_sleep_and_wake(void)
{
    unsigned before = device.interrupts;

    assert_true(fake_e1000_receive(&device, bytes, 60, 0));
    assert_int_equal(device.interrupts, before); /* polled */
    assert_true(fake_e1000_arm(&device, nic));   /* there is work: no sleep */
    nic->ops->irq_disarm(nic);
    drop_one();
    before = device.interrupts;
    assert_false(fake_e1000_arm(&device, nic));
    assert_int_equal(device.interrupts, before);
    assert_true(fake_e1000_receive(&device, bytes, 60, 0));
    assert_true(fake_e1000_receive(&device, bytes, 60, 0));
    assert_int_equal(device.interrupts, before + 1);
    nic->ops->irq_disarm(nic);
    drop_one();
    drop_one();
    fake_e1000_set_link(&device, false);
    assert_int_equal(device.interrupts, before + 2);
    assert_false(nic->ops->link_up(nic));
    assert_false(fake_e1000_arm(&device, nic));
    fake_e1000_set_link(&device, true); /* asleep */
    assert_int_equal(device.interrupts, before + 3);
    nic->ops->irq_disarm(nic);
    assert_true(nic->ops->link_up(nic));
}

static void test_messages(void **state)
{
    (void)state;
    expect_sleep_and_wake();
    assert_int_equal(nic->counters.interrupts, 3);
    fake_e1000_settle(&device);
    assert_int_equal(device.eims, 4);
    /* What came between the polls is in the rings, and not in a message that would still come. */
    assert_true(fake_e1000_receive(&device, bytes, 60, 0));
    drop_one();
    assert_false(fake_e1000_arm(&device, nic));
    assert_int_equal(device.interrupts, 3);
    /* None for what is sent, with buffers in plenty. */
    struct pkt *p = pkt_alloc(&pool);
    pkt_append(p, bytes, 60);
    assert_int_equal(nic->ops->tx_batch(nic, &p, 1), 1);
    assert_false(fake_e1000_arm(&device, nic));
    assert_true(fake_e1000_transmit(&device));
    assert_true(fake_e1000_report(&device, 1));
    assert_int_equal(device.interrupts, 3);
    assert_int_equal(device.eims, 4 | 1);
}

/* With the pool nearly empty, the end of a transmission is waited for. */
static void test_message_of_sending(void **state)
{
    static struct pkt *hold[POOL_COUNT];
    struct pkt *p = pkt_alloc(&pool);
    unsigned held = 0;

    (void)state;
    pkt_append(p, bytes, 60);
    assert_int_equal(nic->ops->tx_batch(nic, &p, 1), 1);
    while (pool.free_count > 10)
        hold[held++] = pkt_alloc(&pool);
    assert_false(fake_e1000_arm(&device, nic));
    assert_int_equal(device.eims, 4 | 2 | 1);
    assert_true(fake_e1000_transmit(&device));
    assert_true(fake_e1000_report(&device, 1));
    assert_int_equal(device.interrupts, 1);
    nic->ops->irq_disarm(nic);
    nic->ops->tx_reclaim(nic);
    assert_int_equal(pool.free_count, 11);
    while (held > 0)
        pkt_free(hold[--held]);
}

/* A machine or a device that has too few messages: the one of MSI, then the line. */
static void test_without_messages(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 2; way++) {
        prepare(FAKE_IGB_82576);
        fake_pci_set16(device.fn, MSIX_CAP + PCI_MSIX_CONTROL, 0); /* one entry */
        if (way == 1)
            device.fn->config[MSI_CAP] = 0xFF; /* nor that */
        assert_true(begin());
        assert_false(device.fn->config[MSIX_CAP + PCI_MSIX_CONTROL + 1] & 0x80);
        assert_int_equal(device.fn->config[MSI_CAP + PCI_MSI_CONTROL] & 1, way == 0);
        assert_int_equal(reg(IGB_GPIE), IGB_GPIE_NSICR);
        expect_sleep_and_wake();
        finish(NULL);
    }
}

/* ---- descriptors ---- */

/* What is written back, bit by bit. */
static void test_rx_forms(void **state)
{
    static const struct {
        int id;
        uint64_t written;
        bool good, valid;
    } rows[] = {
        {1, 60ull << 32 | DD | EOP, true, false},
        {2, 60ull << 32 | DD | EOP | 1u << 5, true, true},             /* L4I */
        {3, 60ull << 32 | DD | EOP | 1u << 5 | 1u << 29, true, false}, /* L4E */
        {4, 60ull << 32 | DD | EOP | 1u << 5 | 1u << 30, true, true},  /* IPE: who gets it judges */
        {5, 60ull << 32 | DD | EOP | 1u << 31, false, false},          /* RXE */
        {6, 60ull << 32 | DD | EOP | 0x1FFFFFCCull, true, false},      /* what says nothing to us */
        {7, 0xFFFF003Cull << 32 | DD | EOP, true, false},              /* a VLAN's number */
        {8, 0ull << 32 | DD | EOP, false, false},
        {9, 2048ull << 32 | DD | EOP, true, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct pkt *p = NULL;
        struct e1000_rx *rx = &e1000_of(nic)->rx;
        rx->desc[rx->next % E1000_RING].written = rows[i].written;
        if (nic->ops->rx_batch(nic, &p, 1) != rows[i].good)
            fail_msg("row %d", rows[i].id);
        if (p && ((p->flags == PKT_CSUM_VALID) != rows[i].valid ||
                  p->len != (rows[i].written >> 32 & 0xFFFF)))
            fail_msg("row %d: %u bytes", rows[i].id, p->len);
        if (p)
            pkt_free(p);
    }
    device.rx_at = e1000_of(nic)->rx.next % E1000_RING;
}

static struct pkt *offload_packet(const struct frame_plan *plan, uint16_t gso_size)
{
    static struct frame built;

    frame_make(&built, plan);
    frame_partial_csum(&built);
    struct pkt *p = frame_pkt(&pool, built.b, built.n, MIN(built.n, (size_t)1500), 2000, rnd);
    p->flags = PKT_NEEDS_CSUM;
    p->csum_start = (uint16_t)built.l4;
    p->csum_offset = plan->proto == 6 ? 16 : 6;
    p->hdr_len = (uint16_t)built.payload;
    p->gso_size = gso_size;
    p->gso_type = gso_size == 0 ? PKT_GSO_NONE : plan->ip6 ? PKT_GSO_TCP6 : PKT_GSO_TCP4;
    return p;
}

/* A checksum's context goes on counting when a super-packet has had its own in between. */
static void test_contexts(void **state)
{
    static const struct {
        struct frame_plan plan;
        uint16_t gso_size;
        unsigned contexts, frames;
    } rows[] = {
        {{.proto = 6, .payload_bytes = 100}, 0, 1, 1},
        {{.proto = 6, .payload_bytes = 1000}, 0, 0, 1},
        {{.proto = 6, .payload_bytes = 3000}, 1000, 1, 3},
        {{.proto = 6, .payload_bytes = 7}, 0, 0, 1},
        {{.proto = 17, .payload_bytes = 7}, 0, 1, 1},
        {{.proto = 17, .payload_bytes = 8, .vlan_tags = 1}, 0, 1, 1},
        {{.proto = 6, .ip6 = true, .payload_bytes = 2001, .vlan_tags = 1}, 1000, 1, 3},
        {{.proto = 17, .payload_bytes = 9, .vlan_tags = 1}, 0, 0, 1},
        {{.proto = 6, .ip6 = true, .payload_bytes = 9}, 0, 1, 1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        unsigned before = device.tx_at, contexts = 0;
        struct pkt *p = offload_packet(&rows[i].plan, rows[i].gso_size);
        unsigned l3 = rows[i].plan.vlan_tags ? 18 : 14;
        frame_unpoison(&pool);
        assert_int_equal(nic->ops->tx_batch(nic, &p, 1), 1);
        assert_true(fake_e1000_transmit(&device));
        for (unsigned at = before; at != device.tx_at; at++)
            contexts += (e1000_of(nic)->tx.desc[at].cmd & IGB_TXD_TYPE_MASK) == IGB_TXD_CONTEXT;
        if (contexts != rows[i].contexts || device.frame_count != rows[i].frames || device.fault)
            fail_msg("row %u: %u contexts, %u frames, %s", i + 1, contexts, device.frame_count,
                     device.fault ? device.fault : "");
        for (unsigned k = 0; k < device.frame_count; k++)
            if (!frame_sums_right(device.frames[k], device.frame_bytes[k], l3, rows[i].plan.ip6))
                fail_msg("row %u: frame %u", i + 1, k);
        fake_e1000_report(&device, 1);
        nic->ops->tx_reclaim(nic);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start, start, finish),
        cmocka_unit_test(test_chips),
        cmocka_unit_test(test_waits),
        cmocka_unit_test_setup_teardown(test_messages, start, finish),
        cmocka_unit_test_setup_teardown(test_message_of_sending, start, finish),
        cmocka_unit_test(test_without_messages),
        cmocka_unit_test_setup_teardown(test_rx_forms, start, finish),
        cmocka_unit_test_setup_teardown(test_contexts, start, finish),
    };
    return cmocka_run_group_tests_name("igb", tests, NULL, NULL);
}
