/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The virtio block device as a struct blk (include/blk.h).
 */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include "blk.h"
#include "drivers/virtio.h"
#include "drivers/virtio_blk_regs.h"

/* What a request needs besides its data, in memory that the device writes to. */
struct virtio_blk_slot {
    struct virtio_blk_head head;
    uint8_t status;
};

struct virtio_blk {
    struct blk blk;
    struct virtio_dev *dev;
    struct virtq q;
    struct virtio_blk_slot *slots;
    /* What is pending in each slot; NULL: nothing. The device's memory is never asked. */
    struct blk_request *requests[BLK_REQUESTS_MAX];
};

/* Starts the device and asks for its name, at most 100 ms. NULL, after a line that says why, if it
 * cannot be used. */
struct blk *virtio_blk_start(struct virtio_dev *dev);

#endif
