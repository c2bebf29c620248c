/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of the lease store share: dhcp_store.c writes, dhcp_store_load.c reads.
 */
#ifndef NET_DHCP_STORE_INTERNAL_H
#define NET_DHCP_STORE_INTERNAL_H

#include "net/dhcp_store.h"

#define STORE_NONE UINT32_MAX /* no record, no owner */

static inline bool store_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

static inline void store_set(uint64_t *bits, uint32_t i, bool value)
{
    bits[i / 64] = (bits[i / 64] & ~(1ull << i % 64)) | (uint64_t)value << i % 64;
}

static inline uint32_t store_owner(unsigned network, uint32_t slot)
{
    return network << 24 | slot;
}

/* Makes a record the slot's; and the slot's nobody's, of which its group on the disk is to be told.
 */
void store_give(struct dhcp_store *s, uint32_t record, unsigned network, uint32_t slot);
void store_take_away(struct dhcp_store *s, unsigned network, uint32_t slot);

#endif
