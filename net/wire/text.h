/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses as people write them, and host names as they come from a wire (RFC 1123, section 2.1).
 */
#ifndef NET_WIRE_TEXT_H
#define NET_WIRE_TEXT_H

#include "base.h"

/* Both return text. */
const char *ip4_text(char text[IP4_TEXT_BYTES], be32 ip);
const char *mac_text(char text[MAC_TEXT_BYTES], const uint8_t *mac);

/* True if the n characters at name are the string text, without regard to case. An empty name
 * equals nothing. */
bool host_name_equal(const char *text, const char *name, size_t n);

/* Makes a host name of n hostile bytes: the part before the first dot, if it is made of letters,
 * digits and inner hyphens, fits size with its NUL, and is none that machines look for without
 * being asked; else "". */
void host_name_clean(char *to, size_t size, const uint8_t *bytes, size_t n);

#endif
