/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a NIC does for packets with offload metadata, done in software where the egress NIC cannot
 * or the packet is for ourselves: completes partial checksums, cuts TCP super-packets into frames,
 * fragments IPv4. And what the ingress NIC could have done: puts TCP super-packets together.
 */
#ifndef NET_OFFLOAD_H
#define NET_OFFLOAD_H

#include "nic.h"
#include "pkt.h"
#include "net/wire/parse.h"

/* 65,535 bytes at an MSS of 500 and above; super-packets with smaller ones are refused. */
#define OFFLOAD_MAX_SEGMENTS 132
#define OFFLOAD_MIN_GSO_SIZE 500

/* Checks a received packet's offload metadata against its headers (Ethernet, at most two VLAN tags,
 * IPv4 or IPv6, TCP or UDP): csum_start must be the transport header, csum_offset its checksum
 * field, gso_type must match the protocol, gso_size at least OFFLOAD_MIN_GSO_SIZE - so that the
 * rest of the router can rely on it - and sets hdr_len (end of the transport header). A
 * super-packet whose headers do not match, or without a partial checksum (virtio 1.2,
 * section 5.1.6.4), is refused. Bytes after the end of the IP packet are trimmed, so that the sum
 * ends where the packet does; a super-packet that needs no cutting becomes an ordinary one. p must
 * be unshared. Packets without metadata pass untouched. False: drop it. */
bool offload_check(struct pkt *p);

/* Completes a partial checksum: PKT_NEEDS_CSUM is cleared. p must be unshared. A computed 0 of UDP
 * becomes FFFF (RFC 768). */
void offload_finish_csum(struct pkt *p);

/* True if p, which has a partial checksum, is what NIC_TX_CSUM_NEAR means. */
bool offload_is_near(const struct pkt *p);

/* True if a NIC with these offloads can send p as it is. */
static inline bool offload_fits(const struct pkt *p, uint32_t nic_offloads)
{
    if (LIKELY(!(p->flags & PKT_NEEDS_CSUM) && p->gso_size == 0))
        return true;
    if (!(nic_offloads & NIC_TX_CSUM) && !((nic_offloads & NIC_TX_CSUM_NEAR) && offload_is_near(p)))
        return false;
    if (p->gso_size == 0)
        return true;
    uint32_t need = p->gso_type == PKT_GSO_TCP4 ? NIC_TX_TSO4 : NIC_TX_TSO6;
    if (p->gso_ecn)
        need |= NIC_TX_ECN;
    return (nic_offloads & need) == need;
}

/* Cuts the super-packet p (one that passed offload_check) into frames of gso_size payload with
 * complete checksums, right sequence numbers, IP ids and lengths; FIN and PSH only on the last, CWR
 * only on the first, URG as far as it reaches. Takes p (frees it) in every case. Returns the number
 * of frames in out (which has room for OFFLOAD_MAX_SEGMENTS), fewer than needed, even 0, when the
 * pool runs empty: *missing then says how many were lost. p may be shared: it is only read. */
unsigned offload_cut(struct pkt *p, struct pkt **out, unsigned *missing);

/* The reverse: puts together those of a burst of received frames of which offload_cut() would make
 * the same frames again, byte for byte: TCP of one connection, one behind the other, with checksums
 * that are right, of at most PKT_MAX_SEGS frames in one buffer each. types: NIC_TX_TSO4 for IPv4,
 * NIC_TX_TSO6 for IPv6. All n are the caller's, unshared; returns how many packets are left, in
 * order, at the front. What it makes satisfies offload_check(). */
unsigned offload_merge(struct pkt **pkts, unsigned n, uint32_t types);

/* Fragments the IPv4 packet p (untagged Ethernet frame, checksum complete, DF clear, no GSO) for an
 * MTU of at least 68 (RFC 791, section 3.2): the same ownership and results as offload_cut, but
 * all or nothing, since a part of a datagram is of no use. More than OFFLOAD_MAX_SEGMENTS are none,
 * too. Options are copied or not as their copy bit says. */
unsigned offload_fragment(struct pkt *p, uint16_t mtu, struct pkt **out, unsigned *missing);

#endif
