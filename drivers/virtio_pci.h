/* SPDX-License-Identifier: BSD-3-Clause
 *
 * virtio over PCI (VIRTIO 1.2, section 4.1): the modern transport (capabilities that lead to
 * register blocks in BARs) and the legacy one (an I/O BAR, section 4.1.4.10), chosen by what the
 * device offers.
 */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include "drivers/pci.h"
#include "drivers/virtio.h"

#define VIRTIO_PCI_QUEUES_MAX 4
#define VIRTIO_PCI_NO_VECTOR  0xFFFFu

/* Vendor capability (section 4.1.4), offsets from its start. */
#define VIRTIO_PCI_CAP_LEN          2  /* 8 */
#define VIRTIO_PCI_CAP_TYPE         3  /* 8 */
#define VIRTIO_PCI_CAP_BAR          4  /* 8 */
#define VIRTIO_PCI_CAP_OFFSET       8  /* 32 */
#define VIRTIO_PCI_CAP_LENGTH       12 /* 32 */
#define VIRTIO_PCI_CAP_MULTIPLIER   16 /* 32, notification capability only */
#define VIRTIO_PCI_CAP_BYTES        16
#define VIRTIO_PCI_CAP_NOTIFY_BYTES 20
#define VIRTIO_PCI_CAP_TYPE_COMMON  1
#define VIRTIO_PCI_CAP_TYPE_NOTIFY  2
#define VIRTIO_PCI_CAP_TYPE_ISR     3
#define VIRTIO_PCI_CAP_TYPE_DEVICE  4

/* Common configuration (section 4.1.4.3). */
#define VIRTIO_PCI_COMMON_DEVICE_FEATURE_SELECT 0x00 /* 32, RW */
#define VIRTIO_PCI_COMMON_DEVICE_FEATURE        0x04 /* 32, R */
#define VIRTIO_PCI_COMMON_DRIVER_FEATURE_SELECT 0x08 /* 32, RW */
#define VIRTIO_PCI_COMMON_DRIVER_FEATURE        0x0C /* 32, RW */
#define VIRTIO_PCI_COMMON_CONFIG_VECTOR         0x10 /* 16, RW */
#define VIRTIO_PCI_COMMON_STATUS                0x14 /* 8, RW; writing 0 resets */
#define VIRTIO_PCI_COMMON_GENERATION            0x15 /* 8, R */
#define VIRTIO_PCI_COMMON_QUEUE_SELECT          0x16 /* 16, RW */
#define VIRTIO_PCI_COMMON_QUEUE_SIZE            0x18 /* 16, RW; reset: the maximum */
#define VIRTIO_PCI_COMMON_QUEUE_VECTOR          0x1A /* 16, RW */
#define VIRTIO_PCI_COMMON_QUEUE_ENABLE          0x1C /* 16, RW */
#define VIRTIO_PCI_COMMON_QUEUE_NOTIFY_OFF      0x1E /* 16, R */
#define VIRTIO_PCI_COMMON_QUEUE_DESC            0x20 /* 64, RW */
#define VIRTIO_PCI_COMMON_QUEUE_DRIVER          0x28 /* 64, RW */
#define VIRTIO_PCI_COMMON_QUEUE_DEVICE          0x30 /* 64, RW */
#define VIRTIO_PCI_COMMON_BYTES                 0x38

/* Legacy registers, in I/O BAR 0 (section 4.1.4.10). */
#define VIRTIO_PCI_LEGACY_DEVICE_FEATURES 0x00 /* 32, R */
#define VIRTIO_PCI_LEGACY_DRIVER_FEATURES 0x04 /* 32, RW */
#define VIRTIO_PCI_LEGACY_QUEUE_PFN       0x08 /* 32, RW, in 4096 bytes */
#define VIRTIO_PCI_LEGACY_QUEUE_SIZE      0x0C /* 16, R */
#define VIRTIO_PCI_LEGACY_QUEUE_SELECT    0x0E /* 16, RW */
#define VIRTIO_PCI_LEGACY_QUEUE_NOTIFY    0x10 /* 16, RW */
#define VIRTIO_PCI_LEGACY_STATUS          0x12 /* 8, RW */
#define VIRTIO_PCI_LEGACY_ISR             0x13 /* 8, R, cleared by reading */
#define VIRTIO_PCI_LEGACY_CONFIG_VECTOR   0x14 /* 16, RW, only while MSI-X is enabled */
#define VIRTIO_PCI_LEGACY_QUEUE_VECTOR    0x16 /* 16, RW, only while MSI-X is enabled */
#define VIRTIO_PCI_LEGACY_CONFIG          0x14 /* the device's own; 0x18 while MSI-X is enabled */
#define VIRTIO_PCI_LEGACY_CONFIG_MSIX     0x18

/* ISR status (section 4.1.4.5), the same for both. */
#define VIRTIO_PCI_ISR_CONFIG (1u << 1)

struct virtio_pci {
    struct virtio_dev dev;
    struct pci_dev pci;
    bool msix;
    uint16_t queue_vector, config_vector;

    /* Modern. */
    volatile uint8_t *common, *isr, *config;
    uint32_t config_bytes;
    uint8_t notify_bar;
    uint32_t notify_offset, notify_length, notify_multiplier;
    volatile uint8_t *notify_at[VIRTIO_PCI_QUEUES_MAX];

    /* Legacy. */
    uint16_t ports;
    uint16_t ports_bytes;
};

/* Finds the transport of a virtio function. 0 and vp->dev ready for virtio_begin(), or a negative
 * errno after logging why not. */
int virtio_pci_open(struct virtio_pci *vp, const struct pci_dev *pci);

/* The two transports: -ENODEV if the device does not have it. */
int virtio_pci_modern_open(struct virtio_pci *vp);
int virtio_pci_legacy_open(struct virtio_pci *vp);

/* What they share. */
void virtio_pci_let_in(struct virtio_dev *dev);
void virtio_pci_cut_off(struct virtio_dev *dev);

/* Picks MSI-X (two vectors, or one for everything), else INTx, else none. set_vector tells the
 * device the vector of configuration changes and returns what it reads back. */
void virtio_pci_irq_setup(struct virtio_pci *vp,
                          uint16_t (*set_config_vector)(struct virtio_pci *vp, uint16_t vector));

#endif
