/* SPDX-License-Identifier: BSD-3-Clause
 *
 * virtio over MMIO: the registers of version 2 (VIRTIO 1.2, section 4.2.2) and of version 1, the
 * legacy one (section 4.2.4). 32 bits each, but for the device's own configuration.
 */
#ifndef VIRTIO_MMIO_REGS_H
#define VIRTIO_MMIO_REGS_H

#define VIRTIO_MMIO_MAGIC               0x000 /* R */
#define VIRTIO_MMIO_MAGIC_VALUE         0x74726976u
#define VIRTIO_MMIO_VERSION             0x004 /* R */
#define VIRTIO_MMIO_VERSION_LEGACY      1u
#define VIRTIO_MMIO_VERSION_MODERN      2u
#define VIRTIO_MMIO_DEVICE_ID           0x008 /* R; 0: nothing is there */
#define VIRTIO_MMIO_DEVICE_FEATURES     0x010 /* R */
#define VIRTIO_MMIO_DEVICE_FEATURES_SEL 0x014 /* W */
#define VIRTIO_MMIO_DRIVER_FEATURES     0x020 /* W */
#define VIRTIO_MMIO_DRIVER_FEATURES_SEL 0x024 /* W */
#define VIRTIO_MMIO_GUEST_PAGE_SIZE     0x028 /* W; legacy: unit of QUEUE_PFN, in bytes */
#define VIRTIO_MMIO_QUEUE_SEL           0x030 /* W */
#define VIRTIO_MMIO_QUEUE_NUM_MAX       0x034 /* R; 0: no such queue */
#define VIRTIO_MMIO_QUEUE_NUM           0x038 /* W */
#define VIRTIO_MMIO_QUEUE_ALIGN         0x03C /* W; legacy: of the used ring */
#define VIRTIO_MMIO_QUEUE_PFN           0x040 /* RW; legacy; 0 stops the queue */
#define VIRTIO_MMIO_QUEUE_READY         0x044 /* RW; not legacy */
#define VIRTIO_MMIO_QUEUE_NOTIFY        0x050 /* W */
#define VIRTIO_MMIO_INTERRUPT_STATUS    0x060 /* R */
#define VIRTIO_MMIO_INTERRUPT_ACK       0x064 /* W */
#define VIRTIO_MMIO_INTERRUPT_QUEUE     (1u << 0)
#define VIRTIO_MMIO_INTERRUPT_CONFIG    (1u << 1)
#define VIRTIO_MMIO_STATUS              0x070 /* RW; writing 0 resets */
#define VIRTIO_MMIO_QUEUE_DESC          0x080 /* W; 64, low half first, as the next two */
#define VIRTIO_MMIO_QUEUE_DRIVER        0x090
#define VIRTIO_MMIO_QUEUE_DEVICE        0x0A0
#define VIRTIO_MMIO_GENERATION          0x0FC /* R; not legacy */
#define VIRTIO_MMIO_CONFIG              0x100 /* the device's own */

#define VIRTIO_MMIO_BYTES_MIN VIRTIO_MMIO_CONFIG

#endif
