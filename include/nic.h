/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The interface every NIC driver implements, and all the rest of Sluice knows of one.
 *
 * Nothing here blocks and nothing allocates after probe. Calls come from the one loop, never from
 * an interrupt: a driver's interrupt handler only silences its device (the interrupt itself ends
 * the sleep).
 *
 * A device is not trusted. A driver checks what it is handed (indices, ids, lengths); when the
 * device offers nonsense it logs one line, sets dead to the reason and from then on returns nothing
 * and takes nothing, so that the other ports go on.
 */
#ifndef NIC_H
#define NIC_H

#include "base.h"
#include "pkt.h"

enum nic_offloads {                       /* what the device does to a packet it is given to send */
                    NIC_TX_CSUM = 1 << 0, /* completes PKT_NEEDS_CSUM */
                    NIC_TX_TSO4 = 1 << 1, /* cuts PKT_GSO_TCP4 */
                    NIC_TX_TSO6 = 1 << 2, /* cuts PKT_GSO_TCP6 */
                    NIC_TX_ECN = 1 << 3,  /* cuts super-packets with gso_ecn */
                    NIC_RX_CSUM = 1 << 4, /* reports checksums on receive (informative) */
                    NIC_RX_TSO = 1 << 5,  /* may deliver super-packets (informative) */
                    /* Instead of NIC_TX_CSUM: it completes and cuts only what has at most one VLAN
                     * tag and the checksum in its first NIC_NEAR_BYTES. */
                    NIC_TX_CSUM_NEAR = 1 << 6,
};

#define NIC_NEAR_BYTES 255

/* Whether the device's interrupts can be relied on. The driver says so where none can be attached,
 * the loop where it finds out (boot/port_watch.h). */
enum nic_irq {
    NIC_IRQ_UNPROVEN, /* attached; none has been seen */
    NIC_IRQ_PROVEN,
    NIC_IRQ_NONE, /* the loop looks at the port now and then instead */
};

struct nic;

struct nic_ops {
    /* Moves up to max received packets into out and returns their number; they belong to the caller
     * then. Also gives the device fresh buffers. A packet is an Ethernet frame without FCS, its
     * first MIN(total_bytes, 128) bytes in the head segment, whose first line is prefetched. */
    unsigned (*rx_batch)(struct nic *nic, struct pkt **out, unsigned max);

    /* Queues packets for transmission, in order, and tells the device once, or again if the ring
     * fills on the way. Puts another packet of the same bytes in a place of pkts if it needs one.
     * Returns how many were taken; those belong to the driver, which frees them when they are sent.
     * The rest still belongs to the caller. Every packet given satisfies the nic's offloads and its
     * MTU; it may be shared (see pkt.h). */
    unsigned (*tx_batch)(struct nic *nic, struct pkt **pkts, unsigned n);

    /* Frees what the device has sent since. Cheap when there is nothing; called every round. */
    void (*tx_reclaim)(struct nic *nic);

    /* Asks for an interrupt on received packets and link changes (and on transmit completions if
     * that is what the driver is short of). Returns true if there is work already, in which case
     * the caller must poll again rather than sleep; that there is no interrupt is no work. */
    bool (*irq_arm)(struct nic *nic);

    /* No more interrupts: the caller polls. */
    void (*irq_disarm)(struct nic *nic);

    /* The link as the device reports it; true where a device cannot tell. With proven interrupts
     * the device is asked after one only, else at every call. */
    bool (*link_up)(struct nic *nic);

    /* Adds what the device has counted by itself since the last call to the counters. NULL: it
     * counts nothing. */
    void (*read_counters)(struct nic *nic);

    /* Stops all DMA. For panic and power-off; the nic is not used again. */
    void (*stop)(struct nic *nic);
};

struct nic_counters {
    uint64_t rx_packets, rx_bytes;
    uint64_t tx_packets, tx_bytes;
    uint64_t rx_no_buffer; /* times the device could not be given a buffer: pool empty or share used
                              up */
    uint64_t rx_bad;       /* frames the driver itself refused (length, header) and freed */
    uint64_t rx_missed;    /* frames the device had no buffer for */
    uint64_t rx_errors;    /* frames that were no good on the wire: FCS, symbols, lengths */
    uint64_t tx_full;      /* packets not taken because the ring was full */
    uint64_t tx_doorbells; /* writes that told the device of new packets */
    uint64_t rx_doorbells; /* writes that told the device of new buffers */
    uint64_t interrupts;
};

struct nic {
    const struct nic_ops *ops;
    const char *driver; /* "virtio-net" */
    char location[16];  /* "00:03.0" */
    uint8_t mac[MAC_BYTES];
    uint16_t mtu;      /* bytes of L3; 1500 unless the device says otherwise */
    uint16_t mtu_max;  /* what it takes, either way, if the configuration says so; 0: just mtu */
    uint32_t offloads; /* enum nic_offloads */
    const char *dead;  /* NULL, or why the port was taken down or never started */
    uint8_t irq;       /* enum nic_irq */
    struct pkt_pool *pool;
    struct nic_counters counters;
};

#endif
