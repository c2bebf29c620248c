/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a NIC driver gives to the table (drivers/nic_table.c) and what is there for drivers.
 */
#ifndef NIC_DRIVER_H
#define NIC_DRIVER_H

#include "drivers.h"
#include "drivers/pci.h"

/* A device that a driver knows. */
struct nic_id {
    uint16_t vendor, device;
    const char *name; /* for people: "82540EM" */
    uint32_t variant; /* the driver's own */
};

struct nic_driver {
    const struct nic_id *ids; /* ended by one without a name */
    /* Starts the device. What cannot be used is stopped, and returned as nic_failed() makes it;
     * NULL if there is no memory even for that. */
    struct nic *(*probe)(struct pci_dev *pci, const struct nic_id *id,
                         const struct nic_limits *limits);
};

extern const struct nic_driver e1000_driver, igb_driver, vmxnet3_driver;

/* The drivers, ended by a NULL. */
extern const struct nic_driver *const nic_drivers[];

/* Sets nic->dead and logs one line, the first time. From then on its operations do nothing. */
void nic_taken_down(struct nic *nic, const char *why);

/* A device that did not start keeps its port's number, or all behind it would belong to other
 * networks. Makes nic, whose driver is known, a port that is dead from the beginning; returns it.
 */
struct nic *nic_failed(struct nic *nic, const char *why);

/* The negative errno values of a start, for people. */
const char *nic_why(int error);

/* A frame that comes in several buffers, of which the last one is still to come. */
struct nic_gather {
    struct pkt *head, *tail;
    bool spoilt; /* what comes up to the end of this frame is dropped */
};

static inline bool nic_is_gathering(const struct nic_gather *g)
{
    return g->head || g->spoilt;
}

/* Adds a buffer, a packet by itself, to the frame: its last one if end. Returns the frame once it
 * is whole and good; p belongs to the gatherer until then. What cannot be a packet, or is bad, is
 * freed, and counted as rx_bad at its end. */
struct pkt *nic_gather(struct nic *nic, struct nic_gather *g, struct pkt *p, bool bad, bool end);

/* Frees what has come of a frame. */
void nic_gather_drop(struct nic_gather *g);

/* True if sleeping with sent packets unseen could starve somebody of buffers. */
bool nic_buffers_are_short(const struct pkt_pool *pool);

/* A sum of the one's complement, not complemented, without n: for devices that add the length to
 * the pseudo header's sum by themselves. */
uint16_t nic_sum_without(uint16_t sum, uint16_t n);

/* True if the address can be a NIC's own: individual, and not 0. */
bool nic_mac_is_usable(const uint8_t *mac);

/* Makes one up: individual, locally administered. */
void nic_mac_make(uint8_t *mac);

#endif
