/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The legacy transport (VIRTIO 1.2, section 4.1.4.10; virtio 0.9.5): registers in I/O BAR 0, queues
 * of the device's size in one piece of memory aligned to 4096, and the device's configuration
 * behind two MSI-X registers that exist only while MSI-X is enabled.
 */
#include "drivers/virtio_pci.h"

#include "io.h"

#define PFN_SHIFT 12

static struct virtio_pci *pci_of(struct virtio_dev *dev)
{
    return container_of(dev, struct virtio_pci, dev);
}

static uint16_t port_of(struct virtio_dev *dev, unsigned reg)
{
    return (uint16_t)(pci_of(dev)->ports + reg);
}

static uint8_t get_status(struct virtio_dev *dev)
{
    return in8(port_of(dev, VIRTIO_PCI_LEGACY_STATUS));
}

static void set_status(struct virtio_dev *dev, uint8_t status)
{
    out8(port_of(dev, VIRTIO_PCI_LEGACY_STATUS), status);
}

static uint64_t get_offered(struct virtio_dev *dev)
{
    return in32(port_of(dev, VIRTIO_PCI_LEGACY_DEVICE_FEATURES));
}

static void set_accepted(struct virtio_dev *dev, uint64_t features)
{
    out32(port_of(dev, VIRTIO_PCI_LEGACY_DRIVER_FEATURES), (uint32_t)features);
}

static uint16_t queue_max(struct virtio_dev *dev, unsigned index)
{
    out16(port_of(dev, VIRTIO_PCI_LEGACY_QUEUE_SELECT), (uint16_t)index);
    return in16(port_of(dev, VIRTIO_PCI_LEGACY_QUEUE_SIZE));
}

static int queue_start(struct virtio_dev *dev, unsigned index, const struct virtq *q)
{
    struct virtio_pci *vp = pci_of(dev);
    uint64_t pfn = (uintptr_t)q->desc >> PFN_SHIFT;

    if (pfn > UINT32_MAX)
        return -EINVAL;
    out16(port_of(dev, VIRTIO_PCI_LEGACY_QUEUE_SELECT), (uint16_t)index);
    if (vp->msix) {
        out16(port_of(dev, VIRTIO_PCI_LEGACY_QUEUE_VECTOR), vp->queue_vector);
        if (in16(port_of(dev, VIRTIO_PCI_LEGACY_QUEUE_VECTOR)) != vp->queue_vector)
            return -EIO;
    }
    out32(port_of(dev, VIRTIO_PCI_LEGACY_QUEUE_PFN), (uint32_t)pfn);
    return 0;
}

static void notify(struct virtio_dev *dev, unsigned index)
{
    out16(port_of(dev, VIRTIO_PCI_LEGACY_QUEUE_NOTIFY), (uint16_t)index);
}

static unsigned config_at(const struct virtio_pci *vp)
{
    return vp->msix ? VIRTIO_PCI_LEGACY_CONFIG_MSIX : VIRTIO_PCI_LEGACY_CONFIG;
}

static uint32_t config_bytes(struct virtio_dev *dev)
{
    const struct virtio_pci *vp = pci_of(dev);

    return vp->ports_bytes > config_at(vp) ? vp->ports_bytes - config_at(vp) : 0;
}

static void config_copy(struct virtio_dev *dev, unsigned offset, void *to, unsigned n)
{
    unsigned at = config_at(pci_of(dev)) + offset;
    uint8_t *bytes = to;

    for (unsigned i = 0; i < n; i++)
        bytes[i] = in8(port_of(dev, at + i));
}

static uint16_t set_config_vector(struct virtio_pci *vp, uint16_t vector)
{
    out16(port_of(&vp->dev, VIRTIO_PCI_LEGACY_CONFIG_VECTOR), vector);
    return in16(port_of(&vp->dev, VIRTIO_PCI_LEGACY_CONFIG_VECTOR));
}

static void irq_setup(struct virtio_dev *dev)
{
    virtio_pci_irq_setup(pci_of(dev), set_config_vector);
}

static const struct virtio_transport legacy = {
    .get_status = get_status,
    .set_status = set_status,
    .get_offered = get_offered,
    .set_accepted = set_accepted,
    .queue_max = queue_max,
    .queue_start = queue_start,
    .notify = notify,
    .config_bytes = config_bytes,
    .config_copy = config_copy,
    .let_in = virtio_pci_let_in,
    .irq_setup = irq_setup,
    .cut_off = virtio_pci_cut_off,
};

int virtio_pci_legacy_open(struct virtio_pci *vp)
{
    const struct pci_bar *bar = &vp->pci.bars[0];

    if (!bar->io || bar->bytes < VIRTIO_PCI_LEGACY_CONFIG || bar->base == 0 ||
        bar->base + bar->bytes > 0x10000)
        return -ENODEV;
    vp->ports = (uint16_t)bar->base;
    vp->ports_bytes = (uint16_t)bar->bytes;
    vp->isr = NULL;
    vp->dev.ops = &legacy;
    vp->dev.legacy = true;
    return 0;
}
