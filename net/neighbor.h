/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Next hops of forwarded packets: a cache over the router's own stack, which does the ARP (RFC 826).
 *
 * Theory of operation. An entry is made when a packet first needs it; until it is resolved it holds a few packets
 * and the owner's resolve callback asks the stack for an ARP request, again every second, at most
 * NEIGHBOR_MAX_TRIES times, after which the held packets are dropped (the caller may send ICMP host unreachable).
 * The stack reports what it learns with neighbor_learned(). An entry in use is confirmed again before it is too old.
 * Entries are numbered; flows keep the number, and compare the address and network to see that it is still theirs.
 */
#ifndef NET_NEIGHBOR_H
#define NET_NEIGHBOR_H

#include "base.h"
#include "pkt.h"
#include "net/hash.h"
#include "net/index.h"
#include "net/wire/eth.h"

#define NEIGHBOR_NONE 0xFFFF
#define NEIGHBOR_MAX 4096
#define NEIGHBOR_HELD_MAX 4     /* packets an entry holds; the oldest gives way */
#define NEIGHBOR_HELD_ALL 256   /* packets all entries hold together */
#define NEIGHBOR_MAX_TRIES 3
#define NEIGHBOR_RETRY_MS 1000
#define NEIGHBOR_REFRESH_MS 30000 /* used and not confirmed for this long: ask again */
#define NEIGHBOR_IDLE_MS 120000   /* not used for this long: may be forgotten */

enum neighbor_state { NEIGHBOR_FREE, NEIGHBOR_INCOMPLETE, NEIGHBOR_REACHABLE };

struct neighbor {
    be32 ip;
    uint8_t network;
    uint8_t state;
    uint8_t tries;
    uint8_t held_count;
    uint8_t hdr[ETH_HDR_BYTES]; /* ready to be copied in front of an IPv4 packet */
    uint8_t port;               /* where the switch has that MAC, or SWITCH_PORT_NONE */
    uint8_t spare;
    uint32_t port_moves;        /* switch_table.moves when port was looked up */
    uint32_t confirmed_ms, used_ms, asked_ms;
    struct pkt *held[NEIGHBOR_HELD_MAX];
};

struct neighbor_table;

#endif
