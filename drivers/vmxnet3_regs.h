/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Registers, shared memory and descriptors of VMware's vmxnet3, revision 1. VMware publishes no
 * data sheet; the facts are those that its drivers agree on: FreeBSD's sys/dev/vmware/vmxnet3
 * (if_vmxreg.h), OpenBSD's sys/dev/pci/if_vmxreg.h, VMware's own for Linux (vmxnet3_defs.h,
 * upt1_defs.h), and QEMU's device, hw/net/vmxnet3.c. Everything is little-endian. Registers are 32
 * bits wide, eight bytes apart.
 */
#ifndef VMXNET3_REGS_H
#define VMXNET3_REGS_H

#include "base.h"

#define VMXNET3_BAR_BYTES 4096u

/* BAR 0: what is written while it runs. */
#define VMXNET3_IMR(n)  (0x000u + 8u * (n)) /* RW: 1 masks interrupt n */
#define VMXNET3_TXPROD  0x600u              /* W: the descriptor after the last one given */
#define VMXNET3_RXPROD  0x800u              /* W: the same of the first receive ring */
#define VMXNET3_RXPROD2 0xA00u              /* and of the second */

/* BAR 1: start, commands, events. */
#define VMXNET3_VRRS 0x00u /* R: a bit each device revision it can be; W: the one wanted */
#define VMXNET3_UVRS 0x08u /* the same of the interface's (UPT's) */
#define VMXNET3_DSAL 0x10u /* W: address of struct vmxnet3_shared, the low half first */
#define VMXNET3_DSAH 0x18u
#define VMXNET3_CMD  0x20u /* W: does a command, at once; R: what came of it */
#define VMXNET3_MACL 0x28u /* RW: the MAC in use */
#define VMXNET3_MACH 0x30u
#define VMXNET3_ICR  0x38u /* R, reading clears: the line's was this device's interrupt */
#define VMXNET3_ECR  0x40u /* W: 1 clears the bit of shared->events */

#define VMXNET3_REVISION_1 1u

#define VMXNET3_CMD_ACTIVATE     0xCAFE0000u /* 0: it runs */
#define VMXNET3_CMD_QUIESCE      0xCAFE0001u
#define VMXNET3_CMD_RESET        0xCAFE0002u
#define VMXNET3_CMD_RX_MODE      0xCAFE0003u /* reads the filters anew */
#define VMXNET3_CMD_VLAN_FILTERS 0xCAFE0005u
#define VMXNET3_CMD_QUEUE_STATUS 0xF00D0000u /* writes what stands behind status */
#define VMXNET3_CMD_STATS        0xF00D0001u
#define VMXNET3_CMD_LINK         0xF00D0002u /* Mb/s << 16 | up */
#define VMXNET3_CMD_MAC_LOW      0xF00D0003u /* the MAC it was made with */
#define VMXNET3_CMD_MAC_HIGH     0xF00D0004u
#define VMXNET3_CMD_INTERRUPTS   0xF00D0008u /* masking << 2 | type */

#define VMXNET3_LINK_UP      (1u << 0)
#define VMXNET3_INT_TYPE(v)  ((v)&3u)
#define VMXNET3_INT_AUTO     0u /* whatever works */
#define VMXNET3_INT_LINE     1u
#define VMXNET3_INT_MSI      2u
#define VMXNET3_INT_MSIX     3u
#define VMXNET3_INT_MASKS(v) ((v) >> 2 & 3u)
#define VMXNET3_MASKS_ITSELF 0u /* an interrupt that was sent is masked */

#define VMXNET3_EVENT_RQ   (1u << 0) /* the receive queue has stopped */
#define VMXNET3_EVENT_TQ   (1u << 1)
#define VMXNET3_EVENT_LINK (1u << 2)

#define VMXNET3_MAGIC         0xBABEFEE1u
#define VMXNET3_GUEST_64      2u
#define VMXNET3_GUEST_FREEBSD (4u << 2) /* there is no name for others */
#define VMXNET3_MTU_MAX       9000u
#define VMXNET3_INTS_MAX      25u
#define VMXNET3_INTS_OFF      (1u << 0)

/* Receive filter. */
#define VMXNET3_RXM_UNICAST   (1u << 0)
#define VMXNET3_RXM_MULTICAST (1u << 1)
#define VMXNET3_RXM_BROADCAST (1u << 2)
#define VMXNET3_RXM_ALL_MULTI (1u << 3)
#define VMXNET3_RXM_PROMISC   (1u << 4)
#define VMXNET3_VLAN_WORDS    128u

