/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The dataplane: takes bursts from the ports, switches, routes and translates them by composing the
 * services, and sends them on. ARCHITECTURE: "A packet's journey".
 *
 * Everything hangs off struct dataplane; several can live side by side (a shard a core, a test
 * beside a test).
 *
 * Accounting. Every packet has exactly one end, so at every moment between two polls
 *     received + created == sent + consumed + dropped (by reason) + coalesced + held
 * where created counts packets the router made (its own frames, ICMP errors, further copies of
 * flooded packets, further frames of cut ones), consumed those its own stack took, coalesced those
 * that were put together with the one before them, held those waiting for a neighbor, for their
 * datagram's first fragment or, between dataplane_send() and the flush, for their port.
 */
#ifndef NET_DATAPLANE_H
#define NET_DATAPLANE_H

#include "base.h"
#include "config.h"
#include "nic.h"
#include "pkt.h"
#include "verdict.h"
#include "net/nat.h"
#include "net/neighbor.h"
#include "net/switch.h"

#define BURST_MAX 32

/* What the router's own stack (net/host) offers the dataplane. */
struct self_ops {
    /* A frame for the router itself on a network (0..15, or NETWORK_UPLINK): takes p. Checksums of
     * TCP and UDP may be unverified; partial ones have been completed and super-packets cut before.
     * False if the stack had no room (p is taken all the same). */
    bool (*input)(void *self, uint8_t network, struct pkt *p);
    /* Please find out who has ip on network: dataplane_neighbor() is called when known. */
    void (*resolve)(void *self, uint8_t network, be32 ip);
    /* A port of the network came up, or its last one went down; of the uplink's only its own port
     * counts, not a bridge's others. Called from dataplane_poll; may be NULL. Links that are up
     * when the dataplane is created are not reported. */
    void (*link)(void *self, uint8_t network, bool up);
    /* Another station of the network, which is not the uplink, says in ARP that it has the router's
     * address; the frame was dropped. May be NULL. */
    void (*conflict)(void *self, uint8_t network, const uint8_t *mac);
};

#define DATAPLANE_RANDOM_BYTES 64

struct dataplane_params {
    const struct config *config;
    struct nic **nics; /* config->port_count of them, in port order */
    struct pkt_pool *pool;
    uint32_t flow_capacity;
    alloc_fn alloc_dirty; /* see nat_params */
    uint32_t switch_capacity;
    const uint8_t *random; /* DATAPLANE_RANDOM_BYTES of them */
    const struct self_ops *self_ops;
    void *self;
    uint64_t now_us;
};

struct dataplane;

/* Takes all its memory from alloc; NULL if there is not enough or the configuration is not ok. */
struct dataplane *dataplane_create(const struct dataplane_params *params, alloc_fn alloc);

/* Another copy of this machine runs, and would choose the same. What nobody outside may guess
 * (ports, identifications, the cost of errors) is drawn anew from DATAPLANE_RANDOM_BYTES; flows and
 * tables stay as they are, with the keys of their hashes, which nobody sees. */
void dataplane_reseed(struct dataplane *dp, const uint8_t *random);

/* One round: a burst from every port, held and staged packets sent, due timers run within a budget.
 * Returns the number of packets and timer steps handled: 0 means there was nothing to do. */
unsigned dataplane_poll(struct dataplane *dp, uint64_t now_us);

/* When dataplane_poll wants to be called even if no packet comes; UINT64_MAX = never. */
uint64_t dataplane_next_us(const struct dataplane *dp, uint64_t now_us);

/* Asks all ports for interrupts; true if one has work already (poll again). And the reverse. */
bool dataplane_arm(struct dataplane *dp);
void dataplane_disarm(struct dataplane *dp);

/* ---- for net/host ---- */

/* Sends a complete Ethernet frame of the router's own onto a network; takes p. Its destination MAC
 * decides the port; unknown and group addresses are flooded. Sent with the next flush (at the
 * latest at the end of the poll, or by dataplane_flush). */
void dataplane_send(struct dataplane *dp, uint8_t network, struct pkt *p);
void dataplane_flush(struct dataplane *dp);

/* mac has answered the stack that it has ip; or it says so in any other way; or the stack has known
 * it for a while. When: now, which is the round's time; the clock may be ahead of it. False: there
 * is reason to doubt it, and the stack is not to believe it: see net/neighbor.h. */
bool dataplane_neighbor(struct dataplane *dp, uint8_t network, be32 ip, const uint8_t *mac);
bool dataplane_claim(struct dataplane *dp, uint8_t network, be32 ip, const uint8_t *mac);
void dataplane_assume(struct dataplane *dp, uint8_t network, be32 ip, const uint8_t *mac);

/* The uplink's address, netmask and gateway from this round on; ip 0: none. */
void dataplane_set_uplink(struct dataplane *dp, be32 ip, be32 mask, be32 gateway);

/* The MAC the router uses on a network, and the network's MTU (bytes of IP). */
const uint8_t *dataplane_mac(const struct dataplane *dp, uint8_t network);
uint16_t dataplane_mtu(const struct dataplane *dp, uint8_t network);

/* A host has this address until then (UINT64_MAX: for good), and no other: its lease, or its
 * reservation. Ports with lock=ip let in nothing else. Where the MAC is a lease's, only the port it
 * is on now. False: the table of them is full, and the host will be locked out. */
bool dataplane_bind(struct dataplane *dp, uint8_t network, be32 ip, const uint8_t *mac,
                    uint64_t until_us);
void dataplane_unbind(struct dataplane *dp, uint8_t network, be32 ip);

/* Outside ports for the router's own sockets: see nat_reserve(). */
be16 dataplane_reserve_port(struct dataplane *dp, uint8_t proto);
bool dataplane_reserve_this_port(struct dataplane *dp, uint8_t proto, be16 port);
void dataplane_release_port(struct dataplane *dp, uint8_t proto, be16 port);

/* Outside ports that a host of a translated network has asked for: see nat_hold(). */
be16 dataplane_hold_port(struct dataplane *dp, uint8_t network, uint8_t proto, be32 ip, be16 port,
                         be16 wanted, bool exact);
void dataplane_let_go_port(struct dataplane *dp, uint8_t network, uint8_t proto, be32 ip,
                           be16 port);

/* ---- status ---- */

struct dataplane_totals {
    uint64_t received, created, sent, consumed, coalesced, held;
    uint64_t dropped[DROP_REASON_COUNT];
    uint64_t icmp_errors_sent, resets_sent;
    uint64_t flows_moved;         /* ended because the uplink's address changed */
    uint64_t icmp_errors_limited; /* of both: not sent because there were too many */
    uint32_t flows_live, flow_capacity;
    uint32_t neighbors;
};
void dataplane_totals(const struct dataplane *dp, struct dataplane_totals *totals);

/* Writes the status as short aligned lines for people (and tests): ports, totals, every reason that
 * is not 0. */
void dataplane_print_status(const struct dataplane *dp, void (*line)(const char *text));

/* True if the sum above holds. */
bool dataplane_sum_holds(const struct dataplane_totals *totals);

#endif
