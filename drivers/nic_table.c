/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The NIC table: one row a device a driver knows, and the walk over the PCI buses, and then over
 * the virtio devices on the bus of memory, that starts them; the same walk finds disks and sources
 * of randomness, of which there is one kind each.
 */
#include "drivers/nic_driver.h"

#include "blk.h"
#include "log.h"
#include "mem.h"
#include "drivers/virtio_blk.h"
#include "drivers/virtio_mmio.h"
#include "drivers/virtio_net.h"
#include "drivers/virtio_pci.h"
#include "drivers/virtio_rng.h"

/* Types of device (VIRTIO 1.2, section 5). */
#define VIRTIO_NET 1
#define VIRTIO_BLK 2
#define VIRTIO_RNG 4

#define VIRTIO_PCI_DEVICE_BASE       0x1040 /* and the type: section 4.1.2.1 */
#define VIRTIO_PCI_DEVICE_NET_LEGACY 0x1000 /* transitional */
#define VIRTIO_PCI_DEVICE_NET        (VIRTIO_PCI_DEVICE_BASE + VIRTIO_NET)
#define VIRTIO_PCI_DEVICE_BLK_LEGACY 0x1001
#define VIRTIO_PCI_DEVICE_RNG_LEGACY 0x1005

static struct nic *probe_virtio_net(struct pci_dev *pci, const struct nic_id *id,
                                    const struct nic_limits *limits)
{
    struct virtio_pci *vp = mem_alloc(sizeof(*vp), CACHE_LINE_BYTES);

    (void)id;
    if (!vp)
        return NULL;
    int error = virtio_pci_open(vp, pci);
    if (error == 0)
        return virtio_net_start(&vp->dev, limits);
    struct nic *nic = mem_alloc(sizeof(*nic), CACHE_LINE_BYTES);
    return nic ? nic_failed(nic, nic_why(error)) : NULL;
}

static const struct nic_id virtio_net_ids[] = {
    {VIRTIO_PCI_VENDOR, VIRTIO_PCI_DEVICE_NET, "virtio-net", 0},
    {VIRTIO_PCI_VENDOR, VIRTIO_PCI_DEVICE_NET_LEGACY, "virtio-net (transitional)", 0},
    {0, 0, NULL, 0},
};

static const struct nic_driver virtio_net_driver = {.ids = virtio_net_ids,
                                                    .probe = probe_virtio_net};

const struct nic_driver *const nic_drivers[] = {&virtio_net_driver, &e1000_driver, &igb_driver,
                                                &vmxnet3_driver, NULL};

#define NOBODY 0xFFFF /* what is read as the vendor of a device that is not there */

static struct pci_dev devices[PCI_DEVS_MAX];

/* Ports on PCI, which may leave it. */
static struct {
    struct nic *nic; /* NULL: there are no more */
    const struct pci_dev *pci;
} places[NIC_MAX];

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
                 "virtio-net, e1000 or vmxnet3",
                 pci->location, pci->vendor, pci->device);
}

unsigned nic_count(void)
{
    unsigned n = 0, found = scan();
    const struct nic_id *id;

    for (unsigned i = 0; i < found; i++)
        n += driver_of(&devices[i], &id) != NULL;
    for (struct virtio_mmio *vm = NULL; (vm = virtio_mmio_next(VIRTIO_NET, vm)) != NULL;)
        n++;
    return MIN(n, (unsigned)NIC_MAX);
}

/* The ports as they fill up. */
struct ports {
    struct nic **nics;
    unsigned n, max, left;
};

/* False: there are as many as there may be. */
static bool has_room(struct ports *ports)
{
    if (ports->n < ports->max)
        return true;
    ports->left++;
    return false;
}

/* Whatever became of the device, it has its place. */
static struct nic *add_port(struct ports *ports, struct nic *nic, const char *location,
                            const char *name)
{
    static struct nic unstarted[NIC_MAX];

    if (!nic)
        nic = nic_failed(&unstarted[ports->n], nic_why(-ENOMEM));
    if (!nic->driver)
        nic->driver = name;
    memcpy(nic->location, location, MIN(strlen(location), sizeof(nic->location) - 1));
    ports->nics[ports->n++] = nic;
    return nic;
}

unsigned nic_probe_all(const struct nic_limits *limits, struct nic **nics, unsigned max)
{
    struct ports ports = {.nics = nics, .max = MIN(max, (unsigned)NIC_MAX)};
    unsigned found = scan();

    for (unsigned i = 0; i < found; i++) {
        const struct nic_id *id;
        const struct nic_driver *driver = driver_of(&devices[i], &id);
        if (!driver)
            tell_of_no_driver(&devices[i]);
        else if (has_room(&ports)) {
            struct nic *nic = driver->probe(&devices[i], id, limits);
            nic = add_port(&ports, nic, devices[i].location, id->name);
            places[ports.n - 1].nic = nic;
            places[ports.n - 1].pci = &devices[i];
        }
    }
    for (struct virtio_mmio *vm = NULL; (vm = virtio_mmio_next(VIRTIO_NET, vm)) != NULL;)
        if (has_room(&ports))
            add_port(&ports, virtio_net_start(&vm->dev, limits), vm->location, "virtio-net");
    if (ports.left > 0)
        log_warn("%u more network devices than the %u that are used", ports.left, ports.n);
    return ports.n;
}

/* A device that answers no more cannot be cut off from memory, nor is it known to be: what its
 * rings hold stays theirs. Nobody lacks it, for it is this port's share of the pool. */
void nic_look_for_gone(void)
{
    for (unsigned i = 0; i < NIC_MAX && places[i].nic; i++)
        if (!places[i].nic->dead && pci_read(places[i].pci, PCI_VENDOR_ID, 2) == NOBODY)
            nic_taken_down(places[i].nic, "nothing any more");
}

/* The next virtio device of this type, PCI's first: *pci and *mmio are where the last was found.
 * NULL: there are no more. */
static struct virtio_dev *next_virtio(unsigned type, unsigned legacy_id, unsigned *pci,
                                      struct virtio_mmio **mmio)
{
    unsigned found = scan();

    while (*pci < found) {
        const struct pci_dev *dev = &devices[(*pci)++];
        if (dev->vendor != VIRTIO_PCI_VENDOR ||
            (dev->device != VIRTIO_PCI_DEVICE_BASE + type && dev->device != legacy_id))
            continue;
        struct virtio_pci *vp = mem_alloc(sizeof(*vp), CACHE_LINE_BYTES);
        if (vp && virtio_pci_open(vp, dev) == 0)
            return &vp->dev;
    }
    *mmio = virtio_mmio_next(type, *mmio);
    return *mmio ? &(*mmio)->dev : NULL;
}

unsigned blk_probe_all(struct blk **disks, unsigned max)
{
    struct virtio_mmio *mmio = NULL;
    struct virtio_dev *dev;
    unsigned n = 0, pci = 0;

    while (n < MIN(max, (unsigned)BLK_MAX) &&
           (dev = next_virtio(VIRTIO_BLK, VIRTIO_PCI_DEVICE_BLK_LEGACY, &pci, &mmio)) != NULL) {
        disks[n] = virtio_blk_start(dev);
        if (disks[n])
            n++;
    }
    return n;
}

size_t entropy_devices_read(void)
{
    struct virtio_mmio *mmio = NULL;
    struct virtio_dev *dev;
    unsigned pci = 0;
    size_t bytes = 0;

    while ((dev = next_virtio(VIRTIO_RNG, VIRTIO_PCI_DEVICE_RNG_LEGACY, &pci, &mmio)) != NULL)
        bytes += virtio_rng_read(dev);
    return bytes;
}
