/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A DHCP server with two networks (lan: NAT, a pool of eight; cell: host-only, leases forever, MTU
 * 9000), and clients that are numbers, for tests.
 */
#ifndef DHCP_LAB_H
#define DHCP_LAB_H

#include "net/dhcp_server.h"

#define ROUTER    BE_IP4(192, 168, 8, 1)
#define POOL(i)   BE_IP4(192, 168, 8, 100 + (i))
#define ALL       0xFFFFFFFFu
#define POOL_SIZE 8
#define LEASE_S   3600

#define DHCP_LAB_BINDINGS 12000

/* What the server has said about an address. */
struct dhcp_lab_binding {
    be32 ip;
    uint8_t network;
    uint8_t mac[MAC_BYTES];
    uint64_t until_us;
};

struct dhcp_lab {
    struct config config;
    struct dhcp_server server;
    struct dhcp_reply reply; /* the last */
    uint64_t now_us;
    uint16_t mtu;    /* of the ports */
    uint32_t talks;  /* bit n: the other network has something to say to network n */
    bool waits;      /* the test polls itself */
    be32 probed;     /* the address last asked for by ARP, */
    unsigned probes; /* and how many times any was */
    unsigned binding_count;
    struct dhcp_lab_binding bindings[DHCP_LAB_BINDINGS];
};
extern struct dhcp_lab dhcp_lab;
extern const uint8_t dhcp_lab_relay_mac[MAC_BYTES];

/* What a client says; 0 and NULL: nothing. */
struct dhcp_lab_request {
    uint8_t type;
    unsigned client;
    be32 ciaddr, giaddr, requested, server;
    be16 flags;
    uint16_t max_size;
    const char *id, *name, *relay, *params;
    bool forged; /* the frame is another host's */
    unsigned port;
};

/* Setup and teardown of a test. */
int dhcp_lab_setup(void **state);
int dhcp_lab_teardown(void **state);

/* The server starts (again), with dhcp_lab.config. */
void dhcp_lab_start(void);

void dhcp_lab_mac_of(uint8_t *mac, unsigned client);
size_t dhcp_lab_build(uint8_t *b, size_t room, const struct dhcp_lab_request *r);

/* The type of the answer, 0 for none. What must hold for every answer is CHECKed. */
unsigned dhcp_lab_ask_on(unsigned network, struct dhcp_lab_request r);
unsigned dhcp_lab_ask(struct dhcp_lab_request r);

/* Discover and request, as a client does; the address. */
be32 dhcp_lab_lease(unsigned client);

/* What is due is answered: true, and the answer is in reply. */
bool dhcp_lab_poll(uint64_t now_us);

/* Of the last answer: the type; the address; an option's value, or NULL, found by a walk that
 * shares nothing with the code under test, and its length. */
unsigned dhcp_lab_type(void);
be32 dhcp_lab_yiaddr(void);
const uint8_t *dhcp_lab_option(uint8_t code, unsigned *n);

/* Who the address is bound to now, or NULL. */
const struct dhcp_lab_binding *dhcp_lab_bound(unsigned network, be32 ip);

uint32_t dhcp_lab_rnd(uint32_t below);

#endif
