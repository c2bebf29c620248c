/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The router's own host: lwIP on the router's addresses. ARP and ICMP for them, the uplink's DHCP
 * client, and the UDP services (net/host/services.c) for the networks. The only directory that
 * knows lwIP.
 *
 * lwIP keeps its state in file-scope variables, so there is one host an image.
 */
#ifndef NET_HOST_HOST_H
#define NET_HOST_HOST_H

#include "base.h"
#include "config.h"
#include "net/dataplane.h"

/* What lwIP and the services need of the machine, given by whoever composes them. */
struct host_env {
    uint64_t (*now_us)(void);
    void (*random)(void *to, size_t n);
    alloc_fn alloc_dirty;     /* for memory that need not be zeroed */
    size_t dns_cache_bytes;   /* 0: as little as works */
    const uint8_t *lease_key; /* 24 bytes by which leases know their clients; NULL: random ones */
};

struct host;
struct dhcp_server;

/* The operations to give to dataplane_create (self_ops, self). Valid before host_start; frames that
 * come before it are freed. */
extern const struct self_ops host_self_ops;
struct host *host_instance(void);

/* Brings up an interface for every network with an address and for the uplink, starts DHCP on the
 * uplink if so configured, and the services of the table. -ENOMEM or 0. */
int host_start(struct host *host, const struct config *config, struct dataplane *dp,
               struct pkt_pool *pool, const struct host_env *env, alloc_fn alloc);

/* Draws anew what was drawn at the start and is not to be guessed: the key of TCP's sequence
 * numbers (RFC 6528). All else is drawn when it is used. */
void host_reseed(struct host *host);

/* The DHCP server, after host_start: for who keeps its leases. */
struct dhcp_server *host_dhcp(struct host *host);

/* Runs what is due; returns the number of steps. And when it wants to run again (UINT64_MAX:
 * never). */
unsigned host_poll(struct host *host, uint64_t now_us);
uint64_t host_next_us(struct host *host, uint64_t now_us);

/* A port's link changed: restarts DHCP on the uplink, gratuitous ARP elsewhere. */
void host_link(struct host *host, uint8_t network, bool up);

void host_print_status(struct host *host, void (*line)(const char *text));

#endif
