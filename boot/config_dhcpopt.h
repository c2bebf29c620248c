/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dhcpopt=: what the networks' DHCP servers tell their clients besides what they know themselves.
 */
#ifndef CONFIG_DHCPOPT_H
#define CONFIG_DHCPOPT_H

#include "config_resolve.h"

extern const struct value_type value_dhcpopt; /* struct draft_dhcpopt_value */

/* Both are the same option of the same network. */
bool dhcpopt_same(const void *a, const void *b);

/* After the networks. */
void resolve_dhcpopts(struct resolver *r);

/* The name of an option, or NULL. */
const char *config_dhcpopt_name(unsigned code);

#endif
