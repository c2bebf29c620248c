/* SPDX-License-Identifier: BSD-3-Clause
 *
 * NICs in software by one interface, for tests of what every driver has to do.
 */
#ifndef NIC_RIG_H
#define NIC_RIG_H

#include "drivers.h"
#include "tests/fake/frame_build.h"

struct nic_rig {
    const char *name;
    size_t buffer_bytes; /* of received frames */

    /* A machine with this device alone, which its driver starts. */
    struct nic *(*start)(const struct nic_limits *limits);

    /* Ends it; everything must have come back. */
    void (*stop)(struct nic *nic);

    /* What the driver did wrong, or NULL. */
    const char *(*fault)(void);

    /* The device receives a frame; false: there was no room. */
    bool (*receive)(const uint8_t *frame, size_t n);

    /* Frames of one buffer that it has room for. */
    unsigned (*rx_room)(void);

    /* Takes a packet from the driver and makes frames of it; returns how many. 0: there is none. */
    unsigned (*transmit)(void);
    const uint8_t *(*frame)(unsigned number, size_t *n);

    /* Where the driver tells of packets. */
    void *(*doorbell)(void);

    /* Reports up to n reports' worth of packets as sent. */
    void (*report)(unsigned n);

    /* The driver's irq_arm, with what the device does then. */
    bool (*arm)(struct nic *nic);
    unsigned (*interrupts)(void); /* so far */
};

/* A packet with a partial checksum, to be cut if gso_size is not 0, with about head_bytes in the
 * head; built tells what is in it. */
struct pkt *nic_rig_packet(struct pkt_pool *pool, struct frame *built,
                           const struct frame_plan *plan, uint16_t gso_size, size_t head_bytes);

/* Polls as the loop does; the frames that come out are freed and counted. */
unsigned nic_rig_poll(struct nic *nic);

/* Gives it n small packets, at most 32, at once; how many it took. */
unsigned nic_rig_send(struct nic *nic, struct pkt_pool *pool, unsigned n);

/* Fails unless the NIC was given up as it should be: it is down and has said so once, holds none of
 * the pool's buffers, takes none, and its device reaches no memory. config is the device's PCI
 * configuration. */
void nic_rig_expect_given_up(struct nic *nic, struct pkt_pool *pool, const uint8_t *config);

extern const struct nic_rig nic_rigs[];
extern const unsigned nic_rig_count;

#endif
