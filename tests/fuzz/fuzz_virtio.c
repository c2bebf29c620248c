/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The virtio network driver against a device that does what the input says: the first bytes choose
 * the features, then each byte is a step of the driver or a write of the device to the rings, the
 * headers or the status. Whatever happens, no memory outside is touched and no buffer is lost.
 */
#include "drivers/virtio_net.h"
#include "tests/fake/fake_virtio_mmio.h"
#include "tests/fuzz/fuzz_nic.h"

#define QUEUE 32

static struct fake_virtio device;
static struct fake_vmmio registers;

static void step(void)
{
    unsigned q = byte() & 1;
    struct fake_queue *queue = &device.q[q];
    uint16_t head;

    switch (byte() % 10) {
    case 0:
        receive(PKT_BUF_BYTES, UINT32_MAX, true);
        break;
    case 1:
        nic->ops->tx_reclaim(nic);
        break;
    case 2:
        if (!nic->ops->irq_arm(nic) && nic->dead == NULL && (byte() & 1))
            virtio_net_of(nic)->dev->config_changed = true;
        nic->ops->irq_disarm(nic);
        break;
    case 3:
        nic->ops->link_up(nic);
        break;
    case 4: /* a buffer handed back with any header, over any number of bytes */
        if (queue->desc && !nic->dead && fake_virtio_take(&device, q, &head)) {
            uint8_t *to = (void *)(uintptr_t)queue->desc[head].address;
            for (unsigned i = 0; q == 0 && i < VIRTIO_NET_HDR_BYTES; i++)
                to[i] = (uint8_t)byte();
            fake_virtio_used(&device, q, 0, head, word() % 4200);
            fake_virtio_publish(&device, q, 1);
        }
        break;
    case 5: /* a well-formed frame of one or several buffers */
        if (queue->desc && !nic->dead) {
            unsigned parts = 1 + byte() % 4;
            for (unsigned i = 0; i < parts; i++) {
                if (!fake_virtio_take(&device, 0, &head))
                    break;
                uint8_t *to = (void *)(uintptr_t)device.q[0].desc[head].address;
                memset(to, 0, VIRTIO_NET_HDR_BYTES);
                to[VIRTIO_NET_HDR_NUM_BUFFERS] = (uint8_t)parts;
                fake_virtio_used(&device, 0, 0, head, 200 + word() % 3700);
                fake_virtio_publish(&device, 0, 1);
            }
        }
        break;
    case 6: /* anything in a used entry */
        if (queue->desc && !nic->dead)
            fake_virtio_used(&device, q, byte() % QUEUE, word() | byte() << 24, word());
        break;
    case 7: /* and in the index */
        if (queue->desc && !nic->dead)
            fake_virtio_publish(&device, q, byte() % 40);
        break;
    case 8:
        device.status |= (uint8_t)byte();
        break;
    default:
        device.fault = NULL;
        device.config[byte() % sizeof(device.config)] = (uint8_t)byte();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
    static const uint64_t features[] = {
        VIRTIO_NET_F_MRG_RXBUF,  VIRTIO_F_EVENT_IDX,      VIRTIO_NET_F_CSUM,
        VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_HOST_TSO4,
        VIRTIO_NET_F_STATUS,     VIRTIO_F_VERSION_1,
    };
    uint64_t offered = 0;

    open_input(input, n);
    uint32_t bits = byte();
    for (unsigned i = 0; i < ARRAY_COUNT(features); i++)
        offered |= bits & 1u << i ? features[i] : 0;
    bool legacy = !(offered & VIRTIO_F_VERSION_1);
    uint32_t more = byte();
    offered |= more & 0x80 ? VIRTIO_F_INDIRECT_DESC : 0;

    fake_log_clear();
    fake_virtio_init(&device, offered, QUEUE, legacy);
    device.pool = &pool;
    struct nic_limits limits = {.pool = &pool, .rx_buffers_max = more % 40};
    struct virtio_dev *dev = &device.dev;
    /* Not the legacy version, whose memory is not given back. */
    if ((more & 0x40) && !legacy)
        dev = fake_vmmio_front(&registers, &device);
    nic = virtio_net_start(dev, &limits);
    if (!nic)
        abort();
    while (at < end)
        step();
    if (nic->dead == NULL) {
        struct virtio_net *vn = container_of(nic, struct virtio_net, nic);
        nic->ops->stop(nic);
        virtio_net_rx_release(vn);
        virtio_net_tx_release(vn);
    }
    if (pool.free_count != POOL_COUNT || fake_log_count > 1)
        abort();
    fake_machine_reset();
    return 0;
}
