/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whose a name is: which names the router answers itself, for whom, and whom it asks about the
 * others. A function of configuration, leases and time.
 *
 * Theory of operation. In this order:
 *   1. Names of our own: dnsrec=, the router's, then those of hosts: of the asker's network, and of
 *      the networks whose hosts it may open something to - of no others, as to know a name is to
 *      know of a host. A name of one label is also known behind the domain of its network; the
 *      router's and those of dnsrec= behind every domain of ours. The reverse name of an address
 *      leads to the name of who has it, for the same askers: the router, a reservation, dnsrec=,
 *      a client by DHCP.
 *   2. A dnsfwd= and a zone of ours: the longer one holds, the dnsfwd= if they are the same. Zones
 *      of ours are the networks' domains, the reverse names of their subnets, and the names that
 *      are local everywhere (zones.h). What is in one does not exist if it is not among 1; it is
 *      never asked elsewhere, so that nobody outside learns our names or can claim to be them. Only
 *      whether a zone of zones.h is signed (DS) is asked of those who have its parent.
 *   3. A name of a single label is not asked elsewhere either: it is what is left of a name of ours
 *      when a resolver tries it without its domain.
 *   4. The rest is for the uplink's servers, if the asker's network may open something there.
 */
#ifndef NET_HOST_NAMES_H
#define NET_HOST_NAMES_H

#include "base.h"
#include "config.h"
#include "net/dhcp_server.h"
#include "net/dns_proxy.h"

struct names {
    const struct config *config;
    const struct dhcp_server *dhcp;
    uint32_t reaches[CONFIG_MAX_NETS]; /* bit n: network n; bit NETWORK_UPLINK: the outside */
};

/* Both are the caller's and stay. */
void names_init(struct names *n, const struct config *config, const struct dhcp_server *dhcp);

/* For dns_ops.route. */
struct dns_route names_route(const struct names *n, uint8_t network, const char *name,
                             uint16_t type, uint64_t now_us);

#endif
