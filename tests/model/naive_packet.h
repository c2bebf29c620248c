/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames (Ethernet, IPv4) for the models, read and written byte by byte, with every checksum
 * computed from nothing. Numbers are in host order, sums and fields as big-endian numbers.
 */
#ifndef NAIVE_PACKET_H
#define NAIVE_PACKET_H

#include "base.h"

/* A frame taken apart. */
struct naive_packet {
    uint8_t *ip, *l4;
    size_t ip_bytes, l4_bytes;
    uint32_t src, dst;
    unsigned proto, sport, dport, flags, type; /* ICMP echo: the identifier in both ports */
    uint32_t seq, ack, data_bytes;             /* TCP */
    unsigned scale; /* of windows, in a SYN's options, the only one in them */
    bool partial;   /* the checksum is the pseudo-header's sum */
};

struct naive_packet naive_take_apart(uint8_t *frame, bool partial);

/* GRE and ESP, whose ports are taken to be 0. */
bool naive_is_portless(unsigned proto);

/* Writes one endpoint, as source or as destination, and makes both checksums as right as they were:
 * a wrong one must stay wrong by the same amount, for the receiver to see. */
void naive_put_endpoint(struct naive_packet *k, bool as_source, uint32_t ip, unsigned port);

unsigned naive_get16(const uint8_t *p);
void naive_put16(uint8_t *p, unsigned v);
void naive_put32(uint8_t *p, uint32_t v);

/* The ones' complement sum of n more bytes, folded. */
unsigned naive_sum(unsigned sum, const uint8_t *p, size_t n);

/* Where the transport checksum is. */
uint8_t *naive_csum_field(const struct naive_packet *k);

/* A quoted transport checksum, changed by what changed in the packet it belongs to: the quotation
 * is cut, so it cannot be computed from nothing. Word by word, old and new side by side. */
unsigned naive_follow(unsigned csum, const uint8_t *old, const uint8_t *new, size_t n);

#endif
