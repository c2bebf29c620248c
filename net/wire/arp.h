/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ARP for IPv4 over Ethernet (RFC 826): layout. Offsets are from the start of the message, which is
 * behind the Ethernet header.
 */
#ifndef NET_WIRE_ARP_H
#define NET_WIRE_ARP_H

#include "base.h"
#include "net/wire/eth.h"

#define ARP_TYPES_OFF      0 /* hardware, protocol, and the lengths of their addresses: 6 bytes */
#define ARP_OP_OFF         6
#define ARP_SENDER_MAC_OFF 8
#define ARP_SENDER_IP_OFF  14
#define ARP_TARGET_MAC_OFF 18
#define ARP_TARGET_IP_OFF  24
#define ARP_BYTES          28

#define ARP_OP_REQUEST BE16(1)
#define ARP_OP_REPLY   BE16(2)

/* What is at ARP_TYPES_OFF. */
static const uint8_t arp_ethernet_ip4[] = {0, 1, 8, 0, MAC_BYTES, 4};

static inline bool arp_is_ethernet_ip4(const uint8_t *arp)
{
    return memcmp(arp + ARP_TYPES_OFF, arp_ethernet_ip4, sizeof(arp_ethernet_ip4)) == 0;
}

#endif
