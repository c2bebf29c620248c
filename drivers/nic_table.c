/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The NIC table: one row a device a driver knows, and the walk over the PCI buses that starts them;
 * the same walk finds disks and sources of randomness, of which there is one kind each.
 */
#include "drivers/nic_driver.h"

#include "blk.h"
#include "log.h"
#include "mem.h"
#include "drivers/virtio_blk.h"
#include "drivers/virtio_net.h"
#include "drivers/virtio_pci.h"
#include "drivers/virtio_rng.h"

#define VIRTIO_PCI_DEVICE_NET_LEGACY 0x1000 /* transitional: VIRTIO 1.2, section 4.1.2.1 */
#define VIRTIO_PCI_DEVICE_NET        0x1041
#define VIRTIO_PCI_DEVICE_BLK_LEGACY 0x1001
#define VIRTIO_PCI_DEVICE_BLK        0x1042
#define VIRTIO_PCI_DEVICE_RNG_LEGACY 0x1005
#define VIRTIO_PCI_DEVICE_RNG        0x1044

static struct nic *probe_virtio_net(struct pci_dev *pci, const struct nic_id *id,
                                    const struct nic_limits *limits)
{
    struct virtio_pci *vp = mem_alloc(sizeof(*vp), CACHE_LINE_BYTES);

    (void)id;
    if (!vp || virtio_pci_open(vp, pci) != 0)
        return NULL;
    return virtio_net_start(&vp->dev, limits);
}

static const struct nic_id virtio_net_ids[] = {
    {VIRTIO_PCI_VENDOR, VIRTIO_PCI_DEVICE_NET, "virtio-net", 0},
    {VIRTIO_PCI_VENDOR, VIRTIO_PCI_DEVICE_NET_LEGACY, "virtio-net (transitional)", 0},
    {0, 0, NULL, 0},
};

static const struct nic_driver virtio_net_driver = {.ids = virtio_net_ids,
                                                    .probe = probe_virtio_net};

const struct nic_driver *const nic_drivers[] = {&virtio_net_driver, &e1000_driver, NULL};

static struct pci_dev devices[PCI_DEVS_MAX];

static unsigned scan(void)
{
    static bool ready;

    if (!ready)
        pci_use(pci_find_access());
    ready = true;
    return pci_scan(devices, PCI_DEVS_MAX);
}

/* The driver of this device and its id there; NULL: there is none. */
static const struct nic_driver *driver_of(const struct pci_dev *pci, const struct nic_id **id)
{
    for (const struct nic_driver *const *driver = nic_drivers; *driver; driver++)
        for (*id = (*driver)->ids; (*id)->name; (*id)++)
            if ((*id)->vendor == pci->vendor && (*id)->device == pci->device)
                return *driver;
    return NULL;
}

/* A person who sees fewer ports than NICs wants to know which one is missing. */
static void tell_of_no_driver(const struct pci_dev *pci)
{
    if (pci_read(pci, PCI_CLASS, 1) == PCI_CLASS_NETWORK)
        log_warn("%s: no driver for this network device (%04x:%04x); it is not used: make it "
                 "virtio-net or e1000",
                 pci->location, pci->vendor, pci->device);
}

unsigned nic_count(void)
{
    unsigned n = 0, found = scan();
    const struct nic_id *id;

    for (unsigned i = 0; i < found; i++)
        n += driver_of(&devices[i], &id) != NULL;
    return MIN(n, (unsigned)NIC_MAX);
}

unsigned nic_probe_all(const struct nic_limits *limits, struct nic **nics, unsigned max)
{
    unsigned n = 0, left = 0, found = scan();

    for (unsigned i = 0; i < found; i++) {
        const struct nic_id *id;
        const struct nic_driver *driver = driver_of(&devices[i], &id);
        if (!driver) {
            tell_of_no_driver(&devices[i]);
            continue;
        }
        if (n >= MIN(max, (unsigned)NIC_MAX)) {
            left++;
            continue;
        }
        nics[n] = driver->probe(&devices[i], id, limits);
        if (nics[n])
            n++;
        else
            log_error("%s: %s is not used", devices[i].location, id->name);
    }
    if (left > 0)
        log_warn("%u more network devices than the %u that are used", left, n);
    return n;
}

unsigned blk_probe_all(struct blk **disks, unsigned max)
{
    unsigned n = 0, found = scan();

    for (unsigned i = 0; i < found && n < MIN(max, (unsigned)BLK_MAX); i++) {
        const struct pci_dev *pci = &devices[i];
        if (pci->vendor != VIRTIO_PCI_VENDOR ||
            (pci->device != VIRTIO_PCI_DEVICE_BLK && pci->device != VIRTIO_PCI_DEVICE_BLK_LEGACY))
            continue;
        struct virtio_pci *vp = mem_alloc(sizeof(*vp), CACHE_LINE_BYTES);
        if (!vp || virtio_pci_open(vp, pci) != 0)
            continue;
        disks[n] = virtio_blk_start(&vp->dev);
        if (disks[n])
            n++;
    }
    return n;
}

size_t entropy_devices_read(void)
{
    size_t bytes = 0;
    unsigned found = scan();

    for (unsigned i = 0; i < found; i++) {
        const struct pci_dev *pci = &devices[i];
        if (pci->vendor != VIRTIO_PCI_VENDOR ||
            (pci->device != VIRTIO_PCI_DEVICE_RNG && pci->device != VIRTIO_PCI_DEVICE_RNG_LEGACY))
            continue;
        struct virtio_pci *vp = mem_alloc(sizeof(*vp), CACHE_LINE_BYTES);
        if (vp && virtio_pci_open(vp, pci) == 0)
            bytes += virtio_rng_read(&vp->dev);
    }
    return bytes;
}
