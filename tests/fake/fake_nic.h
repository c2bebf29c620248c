/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A NIC made of two queues: tests put frames in and take out what was sent. It can do whatever its
 * offloads say, refuses packets when told to, and CHECKs that it is never given one it cannot send.
 */
#ifndef FAKE_NIC_H
#define FAKE_NIC_H

#include "nic.h"

#define FAKE_NIC_QUEUE 1024

struct fake_nic {
    struct nic nic;
    bool up;
    bool armed;
    unsigned tx_room;    /* packets it takes before it is full; fake_nic_init: no limit */
    unsigned tx_batches; /* calls of tx_batch */
    unsigned reclaims;
    unsigned rx_head, rx_tail; /* free-running */
    unsigned tx_head, tx_tail;
    struct pkt *rx[FAKE_NIC_QUEUE];
    struct pkt *tx[FAKE_NIC_QUEUE];
};

/* Link up, MTU 1500, no offloads, MAC 02:00:00:00:00:number. */
void fake_nic_init(struct fake_nic *f, struct pkt_pool *pool, uint8_t number);

/* A received frame. False if the pool or the queue is full. */
bool fake_nic_receive(struct fake_nic *f, const void *bytes, size_t n);
/* The same for a packet with metadata; takes p. */
void fake_nic_receive_pkt(struct fake_nic *f, struct pkt *p);

/* The next packet that was sent, which the caller frees, or NULL. */
struct pkt *fake_nic_sent(struct fake_nic *f);
static inline unsigned fake_nic_sent_count(const struct fake_nic *f)
{
    return f->tx_tail - f->tx_head;
}

/* Frees all packets in both queues. */
void fake_nic_clear(struct fake_nic *f);

#endif
