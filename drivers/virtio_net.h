/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The virtio network driver's own structures, shared by its files: virtio_net.c (start, link,
 * interrupts, failure), virtio_net_rx.c, virtio_net_tx.c, virtio_net_ctrl.c.
 *
 * Theory of operation. Receive: every posted buffer is one packet of the pool, described by one
 * descriptor that begins in the headroom, so that the device's header lies just before the frame.
 * slots[] says which packet is posted under which descriptor; it is our memory, and the only thing
 * believed about what the device has. A buffer handed back is replaced at once by a fresh one under
 * the same descriptor; descriptors for which the pool had none wait in missing_ids[] for the next
 * poll. A posted packet's metadata is set when it comes back, not when it is posted.
 *
 * Transmit: free descriptors form a list through slots[].next, and a chain keeps those links while
 * it is outstanding, so that freeing it is putting its last link back. A packet that is ours alone
 * gets its header written into its headroom and needs one descriptor a segment; a shared one, or
 * one without headroom, takes one more for a header from headers[]. A long chain goes into a table
 * of its own where the device allows it, and then takes one descriptor of the ring: otherwise 15
 * super-packets would fill it. What a port may hold is counted in buffers, in room.
 *
 * A device that offers nonsense is cut off at once (virtio_net_die), its buffers return to the
 * pool, and the nic's operations become ones that do nothing, which is why the others need not ask
 * whether it is dead.
 */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include "drivers.h"
#include "nic.h"
#include "drivers/virtio.h"
#include "drivers/virtio_net_regs.h"

struct virtio_net_rx {
    struct virtq q;
    struct pkt **slots;  /* by descriptor: the packet posted there, or NULL */
    uint32_t data_bytes; /* room for the frame in a posted buffer, without the header */
    uint16_t header_bytes;
    uint16_t merge_mask; /* all ones with MRG_RXBUF, else 0: whether num_buffers means anything */
    uint16_t flags_mask; /* header flags that mean something: all or none */
    uint16_t parts_left; /* buffers still to come of the packet in partial */
    uint16_t missing;    /* descriptors without a buffer: entries in missing_ids */
    bool long_header;    /* header_bytes is 12: rx_run may be used */
    bool split_header;   /* the header has a descriptor of its own (legacy without ANY_LAYOUT) */
    struct pkt *partial; /* NULL while parts_left counts down a packet that is dropped */
    struct pkt *partial_tail;
    uint16_t *missing_ids;
};

struct virtio_net_tx_slot {
    struct pkt *pkt;  /* under the first descriptor of an outstanding chain, else NULL */
    uint16_t next;    /* next free descriptor, or next of the chain */
    uint16_t last;    /* in a chain's first: its last; itself in all others */
    uint16_t count;   /* in a chain's first: descriptors; 1 in all others */
    uint16_t buffers; /* the same for buffers: more than descriptors if there is a table */
};

/* The descriptors of one packet, for VIRTIO_F_INDIRECT_DESC. */
struct virtio_net_tx_table {
    struct virtq_desc desc[PKT_MAX_SEGS + 1];
};

struct virtio_net_tx {
    struct virtq q;
    struct virtio_net_tx_slot *slots;
    uint16_t free_head;
    uint16_t free_count;
    uint16_t room; /* buffers that may still be queued */
    uint16_t header_bytes;
    uint16_t
        headroom_min; /* to put the header before the frame; over any headroom if not allowed */
    bool irq_armed;
    struct virtio_net_hdr *headers; /* by descriptor */
    struct virtio_net_tx_table
        *tables; /* by descriptor, or NULL: every segment takes one of the ring */
};

struct virtio_net {
    struct nic nic;
    struct virtio_dev *dev;
    bool link;
    struct virtio_net_rx rx __attribute__((aligned(CACHE_LINE_BYTES)));
    struct virtio_net_tx tx __attribute__((aligned(CACHE_LINE_BYTES)));
};

static inline struct virtio_net *virtio_net_of(struct nic *nic)
{
    return container_of(nic, struct virtio_net, nic);
}

/* Starts the device on any transport. NULL after logging why not; the device is stopped then. */
struct nic *virtio_net_start(struct virtio_dev *dev, const struct nic_limits *limits);

/* The device offered nonsense: takes the port down. Its buffers are back in the pool afterwards. */
void virtio_net_die(struct virtio_net *vn, const char *why);

/* 0 or -ENOMEM. */
int virtio_net_rx_init(struct virtio_net *vn, const struct nic_limits *limits);
int virtio_net_tx_init(struct virtio_net *vn, const struct nic_limits *limits);

/* Gives the device buffers for every missing descriptor, as far as the pool goes, without telling
 * it. */
void virtio_net_rx_fill(struct virtio_net *vn);

/* Shows the device what was posted, and tells it if it wants to know. */
void virtio_net_rx_flush(struct virtio_net *vn);

/* Frees what the rings hold; the device must be cut off. */
void virtio_net_rx_release(struct virtio_net *vn);
void virtio_net_tx_release(struct virtio_net *vn);

unsigned virtio_net_rx_batch(struct nic *nic, struct pkt **out, unsigned max);
unsigned virtio_net_tx_batch(struct nic *nic, struct pkt **pkts, unsigned n);
void virtio_net_tx_reclaim(struct nic *nic);

/* Opens the control queue (before virtio_ready). 0 or a negative errno. */
int virtio_net_ctrl_open(struct virtio_net *vn, struct virtq *q);

/* Asks for all frames, whoever they are for. False if the device did not confirm it in time. */
bool virtio_net_ctrl_promiscuous(struct virtio_net *vn, struct virtq *q);

#endif
