/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who may open one more flow, or take one more outside port, when there are not enough for all (RFC
 * 6888, REQ-4, REQ-5). Private to nat*.c.
 *
 * Theory of operation. Shares are dynamic thresholds, as Choudhury and Hahne proposed for the
 * buffers of switches (1998): a host may have NAT_SHARE times what is still free. So one host alone
 * can have nearly all, two that want all have nearly half each, and there is always room for one
 * who comes later; nothing has to be configured, or reserved for who may never come. Where there
 * are several networks, the same holds for each of them as a whole.
 *
 * Who is at its threshold, or at a limit that the configuration sets, can still open flows if one
 * that can be spared makes room: the oldest of the host that has most of them, in the network that
 * has most, first of what is over (TCP that waits after its close), then of what is half open; so
 * who floods is who loses, and who completes what it opens is not touched. Flows that are opened
 * from outside displace only others of the same host inside, which would else be a stranger's means
 * against its neighbors. What is established is never displaced. The mapping of a displaced flow
 * rests, so its endpoint keeps its port if it tries again.
 *
 * Looking at all hosts for each flow would be dear just when there are many. So a hand moves over
 * some accounts at each question, and who was found to have most in each network is remembered: an
 * approximation, exact while there are no more hosts than it looks at at once.
 */
#ifndef NET_NAT_SHARE_H
#define NET_NAT_SHARE_H

#include "net/nat.h"

void share_init(struct nat *nat);

/* Makes sure that a host inside may have one more flow, if need be by ending another one. in:
 * opened from outside. Returns its account, to be given something or to flow_user_drop(); or -1 and
 * *why. */
int share_flow(struct nat *nat, uint8_t zone, be32 ip, bool in, uint32_t now_ms,
               enum drop_reason *why);

/* The same for one more outside port, for the endpoint in k (an outbound tuple), whose host has
 * this account. */
bool share_port(struct nat *nat, uint16_t user, const struct flow_tuple *k, uint32_t now_ms,
                enum drop_reason *why);

#endif
