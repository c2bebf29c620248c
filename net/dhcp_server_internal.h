/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of the DHCP server share: dhcp_server.c decides, dhcp_reply.c writes the answer.
 */
#ifndef NET_DHCP_SERVER_INTERNAL_H
#define NET_DHCP_SERVER_INTERNAL_H

#include "net/dhcp_server.h"

/* One request being answered. */
struct exchange {
    struct dhcp_server *s;
    const struct config_net *net;
    struct lease_table *leases;
    const struct dhcp_message *m;
    const struct dhcp_from *from;
    struct lease_id who;
    unsigned host; /* index of its reservation, or CONFIG_MAX_HOSTS */
    uint32_t now_s;
};

/* ---- dhcp_server.c ---- */

/* Seconds that this client's leases last. */
uint32_t dhcp_lease_time(const struct exchange *x);

/* ---- dhcp_reply.c ---- */

/* Writes the answer of this type and decides where it goes; l is the slot it is about, NULL for
 * none. */
void dhcp_reply_write(const struct exchange *x, unsigned type, const struct lease *l,
                      struct dhcp_reply *reply);

#endif
