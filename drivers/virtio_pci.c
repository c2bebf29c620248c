/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the two PCI transports share: choosing one, interrupts, and cutting a device off.
 *
 * Theory of operation. With MSI-X, vector 0 tells of configuration changes and vector 1 of both
 * queues; a message needs no answer. With one vector only, every interrupt counts as a possible
 * configuration change. With INTx the handler must read the ISR register, which both tells what
 * happened and lowers the line. Handlers run without vector registers (see the Makefile's
 * GENERAL_REGS_ONLY) and only set words in memory.
 */
#include "drivers/virtio_pci.h"

#include "io.h"
#include "log.h"

static void count(struct virtio_dev *dev)
{
    if (dev->interrupts)
        (*dev->interrupts)++;
}

static void on_queue(void *arg)
{
    count(arg);
}

static void on_config(void *arg)
{
    struct virtio_dev *dev = arg;
    count(dev);
    dev->config_changed = true;
}

static void on_line(void *arg)
{
    struct virtio_dev *dev = arg;
    struct virtio_pci *vp = container_of(dev, struct virtio_pci, dev);
    unsigned isr = vp->isr ? read8(vp->isr) : in8((uint16_t)(vp->ports + VIRTIO_PCI_LEGACY_ISR));

    if (isr == 0)
        return; /* another device on the same line */
    count(dev);
    if (isr & VIRTIO_PCI_ISR_CONFIG)
        dev->config_changed = true;
}

/* Fills queue_vector and config_vector; false if MSI-X is not to be had. */
static bool msix_setup(struct virtio_pci *vp)
{
    if (pci_msix_open(&vp->pci) != 0)
        return false;
    bool two = vp->pci.msix_count >= 2;
    vp->queue_vector = two ? 1 : 0;
    vp->config_vector = 0;
    if (pci_msix_set(&vp->pci, vp->queue_vector, two ? on_queue : on_config, &vp->dev) != 0)
        return false;
    if (two && pci_msix_set(&vp->pci, vp->config_vector, on_config, &vp->dev) != 0)
        vp->config_vector = VIRTIO_PCI_NO_VECTOR;
    return true;
}

void virtio_pci_irq_setup(struct virtio_pci *vp,
                          uint16_t (*set_config_vector)(struct virtio_pci *vp, uint16_t vector))
{
    if (msix_setup(vp)) {
        vp->msix = true;
        pci_msix_enable(&vp->pci, true);
        if (set_config_vector(vp, vp->config_vector) == vp->config_vector) {
            vp->dev.has_irq = true;
            return;
        }
    }
    vp->msix = false;
    vp->queue_vector = VIRTIO_PCI_NO_VECTOR;
    vp->config_vector = VIRTIO_PCI_NO_VECTOR;
    pci_msix_enable(&vp->pci, false);
    vp->dev.has_irq = pci_intx_attach(&vp->pci, on_line, &vp->dev) == 0;
}

void virtio_pci_let_in(struct virtio_dev *dev)
{
    pci_enable_dma(&container_of(dev, struct virtio_pci, dev)->pci);
}

void virtio_pci_cut_off(struct virtio_dev *dev)
{
    pci_disable(&container_of(dev, struct virtio_pci, dev)->pci);
}

int virtio_pci_open(struct virtio_pci *vp, const struct pci_dev *pci)
{
    memset(vp, 0, sizeof(*vp));
    vp->pci = *pci;
    vp->dev.location = vp->pci.location;
    vp->queue_vector = VIRTIO_PCI_NO_VECTOR;
    vp->config_vector = VIRTIO_PCI_NO_VECTOR;

    int status = pci_enable(&vp->pci);
    if (status != 0) {
        log_error("%s: no room for the device's registers", vp->pci.location);
        return status;
    }
    status = virtio_pci_modern_open(vp);
    if (status != 0)
        status = virtio_pci_legacy_open(vp);
    if (status != 0)
        log_error("%s: a virtio device without usable registers", vp->pci.location);
    return status;
}
