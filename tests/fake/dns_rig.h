/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The DNS forwarder between hosts and servers that are arrays, for tests: what it sends is
 * recorded, and answered when the test says so.
 *
 *     hosts 192.168.8.N of network 0 -- forwarder -- SERVER(0), SERVER(1) outside
 *                                                 \- INSIDE_SERVER in network INSIDE
 */
#ifndef DNS_RIG_H
#define DNS_RIG_H

#include "net/dns_proxy.h"
#include "net/wire/dns.h"

#define SERVER(i)      BE_IP4(9, 9, 9, 1 + (i))
#define OWN_IP         BE_IP4(192, 168, 8, 10)
#define OUTSIDE        16 /* networks, where servers are */
#define INSIDE         3
#define INSIDE_SERVER  BE_IP4(192, 168, 12, 53)
#define DNS_RIG_INSIDE BE_IP4(9, 9, 4, 18) /* an address of ours that is not private */

#define DNS_RIG_SENT       2048 /* this many are kept */
#define DNS_RIG_SENT_BYTES 4096
#define DNS_RIG_FETCHES    64

/* One datagram the forwarder sent, to a server or to a host. */
struct dns_sent {
    be32 to;
    be16 port; /* ours towards servers, the host's towards hosts */
    uint8_t network;
    uint32_t stream; /* towards hosts: by which connection */
    size_t n;
    uint8_t bytes[DNS_RIG_SENT_BYTES];
};

struct dns_rig {
    struct dns_proxy proxy;
    struct dns_sent asked[DNS_RIG_SENT], answered[DNS_RIG_SENT];
    unsigned asked_count, answered_count;
    /* Asked by TCP: port is which entry it was for. under_way: by entry. */
    struct dns_sent fetched[DNS_RIG_FETCHES];
    bool under_way[DNS_PENDING_MAX];
    unsigned fetched_count, fetching, fetches_left;
    bool reserved[65536];
    unsigned reserved_count, ports_left;
    uint64_t now_us;
    uint32_t seed;
};
extern struct dns_rig rig;

/* Setup and teardown of a test. A port is reserved exactly for a query under way, and nothing is
 * asked by TCP for none. */
int dns_rig_start(void **state);
int dns_rig_stop(void **state);

uint32_t dns_rig_random(uint32_t below);

/* A query for a dotted name; its length. */
size_t dns_rig_build(uint8_t *b, uint16_t id, const char *name, uint16_t type);
struct dns_client dns_rig_host(unsigned number);

/* A host asks; the second for an address. */
void dns_rig_ask(unsigned number, const uint8_t *b, size_t n);
void dns_rig_query(unsigned number, uint16_t id, const char *name);

/* Time passes, and the forwarder is called whenever it wants to be. */
void dns_rig_pass(uint64_t us);

const struct dns_sent *dns_rig_asked(void); /* the last one */
const struct dns_sent *dns_rig_answered(void);
unsigned dns_rig_rcode(const struct dns_sent *s);

/* What a server answers to what it was asked: one address. And with bytes of a test's own. */
size_t dns_rig_make_answer(uint8_t *b, const struct dns_sent *q);
bool dns_rig_answer(const struct dns_sent *q);
bool dns_rig_answer_with(const struct dns_sent *q, const uint8_t *b, size_t n);

/* The same by TCP, to what was asked so last; b NULL: that did not work. */
void dns_rig_fetched(const uint8_t *b, size_t n);

#endif
