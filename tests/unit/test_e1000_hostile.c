/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A gigabit controller, old or young, that lies (drivers/e1000*.c, igb*.c): what it cannot be in
 * its right mind to say takes the port down with one line in the log, what is merely a bad frame is
 * counted, and either way every buffer is accounted for. The address sanitizer watches the rest.
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
#include "tests/fake/nic_rig.h"

#define POOL_COUNT 200
#define RX_MAX     50
#define GONE       UINT32_MAX
#define DD         E1000_RXD_DD
#define EOP        E1000_RXD_EOP

static struct fake_e1000 device;
static struct pkt_pool pool;
static struct nic *nic;
static const struct nic_limits limits = {.pool = &pool, .rx_buffers_max = RX_MAX};

static uint16_t ids[] = {FAKE_E1000_82574L, FAKE_IGB_82576};

/* The state is one of ids. */
static int start(void **state)
{
    fake_pool_start(&pool, POOL_COUNT);
    fake_e1000_init(&device, *(uint16_t *)*state, &pool);
    nic = fake_e1000_start(&device, &limits);
    assert_non_null(nic);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fake_e1000_stop(&device, nic);
    assert_null(device.fault);
    return fake_pool_stop(&pool);
}

/* ---- receive descriptors ---- */

static void test_lengths_over_the_buffer(void **state)
{
    static const struct {
        int id;
        uint64_t written;
    } rows[] = {{1, 2049 | DD | EOP}, {2, 0xFFFF | DD | EOP}, {3, 2049 | DD},
                {4, UINT64_MAX},      {5, 0x8000 | DD | EOP}, {6, 2049 | DD | EOP | 0x97ull << 40}};

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        start(state);
        fake_e1000_rx_write(&device, 60 | DD | EOP);
        fake_e1000_rx_write(&device, 500 | DD); /* a part that was already taken */
        fake_e1000_rx_write(&device, rows[i].written);
        nic_rig_send(nic, &pool, 3);
        if (nic_rig_poll(nic) != 1 || nic->counters.rx_packets != 1 || !nic->dead)
            fail_msg("row %d", rows[i].id);
        nic_rig_expect_given_up(nic, &pool, device.fn->config);
        finish(NULL);
    }
}

/* Frames in several buffers that are not: the next one comes through. */
static void test_parts(void **state)
{
    static const struct {
        int id;
        uint16_t first, others;
        unsigned others_count;
        bool good;
    } rows[] = {
        {1, 2048, 2048, 1, true},   {2, 128, 1, 1, true},
        {3, 127, 1000, 1, false}, /* the headers must be in the first */
        {4, 1000, 0, 2, false},     {5, 2048, 2048, 19, true},
        {6, 2048, 2048, 20, false}, {7, 200, 200, 45, false},
        {8, 0, 1000, 2, false},
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        for (unsigned each = 0; each < 2; each++) { /* polled after each buffer, or at the end */
            unsigned n = 0;
            start(state);
            fake_e1000_rx_write(&device, rows[i].first | DD);
            for (unsigned k = 1; k <= rows[i].others_count; k++) {
                n += each ? nic_rig_poll(nic) : 0;
                fake_e1000_rx_write(&device,
                                    rows[i].others | DD | (k == rows[i].others_count ? EOP : 0));
            }
            n += nic_rig_poll(nic);
            if (n != rows[i].good || nic->counters.rx_bad != !rows[i].good || nic->dead)
                fail_msg("row %d: %u", rows[i].id, n);
            fake_e1000_rx_write(&device, 60 | DD | EOP);
            assert_int_equal(nic_rig_poll(nic), 1);
            finish(NULL);
        }
    }
}

/* A frame without end holds no more than a packet may, and the port goes on. */
static void test_a_frame_without_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        fake_e1000_rx_write(&device, 2000 | DD);
        assert_int_equal(nic_rig_poll(nic), 0);
        assert_true(pool.free_count >= POOL_COUNT - RX_MAX - PKT_MAX_SEGS);
        assert_true(fake_e1000_rx_room(&device) > 0);
    }
    assert_false(fake_e1000_arm(&device, nic)); /* nothing to do: sleep */
    nic->ops->irq_disarm(nic);
    fake_e1000_rx_write(&device, 2000 | DD | EOP);
    assert_int_equal(nic_rig_poll(nic), 0);
    assert_int_equal(nic->counters.rx_bad, 1);
    fake_e1000_rx_write(&device, 60 | DD | EOP);
    assert_int_equal(nic_rig_poll(nic), 1);
}

/* Done with what was never given: the driver stops where its own count does. */
static void test_all_descriptors_done(void **state)
{
    struct e1000_rx_desc *desc = e1000_of(nic)->rx.desc;

    (void)state;
    for (unsigned i = 0; i < E1000_RING; i++)
        desc[i].written = fake_e1000_form(&device, 60 | DD | EOP);
    struct pkt *out[E1000_RING];
    unsigned n = nic->ops->rx_batch(nic, out, E1000_RING);
    assert_int_equal(n, RX_MAX);
    while (n > 0)
        pkt_free(out[--n]);
    assert_null(nic->dead);
}

/* ---- transmit descriptors ---- */

