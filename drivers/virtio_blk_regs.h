/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The virtio block device (VIRTIO 1.2, section 5.2): features, configuration, requests.
 */
#ifndef VIRTIO_BLK_REGS_H
#define VIRTIO_BLK_REGS_H

#include "base.h"

#define VIRTIO_BLK_QUEUE 0

/* Features (section 5.2.3). */
#define VIRTIO_BLK_F_SIZE_MAX (1ull << 1) /* the longest segment is limited */
#define VIRTIO_BLK_F_RO       (1ull << 5)
#define VIRTIO_BLK_F_BLK_SIZE (1ull << 6)
#define VIRTIO_BLK_F_FLUSH    (1ull << 9) /* it caches writes, and knows how to flush them */

/* Configuration (section 5.2.4), little-endian, or the guest's order on a legacy device: the same.
 */
#define VIRTIO_BLK_CONFIG_CAPACITY 0  /* 64: sectors of 512 bytes */
#define VIRTIO_BLK_CONFIG_SIZE_MAX 8  /* 32: bytes */
#define VIRTIO_BLK_CONFIG_BLK_SIZE 20 /* 32: bytes */

/* Requests (section 5.2.6). */
#define VIRTIO_BLK_T_IN     0u
#define VIRTIO_BLK_T_OUT    1u
#define VIRTIO_BLK_T_FLUSH  4u
#define VIRTIO_BLK_T_GET_ID 8u

#define VIRTIO_BLK_ID_BYTES 20 /* not ended by a NUL if it is that long */

#define VIRTIO_BLK_S_OK     0
#define VIRTIO_BLK_S_IOERR  1
#define VIRTIO_BLK_S_UNSUPP 2

/* The part of a request before its data. */
struct virtio_blk_head {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector; /* of 512 bytes, whatever the block size */
};
static_assert(sizeof(struct virtio_blk_head) == 16, "VIRTIO 1.2, section 5.2.6");

#endif
