/* SPDX-License-Identifier: BSD-3-Clause
 *
 * virtio over MMIO (VIRTIO 1.2, section 4.2), as QEMU's microvm and Firecracker have it: registers
 * at an address that nothing tells but the command line, or the firmware's AML.
 */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include "drivers/virtio.h"

#define VIRTIO_MMIO_MAX        32
#define VIRTIO_MMIO_QUEUES_MAX 4

/* Where a device may be. */
struct virtio_mmio_place {
    uint64_t base;
    uint32_t bytes;
    uint32_t gsi; /* its interrupt: a global one, active high */
    bool level;
};

/* How registers are read and written; tests have one of their own. bytes is 1, 2 or 4. */
struct virtio_mmio_access {
    uint32_t (*read)(volatile uint8_t *at, unsigned reg, unsigned bytes);
    void (*write)(volatile uint8_t *at, unsigned reg, uint32_t value);
};

struct virtio_mmio {
    struct virtio_dev dev;
    const struct virtio_mmio_access *access;
    volatile uint8_t *at;
    struct virtio_mmio_place place;
    uint32_t kind;     /* device type (section 5) */
    char location[16]; /* "0xfeb02e00" */
};

/* Looks at one place. 0 and vm->dev ready for virtio_begin(); -ENODEV if nothing is there, which is
 * no error; or -EINVAL after a line that says why it cannot be used. access NULL: memory. */
int virtio_mmio_open(struct virtio_mmio *vm, const struct virtio_mmio_place *place,
                     const struct virtio_mmio_access *access);

/* Looks at a place that the command line names, before virtio_mmio_next() is first called. */
void virtio_mmio_add(const struct virtio_mmio_place *place);

/* The next device of this type after previous (NULL: the first), or NULL: those that were added,
 * in that order, then those that the AML names besides. */
struct virtio_mmio *virtio_mmio_next(uint32_t kind, const struct virtio_mmio *previous);

#endif
