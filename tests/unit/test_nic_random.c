/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Every NIC's driver and random traffic both ways, in steps of random order: after every one of
 * them nothing is lost, out of order, or waited for in vain.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_pool.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/frame_build.h"
#include "tests/fake/nic_rig.h"

#define POOL_COUNT 400
#define EXPECT_MAX 512

static const struct nic_rig *rig;
static struct pkt_pool pool;
static struct nic *nic;

static struct {
    uint32_t rx[EXPECT_MAX], tx[EXPECT_MAX]; /* lengths; the first bytes say which */
    unsigned rx_head, rx_tail, tx_head, tx_tail;
    bool asleep;
    unsigned interrupts; /* when it fell asleep */
} expect;

static void make_bytes(uint8_t *b, uint32_t n, unsigned number)
{
    memset(b, (int)number, n);
    memcpy(b, &number, MIN(n, 4u));
}

static void wake(void)
{
    expect.asleep = false;
    nic->ops->irq_disarm(nic);
}

static void random_receive(void)
{
    static uint8_t b[16384];
    uint32_t n = 60 + rnd(rnd(8) ? 1455 : 9000);

    make_bytes(b, n, expect.rx_tail);
    if (expect.rx_tail - expect.rx_head < EXPECT_MAX && rig->receive(b, n))
        expect.rx[expect.rx_tail++ % EXPECT_MAX] = n;
}

static void random_poll(struct pkt **held, unsigned *held_count)
{
    static uint8_t b[16384], wanted[16384];
    struct pkt *out[32];

    unsigned n = nic->ops->rx_batch(nic, out, 1 + rnd(32));
    for (unsigned i = 0; i < n; i++) {
        uint32_t len = expect.rx[expect.rx_head % EXPECT_MAX];
        make_bytes(wanted, len, expect.rx_head++);
        assert_int_equal(out[i]->total_bytes, len);
        assert_int_equal(frame_flatten(out[i], b), len);
        assert_memory_equal(b, wanted, len);
        if (*held_count < 150 && rnd(3) == 0)
            held[(*held_count)++] = out[i];
        else
            pkt_free(out[i]);
    }
}

static void random_send(void)
{
    static uint8_t b[4096];
    struct pkt *burst[32];
    unsigned n = 0, want = 1 + rnd(rnd(4) ? 4 : 31);

    while (n < want && expect.tx_tail - expect.tx_head + n < EXPECT_MAX) {
        uint32_t len = 60 + rnd(1455);
        make_bytes(b, len, expect.tx_tail + n);
        struct pkt *p = frame_pkt(&pool, b, len, 60 + rnd(len), 600, rnd);
        if (!p)
            break;
        burst[n++] = p;
    }
    frame_unpoison(&pool);
    unsigned taken = n > 0 ? nic->ops->tx_batch(nic, burst, n) : 0;
    for (unsigned i = 0; i < taken; i++)
        expect.tx[expect.tx_tail++ % EXPECT_MAX] = 0;
    for (unsigned i = taken; i < n; i++)
        pkt_free(burst[i]);
}

static void random_transmit(void)
{
    uint32_t number;
    size_t n;

    while (rnd(20) && rig->transmit() > 0) {
        const uint8_t *frame = rig->frame(0, &n);
        memcpy(&number, frame, 4);
        assert_int_equal(number, expect.tx_head++);
        assert_int_equal(frame[n - 1], (uint8_t)number);
    }
    if (rnd(2))
        rig->report(1 + rnd(10));
}

/* Asleep, what the driver has not seen must have raised an interrupt; one that comes at once ends
 * the sleep, too. */
static void random_sleep(void)
{
    expect.interrupts = rig->interrupts();
    if (!rig->arm(nic))
        expect.asleep = true;
    else
        nic->ops->irq_disarm(nic);
}

static void random_run(uint32_t rx_max, unsigned steps)
{
    static struct pkt *held[POOL_COUNT];
    unsigned held_count = 0;

    fake_pool_start(&pool, POOL_COUNT);
    struct nic_limits limits = {.pool = &pool, .rx_buffers_max = rx_max, .tx_buffers_max = rx_max};
    nic = rig->start(&limits);
    memset(&expect, 0, sizeof(expect));
    for (unsigned i = 0; i < steps; i++) {
        unsigned before = expect.rx_tail;
        if (rnd(3) == 0)
            random_receive();
        if (rnd(4) == 0)
            random_transmit();
        if (expect.asleep && expect.rx_tail != before)
            assert_true(rig->interrupts() > expect.interrupts);
        if (expect.asleep && (rig->interrupts() > expect.interrupts || rnd(10) == 0))
            wake();
        if (expect.asleep)
            continue;
        random_poll(held, &held_count);
        nic->ops->tx_reclaim(nic);
        if (rnd(3) == 0)
            random_send();
        if (rnd(20) == 0)
            while (held_count > 0)
                pkt_free(held[--held_count]);
        /* After a round it has what there is, and never too few to go on with. */
        nic->ops->rx_batch(nic, held, 0);
        assert_true(rig->rx_room() > 0 || pool.free_count == 0);
        if (rnd(5) == 0)
            random_sleep();
        assert_null(rig->fault());
    }
    while (held_count > 0)
        pkt_free(held[--held_count]);
    assert_true(expect.rx_head > steps / 20 && expect.tx_head > steps / 20);
    rig->stop(nic);
    assert_null(rig->fault());
    frame_unpoison(&pool);
    assert_int_equal(fake_pool_stop(&pool), 0);
}

static void test_at_random(void **state)
{
    (void)state;
    for (rig = nic_rigs; rig < nic_rigs + nic_rig_count; rig++) {
        random_run(0, 6000);
        random_run(60, 10000);
        random_run(128, 6000);
        random_run(1000, 6000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_at_random)};
    return cmocka_run_group_tests_name("nic_random", tests, NULL, NULL);
}
