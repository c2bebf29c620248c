/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Ethernet II (IEEE 802.3, 802.1Q): layout and addresses.
 */
#ifndef NET_WIRE_ETH_H
#define NET_WIRE_ETH_H

#include "base.h"

#define ETH_HDR_BYTES 14
#define ETH_DST_OFF   0
#define ETH_SRC_OFF   6
#define ETH_TYPE_OFF  12
#define ETH_MIN_BYTES 60 /* without FCS; receivers see shorter frames on virtual links */

#define ETH_TYPE_IP4  BE16(0x0800)
#define ETH_TYPE_ARP  BE16(0x0806)
#define ETH_TYPE_VLAN BE16(0x8100)
#define ETH_TYPE_QINQ BE16(0x88A8)
#define ETH_TYPE_IP6  BE16(0x86DD)

static inline bool mac_is_group(const uint8_t *mac)
{
    return mac[0] & 1;
}

static inline bool mac_equal(const uint8_t *a, const uint8_t *b)
{
    return load_raw32(a) == load_raw32(b) && load_raw16(a + 4) == load_raw16(b + 4);
}

static inline bool mac_is_zero(const uint8_t *mac)
{
    return load_raw32(mac) == 0 && load_raw16(mac + 4) == 0;
}

static inline bool mac_is_broadcast(const uint8_t *mac)
{
    return load_raw32(mac) == 0xFFFFFFFFu && load_raw16(mac + 4) == 0xFFFFu;
}

/* 01-80-C2-00-00-00..0F: never forwarded by a bridge (IEEE 802.1D, table 7-10). */
static inline bool mac_is_reserved(const uint8_t *mac)
{
    return load_raw32(mac) == 0x00C28001u && mac[4] == 0 && mac[5] < 16;
}

#endif
