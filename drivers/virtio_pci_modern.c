/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The modern transport (VIRTIO 1.2, sections 4.1.2 to 4.1.4): vendor capabilities name blocks of
 * registers in the BARs. Every block is checked against its BAR before it is mapped, and only
 * mapped blocks are used.
 */
#include "drivers/virtio_pci.h"

#include "io.h"

struct block {
    uint8_t bar;
    uint32_t offset, length;
    uint32_t multiplier;
};

static struct virtio_pci *pci_of(struct virtio_dev *dev)
{
    return container_of(dev, struct virtio_pci, dev);
}

/* The first usable capability of a type (section 4.1.4.1: a driver takes the first it can use). */
static bool find_block(const struct pci_dev *pci, uint8_t type, uint32_t min_bytes, struct block *b)
{
    unsigned header =
        type == VIRTIO_PCI_CAP_TYPE_NOTIFY ? VIRTIO_PCI_CAP_NOTIFY_BYTES : VIRTIO_PCI_CAP_BYTES;

    /* The list may loop: pci_find_cap only goes on from where it was, so the number of turns is
     * bounded here. */
    unsigned at = pci_find_cap(pci, PCI_CAP_ID_VENDOR, 0);
    for (unsigned turns = 0; at != 0 && turns < 32; turns++) {
        if (at + header <= 256 && pci_read(pci, at + VIRTIO_PCI_CAP_LEN, 1) >= header &&
            pci_read(pci, at + VIRTIO_PCI_CAP_TYPE, 1) == type) {
            b->bar = (uint8_t)pci_read(pci, at + VIRTIO_PCI_CAP_BAR, 1);
            b->offset = pci_read(pci, at + VIRTIO_PCI_CAP_OFFSET, 4);
            b->length = pci_read(pci, at + VIRTIO_PCI_CAP_LENGTH, 4);
            b->multiplier = 0;
            if (type == VIRTIO_PCI_CAP_TYPE_NOTIFY)
                b->multiplier = pci_read(pci, at + VIRTIO_PCI_CAP_MULTIPLIER, 4);
            if (b->length >= min_bytes && b->bar < ARRAY_COUNT(pci->bars) &&
                !pci->bars[b->bar].io && (uint64_t)b->offset + b->length <= pci->bars[b->bar].bytes)
                return true;
        }
        at = pci_find_cap(pci, PCI_CAP_ID_VENDOR, at);
    }
    return false;
}

static uint8_t get_status(struct virtio_dev *dev)
{
    return read8(pci_of(dev)->common + VIRTIO_PCI_COMMON_STATUS);
}

static void set_status(struct virtio_dev *dev, uint8_t status)
{
    write8(pci_of(dev)->common + VIRTIO_PCI_COMMON_STATUS, status);
}

static uint64_t get_offered(struct virtio_dev *dev)
{
    volatile uint8_t *common = pci_of(dev)->common;

    write32(common + VIRTIO_PCI_COMMON_DEVICE_FEATURE_SELECT, 0);
    uint64_t low = read32(common + VIRTIO_PCI_COMMON_DEVICE_FEATURE);
    write32(common + VIRTIO_PCI_COMMON_DEVICE_FEATURE_SELECT, 1);
    return (uint64_t)read32(common + VIRTIO_PCI_COMMON_DEVICE_FEATURE) << 32 | low;
}

static void set_accepted(struct virtio_dev *dev, uint64_t features)
{
    volatile uint8_t *common = pci_of(dev)->common;

    write32(common + VIRTIO_PCI_COMMON_DRIVER_FEATURE_SELECT, 0);
    write32(common + VIRTIO_PCI_COMMON_DRIVER_FEATURE, (uint32_t)features);
    write32(common + VIRTIO_PCI_COMMON_DRIVER_FEATURE_SELECT, 1);
    write32(common + VIRTIO_PCI_COMMON_DRIVER_FEATURE, (uint32_t)(features >> 32));
}

static uint16_t queue_max(struct virtio_dev *dev, unsigned index)
{
    volatile uint8_t *common = pci_of(dev)->common;

    write16(common + VIRTIO_PCI_COMMON_QUEUE_SELECT, (uint16_t)index);
    return read16(common + VIRTIO_PCI_COMMON_QUEUE_SIZE);
}

/* 64-bit registers are written as two halves (section 4.1.3.1). */
static void write_address(volatile uint8_t *reg, const void *memory)
{
    uint64_t address = (uintptr_t)memory;
    write32(reg, (uint32_t)address);
    write32(reg + 4, (uint32_t)(address >> 32));
}

/* Where writes announce new buffers (section 4.1.4.4). */
static volatile uint8_t *map_notify(const struct virtio_pci *vp, uint16_t queue_notify_off)
{
    uint64_t at = (uint64_t)queue_notify_off * vp->notify_multiplier;
    if (at + sizeof(uint16_t) > vp->notify_length)
        return NULL;
    return pci_map_bar(&vp->pci, vp->notify_bar, vp->notify_offset + at, sizeof(uint16_t));
}

