/* SPDX-License-Identifier: BSD-3-Clause
 *
 * PCI (PCI Local Bus 3.0, PCI Express Base): finding functions, their BARs, capabilities and MSI-X.
 *
 * Configuration space is reached through struct pci_access, so that the rest runs against a fake on
 * a host. Everything read from it is checked: capability lists are walked a bounded number of
 * steps, bridges may only lead to higher buses, and a range given by a device counts only if it
 * lies inside a BAR.
 */
#ifndef PCI_H
#define PCI_H

#include "base.h"
#include "irq.h"

#define PCI_DEVS_MAX 128 /* functions kept by a scan */

/* Configuration space, type 0 header (PCI 3.0, section 6.1). */
#define PCI_VENDOR_ID          0x00 /* 16, R */
#define PCI_DEVICE_ID          0x02 /* 16, R */
#define PCI_COMMAND            0x04 /* 16, RW, 0 at reset */
#define PCI_COMMAND_IO         (1u << 0)
#define PCI_COMMAND_MEMORY     (1u << 1)
#define PCI_COMMAND_MASTER     (1u << 2)
#define PCI_COMMAND_INTX_OFF   (1u << 10)
#define PCI_STATUS             0x06 /* 16, R and write-1-to-clear */
#define PCI_STATUS_CAPS        (1u << 4)
#define PCI_REVISION           0x08 /* 8, R */
#define PCI_CLASS              0x0B /* 8, R: base class */
#define PCI_CLASS_NETWORK      0x02u
#define PCI_HEADER_TYPE        0x0E /* 8, R */
#define PCI_HEADER_TYPE_MASK   0x7Fu
#define PCI_HEADER_TYPE_DEVICE 0u
#define PCI_HEADER_TYPE_BRIDGE 1u
#define PCI_HEADER_MULTI       (1u << 7)
#define PCI_BAR(n)             (0x10u + 4u * (n)) /* 32, RW */
#define PCI_BAR_IO             (1u << 0)
#define PCI_BAR_TYPE_MASK      (3u << 1)
#define PCI_BAR_TYPE_64        (2u << 1)
#define PCI_BAR_IO_FLAGS       0x3u
#define PCI_BAR_MEMORY_FLAGS   0xFu
#define PCI_SECONDARY_BUS      0x19 /* 8, RW, bridges */
#define PCI_SUBSYSTEM_ID       0x2E /* 16, R */
#define PCI_CAP_POINTER        0x34 /* 8, R */
#define PCI_INTERRUPT_LINE     0x3C /* 8, RW, written by firmware */
#define PCI_INTERRUPT_PIN      0x3D /* 8, R: 0 = none */

#define PCI_CAP_ID_VENDOR 0x09
#define PCI_CAP_ID_MSI    0x05
#define PCI_CAP_ID_MSIX   0x11

/* MSI capability (PCI 3.0, section 6.8.1), offsets from the capability. */
#define PCI_MSI_CONTROL          0x02 /* 16, RW */
#define PCI_MSI_CONTROL_ENABLE   (1u << 0)
#define PCI_MSI_CONTROL_MULTIPLE (7u << 4) /* log2 of the messages granted */
#define PCI_MSI_CONTROL_WIDE     (1u << 7)
#define PCI_MSI_ADDRESS          0x04
#define PCI_MSI_ADDRESS_HIGH     0x08 /* if wide */
#define PCI_MSI_DATA             0x08 /* 16, RW; 4 bytes further on if wide */

/* MSI-X capability (PCI 3.0, section 6.8.2), offsets from the capability. */
#define PCI_MSIX_CONTROL              0x02 /* 16, RW */
#define PCI_MSIX_CONTROL_SIZE_MASK    0x7FFu
#define PCI_MSIX_CONTROL_MASK_ALL     (1u << 14)
#define PCI_MSIX_CONTROL_ENABLE       (1u << 15)
#define PCI_MSIX_TABLE                0x04 /* 32, R: offset and BAR number */
#define PCI_MSIX_TABLE_BAR_MASK       0x7u
#define PCI_MSIX_ENTRY_BYTES          16
#define PCI_MSIX_ENTRY_ADDRESS_LOW    0x0
#define PCI_MSIX_ENTRY_ADDRESS_HIGH   0x4
#define PCI_MSIX_ENTRY_DATA           0x8
#define PCI_MSIX_ENTRY_CONTROL        0xC
#define PCI_MSIX_ENTRY_CONTROL_MASKED (1u << 0)

