/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The driver of Intel's gigabit controllers, shared by its files: e1000.c (8254x and 82571 to
 * 82583; start, link, interrupts and end of them all), e1000_rx.c, e1000_tx.c; and igb.c, which has
 * what is different from the 82576 on: registers, descriptors, messages.
 *
 * Theory of operation. Both rings are used in order, so that two free-running indices say it all:
 * the driver's next descriptor, and how far it has given (receive) or taken back (transmit). One
 * descriptor always stays unused, because equal head and tail mean "empty" to the device.
 * Descriptors lie in memory that the device writes: each is read once, and only slots[] is believed
 * about which packet is where.
 *
 * Receive: frames over 2,048 bytes come in several buffers and are chained. A buffer taken is
 * replaced when the burst is over; the device is told of new ones when there is a number of them,
 * since each telling is an exit from a virtual machine. What a younger chip writes back is brought
 * into the older form as it is read.
 *
 * Transmit: the device reports only what it is asked to (RS), which is the last packet of a burst
 * or of every REPORT_EVERY descriptors: such a group is taken back as one. A checksum to complete,
 * or a super-packet, needs a context descriptor first; the device keeps the last one of each kind,
 * and one for checksums is only given if it differs. Super-packets need changed headers (the device
 * wants lengths left out), which are written to a copy in headers[]: the packet may be another
 * port's as well.
 *
 * Interrupts: the handler masks all but the link's and notes what came. The link's stays on, so
 * that a change is noticed under load as well. With MSI-X there are three messages: received, sent,
 * and the link.
 */
#ifndef E1000_H
#define E1000_H

#include "drivers.h"
#include "io.h"
#include "nic.h"
#include "drivers/e1000_regs.h"
#include "drivers/nic_driver.h"

#define E1000_RING            256 /* descriptors; a multiple of 8 and a power of two */
#define E1000_RX_BUFFER_BYTES 2048
#define E1000_GONE            UINT32_MAX /* what a device reads as that is not there any more */
#define E1000_TX_HEADER_BYTES 192 /* of a super-packet: a tag, the longest IP and TCP headers */

struct e1000;

struct e1000_rx {
    struct e1000_rx_desc *desc;
    struct pkt **slots;  /* by descriptor */
    uint16_t next;       /* the next one to come back */
    uint16_t filled;     /* posted up to here */
    uint16_t told;       /* the device knows up to here */
    uint16_t posted_max; /* at a time */
    struct nic_gather gather;
    bool advanced; /* what is written back is a younger chip's */
};

struct e1000_tx_slot {
    struct pkt *pkt; /* in a packet's last descriptor, else NULL */
    uint16_t last;   /* in a group's first: its last, which is the one that is reported */
};

struct e1000_tx {
    struct e1000_tx_desc *desc;
    struct e1000_tx_slot *slots;
    uint8_t (*headers)[E1000_TX_HEADER_BYTES]; /* by descriptor */
    uint16_t next;                             /* the next one to fill */
    uint16_t clean;                            /* the oldest one not taken back: begins a group */
    uint16_t group;                            /* the first of the group being filled */
    uint16_t room;                             /* buffers that may still be queued */
    uint16_t csum_start, csum_offset; /* of the last context for checksums; start 0: none */
    uint32_t data, segment; /* the command of a descriptor of data, or of a super-packet */
};

/* What differs between the older chips and the younger ones. */
struct e1000_kind {
    const char *driver;
    uint32_t offloads;
    uint16_t icr, ims, imc, rx_queue, tx_queue; /* registers */
    bool message;                               /* MSI */
    bool advanced;                              /* igb.c */
    /* Leaves registers as after a reset, and nothing running. 0 or -ETIMEDOUT. */
    int (*reset)(struct e1000 *e);
    /* Sets up what has no other place, and has both directions begin. 0 or -ETIMEDOUT. */
    int (*begin)(struct e1000 *e);
};

struct e1000 {
    struct nic nic;
    volatile uint8_t *regs;
    struct pci_dev pci;
    const struct e1000_kind *kind;
    bool has_irq;
    bool has_msix;
    bool link;
    volatile bool armed;        /* interrupts of the rings are on */
    volatile bool link_changed; /* set by the interrupt handler */
    struct e1000_rx rx __attribute__((aligned(CACHE_LINE_BYTES)));
    struct e1000_tx tx __attribute__((aligned(CACHE_LINE_BYTES)));
};

static inline struct e1000 *e1000_of(struct nic *nic)
{
    return container_of(nic, struct e1000, nic);
}

static inline uint32_t e1000_read(const struct e1000 *e, unsigned reg)
{
    return read32(e->regs + reg);
}

/* Stores to memory before it are visible to the device first. */
static inline void e1000_write(const struct e1000 *e, unsigned reg, uint32_t value)
{
    io_order();
    write32(e->regs + reg, value);
}

/* Tells the device where a queue's ring is, and that it is empty. */
static inline void e1000_set_ring(const struct e1000 *e, unsigned queue, const void *desc)
{
    e1000_write(e, queue + E1000_QUEUE_BASE, (uint32_t)(uintptr_t)desc);
    e1000_write(e, queue + E1000_QUEUE_HIGH, (uint32_t)((uintptr_t)desc >> 32));
    e1000_write(e, queue + E1000_QUEUE_BYTES, E1000_RING * 16);
    e1000_write(e, queue + E1000_QUEUE_HEAD, 0);
    e1000_write(e, queue + E1000_QUEUE_TAIL, 0);
}

/* The device offered nonsense: takes the port down. Its buffers are back in the pool afterwards. */
void e1000_die(struct e1000 *e, const char *why);

/* Starts a device as one of this kind. NULL: it cannot be used, which has been logged. */
struct nic *e1000_probe(struct pci_dev *pci, const struct nic_limits *limits,
                        const struct e1000_kind *kind, uint16_t mtu_max);

/* Resets the device, which is cut off from memory. 0 or -ETIMEDOUT. */
int e1000_reset(struct e1000 *e);

/* Waits for the masked bits of a register to have this value. 0 or -ETIMEDOUT. */
int e1000_wait(struct e1000 *e, unsigned reg, uint32_t mask, uint32_t value, unsigned max_us);

/* Frames for anybody and of any length up to the limit are received from now on. */
void e1000_rx_open(struct e1000 *e);

/* Allocates the ring and tells the device where it is; it is off. 0 or -ENOMEM. */
int e1000_rx_init(struct e1000 *e, const struct nic_limits *limits);
int e1000_tx_init(struct e1000 *e, const struct nic_limits *limits);

/* Gives the device buffers as far as the pool goes, and tells it of them all. */
void e1000_rx_start(struct e1000 *e);

/* True if there is something for e1000_rx_batch to do. */
bool e1000_rx_pending(const struct e1000 *e);

/* True if packets have been sent that can be taken back. */
bool e1000_tx_pending(const struct e1000 *e);

/* Frees what the rings hold; the device must be cut off. */
void e1000_rx_release(struct e1000 *e);
void e1000_tx_release(struct e1000 *e);

unsigned e1000_rx_batch(struct nic *nic, struct pkt **out, unsigned max);
unsigned e1000_tx_batch(struct nic *nic, struct pkt **pkts, unsigned n);
void e1000_tx_reclaim(struct nic *nic);

#endif
