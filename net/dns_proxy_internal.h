/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of the DNS forwarder share: the queries under way. dns_proxy.c decides what
 * becomes of queries and answers, dns_pending.c keeps the table, dns_fetch.c asks by TCP.
 */
#ifndef NET_DNS_PROXY_INTERNAL_H
#define NET_DNS_PROXY_INTERNAL_H

#include "net/dns_proxy.h"

#define DNS_NONE 0xFFFF /* no entry */

struct dns_waiter {
    struct dns_client client;
    be16 id;
};

struct dns_pending {
    uint64_t due_us, give_up_us;
    be32 server;
    be16 port, id;
    uint16_t next_port, next_question; /* next_port: also of the free list */
    uint16_t queue_at;
    uint16_t question_bucket, client_bucket;
    uint16_t n, question_bytes;
    uint16_t most_bytes; /* that the hosts can take */
    uint8_t server_index, waiter_count;
    uint8_t network; /* where it is asked */
    bool one_server;
    bool may_lead_inside;
    bool fetching; /* it is asked by TCP now, by this many servers so far */
    uint8_t fetch_tries;
    bool keep; /* the answer goes to the cache, under these flags */
    uint8_t cache_flags;
    struct dns_waiter waiters[DNS_WAITERS_MAX];
    uint8_t bytes[DNS_QUERY_MAX_BYTES];
};

/* ---- dns_pending.c ---- */

/* -ENOMEM or 0. d->key is there. */
int dns_pending_init(struct dns_proxy *d, alloc_fn alloc);

uint16_t dns_question_bucket(const struct dns_proxy *d, const uint8_t *question, size_t n);
bool dns_question_equal(const uint8_t *a, const uint8_t *b, size_t n);
struct dns_pending *dns_pending_by_port(const struct dns_proxy *d, be16 port);

/* Takes one question from what a host may have sent on. False: it has asked for too much. */
bool dns_rate_allows(struct dns_proxy *d, const struct dns_client *from, uint64_t now_us);

/* p->port is set. */
void dns_pending_link_port(struct dns_proxy *d, struct dns_pending *p);
void dns_pending_unlink_port(struct dns_proxy *d, struct dns_pending *p);
void dns_pending_enqueue(struct dns_proxy *d, struct dns_pending *p, uint64_t due_us);
void dns_pending_dequeue(struct dns_proxy *d, struct dns_pending *p);
struct dns_pending *dns_pending_first(const struct dns_proxy *d); /* due first; NULL: none */

/* An entry for this client, not yet linked anywhere: it is in use once dns_pending_use() says so.
 * NULL: there is none, or this client has its share. */
struct dns_pending *dns_pending_new(struct dns_proxy *d, const struct dns_client *from);
void dns_pending_use(struct dns_proxy *d, struct dns_pending *p, uint64_t due_us);

/* Takes it out of all chains; its port is released, and who is asked by TCP is told to stop. */
void dns_pending_forget(struct dns_proxy *d, struct dns_pending *p);

/* ---- dns_proxy.c ---- */

/* True if bytes, from port sport of the server that was asked, answer the query. */
bool dns_answer_matches(const struct dns_pending *p, be16 sport, const uint8_t *bytes, size_t n);

/* Gives an answer that matches to all who wait. The entry stays. */
void dns_answer_take(struct dns_proxy *d, struct dns_pending *p, uint8_t *bytes, size_t n,
                     uint64_t now_us);

/* All who wait are told SERVFAIL, and the entry is forgotten. */
void dns_give_up(struct dns_proxy *d, struct dns_pending *p);

/* ---- dns_fetch.c ---- */

/* An answer that was cut and matches: those who asked by UDP get it as it is, for the others the
 * server is asked by TCP. */
void dns_fetch_instead(struct dns_proxy *d, struct dns_pending *p, uint8_t *bytes, size_t n,
                       uint64_t now_us);

/* No answer has come by TCP: the next server is asked so, or if there is none, that was it. */
void dns_fetch_next(struct dns_proxy *d, struct dns_pending *p, uint64_t now_us);

#endif
