/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finding PCI functions, their BARs and their capabilities (PCI Local Bus 3.0, sections 6.1, 6.2.5
 * and 6.7).
 *
 * Theory of operation. A scan walks the buses in ascending order and visits a bus only if a bridge
 * on a lower one leads to it: that gives PCI order without sorting and ends whatever the bridges
 * say. BARs are sized only for functions a driver takes. On a machine without firmware (microvm)
 * they read as unplaced; they are then placed one after the other in the window that pci_access
 * gives, which nothing else uses.
 */
#include "drivers/pci.h"

#include "mem.h"

#include <stdio.h>

#define CAP_STEPS_MAX    48 /* (256 - 64) bytes of capabilities, 4 bytes each at least */
#define CAP_FIRST_OFFSET 0x40

static const struct pci_access *access;
static uint64_t window_next; /* next free byte of the window */

void pci_use(const struct pci_access *a)
{
    access = a;
    window_next = a ? a->window_start : 0;
}

uint32_t pci_read(const struct pci_dev *dev, unsigned offset, unsigned bytes)
{
    return access->read(dev->bdf, offset, bytes);
}

void pci_write(const struct pci_dev *dev, unsigned offset, unsigned bytes, uint32_t value)
{
    access->write(dev->bdf, offset, bytes, value);
}

static void describe(struct pci_dev *dev, unsigned bdf)
{
    memset(dev, 0, sizeof(*dev));
    dev->bdf = (uint16_t)bdf;
    dev->vendor = (uint16_t)pci_read(dev, PCI_VENDOR_ID, 2);
    dev->device = (uint16_t)pci_read(dev, PCI_DEVICE_ID, 2);
    dev->subsystem = (uint16_t)pci_read(dev, PCI_SUBSYSTEM_ID, 2);
    dev->revision = (uint8_t)pci_read(dev, PCI_REVISION, 1);
    snprintf(dev->location, sizeof(dev->location), "%02x:%02x.%x", bdf >> 8, bdf >> 3 & 0x1F,
             bdf & 7);
}

