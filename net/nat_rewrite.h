/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The rewrite itself, inline: what a flow does to a packet's headers (RFC 1624, RFC 3022). Shared
 * by nat_apply() and the dataplane's fast path.
 *
 * The flow holds the outbound checksum deltas, and those of the other direction are their
 * complements. dir is a constant wherever these are used, so that offsets and signs are too.
 *
 * Plain flows (FLOW_PLAIN) go the same way as long as it changes nothing: their addresses and ports
 * are written over with the same, and their deltas are one or the other zero of ones' complement.
 * So only where a zero can come out is there a question to ask.
 */
#ifndef NET_NAT_REWRITE_H
#define NET_NAT_REWRITE_H

#include "net/flow_table.h"
#include "net/wire/ip4.h"

/* a + b with the carry brought round. In this form compilers make an add and an add-with-carry of
 * it. */
static inline uint16_t add_round(uint16_t a, uint16_t b)
{
    uint16_t sum = (uint16_t)(a + b);
    return (uint16_t)(sum + (sum < a));
}

/* A flow's stored delta, as this direction needs it. */
static inline uint16_t rewrite_delta(uint16_t delta, enum flow_dir dir)
{
    return dir == FLOW_IN ? (uint16_t)~delta : delta;
}

/* The address and the header checksum. more is what else the caller changes in the header, as a
 * delta: 0, or that of the TTL. */
static inline void rewrite_ip(const struct flow *f, uint8_t *ip, enum flow_dir dir, uint16_t more)
{
    uint16_t sum = (uint16_t)~load_raw16(ip + IP4_CSUM_OFF);

    sum = add_round(sum, rewrite_delta(f->l3_delta, dir));
    if (more)
        sum = add_round(sum, more);
    store_raw16(ip + IP4_CSUM_OFF, (uint16_t)~sum);
    if (dir == FLOW_OUT)
        store_raw32(ip + IP4_SRC_OFF, f->out_ip);
    else
        store_raw32(ip + IP4_DST_OFF, f->in_ip);
}

/* The transport checksum at csum_at. Complete: the complement of a sum, which
 * takes the change of addresses and ports. Partial (pkt.h): the pseudo-header's sum itself, which
 * takes that of the addresses. A UDP checksum of 0 is none and stays (RFC 768); one that comes out
 * as 0 becomes if_zero. A plain flow's stays whatever it was: it may be FFFF where 0 is usual. */
static inline void rewrite_csum(const struct flow *f, uint8_t *csum_at, bool partial,
                                enum flow_dir dir, uint16_t if_zero)
{
    uint16_t old = load_raw16(csum_at), csum;

    if (partial)
        csum = add_round(old, rewrite_delta(f->l3_delta, dir));
    else
        csum = (uint16_t)~add_round((uint16_t)~old, rewrite_delta(f->l4_delta, dir));
    if (UNLIKELY(old == 0) && (f->proto == IP_PROTO_UDP || (f->flags & FLOW_PLAIN)))
        return;
    if (UNLIKELY(csum == 0))
        csum = f->flags & FLOW_PLAIN ? old : if_zero;
    store_raw16(csum_at, csum);
}

#endif