static int queue_start(struct virtio_dev *dev, unsigned index, const struct virtq *q)
{
    struct virtio_pci *vp = pci_of(dev);
    volatile uint8_t *common = vp->common;

    if (index >= VIRTIO_PCI_QUEUES_MAX)
        return -EINVAL;
    write16(common + VIRTIO_PCI_COMMON_QUEUE_SELECT, (uint16_t)index);
    write16(common + VIRTIO_PCI_COMMON_QUEUE_SIZE, q->size);
    if (read16(common + VIRTIO_PCI_COMMON_QUEUE_SIZE) != q->size)
        return -EINVAL;
    write16(common + VIRTIO_PCI_COMMON_QUEUE_VECTOR, vp->queue_vector);
    if (read16(common + VIRTIO_PCI_COMMON_QUEUE_VECTOR) != vp->queue_vector)
        return -EIO;
    write_address(common + VIRTIO_PCI_COMMON_QUEUE_DESC, q->desc);
    write_address(common + VIRTIO_PCI_COMMON_QUEUE_DRIVER, q->avail);
    write_address(common + VIRTIO_PCI_COMMON_QUEUE_DEVICE, q->used);
    vp->notify_at[index] = map_notify(vp, read16(common + VIRTIO_PCI_COMMON_QUEUE_NOTIFY_OFF));
    if (!vp->notify_at[index])
        return -EINVAL;
    write16(common + VIRTIO_PCI_COMMON_QUEUE_ENABLE, 1);
    return 0;
}

static void notify(struct virtio_dev *dev, unsigned index)
{
    write16(pci_of(dev)->notify_at[index], (uint16_t)index);
}

static uint32_t config_bytes(struct virtio_dev *dev)
{
    const struct virtio_pci *vp = pci_of(dev);

    return vp->config ? vp->config_bytes : 0;
}

static void config_copy(struct virtio_dev *dev, unsigned offset, void *to, unsigned n)
{
    const volatile uint8_t *from = pci_of(dev)->config + offset;
    uint8_t *bytes = to;

    if (n == 2)
        store_raw16(to, read16(from));
    else
        for (unsigned i = 0; i < n; i++)
            bytes[i] = read8(from + i);
}

static uint32_t config_generation(struct virtio_dev *dev)
{
    return read8(pci_of(dev)->common + VIRTIO_PCI_COMMON_GENERATION);
}

static uint16_t set_config_vector(struct virtio_pci *vp, uint16_t vector)
{
    write16(vp->common + VIRTIO_PCI_COMMON_CONFIG_VECTOR, vector);
    return read16(vp->common + VIRTIO_PCI_COMMON_CONFIG_VECTOR);
}

static void irq_setup(struct virtio_dev *dev)
{
    virtio_pci_irq_setup(pci_of(dev), set_config_vector);
}

static const struct virtio_transport modern = {
    .get_status = get_status,
    .set_status = set_status,
    .get_offered = get_offered,
    .set_accepted = set_accepted,
    .queue_max = queue_max,
    .queue_start = queue_start,
    .notify = notify,
    .config_bytes = config_bytes,
    .config_copy = config_copy,
    .config_generation = config_generation,
    .let_in = virtio_pci_let_in,
    .irq_setup = irq_setup,
    .cut_off = virtio_pci_cut_off,
};

int virtio_pci_modern_open(struct virtio_pci *vp)
{
    const struct pci_dev *pci = &vp->pci;
    struct block b;

    if (!find_block(pci, VIRTIO_PCI_CAP_TYPE_COMMON, VIRTIO_PCI_COMMON_BYTES, &b))
        return -ENODEV;
    vp->common = pci_map_bar(pci, b.bar, b.offset, VIRTIO_PCI_COMMON_BYTES);
    if (!find_block(pci, VIRTIO_PCI_CAP_TYPE_ISR, 1, &b))
        return -ENODEV;
    vp->isr = pci_map_bar(pci, b.bar, b.offset, 1);
    if (!vp->common || !vp->isr)
        return -ENODEV;
    if (!find_block(pci, VIRTIO_PCI_CAP_TYPE_NOTIFY, sizeof(uint16_t), &b))
        return -ENODEV;
    vp->notify_bar = b.bar;
    vp->notify_offset = b.offset;
    vp->notify_length = b.length;
    vp->notify_multiplier = b.multiplier;
    /* Not every device has a configuration of its own. */
    if (find_block(pci, VIRTIO_PCI_CAP_TYPE_DEVICE, 1, &b)) {
        vp->config_bytes = MIN(b.length, 4096u);
        vp->config = pci_map_bar(pci, b.bar, b.offset, vp->config_bytes);
    }
    vp->dev.ops = &modern;
    vp->dev.legacy = false;
    return 0;
}
