/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A NAT (nat_rig.h) whose accounts can be counted again from its flows and mappings.
 */
#ifndef SHARE_RIG_H
#define SHARE_RIG_H

#include "tests/fake/nat_rig.h"

/* Another NAT, for so many flows, in place of the one there is. */
void share_start(uint32_t capacity);

/* The first packet of a flow, to port 80. */
enum drop_reason share_out(uint8_t zone, uint8_t proto, be32 src, uint16_t port, be32 to);

/* A UDP flow that goes both ways. */
enum drop_reason share_talk(uint8_t zone, be32 src, uint16_t port, be32 to);

/* A host's account; without one of its own, that of the rest. */
struct flow_user *share_account(be32 ip);

/* What accounts and lists say is what the flows say. */
void share_check_books(void);

/* cmocka's teardown: checks the books, lets everything end and rest, and finds nothing left. */
int share_teardown(void **state);

#endif
