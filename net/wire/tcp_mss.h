/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clamps the MSS option of a SYN (RFC 9293, section 3.7.1; common router practice).
 */
#ifndef NET_WIRE_TCP_MSS_H
#define NET_WIRE_TCP_MSS_H

#include "net/wire/parse.h"

/* Lowers the MSS option of the SYN p (v names a TCP SYN, whole header in the head segment) to max
 * if it is higher; never raises it, never adds one; updates the checksum, partial or complete.
 * Malformed options end the walk and leave the packet as it is. True if it was changed. */
bool tcp_mss_clamp(struct pkt *p, const struct view *v, uint16_t max);

#endif