/* How configuration space is read and written. bdf is bus << 8 | device << 3 | function; bytes is
 * 1, 2 or 4 and offset a multiple of it, below 256. A function that is not there reads as all ones.
 */
struct pci_access {
    const char *name;
    uint32_t (*read)(unsigned bdf, unsigned offset, unsigned bytes);
    void (*write)(unsigned bdf, unsigned offset, unsigned bytes, uint32_t value);
    unsigned last_bus;
    /* Where BARs may be placed that no firmware has placed: [start, end), empty where firmware
     * always does. */
    uint64_t window_start, window_end;
};

struct pci_bar {
    uint64_t base;
    uint64_t bytes; /* 0: not there */
    bool io;
};

struct pci_dev {
    uint16_t bdf;
    uint16_t vendor, device, subsystem;
    uint8_t revision;
    char location[16];      /* "00:03.0" */
    struct pci_bar bars[6]; /* after pci_enable() */
    uint8_t msix_cap;       /* 0: none; after pci_msix_open() */
    uint16_t msix_count;
    volatile uint8_t *msix_table;
};

/* The way this machine offers, or NULL if it has no PCI. */
const struct pci_access *pci_find_access(void);

/* Everything below goes through access, from now on. */
void pci_use(const struct pci_access *access);

/* Functions in the order bus, device, function; bridges are followed, not listed. At most max. */
unsigned pci_scan(struct pci_dev *devs, unsigned max);

uint32_t pci_read(const struct pci_dev *dev, unsigned offset, unsigned bytes);
void pci_write(const struct pci_dev *dev, unsigned offset, unsigned bytes, uint32_t value);

/* The next capability with this id after offset after (0: the first), or 0. */
unsigned pci_find_cap(const struct pci_dev *dev, uint8_t id, unsigned after);

/* Sizes the BARs, places those that firmware left unplaced, and switches on decoding. The function
 * reaches no memory from then on. 0, or -ENOSPC if a BAR found no place. */
int pci_enable(struct pci_dev *dev);

/* Lets the function reach memory. Only after a reset: whoever drove it before us may have left it
 * running, and pci_enable() has only cut it off. */
void pci_enable_dma(const struct pci_dev *dev);

/* No more DMA and no INTx from this function. Interrupt context is fine. */
void pci_disable(const struct pci_dev *dev);

/* Maps [offset, offset + bytes) of a memory BAR; NULL if that is not inside the BAR or not
 * mappable. */
volatile void *pci_map_bar(const struct pci_dev *dev, unsigned bar, uint64_t offset,
                           uint64_t bytes);

/* Finds the MSI-X table and masks every entry. 0 or -ENODEV. */
int pci_msix_open(struct pci_dev *dev);

/* Has entry call handler(arg), unmasked. 0, -EINVAL (no such entry) or what irq_alloc_msi says. */
int pci_msix_set(struct pci_dev *dev, unsigned entry, irq_handler handler, void *arg);

/* Switches the function between MSI-X and INTx. */
void pci_msix_enable(const struct pci_dev *dev, bool on);

/* Has the function call handler(arg) by its one message, instead of INTx. 0, -ENODEV (it has none)
 * or what irq_alloc_msi says. */
int pci_msi_attach(const struct pci_dev *dev, irq_handler handler, void *arg);

/* Calls handler(arg) on the function's INTx line as firmware routed it. 0, -ENODEV or -ENOSPC. */
int pci_intx_attach(const struct pci_dev *dev, irq_handler handler, void *arg);

#endif
