/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The network device of VIRTIO 1.2, section 5.1: features, configuration, packet header, control
 * commands.
 */
#ifndef VIRTIO_NET_REGS_H
#define VIRTIO_NET_REGS_H

#include "base.h"

/* Queues (section 5.1.2), without multiqueue. */
#define VIRTIO_NET_QUEUE_RX   0
#define VIRTIO_NET_QUEUE_TX   1
#define VIRTIO_NET_QUEUE_CTRL 2

/* Features (section 5.1.3). */
#define VIRTIO_NET_F_CSUM       (1ull << 0)
#define VIRTIO_NET_F_GUEST_CSUM (1ull << 1)
#define VIRTIO_NET_F_MTU        (1ull << 3)
#define VIRTIO_NET_F_MAC        (1ull << 5)
#define VIRTIO_NET_F_GUEST_TSO4 (1ull << 7)
#define VIRTIO_NET_F_GUEST_TSO6 (1ull << 8)
#define VIRTIO_NET_F_GUEST_ECN  (1ull << 9)
#define VIRTIO_NET_F_HOST_TSO4  (1ull << 11)
#define VIRTIO_NET_F_HOST_TSO6  (1ull << 12)
#define VIRTIO_NET_F_HOST_ECN   (1ull << 13)
#define VIRTIO_NET_F_MRG_RXBUF  (1ull << 15)
#define VIRTIO_NET_F_STATUS     (1ull << 16)
#define VIRTIO_NET_F_CTRL_VQ    (1ull << 17)
#define VIRTIO_NET_F_CTRL_RX    (1ull << 18)

/* Configuration (section 5.1.4). */
#define VIRTIO_NET_CONFIG_MAC            0 /* 6 bytes, if F_MAC */
#define VIRTIO_NET_CONFIG_STATUS         6 /* 16, if F_STATUS */
#define VIRTIO_NET_CONFIG_STATUS_LINK_UP (1u << 0)
#define VIRTIO_NET_CONFIG_MTU            10 /* 16, if F_MTU */

/* Packet header (section 5.1.6), little-endian; num_buffers is there with VERSION_1 or MRG_RXBUF.
 */
struct virtio_net_hdr {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t hdr_len;
    uint16_t gso_size;
    uint16_t csum_start;
    uint16_t csum_offset;
    uint16_t num_buffers;
};
static_assert(sizeof(struct virtio_net_hdr) == 12, "VIRTIO 1.2, section 5.1.6");
#define VIRTIO_NET_HDR_BYTES       12u
#define VIRTIO_NET_HDR_BYTES_SHORT 10u
#define VIRTIO_NET_HDR_NUM_BUFFERS 10 /* its offset */

#define VIRTIO_NET_HDR_NEEDS_CSUM (1u << 0)
#define VIRTIO_NET_HDR_DATA_VALID (1u << 1)
#define VIRTIO_NET_HDR_GSO_NONE   0u
#define VIRTIO_NET_HDR_GSO_TCPV4  1u
#define VIRTIO_NET_HDR_GSO_TCPV6  4u
#define VIRTIO_NET_HDR_GSO_ECN    (1u << 7)

/* Control queue (sections 5.1.6.5 and 5.1.6.5.1). */
#define VIRTIO_NET_CTRL_RX         0
#define VIRTIO_NET_CTRL_RX_PROMISC 0
#define VIRTIO_NET_CTRL_OK         0

#endif
