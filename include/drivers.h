/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the composition (boot/main.c) asks of the drivers, at start and at the end.
 *
 * The pool's size depends on the number of ports, so finding the NICs and starting them are two
 * steps: nic_count(), then pkt_pool_init(), then nic_probe_all().
 */
#ifndef DRIVERS_H
#define DRIVERS_H

#include "nic.h"

#define NIC_MAX 16 /* ports started; further NICs are left alone and a line says so */

/* Where ports get their buffers, and how many one port may hold. A ring is never filled beyond
 * these. */
struct nic_limits {
    struct pkt_pool *pool;   /* must outlive the ports */
    uint32_t rx_buffers_max; /* posted for receive; at least NIC_RX_BUFFERS_MIN are used */
    uint32_t tx_buffers_max; /* queued for transmit; 0: twice rx, at most a third of the pool */
};

#define NIC_RX_BUFFERS_MIN PKT_MAX_SEGS /* enough for one super-packet */
#define NIC_TX_BUFFERS_MIN (PKT_MAX_SEGS + 1)

/* The number of NICs that a driver here knows, on the PCI buses and by virtio over MMIO, at most
 * NIC_MAX. Touches no device but to read what it is; may be called again. */
unsigned nic_count(void);

/* Starts the NICs in PCI order (bus, device, function), then those on MMIO in the order in which
 * the command line or else the firmware names them, and returns how many there are; what
 * nics[0..n) point to is never freed. A NIC that cannot be started keeps its place: it is there,
 * dead. The ports' own memory comes from mem_alloc, their receive buffers from the pool. max is at
 * most NIC_MAX. */
unsigned nic_probe_all(const struct nic_limits *limits, struct nic **nics, unsigned max);

/* Takes down the NICs that nic_probe_all started and that have left their bus since. What their
 * rings hold of the pool is not given back. */
void nic_look_for_gone(void);

/* Reads every hardware source of randomness that there is (virtio-rng) into entropy_mix(),
 * waiting at most 10 ms for each. Returns the number of bytes mixed in. */
size_t entropy_devices_read(void);

#endif
