/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a new outside address leaves behind. Private to nat*.c.
 */
#ifndef NET_NAT_RESET_H
#define NET_NAT_RESET_H

#include "net/nat.h"

/* True if this packet from inside, which has no flow, is of a TCP connection that probably was one
 * of another outside address: its remote end does not know the new one, so that there is nothing to
 * pick up. */
bool reset_is_left_over(const struct nat *nat, const struct view *v, uint32_t now_ms);

/* To be called now and then: forgets that the address was another one. */
void reset_tick(struct nat *nat, uint32_t now_ms);

#endif
