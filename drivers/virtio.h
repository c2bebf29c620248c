/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A virtio device (VIRTIO 1.2, chapters 2 and 3) as its drivers see it, whatever carries it: modern
 * PCI, legacy PCI, or a fake in a host test. A driver calls, in this order: virtio_begin(),
 * virtio_negotiate(), virtio_interrupts(), virtio_queue_open() for each queue, virtio_ready() and
 * virtio_stop() if something fails on the way.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "base.h"
#include "drivers/virtio_ring.h"

#define VIRTIO_PCI_VENDOR 0x1AF4

/* Device status (section 2.1). */
#define VIRTIO_STATUS_ACKNOWLEDGE (1u << 0)
#define VIRTIO_STATUS_DRIVER      (1u << 1)
#define VIRTIO_STATUS_DRIVER_OK   (1u << 2)
#define VIRTIO_STATUS_FEATURES_OK (1u << 3)
#define VIRTIO_STATUS_NEEDS_RESET (1u << 6)
#define VIRTIO_STATUS_FAILED      (1u << 7)

/* Features that belong to no device type (section 6). */
#define VIRTIO_F_ANY_LAYOUT      (1ull << 27) /* legacy only (section 6.3) */
#define VIRTIO_F_INDIRECT_DESC   (1ull << 28)
#define VIRTIO_F_EVENT_IDX       (1ull << 29)
#define VIRTIO_F_VERSION_1       (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)

#define VIRTIO_CONFIG_READ_MAX 64

struct virtio_dev;

/* What a transport does. Nothing here blocks. */
struct virtio_transport {
    uint8_t (*get_status)(struct virtio_dev *dev);
    void (*set_status)(struct virtio_dev *dev, uint8_t status);
    uint64_t (*get_offered)(struct virtio_dev *dev);
    void (*set_accepted)(struct virtio_dev *dev, uint64_t features);
    /* Entries the device can have in this queue; 0: there is no such queue. */
    uint16_t (*queue_max)(struct virtio_dev *dev, unsigned index);
    /* Tells the device where the queue is and switches it on. 0 or a negative errno. */
    int (*queue_start)(struct virtio_dev *dev, unsigned index, const struct virtq *q);
    void (*notify)(struct virtio_dev *dev, unsigned index);
    /* The length of the device's own configuration, and a copy of a part that lies in it: two bytes
     * are one field, read at once. */
    uint32_t (*config_bytes)(struct virtio_dev *dev);
    void (*config_copy)(struct virtio_dev *dev, unsigned offset, void *to, unsigned n);
    /* A number that changes with the configuration. Not asked of a legacy device: it has none. */
    uint32_t (*config_generation)(struct virtio_dev *dev);
    /* Lets the device reach memory. Called after the first reset. */
    void (*let_in)(struct virtio_dev *dev);
    /* Finds interrupts: sets has_irq. Called before the queues. */
    void (*irq_setup)(struct virtio_dev *dev);
    /* The device reaches no memory from now on, whatever it does. */
    void (*cut_off)(struct virtio_dev *dev);
};

struct virtio_dev {
    const struct virtio_transport *ops;
    const char *location; /* for messages */
    uint64_t features;    /* negotiated */
    bool legacy;          /* no VERSION_1: layout and sizes of the queues are the device's */
    bool has_irq;         /* interrupts work; without them a driver must be polled */
    volatile bool config_changed;  /* set by the interrupt handler, cleared by the driver */
    volatile uint64_t *interrupts; /* counted by the interrupt handler; NULL: not wanted */
};

static inline bool virtio_has(const struct virtio_dev *dev, uint64_t feature)
{
    return (dev->features & feature) != 0;
}

/* Resets the device and says hello. 0, or -ETIMEDOUT if the reset does not end. */
int virtio_begin(struct virtio_dev *dev);

/* Accepts what is both offered and wanted; a modern device must offer VERSION_1. 0 or -ENODEV. */
int virtio_negotiate(struct virtio_dev *dev, uint64_t wanted);

/* Reads at most VIRTIO_CONFIG_READ_MAX bytes of the device's own configuration as they were at one
 * moment (section 2.5). False: it is not that long, or never holds still. */
bool virtio_config_read(struct virtio_dev *dev, unsigned offset, void *to, unsigned n);

/* Finds interrupts, if the driver wants them; before the queues. dev->has_irq says whether there
 * are any. */
static inline void virtio_interrupts(struct virtio_dev *dev)
{
    dev->ops->irq_setup(dev);
}

/* Allocates queue index with the device's size, at most max (a legacy device has its way), and
 * starts it. 0, -ENOENT (no such queue), -EINVAL (a size that is not possible), -ENOMEM, or what
 * the transport says. */
int virtio_queue_open(struct virtio_dev *dev, unsigned index, unsigned max, struct virtq *q);

/* The device may work from now on. */
void virtio_ready(struct virtio_dev *dev);

/* Stops all DMA for good: bus mastering first, because that cannot be refused, then a reset. Does
 * not wait. Safe in a panic. */
void virtio_stop(struct virtio_dev *dev);

/* Gives up a device that cannot be started: marks it failed and stops it. */
void virtio_fail(struct virtio_dev *dev);

#endif
