/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DNS over TCP (RFC 7766), between lwIP and the forwarder: the connections of hosts (dns_tcp.c),
 * and those to servers whose answer does not fit a datagram (dns_tcp_fetch.c).
 */
#ifndef NET_HOST_DNS_TCP_H
#define NET_HOST_DNS_TCP_H

#include "base.h"
#include "net/dns_stream.h"

#define DNS_TCP_MAX           24 /* connections of hosts in all, */
#define DNS_TCP_PER_HOST      4  /* of one, those that are being opened included, */
#define DNS_TCP_HALF_OPEN_MAX 16 /* and of those in all */
#define DNS_TCP_ASKED_MAX     8  /* questions of one connection under way */
#define DNS_TCP_IDLE_US       10000000u
#define DNS_TCP_FETCHES_MAX   8

struct host;
struct host_if;
struct pkt;
struct tcp_hdr;
struct tcp_pcb;
struct dns_client;
struct view;

/* One of a host. pcb NULL: there is none. */
struct dns_tcp_conn {
    struct tcp_pcb *pcb;
    uint32_t stream; /* what the forwarder calls it: never 0, and not soon that of another */
    uint8_t network;
    uint8_t asked; /* questions under way */
    bool said_all; /* the host sends nothing more */
    bool broken;   /* it is to end */
    be32 ip;
    uint64_t progress_us; /* when a question was last taken, or what there was to say was said */
    struct pkt *out;      /* answers that lwIP has not taken yet, from offset out_at on */
    uint32_t out_at;
    struct dns_stream in;
};

/* One to a server. port 0: there is none. pcb NULL: it has failed. */
struct dns_tcp_fetch {
    struct tcp_pcb *pcb;
    be16 port;
    uint16_t which; /* of the forwarder's queries it is for */
    bool failed;
    struct pkt *in;
};

struct dns_tcp_counters {
    uint64_t opened, questions;
    uint64_t refused;   /* by a reset, because there were too many; half open ones without */
    uint64_t made_room; /* idle ones ended for others */
    uint64_t idle;      /* ended because nothing came of them for DNS_TCP_IDLE_US */
    uint64_t broken;    /* ended for what the host sent, or did not take */
};

struct dns_tcp {
    struct dns_tcp_counters counters;
    uint32_t opened; /* modulo 2^24 */
    uint32_t open;   /* bits: which of conns there are, as each round asks for them */
    struct dns_tcp_conn conns[DNS_TCP_MAX];
    struct dns_tcp_fetch fetches[DNS_TCP_FETCHES_MAX];
    uint8_t message[UINT16_MAX]; /* one from a server, in one piece */
};

/* ---- dns_tcp.c ---- */

/* Listens on every network with a resolver of ours. -ENOMEM or 0. */
int dns_tcp_start(struct host *h);

/* A SYN for a port that is listened on. False: lwIP is not to see it. */
bool dns_tcp_admits(struct host *h, const struct tcp_hdr *syn);

/* An answer for the connection to->stream, if it is still there. */
void dns_tcp_answer(struct host *h, const struct dns_client *to, const uint8_t *bytes, size_t n);

/* Does what frames, answers and time have made possible: the number of such steps. And when that is
 * next, if nothing comes before (UINT64_MAX: never). */
unsigned dns_tcp_poll(struct host *h, uint64_t now_us);
uint64_t dns_tcp_next_us(const struct host *h);

void dns_tcp_print(const struct host *h, void (*line)(const char *text));

/* ---- dns_tcp_fetch.c ---- */

/* dns_ops.fetch and end_fetch. */
bool dns_tcp_fetch(void *ctx, uint16_t which, uint8_t network, be32 server, const uint8_t *bytes,
                   size_t n);
void dns_tcp_end_fetch(void *ctx, uint16_t which);

/* Hands the forwarder what has come, and what has failed. */
unsigned dns_tcp_fetches_poll(struct host *h, uint64_t now_us);

/* True if a segment from the uplink is of a connection of ours to a server there. */
bool dns_tcp_awaits(const struct host *h, const struct view *v);

/* Appends to a packet of h's pool, which is made if there is none yet. False: no more than this may
 * be kept. */
bool dns_tcp_append(struct host *h, struct pkt **p, const uint8_t *bytes, size_t n);

#endif
