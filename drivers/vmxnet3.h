/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The driver of VMware's vmxnet3, shared by its files: vmxnet3.c (start, link, events, interrupts,
 * end), vmxnet3_rx.c, vmxnet3_tx.c.
 *
 * Theory of operation. A ring of descriptors goes to the device, a ring of completions comes back.
 * Who owns an entry says its generation bit, which changes with every round; so free-running
 * indices say that, too, and none is written for the other side to read. All of it lies in memory
 * that the device writes: each word is read once, and only slots[] is believed about which packet
 * is where.
 *
 * Receive: a frame begins in a buffer of the first ring and goes on in such of the second. The
 * device may pass over buffers, which it then does not report. A buffer that has come back is
 * replaced when the burst is over; the device sees new ones by itself, unless it says that it wants
 * to be told.
 *
 * Transmit: a packet is handed over by its first descriptor's generation, which is written last;
 * the device is told once a burst, or more often if that fills the ring. It completes sums and cuts
 * packets where the first descriptor says so, the sum of a packet to cut being one without a
 * length. Such a packet's headers are changed in a copy, since it may be another port's as well. So
 * are those of a shared packet with a sum to complete, because QEMU completes it in our memory.
 *
 * Features that are not asked for: with checksums of received frames (RXCSUM) a frame from a
 * neighboring guest may come without a sum, with a word that it was right, which is true for whom
 * it ends at; merged TCP segments (LRO) come without the size they had, and cutting them to any
 * other size breaks paths that take only smaller ones; VLAN tags are to stay where they are.
 *
 * Interrupts: received frames and events have the first message, what was sent the second, which
 * is masked but when buffers are short; with one message or a line, all have that. What happens
 * while an interrupt is masked makes it come when it no longer is, so one may come for nothing.
 * Events are words in memory, and looked at as often as the link is.
 */
#ifndef VMXNET3_H
#define VMXNET3_H

#include "drivers.h"
#include "io.h"
#include "nic.h"
#include "drivers/nic_driver.h"
#include "drivers/vmxnet3_regs.h"

#define VMXNET3_RING            256u /* descriptors, a power of two */
#define VMXNET3_RX_BUFFER_BYTES PKT_DATA_BYTES
#define VMXNET3_TX_HEADER_BYTES 192u /* of a packet: tags, the longest IP and TCP headers */

struct vmxnet3_rx_ring {
    struct vmxnet3_rx_desc *desc;
    struct pkt **slots; /* by descriptor */
    uint32_t type;
    uint16_t next;       /* the next one to come back */
    uint16_t filled;     /* posted up to here */
    uint16_t told;       /* the device knows up to here */
    uint16_t posted_max; /* at a time */
};

struct vmxnet3_rx {
    struct vmxnet3_completion *done; /* for both rings */
    uint16_t done_next;
    struct vmxnet3_rx_ring rings[2];
    struct nic_gather gather;
};

struct vmxnet3_tx {
    struct vmxnet3_tx_desc *desc;
    struct vmxnet3_completion *done;
    struct pkt **slots;                          /* the packet, by its last descriptor */
    uint8_t (*headers)[VMXNET3_TX_HEADER_BYTES]; /* by first descriptor */
    uint16_t next;                               /* the next one to fill */
    uint16_t clean;                              /* the oldest one not taken back */
    uint16_t done_next;
    uint16_t room; /* buffers that may still be queued */
};

struct vmxnet3 {
    struct nic nic;
    volatile uint8_t *bar0, *bar1;
    struct pci_dev pci;
    struct vmxnet3_shared *shared;
    struct vmxnet3_queues *queues;
    bool has_irq;
    bool masks_itself;
    uint8_t tx_interrupt; /* 0: the same as for the rest */
    bool link;
    volatile bool armed, tx_armed; /* interrupts that are on */
    uint64_t missed, errors;       /* as last read */
    struct vmxnet3_rx rx __attribute__((aligned(CACHE_LINE_BYTES)));
    struct vmxnet3_tx tx __attribute__((aligned(CACHE_LINE_BYTES)));
};

static inline struct vmxnet3 *vmxnet3_of(struct nic *nic)
{
    return container_of(nic, struct vmxnet3, nic);
}

/* A generation bit, in this ring of count entries at this index: the same as bit, or 0. */
static inline uint32_t vmxnet3_generation(uint16_t at, unsigned count, uint32_t bit)
{
    return at & count ? 0 : bit;
}

/* Whether the device has written the completion at this index; if so, what else it wrote may be
 * read. */
static inline bool vmxnet3_is_done(const struct vmxnet3_completion *done, uint16_t at,
                                   unsigned count)
{
    const volatile uint32_t *generation = &done[at & (count - 1)].generation;
    bool is = (*generation & VMXNET3_CD_GEN) == vmxnet3_generation(at, count, VMXNET3_CD_GEN);

    io_order();
    return is;
}

/* The device offered nonsense: takes the port down. Its buffers are back in the pool afterwards. */
void vmxnet3_die(struct vmxnet3 *v, const char *why);

/* Allocates the rings and says in v->queues where they are. 0 or -ENOMEM. */
int vmxnet3_rx_init(struct vmxnet3 *v, const struct nic_limits *limits);
int vmxnet3_tx_init(struct vmxnet3 *v, const struct nic_limits *limits);

/* Gives the device buffers as far as the pool goes. Before its activation, and again after it,
 * which tells of them. */
void vmxnet3_rx_fill(struct vmxnet3 *v);
void vmxnet3_rx_tell(struct vmxnet3 *v);

/* True if there is something for vmxnet3_rx_batch to do. */
bool vmxnet3_rx_pending(const struct vmxnet3 *v);

/* True if packets have been sent that can be taken back. */
bool vmxnet3_tx_pending(const struct vmxnet3 *v);

/* Frees what the rings hold; the device must be cut off. */
void vmxnet3_rx_release(struct vmxnet3 *v);
void vmxnet3_tx_release(struct vmxnet3 *v);

unsigned vmxnet3_rx_batch(struct nic *nic, struct pkt **out, unsigned max);
unsigned vmxnet3_tx_batch(struct nic *nic, struct pkt **pkts, unsigned n);
void vmxnet3_tx_reclaim(struct nic *nic);

#endif
