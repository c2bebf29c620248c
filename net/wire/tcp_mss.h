/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The options of a SYN: clamps its MSS (RFC 9293, section 3.7.1; common router practice), and reads
 * its window scale (RFC 7323, section 2).
 */
#ifndef NET_WIRE_TCP_MSS_H
#define NET_WIRE_TCP_MSS_H

#include "net/wire/parse.h"

/* Lowers the MSS option of the SYN p (v names a TCP SYN, whole header in the head segment) to max
 * if it is higher; never raises it, never adds one; updates the checksum, partial or complete.
 * Malformed options end the walk and leave the packet as it is. True if it was changed. */
bool tcp_mss_clamp(struct pkt *p, const struct view *v, uint16_t max);

#define TCP_SCALE_MAX 14

/* The window scale in the SYN whose header (all of it, as long as it says) is at tcp: 0 without the
 * option, at most TCP_SCALE_MAX; TCP_SCALE_MAX too if the options are malformed. */
unsigned tcp_window_scale(const uint8_t *tcp);

#endif
