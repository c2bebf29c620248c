/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Starting and stopping a virtio device (VIRTIO 1.2, section 3.1), whatever its transport.
 */
#include "drivers/virtio.h"

#include "clock.h"
#include "log.h"
#include "mem.h"

#define RESET_MAX_WAIT_US 100000
#define RESET_STEP_US     10

#define CONFIG_TRIES 16

#define LEGACY_ALIGN 4096
#define MODERN_ALIGN CACHE_LINE_BYTES

static void add_status(struct virtio_dev *dev, unsigned bits)
{
    dev->ops->set_status(dev, (uint8_t)(dev->ops->get_status(dev) | bits));
}

int virtio_begin(struct virtio_dev *dev)
{
    dev->ops->set_status(dev, 0);
    for (unsigned waited_us = 0; dev->ops->get_status(dev) != 0; waited_us += RESET_STEP_US) {
        if (waited_us >= RESET_MAX_WAIT_US)
            return -ETIMEDOUT;
        clock_delay_us(RESET_STEP_US);
    }
    dev->ops->let_in(dev);
    add_status(dev, VIRTIO_STATUS_ACKNOWLEDGE);
    add_status(dev, VIRTIO_STATUS_DRIVER);
    return 0;
}

int virtio_negotiate(struct virtio_dev *dev, uint64_t wanted)
{
    uint64_t offered = dev->ops->get_offered(dev);

    if (dev->legacy) {
        dev->features = offered & wanted & UINT32_MAX;
        dev->ops->set_accepted(dev, dev->features);
    } else {
        /* Without an IOMMU set up by us, the platform's addresses are physical ones. */
        wanted |= VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM;
        dev->features = offered & wanted & ~VIRTIO_F_ANY_LAYOUT;
        if (!virtio_has(dev, VIRTIO_F_VERSION_1))
            return -ENODEV;
        dev->ops->set_accepted(dev, dev->features);
        add_status(dev, VIRTIO_STATUS_FEATURES_OK);
        if (!(dev->ops->get_status(dev) & VIRTIO_STATUS_FEATURES_OK))
            return -EPROTO;
    }
    return 0;
}

/* The generation tells of a change between two reads; a legacy device has none, so two readings
 * must agree (section 2.5.4). */
bool virtio_config_read(struct virtio_dev *dev, unsigned offset, void *to, unsigned n)
{
    uint32_t room = dev->ops->config_bytes(dev), before = 0;
    uint8_t last[VIRTIO_CONFIG_READ_MAX];

    if (n > sizeof(last) || offset > room || n > room - offset)
        return false;
    for (unsigned tries = 0; tries < CONFIG_TRIES; tries++) {
        if (!dev->legacy)
            before = dev->ops->config_generation(dev);
        dev->ops->config_copy(dev, offset, to, n);
        if (dev->legacy ? tries > 0 && memcmp(last, to, n) == 0
                        : dev->ops->config_generation(dev) == before)
            return true;
        memcpy(last, to, n);
    }
    return false;
}

int virtio_queue_open(struct virtio_dev *dev, unsigned index, unsigned max, struct virtq *q)
{
    unsigned size = dev->ops->queue_max(dev, index);
    size_t align = dev->legacy ? LEGACY_ALIGN : MODERN_ALIGN;

    if (size == 0)
        return -ENOENT;
    if (dev->legacy) {
        if (size > VIRTQ_MAX_SIZE || (size & (size - 1)) != 0)
            return -EINVAL;
    } else {
        /* A modern device takes any power of two up to its maximum. */
        size = MIN(size, MIN(max, (unsigned)VIRTQ_MAX_SIZE));
        size = 1u << (31 - __builtin_clz(size));
    }
    void *memory = mem_alloc(virtq_bytes(size, align), align);
    if (!memory)
        return -ENOMEM;
    virtq_init(q, memory, size, align, virtio_has(dev, VIRTIO_F_EVENT_IDX));
    return dev->ops->queue_start(dev, index, q);
}

void virtio_ready(struct virtio_dev *dev)
{
    add_status(dev, VIRTIO_STATUS_DRIVER_OK);
}

void virtio_stop(struct virtio_dev *dev)
{
    dev->ops->cut_off(dev);
    dev->ops->set_status(dev, 0);
}

void virtio_fail(struct virtio_dev *dev)
{
    add_status(dev, VIRTIO_STATUS_FAILED);
    virtio_stop(dev);
}
