/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The memory of a split virtqueue (VIRTIO 1.2, section 2.7).
 */
#include "drivers/virtio_ring.h"

#include "check.h"

static size_t used_offset(unsigned size, size_t used_align)
{
    /* Flags, index, the ring and used_event: size + 3 entries of 2 bytes. */
    size_t driver_part = size * sizeof(struct virtq_desc) + (size + 3) * sizeof(uint16_t);
    return ALIGN_UP(driver_part, used_align);
}

size_t virtq_bytes(unsigned size, size_t used_align)
{
    size_t device_part = 3 * sizeof(uint16_t) + size * sizeof(struct virtq_used_elem);
    return used_offset(size, used_align) + device_part;
}

void virtq_init(struct virtq *q, void *memory, unsigned size, size_t used_align, bool event_idx)
{
    CHECK(size > 0 && size <= VIRTQ_MAX_SIZE && (size & (size - 1)) == 0);
    uint8_t *at = memory;
    *q = (struct virtq){
        .desc = memory,
        .avail = (void *)(at + size * sizeof(struct virtq_desc)),
        .used = (void *)(at + used_offset(size, used_align)),
        .mask = (uint16_t)(size - 1),
        .size = (uint16_t)size,
        .event_idx = event_idx,
    };
    virtq_irq_disarm(q);
}
