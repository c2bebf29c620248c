/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The UDP services the router offers its networks: a table, one row a service (services.c); and DNS
 * over TCP (dns_tcp.c). No service is ever offered on the uplink.
 *
 * Theory of operation. One raw protocol block of lwIP's sees every UDP datagram for the router
 * after reassembly and before lwIP's own UDP. On a network, the table's row for the port gets it;
 * there and on the uplink, the DNS forwarder if it has a query under way from that port. lwIP's own
 * UDP gets what is left of the networks' (and answers with ICMP that nobody listens) and the DHCP
 * client's.
 *
 * Answers leave in frames addressed to where the request's frame came from, so they need no ARP.
 */
#ifndef NET_HOST_SERVICES_H
#define NET_HOST_SERVICES_H

#include "base.h"
#include "config.h"
#include "net/dhcp_server.h"
#include "net/dns_proxy.h"
#include "net/pcp.h"
#include "net/host/dns_tcp.h"
#include "net/host/names.h"

struct host;
struct raw_pcb;
struct udp_pcb;

struct service_request {
    uint8_t network;
    uint8_t ingress; /* the router's port it came in by */
    be32 from;
    be16 port; /* the sender's */
    uint8_t mac[MAC_BYTES];
    const uint8_t *bytes; /* borrowed for the call */
    size_t n;
    uint64_t now_us;
};

struct service {
    const char *name;
    uint16_t port;
    bool (*offered)(const struct host *h, unsigned network);
    void (*handle)(struct host *h, const struct service_request *request);
};

#define SERVICE_DATAGRAM_MAX                                                                       \
    8192 /* longer ones are dropped; only datagrams in several buffers are copied */

struct services {
    struct dhcp_server dhcp;
    struct dns_proxy dns;
    struct dns_tcp dns_tcp;
    struct pcp pcp;
    struct names names;
    struct raw_pcb *raw;
    struct udp_pcb *ask; /* sends the forwarder's queries; bound to nothing */
    struct dhcp_reply reply;
    uint8_t pcp_answer[PCP_MAX_BYTES];
    uint8_t datagram[SERVICE_DATAGRAM_MAX];
    uint64_t too_long, bad_checksum;
    uint64_t unbound; /* leases that the dataplane had no room to remember for lock=ip */
};

/* -ENOMEM or 0. After lwIP is up. */
int services_start(struct host *h, alloc_fn alloc);

/* True if a service is offered there. */
bool services_listens(const struct host *h, unsigned network, be16 port);

unsigned services_poll(struct host *h, uint64_t now_us);
uint64_t services_next_us(const struct host *h);
void services_print(const struct host *h, uint64_t now_us, void (*line)(const char *text));

#endif
