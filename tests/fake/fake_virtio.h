/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A virtio network device in software: a transport for drivers/virtio.h and the device's side of
 * split rings (VIRTIO 1.2, sections 2.7 and 5.1). It behaves as QEMU does, checks the driver as
 * strictly as the specification allows (a violation is kept in fault), and offers the raw rings to
 * tests that want it to lie.
 */
#ifndef FAKE_VIRTIO_H
#define FAKE_VIRTIO_H

#include "pkt.h"
#include "drivers/virtio.h"
#include "drivers/virtio_net_regs.h"

#define FAKE_QUEUES    3
#define FAKE_FRAME_MAX 70000

/* Features that devices offer together. */
#define F_CORE (VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS)
#define F_TX                                                                                       \
    (VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_ECN)
#define F_RX                                                                                       \
    (VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 |                 \
     VIRTIO_NET_F_GUEST_ECN)
#define F_CTRL     (VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX)
#define F_MRG      VIRTIO_NET_F_MRG_RXBUF
#define F_IDX      VIRTIO_F_EVENT_IDX
#define F_V1       VIRTIO_F_VERSION_1
#define F_LAYOUT   VIRTIO_F_ANY_LAYOUT
#define F_TABLES   VIRTIO_F_INDIRECT_DESC
#define F_ALL      (F_CORE | F_TX | F_RX | F_CTRL | F_MRG | F_IDX)
#define F_NOT_OURS (1ull << 34 | 1ull << 10 | 1ull << 14) /* packed, UFO */

struct fake_queue {
    struct virtq_desc *desc;
    struct virtq_avail *avail;
    struct virtq_used *used;
    uint16_t size;
    uint16_t seen;      /* avail entries taken */
    uint16_t published; /* used entries handed back: the used index as last stored */
    bool asleep;        /* waits for a notification; else it looks by itself */
    unsigned kicks;
    unsigned interrupts; /* raised by handing back */
};

struct fake_virtio {
    struct virtio_dev dev;
    uint64_t offered, accepted;
    uint16_t queue_size;
    uint8_t status;
    uint8_t config[32];
    bool no_irq, stuck_in_reset, refuses_features;
    bool dma_allowed;
    uint8_t promiscuous;
    bool answers_entropy; /* it is an entropy device: queue 0 is filled with entropy_len, it says */
    uint32_t entropy_len;
    const struct pkt_pool *pool; /* what receive buffers must lie in */
    /* A device of another kind answers by itself when it is told of something. */
    void (*on_notify)(struct fake_virtio *f, unsigned index);
    const char *fault; /* what the driver did wrong, or NULL */
    struct fake_queue q[FAKE_QUEUES];
};

/* A frame as the device sees it: header and bytes. */
struct fake_frame {
    struct virtio_net_hdr hdr;
    size_t bytes;
    uint8_t data[FAKE_FRAME_MAX];
};

void fake_virtio_init(struct fake_virtio *f, uint64_t offered, uint16_t queue_size, bool legacy);

/* The status field of the configuration, and telling the driver about it. */
void fake_virtio_set_link(struct fake_virtio *f, bool up);

/* Entries the driver has made available and the device has not taken. */
unsigned fake_virtio_pending(const struct fake_virtio *f, unsigned queue);

/* The next available chain: its head. False if there is none; then the device goes to sleep, as
 * QEMU does, asking for a notification. */
bool fake_virtio_take(struct fake_virtio *f, unsigned queue, uint16_t *head);

/* Writes one used entry without publishing it; at counts from the last published one. */
void fake_virtio_used(struct fake_virtio *f, unsigned queue, unsigned at, uint32_t id,
                      uint32_t len);

/* Publishes count entries and raises an interrupt if the driver asked for one. */
void fake_virtio_publish(struct fake_virtio *f, unsigned queue, unsigned count);

/* Receives a frame as QEMU does: over as many buffers as needed if merging was negotiated.
 * num_buffers of the header is filled in. False if there are not enough buffers: nothing happens,
 * but the device asks to be told of new ones. */
bool fake_virtio_receive(struct fake_virtio *f, const struct fake_frame *frame);

/* Takes one packet that the driver sends and leaves its head for fake_virtio_sent(). False if there
 * is none. */
bool fake_virtio_transmit(struct fake_virtio *f, struct fake_frame *frame, uint16_t *head);
void fake_virtio_sent(struct fake_virtio *f, uint16_t head);

#endif
