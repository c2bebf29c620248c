/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The registers of virtio over MMIO (VIRTIO 1.2, section 4.2.2) before a fake_virtio: what the
 * driver does to them is done to that device. It checks the order of things (a violation is kept in
 * the device's fault) and lies where a test says so. There is one at a time.
 */
#ifndef FAKE_VIRTIO_MMIO_H
#define FAKE_VIRTIO_MMIO_H

#include "drivers/virtio_mmio.h"
#include "tests/fake/fake_virtio.h"

#define FAKE_VMMIO_BASE  0xFEB00E00u
#define FAKE_VMMIO_BYTES 512u
#define FAKE_VMMIO_GSI   29u

struct fake_vmmio {
    struct virtio_mmio vm; /* vm.dev is what a driver is given */
    struct fake_virtio *device;
    uint32_t magic, version, kind;
    uint32_t queue_num_max; /* of every queue; 0: there is none */
    bool restless;          /* its configuration's generation changes all the time */
    bool keeps_queues;      /* their ready bits cannot be set, or are set already */
    uint32_t interrupts;    /* the status register */
    unsigned acks;
    uint32_t sticky; /* causes that come again as soon as they are acknowledged, so often */

    uint32_t features_sel[2], accepted[2], page_bytes, queue_sel, generation;
    struct {
        uint32_t num, align, pfn, ready;
        uint32_t parts[6];
    } queues[VIRTIO_MMIO_QUEUES_MAX];
};

/* Registers of this version before the device, which begins anew elsewhere (fake_virtio_init). */
void fake_vmmio_init(struct fake_vmmio *m, struct fake_virtio *device, bool level);

/* Has the driver open it. */
int fake_vmmio_open(struct fake_vmmio *m);

/* Both, for a driver that is to meet the device by its registers; NULL if they cannot be opened. */
struct virtio_dev *fake_vmmio_front(struct fake_vmmio *m, struct fake_virtio *device);

/* Causes come: the handler runs until it leaves none. */
void fake_vmmio_raise(struct fake_vmmio *m, uint32_t causes);

#endif
