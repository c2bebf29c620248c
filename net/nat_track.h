/* SPDX-License-Identifier: BSD-3-Clause
 *
 * States of flows: how one begins, and what a packet changes (RFC 5382, section 4; RFC 7857,
 * section 2). Private to nat*.c.
 */
#ifndef NET_NAT_TRACK_H
#define NET_NAT_TRACK_H

#include "net/nat.h"

/* The state of a flow that begins with this packet in direction dir, and what to note in tcp_seen;
 * FLOW_FREE if it cannot begin one. pick_up: connections may be joined in the middle. */
enum flow_state track_first(const struct view *v, enum flow_dir dir, bool pick_up,
                            uint16_t *tcp_seen);

/* True if track_packet must see the packet; all others leave the state as it is. */
static inline bool track_wants(const struct flow *f, const struct view *v)
{
    return f->state < FLOW_STEADY || (v->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST));
}

/* True if this echo request (or reply) goes the way that the requests (replies) of f do. The tuples
 * of the two differ, but for identifier 0. */
static inline bool track_echo_fits(const struct flow *f, uint8_t icmp_type, enum flow_dir dir)
{
    enum flow_dir asks = f->flags & FLOW_OPENED_IN ? FLOW_IN : FLOW_OUT;
    return (icmp_type == ICMP_ECHO) == (dir == asks);
}

/* Fills *reset with what makes the inside end of the flow give its connection up: from its remote
 * end, in sequence, and acknowledging what a SYN that waits wants to see acknowledged. False: it is
 * no open TCP connection, or nothing is known of it. */
bool track_reset_inside(const struct nat *nat, const struct flow *f, struct tcp_reset *reset);

/* Moves the state on, and stamps the time if the packet refreshes the flow. DROP_TCP_WINDOW: it
 * must not pass, and nothing was changed. */
enum drop_reason track_packet(struct nat *nat, struct flow *f, const struct nat_job *job,
                              uint32_t now_ms);

#endif
