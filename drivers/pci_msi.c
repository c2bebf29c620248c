/* SPDX-License-Identifier: BSD-3-Clause
 *
 * MSI and MSI-X (PCI 3.0, sections 6.8.1 and 6.8.2) and the choice between them and INTx.
 *
 * The table lies in a BAR and is trusted for nothing: its place and size are checked against the
 * BAR, and what is in it is only written. Entries nobody asked for stay masked.
 */
#include "drivers/pci.h"

#include "io.h"

#define MSI_BYTES 16 /* of the capability, with a wide address and without masks */

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

/* Whoever drove the function before us may have left it with messages. Both kinds have the register
 * with the bit in the same place. */
static void switch_off(const struct pci_dev *dev, uint8_t id, unsigned enable)
{
    static_assert(PCI_MSI_CONTROL == PCI_MSIX_CONTROL, "PCI 3.0, sections 6.8.1.3 and 6.8.2.3");
    unsigned cap = pci_find_cap(dev, id, 0);

    if (cap != 0 && cap <= 256 - 4)
        pci_write(dev, cap + PCI_MSI_CONTROL, 2, pci_read(dev, cap + PCI_MSI_CONTROL, 2) & ~enable);
}

int pci_msi_attach(const struct pci_dev *dev, irq_handler handler, void *arg)
{
    unsigned cap = pci_find_cap(dev, PCI_CAP_ID_MSI, 0);
    uint64_t address;
    uint32_t data;

    if (cap == 0 || cap > 256 - MSI_BYTES)
        return -ENODEV;
    int status = irq_alloc_msi(handler, arg, &address, &data);
    if (status != 0)
        return status;
    unsigned control = pci_read(dev, cap + PCI_MSI_CONTROL, 2);
    bool wide = control & PCI_MSI_CONTROL_WIDE;
    pci_write(dev, cap + PCI_MSI_ADDRESS, 4, (uint32_t)address);
    if (wide)
        pci_write(dev, cap + PCI_MSI_ADDRESS_HIGH, 4, (uint32_t)(address >> 32));
    pci_write(dev, cap + PCI_MSI_DATA + (wide ? 4 : 0), 2, data);
    switch_off(dev, PCI_CAP_ID_MSIX, PCI_MSIX_CONTROL_ENABLE);
    control &= ~PCI_MSI_CONTROL_MULTIPLE;
    pci_write(dev, cap + PCI_MSI_CONTROL, 2, control | PCI_MSI_CONTROL_ENABLE);
    pci_write(dev, PCI_COMMAND, 2, pci_read(dev, PCI_COMMAND, 2) | PCI_COMMAND_INTX_OFF);
    return 0;
}

int pci_intx_attach(const struct pci_dev *dev, irq_handler handler, void *arg)
{
    unsigned line = pci_read(dev, PCI_INTERRUPT_LINE, 1);
    int status = -ENODEV;

    /* Line 0 is the timer's: it means that nobody has routed the pin, as 255 does. */
    if (pci_read(dev, PCI_INTERRUPT_PIN, 1) != 0 && line != 0 && line <= 15)
        status = irq_attach_line(line, handler, arg);
    if (status != 0) {
        /* Wherever the pin leads, it must not disturb those who are there. */
        pci_write(dev, PCI_COMMAND, 2, pci_read(dev, PCI_COMMAND, 2) | PCI_COMMAND_INTX_OFF);
        return status;
    }
    switch_off(dev, PCI_CAP_ID_MSI, PCI_MSI_CONTROL_ENABLE);
    switch_off(dev, PCI_CAP_ID_MSIX, PCI_MSIX_CONTROL_ENABLE);
    pci_write(dev, PCI_COMMAND, 2, pci_read(dev, PCI_COMMAND, 2) & ~PCI_COMMAND_INTX_OFF);
    return 0;
}
