/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Internet checksum: in full (RFC 1071) and updated (RFC 1624, equation 3).
 *
 * All sums here are over 16-bit words as they stand in memory (the sum is independent of byte
 * order), and a "sum" is not complemented: a checksum field holds the complement of a folded sum,
 * except in packets with PKT_NEEDS_CSUM, whose field holds the folded pseudo-header sum itself.
 */
#ifndef NET_WIRE_CSUM_H
#define NET_WIRE_CSUM_H

#include "base.h"
#include "pkt.h"

/* Adds n bytes at p to a running sum. n may be odd only for the last piece. */
uint32_t csum_add(uint32_t sum, const void *p, size_t n);

static inline uint16_t csum_fold(uint32_t sum)
{
    sum = (sum & 0xFFFFu) + (sum >> 16);
    return (uint16_t)(sum + (sum >> 16));
}

/* The header checksum to store: computed with the field itself taken as 0 by the caller. */
static inline uint16_t csum_of(const void *p, size_t n)
{
    return (uint16_t)~csum_fold(csum_add(0, p, n));
}

/* What changing 32-bit (16-bit) field values from old to new adds to a checksummed sum: the "delta"
 * for csum_apply. Deltas add up: csum_fold(a + b). The reverse of a change has the complement. */
static inline uint32_t csum_delta32(be32 from, be32 to)
{
    from = ~from;
    return (from & 0xFFFFu) + (from >> 16) + (to & 0xFFFFu) + (to >> 16);
}

static inline uint32_t csum_delta16(uint16_t from, uint16_t to)
{
    return (uint32_t)(uint16_t)~from + to;
}

/* The new checksum field after a change with this folded delta: RFC 1624, equation 3. */
static inline uint16_t csum_apply(uint16_t field, uint16_t delta)
{
    return (uint16_t)~csum_fold((uint32_t)(uint16_t)~field + delta);
}

/* The same for a PKT_NEEDS_CSUM field, which is not complemented. */
static inline uint16_t csum_apply_partial(uint16_t field, uint16_t delta)
{
    return csum_fold((uint32_t)field + delta);
}

/* The pseudo-header's sum (RFC 9293, section 3.1): addresses, protocol, transport length. */
static inline uint32_t csum_pseudo(be32 src, be32 dst, uint8_t proto, uint16_t bytes)
{
    return (src & 0xFFFFu) + (src >> 16) + (dst & 0xFFFFu) + (dst >> 16) + (uint32_t)hton16(proto) +
           hton16(bytes);
}

/* The sum of n bytes of a packet from offset on, across segments (which may have odd lengths). */
uint32_t csum_pkt(const struct pkt *p, size_t offset, size_t n);

#endif
