/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The entropy device (VIRTIO 1.2, section 5.4): asked once at start, then stopped. Its bytes are
 * mixed into the generator, so that a device that lies takes nothing away.
 */
#include "drivers/virtio_rng.h"

#include "clock.h"
#include "entropy.h"
#include "mem.h"

#define RNG_QUEUE_SIZE  2
#define RNG_BYTES       64
#define RNG_MAX_WAIT_US 10000
#define RNG_STEP_US     10

/* Puts one buffer before the device and waits for it. Returns the bytes the device wrote. */
static size_t read_once(struct virtio_dev *dev, struct virtq *q, uint8_t *buffer)
{
    q->desc[0] = (struct virtq_desc){
        .address = (uintptr_t)buffer, .len = RNG_BYTES, .flags = VIRTQ_DESC_WRITE};
    virtq_put(q, 0);
    virtq_publish(q);
    if (virtq_kick_wanted(q))
        dev->ops->notify(dev, 0);
    for (unsigned waited_us = 0; virtq_used_count(q) == 0; waited_us += RNG_STEP_US) {
        if (waited_us >= RNG_MAX_WAIT_US)
            return 0;
        clock_delay_us(RNG_STEP_US);
    }
    struct virtq_used_elem e = virtq_used_at(q, q->last_used++);
    return MIN(e.len, (uint32_t)RNG_BYTES);
}

size_t virtio_rng_read(struct virtio_dev *dev)
{
    uint8_t *buffer = mem_alloc(RNG_BYTES, RNG_BYTES);
    struct virtq q;
    size_t n = 0;

    if (!buffer)
        return 0;
    if (virtio_begin(dev) == 0 && virtio_negotiate(dev, 0) == 0 &&
        virtio_queue_open(dev, 0, RNG_QUEUE_SIZE, &q) == 0) {
        virtio_ready(dev);
        n = read_once(dev, &q, buffer);
        entropy_mix(buffer, n);
    }
    virtio_stop(dev);
    return n;
}
