/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of the naive translator share: naive_nat.c (mappings, flows), naive_share.c (who
 * may have one more), naive_error.c (ICMP errors). Private to them.
 */
#ifndef NAIVE_INTERNAL_H
#define NAIVE_INTERNAL_H

#include "tests/model/naive_nat.h"

/* Notes the law that the translator under test has broken, if it was the first. */
void naive_check(struct naive_nat *n, bool lawful, const char *law);

/* A live flow by its tuple, outwards or inwards; or NULL. */
struct naive_flow *naive_find_out(struct naive_nat *n, unsigned proto, unsigned zone,
                                  uint32_t in_ip, unsigned in_port, uint32_t rem_ip,
                                  unsigned rem_port);
struct naive_flow *naive_find_in(struct naive_nat *n, unsigned proto, uint32_t rem_ip,
                                 unsigned rem_port, uint32_t out_ip, unsigned out_port);

/* Ends a flow; its mapping, if nothing else uses it, rests. */
void naive_end_to_rest(struct naive_nat *n, struct naive_flow *f, uint32_t now_ms);

/* One more flow for this host (in: a stranger wants it): DROP_NONE, perhaps after another was
 * ended. */
enum drop_reason naive_share(struct naive_nat *n, unsigned zone, uint32_t ip, bool in,
                             uint32_t now_ms);

#endif
