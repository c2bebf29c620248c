/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a packet does to its flow, in the translator of naive_nat.h: TCP's beginning and end above
 * all.
 */
#ifndef NAIVE_TRACK_H
#define NAIVE_TRACK_H

#include "tests/model/naive_nat.h"
#include "tests/model/naive_packet.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

/* way: 0 outwards, 1 inwards. DROP_TCP_WINDOW: it must not pass, and nothing was changed. */
enum drop_reason naive_track(struct naive_nat *n, struct naive_flow *f,
                             const struct naive_packet *k, unsigned way, uint32_t now_ms);

/* Which list of flows that can be spared it is in: 0, 1, 2; 3: none. */
unsigned naive_spare_of(const struct naive_flow *f);

#endif