unsigned pci_scan(struct pci_dev *devs, unsigned max)
{
    uint8_t reached[256] = {1};
    unsigned n = 0;

    if (!access)
        return 0;
    for (unsigned bdf = 0; bdf < 256u << 8; bdf++) {
        unsigned bus = bdf >> 8;
        if (!reached[bus]) {
            bdf |= 0xFF;
            continue;
        }
        if (access->read(bdf, PCI_VENDOR_ID, 2) == 0xFFFF) {
            if ((bdf & 7) == 0)
                bdf |= 7; /* no function 0: no device */
            continue;
        }
        unsigned header = access->read(bdf, PCI_HEADER_TYPE, 1);
        if ((header & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_BRIDGE) {
            unsigned to = access->read(bdf, PCI_SECONDARY_BUS, 1);
            if (to > bus && to <= access->last_bus)
                reached[to] = 1;
        } else if ((header & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_DEVICE && n < max) {
            describe(&devs[n++], bdf);
        }
        if ((bdf & 7) == 0 && !(header & PCI_HEADER_MULTI))
            bdf |= 7;
    }
    return n;
}

unsigned pci_find_cap(const struct pci_dev *dev, uint8_t id, unsigned after)
{
    if (!(pci_read(dev, PCI_STATUS, 2) & PCI_STATUS_CAPS))
        return 0;
    unsigned at = after ? pci_read(dev, after + 1, 1) : pci_read(dev, PCI_CAP_POINTER, 1);
    for (unsigned steps = 0; steps < CAP_STEPS_MAX; steps++) {
        at &= ~3u;
        if (at < CAP_FIRST_OFFSET)
            return 0;
        if (pci_read(dev, at, 1) == id)
            return at;
        at = pci_read(dev, at + 1, 1);
    }
    return 0;
}

/* Reads one BAR and its size; returns how many of the six registers it takes. Decoding must be off.
 */
static unsigned bar_size(const struct pci_dev *dev, unsigned n, struct pci_bar *bar)
{
    uint32_t low = pci_read(dev, PCI_BAR(n), 4);
    pci_write(dev, PCI_BAR(n), 4, UINT32_MAX);
    uint32_t mask = pci_read(dev, PCI_BAR(n), 4);
    pci_write(dev, PCI_BAR(n), 4, low);

    *bar = (struct pci_bar){.io = mask & PCI_BAR_IO};
    if (bar->io) {
        /* The upper 16 bits may be wired to zero: there are only 64 K ports. */
        uint32_t bits = mask & 0xFFFFu & ~PCI_BAR_IO_FLAGS;
        bar->bytes = bits & -bits;
        bar->base = low & ~PCI_BAR_IO_FLAGS;
        return 1;
    }

    bool wide = (mask & PCI_BAR_TYPE_MASK) == PCI_BAR_TYPE_64 && n < 5;
    uint64_t bits = mask & ~PCI_BAR_MEMORY_FLAGS;
    bar->base = low & ~PCI_BAR_MEMORY_FLAGS;
    if (wide) {
        uint32_t high = pci_read(dev, PCI_BAR(n + 1), 4);
        pci_write(dev, PCI_BAR(n + 1), 4, UINT32_MAX);
        bits |= (uint64_t)pci_read(dev, PCI_BAR(n + 1), 4) << 32;
        pci_write(dev, PCI_BAR(n + 1), 4, high);
        bar->base |= (uint64_t)high << 32;
    }
    bar->bytes = bits & -bits;
    return wide ? 2 : 1;
}

/* Gives an unplaced memory BAR its place: naturally aligned, in the window, not on RAM. */
static int bar_place(const struct pci_dev *dev, unsigned n, unsigned registers, struct pci_bar *bar)
{
    /* A whole page at least, so that no two functions share a mapping. */
    uint64_t bytes = MAX(bar->bytes, (uint64_t)4096);
    uint64_t base = ALIGN_UP(window_next, bytes);

    if (window_next == 0 || base < window_next || base >= access->window_end ||
        bytes > access->window_end - base || !mem_is_device(base, bytes))
        return -ENOSPC;
    window_next = base + bytes;
    bar->base = base;
    pci_write(dev, PCI_BAR(n), 4, (uint32_t)base);
    if (registers == 2)
        pci_write(dev, PCI_BAR(n + 1), 4, (uint32_t)(base >> 32));
    return 0;
}

int pci_enable(struct pci_dev *dev)
{
    uint32_t command = pci_read(dev, PCI_COMMAND, 2);
    int status = 0;

    /* Whoever drove it before us may have left it writing to what is our memory now. */
    command &= ~(PCI_COMMAND_MASTER | PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    pci_write(dev, PCI_COMMAND, 2, command);
    for (unsigned n = 0; n < ARRAY_COUNT(dev->bars) && status == 0;) {
        struct pci_bar *bar = &dev->bars[n];
        unsigned registers = bar_size(dev, n, bar);
        if (bar->bytes != 0 && bar->base == 0) {
            if (bar->io)
                bar->bytes = 0; /* nobody gave it ports: as good as absent */
            else
                status = bar_place(dev, n, registers, bar);
        }
        n += registers;
    }
    if (status == 0)
        command |= PCI_COMMAND_IO | PCI_COMMAND_MEMORY;
    pci_write(dev, PCI_COMMAND, 2, command);
    return status;
}

void pci_enable_dma(const struct pci_dev *dev)
{
    pci_write(dev, PCI_COMMAND, 2, pci_read(dev, PCI_COMMAND, 2) | PCI_COMMAND_MASTER);
}

void pci_disable(const struct pci_dev *dev)
{
    uint32_t command = pci_read(dev, PCI_COMMAND, 2);
    pci_write(dev, PCI_COMMAND, 2, (command & ~PCI_COMMAND_MASTER) | PCI_COMMAND_INTX_OFF);
}

volatile void *pci_map_bar(const struct pci_dev *dev, unsigned bar, uint64_t offset, uint64_t bytes)
{
    if (bar >= ARRAY_COUNT(dev->bars))
        return NULL;
    const struct pci_bar *b = &dev->bars[bar];
    if (b->io || b->bytes == 0 || bytes == 0 || offset > b->bytes || bytes > b->bytes - offset)
        return NULL;
    return mem_map_device(b->base + offset, bytes);
}
