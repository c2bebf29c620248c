/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a virtio network port is after its start (drivers/virtio_net.c): features, addresses, MTU,
 * link.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/virtio_net.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_virtio.h"

#include <stdlib.h>

#define POOL_COUNT 100

static struct fake_virtio device;
static struct pkt_pool pool;
static struct nic *nic;

static bool has(uint64_t feature)
{
    return (device.accepted & feature) == feature;
}

static void prepare(uint64_t offered)
{
    uint8_t *memory = aligned_alloc(CACHE_LINE_BYTES, (size_t)POOL_COUNT * PKT_BUF_BYTES);

    pkt_pool_init(&pool, memory, POOL_COUNT);
    fake_virtio_init(&device, offered, 64, false);
    device.pool = &pool;
}

static void start(void)
{
    struct nic_limits limits = {.pool = &pool, .rx_buffers_max = 20, .tx_buffers_max = 21};

    nic = virtio_net_start(&device.dev, &limits);
    assert_non_null(nic);
    assert_null(device.fault);
}

static void finish(void)
{
    nic->ops->stop(nic);
    virtio_net_rx_release(container_of(nic, struct virtio_net, nic));
    assert_int_equal(pool.free_count, POOL_COUNT);
    free(pool.memory);
    fake_machine_reset();
}

static void test_what_is_negotiated(void **state)
{
    static const struct {
        int id;
        uint64_t offered;
        uint64_t accepted;
        uint32_t offloads;
    } cases[] = {
        {1, F_ALL | F_V1 | F_NOT_OURS, F_ALL | F_V1,
         NIC_TX_CSUM | NIC_TX_TSO4 | NIC_TX_TSO6 | NIC_TX_ECN | NIC_RX_CSUM | NIC_RX_TSO},
        /* TSO without checksums makes no sense, either way. */
        {2, F_V1 | F_MRG | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_GUEST_TSO4, F_V1 | F_MRG, 0},
        /* Super-packets are not received without merged buffers. */
        {3, F_V1 | F_RX, F_V1 | VIRTIO_NET_F_GUEST_CSUM, NIC_RX_CSUM},
        /* ECN alone is nothing. */
        {4, F_V1 | F_MRG | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_ECN,
         F_V1 | F_MRG | VIRTIO_NET_F_CSUM, NIC_TX_CSUM},
        {5, F_V1 | VIRTIO_NET_F_CTRL_RX, F_V1, 0},
        {6, F_V1 | VIRTIO_F_ACCESS_PLATFORM, F_V1 | VIRTIO_F_ACCESS_PLATFORM, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        prepare(cases[i].offered);
        start();
        if (device.accepted != cases[i].accepted || nic->offloads != cases[i].offloads)
            fail_msg("row %d: accepted %llx, offloads %x", cases[i].id,
                     (unsigned long long)device.accepted, nic->offloads);
        assert_int_equal(device.promiscuous, has(VIRTIO_NET_F_CTRL_RX) ? 1 : 0);
        finish();
    }
}

static void test_mac_and_mtu(void **state)
{
    static const struct {
        int id;
        uint64_t offered;
        uint8_t mac0;
        uint16_t mtu;
        uint8_t got_mac0;
        uint16_t got_mtu;
    } cases[] = {
        {1, F_CORE | F_V1, 0x52, 9000, 0x52, 1500},
        {2, F_CORE | F_V1 | VIRTIO_NET_F_MTU, 0x52, 1400, 0x52, 1400},
        {3, F_CORE | F_V1 | VIRTIO_NET_F_MTU, 0x52, 9000, 0x52, 1500}, /* no buffers for it */
        {4, F_CORE | F_V1 | VIRTIO_NET_F_MTU | F_MRG, 0x52, 9000, 0x52, 9000},
        {5, F_CORE | F_V1 | VIRTIO_NET_F_MTU, 0x52, 3000, 0x52, 3000},
        {6, F_CORE | F_V1 | VIRTIO_NET_F_MTU | F_MRG, 0x52, 20, 0x52, 1500},
        {7, F_V1, 0x52, 0, 0xA6, 1500},          /* no MAC: random, local, individual */
        {8, F_CORE | F_V1, 0x53, 0, 0xA6, 1500}, /* a group address is none */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        prepare(cases[i].offered);
        device.config[0] = cases[i].mac0;
        memcpy(&device.config[VIRTIO_NET_CONFIG_MTU], &cases[i].mtu, sizeof(cases[i].mtu));
        start();
        if (nic->mac[0] != cases[i].got_mac0 || nic->mtu != cases[i].got_mtu)
            fail_msg("row %d: mac %02x.., mtu %u", cases[i].id, nic->mac[0], nic->mtu);
        finish();
    }
}

static void test_link_follows_configuration_interrupts(void **state)
{
    (void)state;
    prepare(F_ALL | F_V1);
    start();
    nic->irq = NIC_IRQ_PROVEN;
    assert_true(nic->ops->link_up(nic));
    device.config[VIRTIO_NET_CONFIG_STATUS] = 0;
    assert_true(nic->ops->link_up(nic)); /* not told yet: cached */
    fake_virtio_set_link(&device, false);
    assert_false(nic->ops->link_up(nic));
    fake_virtio_set_link(&device, true);
    assert_true(nic->ops->link_up(nic));
    finish();
}

static void test_without_interrupts_it_is_asked(void **state)
{
    (void)state;
    prepare(F_ALL | F_V1);
    start();
    nic->irq = NIC_IRQ_NONE;
    assert_false(nic->ops->irq_arm(nic)); /* which is no work */
    assert_true(nic->ops->link_up(nic));
    device.config[VIRTIO_NET_CONFIG_STATUS] = 0;
    assert_false(nic->ops->link_up(nic));
    device.status = 0xFF;
    assert_false(nic->ops->link_up(nic));
    assert_string_equal(nic->dead, "nothing but ones");
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_negotiated),
        cmocka_unit_test(test_mac_and_mtu),
        cmocka_unit_test(test_link_follows_configuration_interrupts),
        cmocka_unit_test(test_without_interrupts_it_is_asked),
    };
    return cmocka_run_group_tests_name("virtio_start", tests, NULL, NULL);
}
