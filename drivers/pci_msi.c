/* SPDX-License-Identifier: BSD-3-Clause
 *
 * MSI-X (PCI 3.0, section 6.8.2) and the choice between it and INTx.
 *
 * The table lies in a BAR and is trusted for nothing: its place and size are checked against the
 * BAR, and what is in it is only written. Entries nobody asked for stay masked.
 */
#include "drivers/pci.h"

#include "io.h"

int pci_msix_open(struct pci_dev *dev)
{
    unsigned cap = pci_find_cap(dev, PCI_CAP_ID_MSIX, 0);
    if (cap == 0 || cap > 256 - 12)
        return -ENODEV;

    uint32_t table = pci_read(dev, cap + PCI_MSIX_TABLE, 4);
    unsigned control = pci_read(dev, cap + PCI_MSIX_CONTROL, 2);
    unsigned count = (control & PCI_MSIX_CONTROL_SIZE_MASK) + 1;
    volatile uint8_t *at =
        pci_map_bar(dev, table & PCI_MSIX_TABLE_BAR_MASK, table & ~PCI_MSIX_TABLE_BAR_MASK,
                    (uint64_t)count * PCI_MSIX_ENTRY_BYTES);
    if (!at)
        return -ENODEV;
    dev->msix_cap = (uint8_t)cap;
    dev->msix_count = (uint16_t)count;
    dev->msix_table = at;
    for (unsigned i = 0; i < count; i++)
        write32(at + i * PCI_MSIX_ENTRY_BYTES + PCI_MSIX_ENTRY_CONTROL,
                PCI_MSIX_ENTRY_CONTROL_MASKED);
    return 0;
}

int pci_msix_set(struct pci_dev *dev, unsigned entry, irq_handler handler, void *arg)
{
    uint64_t address;
    uint32_t data;

    if (entry >= dev->msix_count)
        return -EINVAL;
    int status = irq_alloc_msi(handler, arg, &address, &data);
    if (status != 0)
        return status;
    volatile uint8_t *at = dev->msix_table + entry * PCI_MSIX_ENTRY_BYTES;
    write32(at + PCI_MSIX_ENTRY_ADDRESS_LOW, (uint32_t)address);
    write32(at + PCI_MSIX_ENTRY_ADDRESS_HIGH, (uint32_t)(address >> 32));
    write32(at + PCI_MSIX_ENTRY_DATA, data);
    write32(at + PCI_MSIX_ENTRY_CONTROL, 0);
    return 0;
}

void pci_msix_enable(const struct pci_dev *dev, bool on)
{
    uint32_t command = pci_read(dev, PCI_COMMAND, 2);

    if (dev->msix_cap != 0) {
        uint32_t control = pci_read(dev, dev->msix_cap + PCI_MSIX_CONTROL, 2);
        control &= ~(PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK_ALL);
        if (on)
            control |= PCI_MSIX_CONTROL_ENABLE;
        pci_write(dev, dev->msix_cap + PCI_MSIX_CONTROL, 2, control);
    }
    command = on ? command | PCI_COMMAND_INTX_OFF : command & ~PCI_COMMAND_INTX_OFF;
    pci_write(dev, PCI_COMMAND, 2, command);
}

int pci_intx_attach(const struct pci_dev *dev, irq_handler handler, void *arg)
{
    unsigned line = pci_read(dev, PCI_INTERRUPT_LINE, 1);

    /* Line 0 is the timer's: it means that nobody has routed the pin, as 255 does. */
    if (pci_read(dev, PCI_INTERRUPT_PIN, 1) == 0 || line == 0 || line > 15)
        return -ENODEV;
    return irq_attach_line(line, handler, arg);
}