/* Everything is done, always: nothing is freed twice or while it is not the device's. */
static void test_all_sent_at_once(void **state)
{
    struct e1000_tx_desc *desc = e1000_of(nic)->tx.desc;

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < E1000_RING; i++)
            desc[i].upper |= E1000_TXD_STATUS_DD;
        nic->ops->tx_reclaim(nic);
        assert_int_equal(pool.free_count, POOL_COUNT - RX_MAX);
        unsigned n = 1 + rnd(31);
        assert_int_equal(nic_rig_send(nic, &pool, n), n);
        assert_int_equal(pool.free_count, POOL_COUNT - RX_MAX - n);
    }
}

/* ---- registers ---- */

/* A device that was pulled reads as ones everywhere. */
static void test_gone(void **state)
{
    for (unsigned way = 0; way < 3; way++) {
        start(state);
        nic_rig_send(nic, &pool, 2);
        memset(device.regs, 0xFF, sizeof(device.regs));
        if (way == 0) {
            fake_irq_raise(fake_irq_count - 1); /* of the link, or of a line that is another's */
        } else if (way == 1) {
            assert_true(nic->ops->irq_arm(nic));
            nic->ops->irq_disarm(nic);
        } else {
            e1000_of(nic)->has_irq = false;
        }
        assert_false(nic->ops->link_up(nic));
        memset(device.regs, 0, sizeof(device.regs));
        nic_rig_expect_given_up(nic, &pool, device.fn->config);
        finish(NULL);
    }
}

static void test_devices_that_do_not_start(void **state)
{
    static const struct {
        int id;
        bool stuck, gone;
        uint64_t bar_bytes;
        size_t memory;
        const char *why; /* NULL: there was no room for a port either */
    } rows[] = {
        {1, true, false, E1000_REGS_BYTES, SIZE_MAX, "reset"},
        {2, false, true, E1000_REGS_BYTES, SIZE_MAX, "reset"},
        {3, false, false, 0x10000, SIZE_MAX, "registers"}, /* room for half of the registers */
        {4, false, false, 16, SIZE_MAX, "registers"},
        {5, false, false, E1000_REGS_BYTES, 100, NULL},
        {6, false, false, E1000_REGS_BYTES, 2000, "memory"},
        {7, false, false, E1000_REGS_BYTES, 6000, "memory"},
        {8, false, false, E1000_REGS_BYTES, 10000, "memory"},
        {9, false, false, E1000_REGS_BYTES, 20000, "memory"},
        {10, false, false, E1000_REGS_BYTES, 60000, "memory"},
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        fake_pool_start(&pool, POOL_COUNT);
        fake_e1000_init(&device, *(uint16_t *)*state, &pool);
        device.stuck_in_reset = rows[i].stuck || rows[i].gone;
        if (rows[i].gone)
            memset(device.regs, 0xFF, sizeof(device.regs));
        fake_pci_set_bar(device.fn, 0, 0xFEB80000u, rows[i].bar_bytes, false);
        fake_mem_limit = rows[i].memory;
        nic = fake_e1000_start(&device, &limits);
        if ((rows[i].why ? !nic || !nic->dead || !strstr(nic->dead, rows[i].why) : nic != NULL) ||
            (device.fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER))
            fail_msg("row %d", rows[i].id);
        assert_true(fake_now_us < 100000);
        fake_machine_reset();
        assert_int_equal(fake_pool_stop(&pool), 0);
    }
}

/* ---- at random ---- */

/* Any bits in any descriptor and register, now and then well-formed ones, for as long as it lives.
 */
static void test_at_random(void **state)
{
    unsigned deaths = 0, received = 0;

    for (unsigned run = 0; run < 400; run++) {
        start(state);
        for (unsigned i = 0; i < 200 && !nic->dead; i++) {
            uint64_t any = (uint64_t)rnd(UINT32_MAX) << 32 | rnd(UINT32_MAX);
            struct e1000 *e = e1000_of(nic);
            switch (rnd(10)) {
            case 0:
                e->rx.desc[rnd(E1000_RING)].written =
                    rnd(4) ? fake_e1000_form(&device, any & ~0xF800ull) : any;
                break;
            case 1:
                e->tx.desc[rnd(E1000_RING)].upper = (uint32_t)any;
                break;
            case 2:
                e->rx.desc[rnd(E1000_RING)].address = any;
                break;
            case 3:
                fake_e1000_set(&device, rnd(E1000_REGS_BYTES / 4) * 4, (uint32_t)any);
                break;
            case 4:
                fake_irq_raise(0);
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
            default:
                e->rx.desc[e->rx.next % E1000_RING].written =
                    fake_e1000_form(&device, (any & 0x7FF) | DD | (rnd(3) ? EOP : 0));
                received += nic_rig_poll(nic);
            }
        }
        deaths += nic->dead != NULL;
        finish(NULL);
    }
    assert_true(deaths > 20 && deaths < 380 && received > 2000);
}

/* Each test for each kind of controller. */
#define EACH(test)                                                                                 \
    {#test, test, NULL, NULL, &ids[0]},                                                            \
    {                                                                                              \
#test ", igb", test, NULL, NULL, &ids[1]                                                   \
    }
#define EACH_ALONE(test)                                                                           \
    {#test, test, start, finish, &ids[0]},                                                         \
    {                                                                                              \
#test ", igb", test, start, finish, &ids[1]                                                \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_lengths_over_the_buffer),   EACH(test_parts),
        EACH_ALONE(test_a_frame_without_end), EACH_ALONE(test_all_descriptors_done),
        EACH_ALONE(test_all_sent_at_once),    EACH(test_gone),
        EACH(test_devices_that_do_not_start), EACH(test_at_random),
    };
    return cmocka_run_group_tests_name("e1000_hostile", tests, NULL, NULL);
}