/* What driver and device tell each other. All but events is the driver's. */
struct vmxnet3_shared {
    uint32_t magic;
    uint32_t zero0;
    uint32_t driver_version;
    uint32_t guest;
    uint32_t revisions, upt_versions; /* that the driver knows, a bit each */
    uint64_t features;                /* UPT1_F_*: none of them is wanted */
    uint64_t driver_data;
    uint64_t queues; /* address of struct vmxnet3_queues, a multiple of 128 */
    uint32_t driver_data_bytes;
    uint32_t queues_bytes;
    uint32_t mtu;
    uint16_t rx_buffers_max; /* of a frame */
    uint8_t tx_queues, rx_queues;
    uint32_t zero1[4];
    uint8_t auto_mask;
    uint8_t interrupts;
    uint8_t event_interrupt;
    uint8_t moderation[VMXNET3_INTS_MAX]; /* 0: none */
    uint32_t interrupt_control;
    uint32_t zero2[2];
    uint32_t rx_mode;
    uint16_t multicast_bytes;
    uint16_t zero3;
    uint64_t multicast;
    uint32_t vlans[VMXNET3_VLAN_WORDS]; /* a bit each that comes through */
    uint64_t variable[6];               /* hashing, wake on LAN, plug-in: none */
    uint32_t events;                    /* VMXNET3_EVENT_*: the device sets them */
    uint32_t zero4[5];
};
static_assert(offsetof(struct vmxnet3_shared, features) == 24 &&
                  offsetof(struct vmxnet3_shared, mtu) == 56 &&
                  offsetof(struct vmxnet3_shared, auto_mask) == 80 &&
                  offsetof(struct vmxnet3_shared, rx_mode) == 120 &&
                  offsetof(struct vmxnet3_shared, vlans) == 136 &&
                  offsetof(struct vmxnet3_shared, events) == 696 &&
                  sizeof(struct vmxnet3_shared) == 720,
              "as all drivers have it");

struct vmxnet3_queue_status {
    uint8_t stopped;
    uint8_t zero[3];
    uint32_t error;
};

struct vmxnet3_tx_queue {
    uint32_t deferred, threshold;
    uint64_t zero0;
    uint64_t ring, headers, completions; /* addresses, multiples of 512 */
    uint64_t driver_data;
    uint64_t zero1;
    uint32_t ring_count, headers_count, completions_count; /* multiples of 32 */
    uint32_t driver_data_bytes;
    uint8_t interrupt;
    uint8_t zero2[7];
    struct vmxnet3_queue_status status;
    uint64_t stats[10];
    uint8_t zero3[88];
};
static_assert(offsetof(struct vmxnet3_tx_queue, status) == 80 &&
                  sizeof(struct vmxnet3_tx_queue) == 256,
              "as all drivers have it");

struct vmxnet3_rx_queue {
    uint8_t wants_rxprod; /* the device's: it wants to be told of new buffers */
    uint8_t zero0[15];
    uint64_t rings[2], completions;
    uint64_t driver_data;
    uint64_t zero1;
    uint32_t ring_counts[2], completions_count;
    uint32_t driver_data_bytes;
    uint8_t interrupt;
    uint8_t zero2[7];
    struct vmxnet3_queue_status status;
    uint64_t stats[10];
    uint8_t zero3[88];
};
static_assert(offsetof(struct vmxnet3_rx_queue, status) == 80 &&
                  sizeof(struct vmxnet3_rx_queue) == 256,
              "as all drivers have it");

#define VMXNET3_STAT_RX_NO_BUFFER 8 /* in stats of a receive queue */
#define VMXNET3_STAT_RX_ERROR     9

struct vmxnet3_queues {
    struct vmxnet3_tx_queue tx;
    struct vmxnet3_rx_queue rx;
};

/* A descriptor, of any kind, is the device's in every other round: when its generation bit is 1 in
 * the first, 0 in the second, and so on; the driver sets it so to give it away. A completion, which
 * the device writes, is the driver's by the same rule. */
struct vmxnet3_tx_desc {
    uint64_t address;
    uint32_t length; /* and its generation, and where the checksum or how long a segment is */
    uint32_t flags;
};

#define VMXNET3_TXD_GEN       (1u << 14)
#define VMXNET3_TXD_MSSCOF(n) ((uint32_t)(n) << 18) /* 14 bits */
#define VMXNET3_TXD_HLEN(n)   ((uint32_t)(n))       /* 10 bits, the first descriptor's */
#define VMXNET3_TXD_CSUM      (2u << 10)            /* HLEN: where sums begin; MSSCOF: where to */
#define VMXNET3_TXD_TSO       (3u << 10)            /* HLEN: of the headers; MSSCOF: of a segment */
#define VMXNET3_TXD_EOP       (1u << 12)
#define VMXNET3_TXD_CQ        (1u << 13) /* to be reported */
#define VMXNET3_TXD_MAX       16u        /* of a packet that is not segmented */

struct vmxnet3_rx_desc {
    uint64_t address;
    uint32_t length; /* and type and generation */
    uint32_t zero;
};

#define VMXNET3_RXD_BODY (1u << 14) /* not for a frame's beginning */
#define VMXNET3_RXD_GEN  (1u << 31)

struct vmxnet3_completion {
    uint32_t index; /* of the descriptor; receive: and flags, and the ring */
    uint32_t hash;
    uint32_t length; /* receive: and whether it is good */
    uint32_t generation;
};

#define VMXNET3_CD_INDEX(v) ((v)&0xFFFu)
#define VMXNET3_CD_GEN      (1u << 31)
#define VMXNET3_RCD_EOP     (1u << 14)
#define VMXNET3_RCD_SOP     (1u << 15)
#define VMXNET3_RCD_RING(v) ((v) >> 16 & 0x3FFu)
#define VMXNET3_RCD_LEN(v)  ((v)&0x3FFFu)
#define VMXNET3_RCD_ERR     (1u << 14)

static_assert(sizeof(struct vmxnet3_tx_desc) == 16 && sizeof(struct vmxnet3_rx_desc) == 16 &&
                  sizeof(struct vmxnet3_completion) == 16,
              "as all drivers have it");

#endif
