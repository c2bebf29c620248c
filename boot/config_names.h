/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dnsrec=, dnsfwd= and dnsprivate=: names of our own, domains with a server of their own, and those
 * that may lead inside. What DNS makes of them is net/host/names.h.
 */
#ifndef CONFIG_NAMES_H
#define CONFIG_NAMES_H

#include "config_resolve.h"

extern const struct value_type value_dnsrec;     /* struct draft_named */
extern const struct value_type value_dnsfwd;     /* struct draft_named */
extern const struct value_type value_dnsprivate; /* struct draft_named, no address */

/* After the uplink, the networks and the hosts. */
void resolve_names(struct resolver *r);

/* A line that counts the records, and one for each domain. */
void config_print_names(const struct config *config, config_line out);

#endif
