/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a NIC driver gives to the table (drivers/nic_table.c) and what the table gives to drivers.
 */
#ifndef NIC_DRIVER_H
#define NIC_DRIVER_H

#include "drivers.h"
#include "drivers/pci.h"

struct nic_driver {
    uint16_t vendor, device;
    const char *name; /* for people: "virtio-net" */
    /* Starts the device. NULL if it cannot be used; the driver has logged why and stopped it. */
    struct nic *(*probe)(struct pci_dev *pci, const struct nic_limits *limits);
};

/* The rows, ended by one with a NULL probe. */
extern const struct nic_driver nic_drivers[];

/* Sets nic->dead and logs one line, the first time. */
void nic_taken_down(struct nic *nic, const char *why);

#endif
