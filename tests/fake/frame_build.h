/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames for tests: built byte by byte in a flat array, put into packets cut into segments at will,
 * and judged by arithmetic that shares nothing with the code under test.
 */
#ifndef FRAME_BUILD_H
#define FRAME_BUILD_H

#include "pkt.h"

#define FRAME_MAX_BYTES 66000

struct frame {
    uint8_t b[FRAME_MAX_BYTES];
    size_t n;
    size_t l3, l4, payload; /* offsets */
    bool ip6;
};

/* What a frame is made of; zero means none or the obvious. */
struct frame_plan {
    uint8_t proto;
    bool ip6;
    uint8_t vlan_tags;
    const uint8_t *ip_options; /* a multiple of 4 bytes; IPv4 only */
    size_t ip_option_bytes;
    const uint8_t *tcp_options;
    size_t tcp_option_bytes;
    size_t payload_bytes; /* of a fixed pattern, different at every offset */
    uint8_t tcp_flags;
};

/* Builds the frame with all lengths and checksums right. ICMP is an echo request. */
void frame_make(struct frame *f, const struct frame_plan *plan);

/* Puts n VLAN tags behind the addresses, the first one outermost: priority and ID, with
 * FRAME_QINQ: of the other EtherType, a service tag's. */
#define FRAME_QINQ 0x10000u
void frame_add_tags(struct frame *f, const uint32_t *tags, unsigned n);

/* Sets the IP total (or payload) length from f->n, and the UDP length. */
void frame_fix_lengths(struct frame *f);

/* Makes the IPv4 header checksum right, whatever the header says its length is (up to what is
 * there). */
void frame_fix_ip_csum(struct frame *f);

/* Makes the transport checksum right (needs true lengths). */
void frame_fix_l4_csum(struct frame *f);

/* Puts the folded pseudo-header sum into the transport checksum field, as PKT_NEEDS_CSUM wants it.
 */
void frame_partial_csum(struct frame *f);

/* The folded ones' complement sum, a byte at a time; read as a big-endian number. */
uint16_t frame_naive_sum(const uint8_t *p, size_t n);

/* True if the IPv4 header and the TCP, UDP or ICMP checksum of the packet at l3 are right and its
 * lengths reach exactly to n (of other protocols, the first and last). A UDP checksum of 0 is not
 * taken for right. */
bool frame_sums_right(const uint8_t *b, size_t n, size_t l3, bool ip6);

/* A packet with these bytes: head_bytes in the head, the rest in segments of 1..seg_max bytes as
 * rnd says (rnd(x) is below x). Bytes behind each segment are poisoned where the sanitizer is on.
 * NULL if the pool has too little. */
struct pkt *frame_pkt(struct pkt_pool *pool, const uint8_t *b, size_t n, size_t head_bytes,
                      size_t seg_max, uint32_t (*rnd)(uint32_t below));

/* Copies a packet's bytes out, segment by segment; returns how many. */
size_t frame_flatten(const struct pkt *p, uint8_t *to);

/* Before freeing what frame_pkt() made: makes its buffers ordinary memory again. */
void frame_unpoison(struct pkt_pool *pool);

#endif
