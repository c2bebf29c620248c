/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Packets at random between two ends that the test has chosen.
 *
 * Every packet comes with one row of the offload matrix: complete checksum, complete and marked
 * verified, partial, super-packet; or with a wrong checksum, or (UDP) without one.
 */
#ifndef RANDOM_PACKET_H
#define RANDOM_PACKET_H

#include "tests/fake/frame_build.h"

/* In host order. */
struct packet_ends {
    uint32_t src, dst;
    unsigned sport, dport, proto;
    bool reply; /* ICMP */
};

enum offload { COMPLETE, VERIFIED, PARTIAL, SUPER, WRONG, NO_CSUM, OFFLOADS };

/* Makes *f, and says which row it is of. */
enum offload random_frame(struct frame *f, const struct packet_ends *e);

/* *f as a packet, cut into buffers at random. */
struct pkt *random_pkt(struct pkt_pool *pool, const struct frame *f, enum offload offload);

#endif
