/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of the DHCP server share: dhcp_server.c decides, dhcp_reply.c writes the answer,
 * dhcp_probe.c keeps offers that wait for ARP, dhcp_names.c knows who may be called what,
 * dhcp_print.c tells people.
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
    size_t n; /* bytes of the message */
    struct lease_id who;
    uint8_t tries; /* addresses that were offered to it in vain */
    unsigned host; /* index of its reservation, or CONFIG_MAX_HOSTS */
    uint32_t now_s;
    uint64_t now_us;
};

/* ---- dhcp_server.c ---- */

/* Reads a request: false if it is to be dropped. */
bool dhcp_begin(struct exchange *x, struct dhcp_server *s, const struct dhcp_from *from,
                const uint8_t *bytes, size_t n, uint64_t now_us);

/* The type to answer a discover with, 0 for silence (for now, if it has begun to probe), and the
 * slot; for a client that is another than the one of the same identifier. */
unsigned dhcp_discover(struct exchange *x, struct lease **l);
unsigned dhcp_discover_clone(struct exchange *x, struct lease **l);

/* The same for a request. */
unsigned dhcp_request(const struct exchange *x, struct lease **l);

/* Counts and writes the answer. */
void dhcp_answer(const struct exchange *x, unsigned type, const struct lease *l,
                 struct dhcp_reply *reply);

/* Seconds that this client's leases last. */
uint32_t dhcp_lease_time(const struct exchange *x);

/* ---- dhcp_names.c ---- */

/* The client's name as the lease keeps it: the reservation's, else its own if nobody else has it.
 */
void dhcp_name_lease(const struct exchange *x, struct lease *l);

/* ---- dhcp_reply.c ---- */

/* Writes the answer of this type and decides where it goes; l is the slot it is about, NULL for
 * none. */
void dhcp_reply_write(const struct exchange *x, unsigned type, const struct lease *l,
                      struct dhcp_reply *reply);

/* ---- dhcp_probe.c ---- */

/* -ENOMEM. addresses: of all pools. And what it takes. */
int dhcp_probe_init(struct dhcp_server *s, uint32_t addresses, alloc_fn alloc_dirty);
uint64_t dhcp_probe_bytes(uint32_t addresses);

/* True if the client's last discover waits still; it waits for this one's answer now. */
bool dhcp_probe_goes_on(const struct exchange *x);

/* Lets the offer of l wait until ARP has said whether it is free or, if it is another client's,
 * whether its holder is there. False: it cannot wait. */
bool dhcp_probe_start(const struct exchange *x, const struct lease *l, bool holder);

/* ARP has shown mac at an address. */
void dhcp_probe_seen(struct dhcp_server *s, unsigned network, struct lease *l, const uint8_t *mac,
                     uint64_t now_us);

#endif
