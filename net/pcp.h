/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Asking for ports: a host asks the router for a port of its outside address, by NAT-PMP (RFC 6886)
 * or PCP (RFC 6887: ANNOUNCE, MAP, PEER). A function of (state, request, time): what it decides is
 * done through struct pcp_ops.
 *
 * Theory of operation. What was granted is an entry: who asked (network, address, protocol, port;
 * with PEER also the remote end), the nonce, and when it ends. Each entry holds its mapping in the
 * translator once (pcp_ops.hold), so that several for one endpoint share one outside port. Entries
 * stand packed in one array, searched from its beginning: there are few, and requests are limited.
 *
 * What a host may have is bounded: for its own address only, so many entries a host, a network and
 * in all, requests by a token bucket a host, lifetimes of two minutes to a day, a port below 1024
 * only for one below 1024. An entry changes hands by its nonce alone; NAT-PMP has none, and its
 * entries have the nonce zero.
 *
 * The epoch counts the seconds since entries were last void, for clients to notice. A new outside
 * address begins a new one, although entries keep their ports: what clients have told others is
 * wrong then. Whenever there is an address again, announcements in both protocols are sent ten
 * times, in intervals that double from 250 ms on (RFC 6886, section 3.2.1; RFC 6887, section 14.1).
 *
 * Invariants: an entry is one hold, of the same endpoint; no two entries are about the same
 * endpoint and remote end.
 */
#ifndef NET_PCP_H
#define NET_PCP_H

#include "base.h"
#include "config.h"
#include "net/hash.h"
#include "net/wire/pcp.h"

#define PCP_ENTRIES_MAX       1024
#define PCP_NETWORK_MAX       512 /* entries; leaves room for the others */
#define PCP_HOST_MAX          64  /* entries */
#define PCP_LIFETIME_MIN_S    120
#define PCP_LIFETIME_MAX_S    86400
#define PCP_REQUESTS_PER_S    16 /* of a host, after so many at once: */
#define PCP_REQUESTS_BURST    128
#define PCP_LIMIT_SLOTS       256
#define PCP_ANNOUNCEMENTS     10
#define PCP_ANNOUNCE_FIRST_US 250000u

/* Who has, or asks for, a port. */
struct pcp_inside {
    be32 ip;
    be16 port;
    uint8_t proto;   /* IP_PROTO_TCP or IP_PROTO_UDP */
    uint8_t network; /* index */
};

struct pcp_ops {
    /* Gives the endpoint an outside port, or holds the one that it has, until as many let_go() as
     * hold() were called. wanted: this one if it is free, 0: any; exact: no other. Returns the
     * port, or 0. */
    be16 (*hold)(void *ctx, const struct pcp_inside *who, be16 wanted, bool exact);
    void (*let_go)(void *ctx, const struct pcp_inside *who);
    /* Sends the bytes to all hosts of the network (224.0.0.1, port 5350). */
    void (*announce)(void *ctx, unsigned network, const uint8_t *bytes, size_t n);
};

struct pcp_counters {
    uint64_t requests; /* looked at; those answered with an error are: */
    uint64_t errors[PCP_RESULT_COUNT];
    uint64_t limited; /* not looked at: too many */
    uint64_t ignored; /* not a request at all */
    uint64_t granted, renewed, deleted, expired;
};

struct pcp_entry {
    struct pcp_inside who;
    be16 outside;
    be16 peer_port; /* with peer_ip 0: a port open to all (MAP, NAT-PMP) */
    be32 peer_ip;
    uint8_t nonce[PCP_NONCE_BYTES];
    uint64_t end_us;
};

struct pcp_bucket {
    uint32_t tokens_milli;
    uint64_t at_ms;
};

struct pcp {
    const struct config *config; /* the caller's, constant */
    const struct pcp_ops *ops;
    void *ctx;
    struct hash_key key;
    be32 outside, last_outside; /* as it is, 0: none; as it last was */
    uint64_t epoch_us;          /* when the epoch began */
    struct pcp_entry *entries;  /* PCP_ENTRIES_MAX, of which the first count are in use */
    unsigned count;
    uint64_t end_us;        /* no entry ends before */
    unsigned announcements; /* still to be sent */
    uint64_t announce_us;   /* the next */
    uint64_t announce_gap_us;
    uint64_t log_second; /* in which so many lines were said, and so many more were not: */
    unsigned log_shown, log_hidden;
    struct pcp_counters counters;
    struct pcp_bucket buckets[PCP_LIMIT_SLOTS];
};

/* Memory for the entries: -ENOMEM or 0. random: 32 bytes. */
int pcp_init(struct pcp *p, const struct config *config, const struct pcp_ops *ops, void *ctx,
             const uint8_t *random, uint64_t now_us, alloc_fn alloc);

/* True if hosts of the network may ask. */
static inline bool pcp_serves(const struct config *config, unsigned network)
{
    return config->nets[network].pcp;
}

/* The outside address from now on; 0: none. */
void pcp_set_outside(struct pcp *p, be32 ip, uint64_t now_us);

/* A UDP payload that came to port 5351 from a host of a network that is served. The answer, for
 * that host's port, is written to answer; its length is returned, 0 if there is none. */
size_t pcp_request(struct pcp *p, unsigned network, be32 from, const uint8_t *bytes, size_t n,
                   uint64_t now_us, uint8_t answer[static PCP_MAX_BYTES]);

/* Ends what is due, and announces; the number of such steps. And when that is next (UINT64_MAX:
 * never). */
unsigned pcp_poll(struct pcp *p, uint64_t now_us);
uint64_t pcp_next_us(const struct pcp *p);

/* Lines for people; none where no network is served. */
void pcp_print(const struct pcp *p, uint64_t now_us, void (*line)(const char *text));

/* ---- between pcp.c and pcp_table.c ---- */

/* What a request asks for, whichever protocol it came in. */
struct pcp_wish {
    struct pcp_inside who;
    be16 peer_port;
    be32 peer_ip; /* 0: not PEER */
    const uint8_t *nonce;
    be16 wanted; /* 0: any */
    bool exact;
    uint32_t lifetime_s; /* above 0 */
};

/* Grants the wish, or renews what was granted. In *entry what there is now; with PCP_NOT_AUTHORIZED
 * what is in the way (another nonce). */
enum pcp_result pcp_grant(struct pcp *p, const struct pcp_wish *wish, uint64_t now_us,
                          const struct pcp_entry **entry);

/* Ends the entry that is the wish's, if there is one; PCP_NOT_AUTHORIZED: it has another nonce, and
 * is in *entry. who.port 0: every MAP of that protocol (0: any) that the host has with this nonce.
 */
enum pcp_result pcp_delete(struct pcp *p, const struct pcp_wish *wish, uint64_t now_us,
                           const struct pcp_entry **entry);

/* Seconds until the entry ends, rounded up. */
uint32_t pcp_seconds_left(const struct pcp_entry *e, uint64_t now_us);

static inline uint32_t pcp_epoch_s(const struct pcp *p, uint64_t now_us)
{
    return (uint32_t)((now_us - p->epoch_us) / 1000000);
}

#endif
